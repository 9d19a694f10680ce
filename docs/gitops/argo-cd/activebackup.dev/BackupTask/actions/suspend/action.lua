-- Holds everything back; observing goes on.
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["activebackup.dev/suspended"] = "true"
return obj
