#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What an engine that was killed leaves, and what its next start makes of it: `tocsin play` is fed
# through a fifo, killed, and started again over the same folders.
. "$top_srcdir/tests/integration/common.sh"
begin
engine=
trap 'stop_all; end' EXIT
mkfifo "$work/events" "$work/events2"

stop_all() {
	for pid in $engine $second; do
		kill -KILL "$pid" 2>/dev/null
	done
}
second=

# play FIFO NAME: an engine that is told lines through FIFO; its log is $work/NAME.log.
play() {
	"$TOCSIN" play -o engine.name=desk -o engine.replay=no -o clock.source=system \
		-o log.target=stderr -o pages.page_after=0 -o webhook.url="$url" \
		-o paths.runtime_dir="$work/run" -o paths.state_dir="$work/state" - \
		<"$1" >"$work/out" 2>"$work/$2.log" &
}

# start NAME
start() {
	play "$work/events" "$1"
	engine=$!
	exec 5>"$work/events"
	log=$1.log
}

# say MEMBERS: an event of now.
say() {
	echo "{\"at\":$(date +%s.%N),$1}" >&5
}

crash() {
	kill -KILL "$engine"
	exec 5>&-
	wait "$engine" 2>/dev/null
	engine=
}

# The end of the input is a clean stop.
stop() {
	exec 5>&-
	wait "$engine" || fail "the engine did not stop in order"
	engine=
}

# soon COMMAND...: as await; where it does not become true, the logs are shown.
soon() {
	(await "$@") && return
	for file in "$work"/*.log; do
		echo "--- $file"
		cut -c 1-400 "$file"
	done
	exit 1
}

# page CODE KIND: the lines of such pages at the receiver, as "raised" or "resolved".
page() {
	grep "\"webhook-id\": *\"[^\"]*\.$2\"" "$work/pages" | grep "\"code\": *\"$1\""
}

paged() {
	page "$1" "$2" >/dev/null
}

# ids CODE KIND: the alert ids of those pages, each once: a page may come again after a crash.
ids() {
	page "$1" "$2" | sed 's/.*"webhook-id": *"\([^"]*\)\.'"$2"'".*/\1/' | sort -u
}

logged() {
	grep -q -e "$1" "$work/$log" 2>/dev/null
}

# A checkpoint has all that the only recorder has.
checkpointed() {
	"$TOCSIN" blackbox --json "$work/run"/ring-* 2>/dev/null |
		python3 -c 'import json, sys
facts = json.loads(sys.stdin.readline())
sys.exit(facts["checkpoint"] == 0 or facts["checkpoint"] != facts["next"])'
}

start_receiver --json

# --- An engine dies with two incidents open.

