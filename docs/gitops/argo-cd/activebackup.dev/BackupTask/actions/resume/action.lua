-- Not taken away: the last entry of a map cannot be, since Lua's empty table comes back as a list.
if obj.metadata.annotations ~= nil then
  obj.metadata.annotations["activebackup.dev/suspended"] = "false"
end
return obj
