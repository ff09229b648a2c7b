#!/usr/bin/env bash
# Runs make conformance on the local KMS, in both dialects, with a key and without, and checks what it leaves behind and
# what it refuses. Needs bin/localkms (make build).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"

say() { echo "conformance-local: $*"; }

die() {
	say "$*" >&2
	exit 1
}

[[ -x bin/localkms ]] || die "there is no bin/localkms: run make build first"

umask 077
work=$(mktemp -d)
finish() {
	local running
	readarray -t running < <(jobs -p)
	if [[ ${#running[@]} != 0 ]]; then
		kill "${running[@]}" 2>/dev/null || true
		wait
	fi
	rm -rf "$work"
}
trap finish EXIT

# No profile, proxy or credential of the caller's has a part in this.
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
export AWS_ACCESS_KEY_ID=localkms AWS_SECRET_ACCESS_KEY=localkms AWS_REGION=eu-west-1
unset AWS_PROFILE AWS_SESSION_TOKEN AWS_DEFAULT_REGION AWS_CA_BUNDLE

go build -o "$work/helper" ./hack/demo

# serve DIALECT: a local KMS, talked to from now on. It ends with this script, and by itself soon after where nothing could
# end it.
serve() {
	dialect=$1 log=$work/$1.log
	timeout 900 bin/localkms --listen=127.0.0.1:0 --address-file="$work/$1" --dialect="$1" >"$work/$1.out" 2>"$log" &
	local kms=$!
	for _ in {1..100}; do
		if [[ -s $work/$1 ]]; then
			export AWS_ENDPOINT_URL_KMS=http://$(<"$work/$1")
			return
		fi
		kill -0 "$kms" 2>/dev/null || die "localkms did not start: $(<"$log")"
		sleep 0.1
	done
	die "localkms wrote no address in 10 s"
}

# done_so_far OPERATION: how often the local KMS has done it
done_so_far() { grep -c "operation=$1 .*outcome=OK" "$log" || true; }

# conformance [VARIABLE=VALUE ...]
conformance() {
	make conformance ENDPOINT="$AWS_ENDPOINT_URL_KMS" DIALECT="$dialect" "$@" </dev/null >"$work/output" 2>&1
}

# passes WHAT [VARIABLE=VALUE ...]: every promise that was announced is checked and kept
passes() {
	local what=$1 announced kept
	shift
	conformance YES=1 "$@" || die "$dialect, $what: $(<"$work/output")"
	announced=$(sed -n 's/^ *promises *\([0-9]*\) are checked.*/\1/p' "$work/output")
	kept=$(grep -c '^    --- PASS' "$work/output")
	[[ $announced == "$kept" ]] || die "$dialect, $what: $announced promises are announced and $kept checked"
	say "$dialect, $what: $kept promises kept, $(sed -n 's/.*conformance_test.go:[0-9]*: \(.*requests\),.*/\1/p' "$work/output")"
}

# refuses WHAT TEXT [VARIABLE=VALUE ...]: without having changed anything
refuses() {
	local what=$1 text=$2 before
	shift 2
	before=$(done_so_far '\(CreateKey\|DeleteImportedKeyMaterial\|ImportKeyMaterial\|ScheduleKeyDeletion\)')
	if conformance "$@"; then die "$dialect, $what: this should be refused"; fi
	grep -qF "$text" "$work/output" || die "$dialect, $what: no reason is given: $(<"$work/output")"
	[[ $(done_so_far '\(CreateKey\|DeleteImportedKeyMaterial\|ImportKeyMaterial\|ScheduleKeyDeletion\)') == "$before" ]] ||
		die "$dialect, $what: refused, but something was done"
	say "$dialect, $what: refused"
}

all_scheduled() {
	[[ $(done_so_far CreateKey) == $(($(done_so_far ScheduleKeyDeletion) + $1)) ]] ||
		die "$dialect: of $(done_so_far CreateKey) keys $(done_so_far ScheduleKeyDeletion) are scheduled for deletion"
}

# interrupted: a run that is ended halfway cleans up too
interrupted() {
	local before run
	before=$(done_so_far ImportKeyMaterial)
	hack/conformance/run.sh -endpoint="$AWS_ENDPOINT_URL_KMS" -dialect="$dialect" -settle=1s -yes </dev/null >"$work/output" 2>&1 &
	run=$!
	for _ in {1..600}; do
		if (($(done_so_far ImportKeyMaterial) > before)); then break; fi
		sleep 0.1
	done
	kill "$run"
	if wait "$run"; then die "$dialect: an interrupted run succeeds"; fi
	grep -q 'conformance: interrupted' "$work/output" || die "$dialect: the run was not interrupted: $(<"$work/output")"
	say "$dialect, interrupted: its keys are scheduled for deletion"
}

for dialect in AWS QKMS; do
	serve "$dialect"
	refuses "nobody to ask" "there is nobody to ask"
	passes "keys of its own"
	all_scheduled 0

	key=$("$work/helper" create-key SYMMETRIC_DEFAULT)
	passes "a given key" KEY="$key"
	[[ $("$work/helper" key-state "$key") == PendingImport ]] || die "$dialect: the given key is $("$work/helper" key-state "$key")"
	all_scheduled 1

	if [[ $dialect == AWS ]]; then # QKMS does not say what a key has had
		refuses "a key that has had material" "it has had material before" YES=1 KEY="$key"
	fi
	refuses "a key by an alias" "an alias may be pointed at another key" YES=1 KEY=alias/a
	interrupted
	all_scheduled 1
done
