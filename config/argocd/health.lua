-- Health of a KMSKeyImport in Argo CD. Only what Argo CD's sandbox offers is used: no string library.
--
-- status.observedGeneration and the conditions stay at the last generation that was settled, stalled or suspended
-- until the present one is. So a change of the spec is Progressing until the operator has acted on it.

local status = obj.status or {}

-- Of the conditions all but Ready are present only while they are True.
local is = {}
for _, condition in ipairs(status.conditions or {}) do
  if condition.status == "True" or condition.type == "Ready" then
    is[condition.type] = condition
  end
end

local function health(code, message)
  -- What a person should know whatever the health.
  for _, warning in ipairs({"Interrupted", "Expiring", "SourceMissing", "OtherMaterialExpires", "RenewalNeedsInterruption"}) do
    if is[warning] ~= nil then
      message = message .. "; " .. warning .. ": " .. is[warning].message
    end
  end
  if is.Expiring ~= nil and status.validTo ~= nil then
    message = message .. " (it expires at " .. status.validTo .. ")"
  end
  return {status = code, message = message}
end

if is.Ready == nil then
  return health("Progressing", "the operator has not seen this object yet")
end

-- Waiting does not help where KMS denies access, although the operator goes on trying.
if is.Reconciling ~= nil and is.Reconciling.reason == "AccessDenied" then
  return health("Degraded", is.Reconciling.message)
end

if is.Reconciling ~= nil then
  return health("Progressing", is.Reconciling.message)
end

if status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "the operator has not acted on the latest change of the spec yet")
end

if is.Suspended ~= nil then
  if is.Ready.status ~= "True" and is.Ready.reason ~= is.Suspended.reason then
    return health("Suspended", is.Suspended.message .. "; when it was last looked at: " .. is.Ready.message)
  end
  return health("Suspended", is.Suspended.message)
end

if is.Stalled ~= nil then
  return health("Degraded", is.Stalled.message)
end

if is.Ready.status == "True" then
  local message = is.Ready.message
  if status.renewalTime ~= nil then
    message = message .. "; it is renewed at " .. status.renewalTime
  elseif status.validTo ~= nil and is.Expiring == nil then
    message = message .. "; it expires at " .. status.validTo
  end
  return health("Healthy", message)
end

-- Not usable, and nobody at work on it.
if is.Ready.status == "False" then
  return health("Degraded", is.Ready.message)
end
return health("Progressing", is.Ready.message)
