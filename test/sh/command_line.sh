#!/bin/bash
# command_line.sh - how vectord is started, asked and told to stop, by whoever does it in an unusual way.
#
# Each part starts a vectord of its own, without sources. VECTORD names the program, else it is the one in the PATH.
set -euo pipefail

readonly VECTORD=${VECTORD:-vectord}
dir=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; rm -rf "$dir"' EXIT
failed=0

# check WHAT COMMAND...
check() {
	if "${@:2}"; then
		echo "# $1"
	else
		echo "# not so: $1"
		failed=1
	fi
}

cat >"$dir/vectord.toml" <<TOML
[listen]
endpoints = ["ipc://$dir/vectord.sock"]
[data]
directory = "$dir/data"
[http]
address = ""
TOML
mkdir "$dir/data"

until_true() {
	for _ in $(seq 600); do
		"$@" && return
		sleep 0.05
	done
	return 1
}

# ---- what is printed must arrive ---------------------------------------------------------------------

fails() { ! "$@" >/dev/full 2>"$dir/said"; }
check 'defaults that cannot be written are an error' fails "$VECTORD" --print-default-config
check 'and it says why' grep -q 'No space left' "$dir/said"
check 'so is a version' fails "$VECTORD" --version
check 'so is a verdict' fails "$VECTORD" --check-config --config "$dir/vectord.toml"
valid() { [ "$("$VECTORD" --check-config --config "$1")" = 'configuration is valid' ]; }
check 'a valid file is called so' valid "$dir/vectord.toml"

# ---- configurations that cannot be read --------------------------------------------------------------

# refused TEXT FILE: with that text, and without waiting
refused() {
	local code=0
	timeout 20 "$VECTORD" --check-config --config "$2" >"$dir/said" 2>&1 || code=$?
	[ $code = 1 ] && grep -q "$1" "$dir/said"
}
refused_pipe() { echo '[nope' | refused 'not a regular file' /dev/stdin; }
mkfifo "$dir/fifo"
check 'a pipe is not read as an empty file' refused_pipe
check 'a FIFO without a writer is not waited for' refused 'not a regular file' "$dir/fifo"
check 'a directory is no file' refused 'not a regular file' "$dir"
(cat "$dir/vectord.toml" && echo '[[source]]' && echo 'dsn = "foo=sesame"' && echo 'slot = "a"') >"$dir/bad.toml"
check 'a connection string that libpq cannot read' refused 'number 1' "$dir/bad.toml"
check 'is not shown' bash -c "! grep -q sesame '$dir/said'"

# ---- closed descriptors ------------------------------------------------------------------------------

answers() { [ -S "$dir/vectord.sock" ]; }
"$VECTORD" --config "$dir/vectord.toml" <&- >&- 2>&- &
pid=$!
pids+=("$pid")
check 'it starts with all descriptors closed' until_true answers
all_null() { [ "$(for fd in 0 1 2; do readlink "/proc/$pid/fd/$fd"; done | sort -u)" = /dev/null ]; }
check 'its descriptors 0 to 2 lead nowhere' all_null
kill -HUP "$pid"
kill -TERM "$pid"
# Had a line of the log gone into the pipe of the signals, it would have stopped by that, in haste and with a failure.
check 'it stops when told' wait "$pid"

# ---- two signals at once -----------------------------------------------------------------------------

"$VECTORD" --config "$dir/vectord.toml" >"$dir/log" 2>&1 &
pid=$!
pids+=("$pid")
check 'it starts again' until_true grep -q 'ready$' "$dir/log"
kill -TERM "$pid"
kill -INT "$pid" # two of one kind may arrive as one
check 'the echo of a SIGTERM does not end it early' wait "$pid"
check 'it has finished' grep -q 'stopped' "$dir/log"

exit $failed
