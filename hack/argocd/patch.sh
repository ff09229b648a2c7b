#!/usr/bin/env bash
# Writes config/argocd/argocd-cm.yaml, the patch of Argo CD's ConfigMap, from the Lua beside it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../config/argocd"

# lua FILE SPACES prints a file as a block of YAML that is indented so far. Empty lines stay empty.
lua() {
	sed "s/^\(.\)/$(printf '%*s' "$2" '')\1/" "$1"
}

{
	cat <<'HEAD'
# Argo CD's health check and actions for KMSKeyImports, as a patch of its ConfigMap argocd-cm. It adds two keys and
# touches no other:
#
#   kubectl patch configmap argocd-cm -n argocd --type=merge --patch-file=config/argocd/argocd-cm.yaml
#
# Made from the .lua files beside it by `make manifests`.
apiVersion: v1
kind: ConfigMap
metadata:
  name: argocd-cm
data:
  resource.customizations.health.kms.keyimport.dev_KMSKeyImport: |
HEAD
	lua health.lua 4
	cat <<'ACTIONS'
  resource.customizations.actions.kms.keyimport.dev_KMSKeyImport: |
    discovery.lua: |
ACTIONS
	lua actions/discovery.lua 6
	echo "    definitions:"
	for action in reconcile reimport suspend resume; do
		printf '    - name: %s\n      action.lua: |\n' "$action"
		lua "actions/$action.lua" 8
	done
} >argocd-cm.yaml
