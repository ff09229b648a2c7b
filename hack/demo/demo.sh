#!/usr/bin/env bash
# Shows the operator at work on this machine: `make demo` runs it, `make demo-stop` runs it with the argument "stop".
#
#   KUBEBUILDER_ASSETS  where kube-apiserver, etcd and kubectl are; default bin/k8s
#   DIALECT             AWS (default) or QKMS: which KMS to play
#   KEEP=1              leave everything running at the end
#
# Whatever it makes is in bin/demo; only the logs stay there.
set -Eeuo pipefail
umask 077

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
assets=${KUBEBUILDER_ASSETS:-$root/bin/k8s}
demo=$root/bin/demo
helper=$demo/helper
dialect=${DIALECT:-AWS}
operator=kms-key-import-operator
system=kms-key-import-system

# shellcheck source-path=SCRIPTDIR source=processes.sh
source "$root/hack/demo/processes.sh"
# shellcheck source-path=SCRIPTDIR source=servers.sh
source "$root/hack/demo/servers.sh"

main() {
	case ${1:-} in
	'') run ;;
	stop) stop ;;
	*)
		echo "usage: hack/demo/demo.sh [stop]" >&2
		exit 2
		;;
	esac
}

run() {
	prepare
	start_cluster
	install_operator
	start_operator
	create_keys
	import
	show_encryption
	show_proof
	show_healing
	if [[ ${KEEP:-0} != 0 ]]; then
		keep
	fi
}

stop() {
	if [[ ! -x $helper ]] || [[ -z $(processes running)$("$helper" running "$demo/demo.pid") ]]; then
		echo "demo: nothing is running"
	else
		# A demo that is still at its steps cleans up by itself, the helper included.
		"$helper" stop "$demo/demo.pid"
		[[ ! -x $helper ]] || processes stop
		echo "demo: stopped; its logs are in bin/demo"
	fi
	clear_folder .log
}

prepare() {
	case $dialect in
	AWS | QKMS) ;;
	*)
		echo "demo: DIALECT is AWS or QKMS, not $dialect" >&2
		exit 2
		;;
	esac
	local program
	for program in "$assets"/{etcd,kube-apiserver,kubectl} "$root"/bin/{manager,localkms}; do
		if [[ ! -x $program ]]; then
			echo "demo: there is no program $program: 'make demo' builds what is missing" >&2
			exit 1
		fi
	done
	assets=$(cd "$assets" && pwd)
	cd "$root"
	mkdir -p "$demo"
	chmod 700 "$demo"
	GOWORK=off go build -o "$helper" ./hack/demo
	be_the_only_one
	guard
	clear_folder helper demo.pid

	# Nothing of the caller's configuration is used, nothing in the home directory is read or written.
	# shellcheck disable=SC2086 # names
	unset ${!AWS_@} ${!KUBECTL_@}
	export KUBECONFIG=$demo/kubeconfig KUBECACHEDIR=$demo/cache KUBERC=off
	export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true
}

# be_the_only_one holds a lock on demo.pid for as long as this script runs.
be_the_only_one() {
	exec 9<>"$demo/demo.pid"
	if ! "$helper" lock <&9 2>/dev/null; then
		echo "demo: another one is under way here: wait for it, or end it with 'make demo-stop'" >&2
		exit 1
	fi
	if [[ -n $(processes running) ]]; then
		echo "demo: one is still running here: '. bin/demo/env' to use it, 'make demo-stop' to end it" >&2
		exit 1
	fi
	echo "$$" >"$demo/demo.pid"
}

start_cluster() {
	title "A cluster and a KMS, on loopback addresses"
	local etcd_port api_port kms_port
	read -r etcd_port api_port kms_port probes_1 metrics_1 probes_2 metrics_2 < <("$helper" ports 7)
	start_etcd "$etcd_port"
	start_kube_apiserver "$api_port" "$etcd_port"
	start_kms "$kms_port"
	await 60 "the local KMS" "$helper" get "$AWS_ENDPOINT_URL_KMS/healthz"
	await 120 "kube-apiserver" kubectl get --raw=/readyz
	say "kube-apiserver at $server, with etcd" "local KMS at $AWS_ENDPOINT_URL_KMS, in the dialect of $dialect"
}

