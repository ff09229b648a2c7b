#!/usr/bin/env bash
# Builds one program of a tool module:
#
#   hack/build-tool.sh MODULE_DIR PACKAGE OUTPUT LDFLAGS HINT
#
# HINT is what a person should know before waiting. Nothing is built while OUTPUT is up to date: a stamp beside it
# holds a hash of all that it is made from. The build happens in a scratch folder and ends with a rename, so an
# interrupted one leaves nothing half-done, and two at once do not disturb each other.
set -euo pipefail
shopt -s nullglob

module=$1 package=$2 output=$3 ldflags=$4 hint=$5
name=${output##*/}
folder=${output%/*}
stamp=$folder/.$name.stamp
scratch=$folder/.$name.$$

# A tool runs on the machine that builds it, whatever platform the operator is built for, and comes from its own
# module's requirements alone.
unset GOOS GOARCH
export GOWORK=off

inputs() {
	go env GOVERSION GOOS GOARCH
	echo "$package $ldflags"
	cat "$module"/go.mod "$module"/go.sum "$module"/*.go
}

wanted=$(inputs | git hash-object --stdin)
if [[ -x $output && -e $stamp && $(<"$stamp") == "$wanted" ]]; then
	echo "$name: up to date"
	exit 0
fi

compiler=
clean_up() {
	if [[ -n $compiler ]]; then
		kill -INT -- "-$compiler" 2>/dev/null || true
		wait "$compiler" || true
	fi
	rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

echo "$name: building $output ($hint)"
mkdir -p "$scratch"
scratch=$(cd "$scratch" && pwd)
# Job control gives the compiler a process group of its own, in which it can be interrupted with all it started.
set -m
GOTMPDIR=$scratch go -C "$module" build -mod=readonly -buildvcs=false -trimpath \
	-ldflags "-s -w $ldflags" -o "$scratch/$name" "$package" &
compiler=$!
set +m

report=30
while kill -0 "$compiler" 2>/dev/null; do
	sleep 0.2
	if ((SECONDS >= report)); then
		echo "$name: still compiling, $SECONDS s"
		report=$((report + 30))
	fi
done
outcome=0
wait "$compiler" || outcome=$?
compiler=
if ((outcome != 0)); then
	echo "$name: go build failed, see above" >&2
	exit 1
fi

rm -f "$stamp"
mv -f "$scratch/$name" "$output"
echo "$wanted" >"$stamp"
echo "$name: built in $SECONDS s"
