-- Asks for a successful run that starts from now on. The token is a time, so a run that satisfies it is not repeated.
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["activebackup.dev/backup-requested"] = os.date("!%Y-%m-%dT%H:%M:%SZ")
return obj
