-- Argo CD's health check of PinpointImportRoles. In the ConfigMap argocd-cm:
--   resource.customizations.health.pinpoint-import.dev_PinpointImportRole: |
--     (this file)
local function is_true(kind)
  for _, condition in ipairs(obj.status.conditions or {}) do
    if condition.type == kind and condition.status == "True" then
      return true
    end
  end
  return false
end

if obj.status == nil or obj.status.conditions == nil then
  return { status = "Progressing", message = "the controller has not looked at it yet" }
end
local message = ""
for _, condition in ipairs(obj.status.conditions) do
  if condition.type == "Ready" then
    message = condition.message
  end
end
if is_true("Suspended") then
  return { status = "Suspended", message = "spec.suspend is set" }
end
if obj.status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "the last change of the object was not seen yet" }
end
if is_true("Stalled") then
  return { status = "Degraded", message = message }
end
if is_true("Ready") then
  return { status = "Healthy", message = message }
end
return { status = "Progressing", message = message }
