-- Have the operator import the same material again: also where somebody deleted it, or disabled the key.

local os = require("os")
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["kms.keyimport.dev/reimport-requested-at"] = os.date("!%Y-%m-%dT%H:%M:%SZ")
return obj
