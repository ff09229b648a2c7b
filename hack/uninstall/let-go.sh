#!/usr/bin/env bash
# Takes the operator's finalizer off every KMSKeyImport, so that deleting them needs no operator and takes no material
# away: each is set to keep what its key holds first. Run it when no operator runs any more.
#
#   KUBECTL=kubectl hack/uninstall/let-go.sh
set -euo pipefail

kubectl=${KUBECTL:-kubectl}
finalizer=kms.keyimport.dev/key-material
keep='{"spec": {"deletionPolicy": "Retain", "reimportPolicy": "InPlace"}}'

"$kubectl" get kmskeyimports.kms.keyimport.dev --all-namespaces --output go-template='
	{{- range .items}}{{$object := .metadata}}{{range $index, $name := .metadata.finalizers}}
	{{- if eq $name "'$finalizer'"}}{{$object.namespace}} {{$object.name}} {{$index}}{{"\n"}}{{end}}
	{{- end}}{{end}}' |
	while read -r namespace name index; do
		one=("$kubectl" --namespace "$namespace" patch kmskeyimports.kms.keyimport.dev "$name")
		path=/metadata/finalizers/$index
		"${one[@]}" --type=merge --patch "$keep"
		# A running operator has taken it off by itself, perhaps in this moment.
		"${one[@]}" --type=json --patch '[
			{"op": "test", "path": "'"$path"'", "value": "'"$finalizer"'"},
			{"op": "remove", "path": "'"$path"'"}
		]' || echo "$namespace/$name: the finalizer is gone already, or stays; see: $kubectl get kki $name -n $namespace -o yaml" >&2
	done