install_operator() {
	title "The operator is installed as on any cluster"
	show kubectl apply --server-side -k config/default
	await 30 "the CRDs" kubectl wait --for=condition=Established crd --all --timeout=2s
}

start_operator() {
	title "Two operators start, one leads"
	say "There is no kubelet here to start the Deployment's Pods. Two processes bin/manager take their place," \
		"with the token of the Pods' ServiceAccount and so with the rights of config/rbac, no more."
	write_kubeconfig "$demo/manager.kubeconfig" "$operator" "$(kubectl create token "$operator" -n "$system" --duration=168h)"
	start_manager 1 "$probes_1" "$metrics_1"
	await 60 "manager 1 to lead" is_led
	start_manager 2 "$probes_2" "$metrics_2"
	say "manager 1 (process $(<"$demo/manager-1.pid")) leads, manager 2 (process $(<"$demo/manager-2.pid")) stands by"
}

create_keys() {
	title "KMS keys that wait for material, and a Secret for each that holds some"
	show kubectl create namespace demo
	create_key SYMMETRIC_DEFAULT
	symmetric=$created
	create_secret payments-material
	if [[ $dialect == AWS ]]; then
		create_key HMAC_256
		hmac=$created
		create_secret sessions-material
	else
		say "QKMS imports into symmetric keys only, so there is no HMAC key here."
	fi
}

# create_key KEY_SPEC
create_key() {
	created=$("$helper" create-key "$1")
	say "KMS CreateKey, $1, Origin EXTERNAL: $created is $("$helper" key-state "$created")"
}

# create_secret NAME lets the material pass through a pipe alone: no file and no list of processes ever shows it.
create_secret() {
	say "\$ head -c 32 /dev/urandom | kubectl create secret generic $1 -n demo --from-file=material=/dev/stdin"
	head -c 32 /dev/urandom | kubectl create secret generic "$1" -n demo --from-file=material=/dev/stdin | indent
	show kubectl label secret "$1" -n demo kms.keyimport.dev/key-material=true
}

import() {
	title "A KMSKeyImport for each: the operator imports the material"
	write_manifest payments "$symmetric" >"$demo/keys.yaml"
	if [[ $dialect == AWS ]]; then
		write_manifest sessions "$hmac" >>"$demo/keys.yaml"
	fi
	echo
	indent <"$demo/keys.yaml"
	show kubectl apply -f bin/demo/keys.yaml
	show_ready
	show kubectl get kki -n demo
}

# write_manifest NAME KEY
write_manifest() {
	cat <<-MANIFEST
		---
		apiVersion: kms.keyimport.dev/v1alpha1
		kind: KMSKeyImport
		metadata:
		  name: $1
		  namespace: demo
		spec:
		  keyID: $2
		  material:
		    secretRef:
		      name: $1-material
	MANIFEST
}

show_ready() {
	local wait=(kubectl wait --for=condition=Ready kki --all -n demo)
	say "\$ ${wait[*]}"
	await 60 "the KMSKeyImports to be Ready" "${wait[@]}" --timeout=2s
	indent <"$demo/answer"
}

show_encryption() {
	title "The symmetric key works: what it encrypts, it decrypts"
	local decrypted
	text="the quick brown fox"
	ciphertext=$("$helper" encrypt "$symmetric" "$text")
	decrypted=$("$helper" decrypt "$symmetric" <<<"$ciphertext")
	say "plaintext    $text" "KMS Encrypt  ${ciphertext:0:72}..." "KMS Decrypt  $decrypted"
	[[ $decrypted == "$text" ]] || fail "Decrypt did not return what Encrypt was given"
}

show_proof() {
	title "The proof: KMS holds exactly the bytes of the Secret"
	if [[ $dialect == QKMS ]]; then
		say "Left out: it takes an HMAC key, and QKMS imports none. The next step shows as much as can be shown here:" \
			"a ciphertext from before a deletion opens after the re-import, so the same bytes are back."
		return
	fi
	say "Nobody else can compute this HMAC: KMS, with the key, and this script, with the Secret, come to the same."
	local message="message 42" by_kms by_us
	by_kms=$("$helper" mac "$hmac" "$message")
	by_us=$(kubectl get secret sessions-material -n demo -o jsonpath='{.data.material}' | "$helper" own-mac "$message")
	say "KMS GenerateMac       $by_kms" "HMAC from the Secret  $by_us"
	[[ $by_kms == "$by_us" ]] || fail "the two HMACs differ: the key does not hold the bytes of the Secret"
}