start first
say '"health":"start"'
say '"session":"created","session_id":"s1"'
say '"session":"status","session_id":"s1","status":"running"'
say '"health":"heartbeat"'
say '"health":"feed_pulse","source":"kraken"'
say '"health":"feed_down","source":"kraken"'
say '"alert":"raise","code":"GATEWAY_DOWN","priority":"P1","message":"gone","instance":"fix1"'
soon paged DATA_FEED_DOWN raised
soon paged GATEWAY_DOWN raised
soon logged 'code="GATEWAY_DOWN"'
soon checkpointed
crash
paged ENGINE_DOWN raised && fail "an engine was told as dead before anybody could know"
epoch=$(cd "$work/run" && echo ring-* | sed 's/^ring-//')
is 32 ${#epoch} "digits of the epoch in the recorder's name"

# --- The next start tells of its death, and its incidents are open still.

start next
soon paged ENGINE_DOWN raised
is 1 "$(page ENGINE_DOWN raised | distinct)" "pages of the death"
is "$(echo "$epoch" | cut -c 1-8)" \
	"$(page ENGINE_DOWN raised | sed 's/.*"instance": *"\([^"]*\)".*/\1/')" \
	"the instance of ENGINE_DOWN"
message=$(page ENGINE_DOWN raised | sed 's/.*"message": *"\([^"]*\)".*/\1/')
day=$(date -u +%Y-)
for part in "engine desk ended without a clean stop" "last event $day" "last heartbeat $day" \
	"1 session ran (s1)" ", 0 records recovered" "0 torn"; do
	case $message in
	*"$part"*) ;;
	*) fail "the message of ENGINE_DOWN has no \"$part\": $message" ;;
	esac
done
soon logged 'recovered="1".*code="ENGINE_DOWN"'
soon logged 'recovered="1".*session="s1" status="lost"'

say '"alert":"raise","code":"GATEWAY_DOWN","priority":"P1","message":"still","instance":"fix1"'
soon logged 'code="GATEWAY_DOWN".*count="2"'
logged 'code="GATEWAY_DOWN".*count="3"' && fail "what the checkpoint had was counted again"
say '"health":"feed_up","source":"kraken"'
soon paged DATA_FEED_DOWN resolved
is "$(ids DATA_FEED_DOWN raised)" "$(ids DATA_FEED_DOWN resolved)" \
	"the incident that the feed's return resolves"
say '"alert":"clear","code":"GATEWAY_DOWN","instance":"fix1"'
soon paged GATEWAY_DOWN resolved
is "$(ids GATEWAY_DOWN raised)" "$(ids GATEWAY_DOWN resolved)" "the incident that was cleared"
grep -q 'GATEWAY_DOWN.*repeat-' "$work/pages" && fail "a repeated raise was paged as new"
stop
is "" "$(cd "$work/run" && find . -name 'ring-*')" "recorders after a clean stop"

# --- After a clean stop nothing is raised.

pages=$(wc -l <"$work/pages")
start clean
say '"health":"start"'
soon logged 'event="tocsin"'
stop
is "$pages" "$(wc -l <"$work/pages")" "pages in all after a clean stop"

# --- Two living engines of one name: the second says so and runs as desk.2, with its own death.

start one
soon logged 'started for engine desk:'
play "$work/events2" two
second=$!
exec 6>"$work/events2"
log=two.log
soon logged 'started for engine desk\.2:'
soon logged 'this one runs as desk\.2'
echo "{\"at\":$(date +%s),\"alert\":\"raise\",\"code\":\"SECOND\",\"priority\":\"P1\",\"message\":\"m\"}" >&6
soon paged SECOND raised
page SECOND raised | grep -q '"engine": *"desk\.2"' || fail "the second engine's name in its page"
exec 6>&-
wait "$second" || fail "the second engine did not stop in order"
second=

# --- The host dies: the running file is all that is left.

log=one.log
say '"session":"created","session_id":"s2"'
say '"session":"status","session_id":"s2","status":"running"'
marked() {
	grep -q s2 "$work/state/running"
}
soon marked
epoch=$(cd "$work/run" && echo ring-* | sed 's/^ring-//')
crash
rm "$work/run"/ring-* "$work/run"/lock-*
start host
down() {
	page ENGINE_DOWN raised | grep -q "\"webhook-id\": *\"$epoch-"
}
soon down
page ENGINE_DOWN raised | grep "$epoch" | grep -q 's2' || fail "the session that ran is not named"
page ENGINE_DOWN raised | grep "$epoch" | grep -q 'its recorder is lost' ||
	fail "the page does not say that the recorder is lost"
log=host.log
soon logged 'recovered="1".*session="s2" status="lost" started='
stop
pages=$(wc -l <"$work/pages")
start after
soon logged 'started for engine desk:'
stop
is "$pages" "$(wc -l <"$work/pages")" "pages in all after the host's death was told"

# --- What was accepted and not yet logged is told by the next run, marked.

TOCSIN_PLUGIN=$TOCSIN_PLUGIN "$top_builddir/tests/integration/kill-engine" --plan full \
	-o config= -o engine.name=desk -o log.target=stderr -o log.health=yes \
	-o paths.runtime_dir="$work/run" -o paths.state_dir="$work/state" \
	-o webhook.url="$url" >"$work/told" 2>"$work/full.log"
grep -q full "$work/told" || fail "the recorder was never full"
"$TOCSIN" play -o engine.name=desk -o engine.replay=no -o clock.source=system \
	-o log.target=stderr -o log.health=yes -o webhook.url="$url" \
	-o paths.runtime_dir="$work/run" -o paths.state_dir="$work/state" \
	/dev/null >"$work/out" 2>"$work/told.log" || fail "the run after a full recorder"
grep 'event="health"' "$work/told.log" >"$work/health" || fail "no health event was recovered"
grep -v 'recovered="1"' "$work/health" && fail "a recovered event is not marked"
grep -q 'started for engine' "$work/told.log" || fail "no start in the log"
grep 'started for engine' "$work/told.log" | grep -q recovered && fail "the start is marked"
exit 0
