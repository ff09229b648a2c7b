# shellcheck shell=bash
# The processes of the demo and its folder, $demo; sourced by demo.sh.
#
# NAME.pid is locked by the process whose ID it holds, for as long as that process lives (process.go). A process is
# ended by way of its lock, so neither a stale file nor an ID that the system gave to somebody else can mislead.
# NAME.log is its output.

: "${demo:?} ${helper:?}" # demo.sh says where

# In the order in which they are ended: nobody loses what it depends on.
names=(manager-1 manager-2 localkms kube-apiserver etcd)

# The PID files of what has been started and should be running.
started=()

# What to say when it fails: a sentence, or else the command; and whose logs to show beside the managers'.
reason=
failed_command=
suspects=

# guard sees to it that nothing is left behind, whatever happens from here on.
guard() {
	# Where finish writes: a signal may come while the output of a function is redirected.
	exec 7>&1 8>&2
	trap finish EXIT
	trap 'failed_command="$BASH_COMMAND (line $LINENO of ${BASH_SOURCE[0]##*/})"' ERR
	trap 'interrupted 130' INT
	trap 'interrupted 143' TERM
	trap 'interrupted 129' HUP
}

unguard() {
	trap - EXIT ERR INT TERM HUP
}

interrupted() {
	reason=interrupted
	exit "$1"
}

# fail REASON [NAME...] ends the demo.
fail() {
	reason=$1
	shift
	suspects=$*
	exit 1
}

# finish is how it ends, well or not, unless everything is to be kept. Neither an impatient Ctrl-C nor a reader of the
# output who has gone stops it half-way.
finish() {
	local status=$? pid
	unguard
	trap '' INT TERM HUP PIPE
	set +e
	exec >&7 2>&8
	# Only a process whose start was interrupted is in the job table.
	for pid in $(jobs -pr); do
		kill -KILL "$pid"
	done
	processes stop || status=1
	clear_folder .log
	if ((status == 0)); then
		printf '\ndemo: ok\n'
	elif [[ $reason == interrupted ]]; then
		printf '\ndemo: interrupted; all it started has ended\n' >&2
	elif ((status != 128 + 13)); then # SIGPIPE: nobody reads this any more
		report >&2
	fi
	exit "$status"
}

report() {
	local name
	for name in manager-1 manager-2 $suspects; do
		printf '\n--- the end of bin/demo/%s.log\n' "$name"
		tail -n 40 "$demo/$name.log" 2>/dev/null || echo "(not started)"
	done
	printf '\ndemo: failed: %s\n' "${reason:-$failed_command}"
	echo "demo: all it started has ended; the logs are in bin/demo"
}

# start NAME PROGRAM [ARGUMENT...] starts a process that has nothing of the caller's: session, environment, open files.
start() {
	local name=$1
	shift
	rm -f "$demo/$name.pid"
	env -i PATH="$PATH" "$helper" session "$demo/$name.pid" "$@" </dev/null >>"$demo/$name.log" 2>&1 &
	until [[ -s $demo/$name.pid ]]; do
		kill -0 $! 2>/dev/null || fail "$name did not start" "$name"
		sleep 0.02
	done
	# From here on the lock speaks for it. Out of the job table, so that bash has nothing to say about its end.
	disown $!
	started+=("$demo/$name.pid")
}

# await SECONDS WHAT COMMAND... tries the command until it succeeds. Too long, or a process that ended, is a failure.
await() {
	local deadline=$((SECONDS + $1)) what=$2 gone
	shift 2
	until "$@" >"$demo/answer" 2>&1; do
		gone=$("$helper" ended "${started[@]}")
		if [[ -n $gone ]]; then
			fail "while waiting for $what, ${gone//$'\n'/ and } ended" "${gone//manager-?/}"
		elif ((SECONDS >= deadline)); then
			fail "waited in vain for $what; the last answer was: $(tail -n 3 "$demo/answer")"
		fi
		sleep 0.1
	done
}

# crash NAME ends a process without giving it a chance to do anything about it.
crash() {
	kill -KILL "$(<"$demo/$1.pid")"
	"$helper" stop "$demo/$1.pid"
	local file others=()
	for file in "${started[@]}"; do
		[[ $file == "$demo/$1.pid" ]] || others+=("$file")
	done
	started=("${others[@]}")
}

# processes COMMAND has the helper do something with all of them.
processes() {
	local name files=()
	for name in "${names[@]}"; do
		files+=("$demo/$name.pid")
	done
	"$helper" "$1" "${files[@]}"
}

# clear_folder ENDING... removes everything but what ends so. The data of etcd holds Secrets, the kubeconfigs tokens.
clear_folder() {
	local file ending
	for file in "$demo"/*; do
		for ending in "$@"; do
			[[ $file != *"$ending" ]] || continue 2
		done
		rm -rf "$file"
	done
}
