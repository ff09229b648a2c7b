#!/usr/bin/env bash
# Provides the control plane that tests and demo run on: kube-apiserver, etcd and kubectl in bin/k8s, built from the
# modules that go.mod beside this script pins. With arguments, only the programs named.
#
# Where KUBEBUILDER_ASSETS is set, what it names is used and nothing is built.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

module=hack/controlplane
if (($# == 0)); then
	set -- kube-apiserver etcd kubectl
fi

if [[ -n ${KUBEBUILDER_ASSETS:-} ]]; then
	for program in "$@"; do
		if [[ ! -x $KUBEBUILDER_ASSETS/$program ]]; then
			echo "controlplane: KUBEBUILDER_ASSETS is set to \"$KUBEBUILDER_ASSETS\", where there is no executable $program." \
				"Point it at a folder with kube-apiserver, etcd and kubectl, or unset it to have them built." >&2
			exit 1
		fi
	done
	echo "controlplane: using $KUBEBUILDER_ASSETS (KUBEBUILDER_ASSETS is set)"
	exit 0
fi

version_of() {
	awk -v module="$1" '$1 == module && $2 ~ /^v/ { print $2 }' $module/go.mod
}

# kubernetes_flags VERSION prints the flags without which a Kubernetes program reports v0.0.0.
kubernetes_flags() {
	local major minor
	IFS=. read -r major minor _ <<<"${1#v}"
	local prefix="-X k8s.io/component-base/version"
	echo "$prefix.gitVersion=$1 $prefix.gitMajor=$major $prefix.gitMinor=$minor"
}

kubernetes=$(version_of k8s.io/kubernetes)
etcd=$(version_of go.etcd.io/etcd/server/v3)

# One after the other: kube-apiserver alone fills two cores and 3 GB.
for program in "$@"; do
	case $program in
	kube-apiserver)
		package=k8s.io/kubernetes/cmd/kube-apiserver flags=$(kubernetes_flags "$kubernetes")
		hint="$kubernetes, from Go modules; the first time about 5 minutes on 2 cores"
		;;
	etcd)
		package=go.etcd.io/etcd/server/v3 flags=
		hint="$etcd, from Go modules; the first time about a minute on 2 cores"
		;;
	kubectl)
		package=k8s.io/kubernetes/cmd/kubectl flags=$(kubernetes_flags "$kubernetes")
		hint="$kubernetes, from Go modules; under a minute after kube-apiserver"
		;;
	*)
		echo "controlplane: no program \"$program\" here; there are kube-apiserver, etcd and kubectl" >&2
		exit 2
		;;
	esac
	hack/build-tool.sh $module "$package" "bin/k8s/$program" "$flags" "$hint"
done
