-- Health of a BackupTask. What Ready means is chosen by spec.readiness; a suspended task keeps its verdict, so that it
-- holds up no sync wave.
-- The verdict is that of kstatus: Healthy is Current, Progressing is InProgress or Terminating, Degraded is Failed.
local health = {
  status = "Progressing",
  message = "Waiting for the operator to observe the object"
}

local conditions = {}
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    conditions[condition.type] = condition
  end
end

local function say(condition)
  health.message = condition.reason
  if condition.message ~= nil and condition.message ~= "" then
    health.message = condition.reason .. ": " .. condition.message
  end
end

local function holds(condition)
  return condition ~= nil and condition.status == "True"
end

local ready = conditions["Ready"]

if obj.metadata.deletionTimestamp ~= nil then
  health.message = "Pending deletion"
  if ready ~= nil then
    say(ready)
  end
  -- Argo CD 3.6 and later show this one; older ones pass it over.
  health.deletionMessage = health.message
  return health
end

if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return health
end

if holds(conditions["Reconciling"]) then
  say(conditions["Reconciling"])
elseif holds(conditions["Stalled"]) then
  health.status = "Degraded"
  say(conditions["Stalled"])
elseif ready ~= nil then
  if holds(ready) then
    health.status = "Healthy"
  end
  say(ready)
end

return health
