#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Python's multiprocessing over an engine with the plugin: workers can do nothing with it and harm
# nothing, and an engine that is killed is missed at once though a worker of it lives on.
. "$top_srcdir/tests/integration/common.sh"
begin
engine=$top_srcdir/tests/integration/fork_engine.py

if ! python3 -c 'import ctypes, multiprocessing' 2>/dev/null; then
	echo "skipped: no python3 with ctypes and multiprocessing"
	exit 77
fi
if [ -n "${SANITIZERS:-}" ]; then
	echo "skipped: a plugin with sanitizers does not load into python3"
	exit 77
fi

run() {
	mode=$1
	shift
	python3 "$engine" "$mode" engine.name=forked log.target=stderr webhook.url="$url" \
		paths.runtime_dir="$work/run" paths.state_dir="$work/state" "$@"
}

pages() {
	grep -c '"type": *"alert.raised"' "$work/pages"
}

start_receiver --json
status 0 run work
is 6 "$(pages)" "pages of an engine with workers"
stop_receiver

# An address nobody listens on keeps the page back until the engine is dead.
start_receiver
stop_receiver
: >"$work/ids"
run linger >"$work/ids" 2>"$work/err" &
shell=$!
begun() {
	read -r parent child <"$work/ids"
}
await begun
kill -KILL "$parent"
wait "$shell" 2>/dev/null
kill -0 "$child" || fail "the worker did not outlive its engine"

port=$(echo "$url" | sed 's/.*:\([0-9]*\).*/\1/')
start_receiver --port "$port" --json
status 0 run again
kill -0 "$child" || fail "the worker is gone"
kill -KILL "$child"
is 2 "$(pages)" "pages after the engine was killed"
tells pages ENGINE_DOWN
tells pages '"session_id":"killed"'
