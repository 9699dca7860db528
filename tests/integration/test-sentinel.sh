#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The sentinel sends what is due when an engine is killed, whether it was there before the engine or
# came after its death, and says nothing after a clean stop; its end ends all that it started.
. "$top_srcdir/tests/integration/common.sh"
. "$top_srcdir/tests/integration/engine.sh"
begin
begin_engine watched

start_sentinel() {
	"$TOCSIN" sentinel "$@" >"$work/sentinel.out" 2>"$work/sentinel.err" 9>&- &
	sentinel=$!
}

# watchers N: the sentinel has so many.
watchers() {
	[ "$(ps -o pid= --ppid "$sentinel" | wc -l)" -eq "$1" ]
}

raised() {
	[ "$(pages "$1")" -ge "$2" ]
}

command -v ps >/dev/null || { echo "skipped: no ps here"; exit 77; }
# The folder is not there yet, and comes.
rmdir "$runs/tocsin"
start_sentinel --runtime-root "$runs/tocsin"
start_receiver --json
mkdir "$runs/tocsin"
start_engine -o webhook.url="$url"
await watchers 1
tell_engine '{"at":1785750996,"alert":"raise","code":"DATA_FEED_DOWN","priority":"P1","message":"dark"}'
await raised DATA_FEED_DOWN 1
is 0 "$(pages ENGINE_DOWN)" "deaths while it lives"
killed=$(date +%s%N)
kill_engine
await raised ENGINE_DOWN 1
echo "seen $((($(date +%s%N) - killed) / 1000000)) ms after the kill"
await watchers 0
is 0 "$(find "$run" -name 'ring-*' | wc -l)" "recorders left"
grep -q 'watched: dead runs: 1, ' "$work/sentinel.err" || fail "$(cat "$work/sentinel.err")"

# Its next run goes on, stops in good order, and nothing is said of it.
start_engine -o webhook.url="$url"
await watchers 1
stop_engine
await watchers 0
is 1 "$(pages ENGINE_DOWN)" "deaths after a clean stop"

# A watcher that is killed is replaced.
start_engine -o webhook.url="$url"
await watchers 1
first=$(ps -o pid= --ppid "$sentinel" | tr -d ' ')
kill -9 "$first"
replaced() {
	watchers 1 && [ "$(ps -o pid= --ppid "$sentinel" | tr -d ' ')" != "$first" ]
}
await replaced

# Without a sentinel nothing leaves; one that comes later finds the dead.
watcher=$(ps -o pid= --ppid "$sentinel" | tr -d ' ')
kill "$sentinel"
wait "$sentinel"
is 0 $? "the sentinel's exit status"
sentinel=
kill -0 "$watcher" 2>/dev/null && fail "a watcher is left"
kill_engine
is 1 "$(pages ENGINE_DOWN)" "deaths without a sentinel"
start_sentinel --runtime-root "$runs/tocsin"
await raised ENGINE_DOWN 2
await watchers 0

# The receiver is away and no engine comes back: it is tried again.
start_engine -o webhook.url="$url"
await watchers 1
stop_receiver
kill_engine
waiting() {
	find "$state/outbox" -name '*@webhook' | grep -q .
}
await waiting
start_receiver --port "$(echo "$url" | sed 's/.*:\([0-9]*\).*/\1/')" --json
await raised ENGINE_DOWN 1
kill "$sentinel"
wait "$sentinel"
sentinel=

# Where the kernel watches nothing for it, it looks by itself, and says so.
if unshare --user --map-root-user sh -c 'echo 0 >/proc/sys/user/max_inotify_instances' 2>/dev/null; then
	for limit in instances watches; do
		# A folder of which no rescue has kept anything.
		begin_engine "unwatched-$limit"
		start_receiver --json
		unshare --user --map-root-user sh -c \
			'echo 0 >"/proc/sys/user/max_inotify_$1" && exec "$TOCSIN" sentinel --runtime-root "$2"' \
			sh "$limit" "$runs/tocsin" >"$work/sentinel.out" 2>"$work/sentinel.err" 9>&- &
		sentinel=$!
		await grep -q 'looks at them each second' "$work/sentinel.err"
		start_engine -o webhook.url="$url"
		await watchers 1
		kill_engine
		await raised ENGINE_DOWN 1
		await watchers 0
		kill "$sentinel"
		wait "$sentinel"
		is 0 $? "the exit status of a sentinel that polls"
		stop_receiver
		is 1 "$(grep -c 'looks at them' "$work/sentinel.err")" "times that it says so ($limit)"
	done
else
	echo "not tested: a sentinel without inotify (its limits cannot be set here)"
fi

status 2 "$TOCSIN" sentinel --runtime-root here
status 2 "$TOCSIN" sentinel something
