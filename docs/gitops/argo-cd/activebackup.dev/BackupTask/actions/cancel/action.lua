-- Cancels the run in flight, and no later one.
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["activebackup.dev/cancel-requested"] = os.date("!%Y-%m-%dT%H:%M:%SZ")
return obj
