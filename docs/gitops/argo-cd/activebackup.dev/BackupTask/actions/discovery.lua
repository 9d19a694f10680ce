-- What can be asked of a BackupTask beside Git: each action sets an annotation, which Git does not name and therefore
-- does not fight.
local annotations = obj.metadata.annotations or {}
local status = obj.status or {}
local deleting = obj.metadata.deletionTimestamp ~= nil
local annotated = annotations["activebackup.dev/suspended"] == "true"
local suspended = annotated or (obj.spec.suspend == true)

local actions = {}
actions["backup"] = {
  ["disabled"] = deleting or suspended,
  ["iconClass"] = "fa fa-fw fa-play-circle"
}
actions["cancel"] = {
  ["disabled"] = deleting or suspended or status.run == nil,
  ["iconClass"] = "fa fa-fw fa-stop-circle"
}
actions["suspend"] = {
  ["disabled"] = suspended,
  ["iconClass"] = "fa fa-fw fa-pause-circle"
}
-- What spec.suspend holds, only Git lets go.
actions["resume"] = {
  ["disabled"] = not annotated,
  ["iconClass"] = "fa fa-fw fa-play"
}
return actions