show_healing() {
	title "The material is deleted, the leader killed: the other operator heals the key"
	local first_leader request answer
	first_leader=$(leader)
	"$helper" delete-material "$symmetric"
	say "KMS DeleteImportedKeyMaterial: the key is now $("$helper" key-state "$symmetric")"
	if answer=$("$helper" decrypt "$symmetric" <<<"$ciphertext" 2>&1); then
		fail "the key decrypts without its material"
	fi
	say "KMS Decrypt: ${answer#decrypt: }" "kill -9 manager 1 (process $(<"$demo/manager-1.pid"))"
	crash manager-1

	request=$(date -u +%FT%TZ)
	show kubectl annotate --overwrite kki/payments -n demo "kms.keyimport.dev/reconcile-requested-at=$request"
	await 60 "manager 2 to lead" is_led_by_other_than "$first_leader"
	say "manager 2 (process $(<"$demo/manager-2.pid")) leads"
	await 60 "the key to be healed" is_healed "$request"
	show_ready
	show kubectl get kki -n demo
	answer=$("$helper" decrypt "$symmetric" <<<"$ciphertext")
	say "KMS Decrypt, of the ciphertext from before:  $answer"
	[[ $answer == "$text" ]] || fail "the healed key does not decrypt what it encrypted before"
}

# is_healed REQUEST succeeds when the request was acted on and KMS says that the key is usable.
is_healed() {
	[[ $(kubectl get kki payments -n demo -o jsonpath='{.status.lastHandledReconcileAt}') == "$1" &&
	$("$helper" key-state "$symmetric") == Enabled ]]
}

# keep leaves everything running, without this script.
keep() {
	title "Everything stays (KEEP=1)"
	start_manager 1 "$probes_1" "$metrics_1"
	local name
	export KUBECTL=$assets/kubectl
	for name in KUBECONFIG KUBECACHEDIR KUBECTL \
		AWS_ENDPOINT_URL_KMS AWS_REGION AWS_DEFAULT_REGION AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY; do
		printf 'export %s=%q\n' "$name" "${!name}"
	done >"$demo/env"
	# One left over from another login would be sent along, and refused.
	echo 'export AWS_SESSION_TOKEN=' >>"$demo/env"
	rm -f "$demo/answer" "$demo/demo.pid"
	say "manager 1 runs again and stands by. What to try next, in this folder:"
	cat <<-TRY

		     . bin/demo/env                                # this shell: cluster-admin, and the local KMS for any AWS SDK
		     "\$KUBECTL" get kki -A -o wide
		     "\$KUBECTL" describe kki payments -n demo       # status and events
		     "\$KUBECTL" get kmskeyrecords -n $system -o yaml    # the evidence of custody
		     tail -f bin/demo/manager-*.log
		     bin/demo/helper                               # KMS calls, where there is no AWS CLI

		     # Delete the material again, and have it healed:
		     bin/demo/helper delete-material $symmetric
		     "\$KUBECTL" annotate --overwrite kki/payments -n demo kms.keyimport.dev/reconcile-requested-at="\$(date)"

		     # Put other bytes into the Secret, and see that they are not imported:
		     head -c 32 /dev/urandom | "\$KUBECTL" create secret generic payments-material -n demo \\
		       --from-file=material=/dev/stdin --dry-run=client -o json |
		       "\$KUBECTL" patch secret payments-material -n demo --type=merge --patch-file=/dev/stdin
		     "\$KUBECTL" get kki -n demo

		     make demo-stop
	TRY
	unguard
	printf '\ndemo: ok\n'
}

step=0
title() {
	step=$((step + 1))
	printf '\n%d. %s\n' "$step" "$1"
}

# say LINE... prints a paragraph.
say() {
	echo
	printf '   %s\n' "$@"
}

indent() {
	sed 's/^/   /'
}

# show COMMAND... prints a command and what it says.
show() {
	local output
	printf '\n   $ %s\n' "$*"
	output=$("$@" 2>&1) || fail "$*: $output"
	indent <<<"$output"
}

kubectl() {
	"$assets/kubectl" "$@"
}

main "$@"
