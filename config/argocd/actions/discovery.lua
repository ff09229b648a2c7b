-- Which actions make sense for a KMSKeyImport as it is.

local suspended = obj.spec.suspend == true
local deleting = obj.metadata.deletionTimestamp ~= nil

-- What is asked for before the first status is not acted on: an import is under way in any case.
local seen = obj.status ~= nil and obj.status.conditions ~= nil

return {
  ["reconcile"] = {
    ["displayName"] = "Look now",
    ["iconClass"] = "fa fa-fw fa-sync",
    ["disabled"] = deleting or suspended or not seen,
  },
  ["reimport"] = {
    ["displayName"] = "Import again",
    ["iconClass"] = "fa fa-fw fa-file-import",
    ["disabled"] = deleting or suspended or not seen,
  },
  ["suspend"] = {
    ["displayName"] = "Suspend",
    ["iconClass"] = "fa fa-fw fa-pause",
    ["disabled"] = deleting or suspended,
  },
  ["resume"] = {
    ["displayName"] = "Resume",
    ["iconClass"] = "fa fa-fw fa-play",
    ["disabled"] = deleting or not suspended,
  },
}
