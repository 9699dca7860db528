#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Several endpoints: one that hangs delays no other; what none takes goes to the backup, and its
# resolution too, over a crash as well; one that takes nothing is told to the others.
. "$top_srcdir/tests/integration/common.sh"
. "$top_srcdir/tests/integration/engine.sh"
begin
unset http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY

# scripted NAME STEPS: a receiver of that name; its address is in $url, what comes in $work/NAME.
receivers=
scripted() {
	rm -f "$work/port"
	mkfifo "$work/port"
	"$top_builddir/tests/integration/scripted-receiver" --script "$2" --out "$work/$1" \
		>"$work/port" 2>/dev/null &
	receivers="$receivers $!"
	read -r port <"$work/port"
	url=http://127.0.0.1:$port/$1
}

# came NAME PATTERN [N]: so many requests (default 1) that match have come there.
came() {
	[ "$(grep -c -e "$2" "$work/$1")" -ge "${3:-1}" ]
}

ids_at() {
	grep -o '"webhook-id": *"[^"]*"' "$work/$1" | sed 's/.*: *//' | uniq
}

nothing_waits() {
	[ -z "$(find "$state/outbox" -maxdepth 1 -name '*@*')" ]
}

stop_receivers() {
	# shellcheck disable=SC2086
	kill $receivers 2>/dev/null
	receivers=
}
begin_engine several
trap 'stop_receivers; end_engine; end' EXIT

raise() {
	printf '{"at":1000,"alert":"raise","code":"%s","priority":"P1","message":"m","session_id":"s"}' "$1"
}

clear_of() {
	printf '{"at":1001,"alert":"clear","code":"%s","session_id":"s"}' "$1"
}

# kept N: so many wait for the endpoint that is called webhook. They are written beside the posting.
kept() {
	[ "$(find "$state/outbox" -maxdepth 1 -name '*@webhook' | wc -l)" -eq "$1" ]
}

# --- one hangs, the other is not delayed by it

scripted hangs hang
hanging=$url
scripted takes 200
start_engine -o webhook.url="$hanging" -o webhook.other.url="$url"
tell_engine "$(raise DATA_FEED_DOWN)" "$(clear_of DATA_FEED_DOWN)" "$(raise RISK_LIMIT_BREACH)"
await came takes RISK_LIMIT_BREACH
is 3 "$(wc -l <"$work/takes")" "pages at the one that takes them"
await came hangs .
is 1 "$(wc -l <"$work/hangs")" "attempts at the one that hangs"
await kept 3
none_for_other() {
	[ -z "$(find "$state/outbox" -maxdepth 1 -name '*@other')" ]
}
await none_for_other
kill_engine
rm -rf "$run" "$state"
stop_receivers

# --- nobody takes it: the backup gets it, late and in order, and the resolution as well

scripted fails 503
failing=$url
scripted backup 200
backing=$url
options="-o webhook.url=$failing -o webhook.night.url=$backing -o webhook.night.backup=yes
	-o pages.failover_after=100ms"
# shellcheck disable=SC2086
start_engine $options
tell_engine "$(raise DATA_FEED_DOWN)"
await came backup 'raised'
# Killed in between: the next start knows where the raising went.
kill_engine
# shellcheck disable=SC2086
start_engine $options
tell_engine "$(clear_of DATA_FEED_DOWN)"
await came backup 'DATA_FEED_DOWN.*alert.resolved\|alert.resolved.*DATA_FEED_DOWN'
raising=$(ids_at backup | grep -n 'call.raised' | head -n 1 | cut -d: -f1)
resolution=$(ids_at backup | grep -n 'call.resolved' | head -n 1 | cut -d: -f1)
[ "$raising" -lt "$resolution" ] || fail "the resolution came before its raising"
grep -q 'call.resolved' "$work/fails" && fail "a resolution was tried where its raising still waits"
kill_engine
rm -rf "$run" "$state"
stop_receivers

# --- while somebody takes them the backup gets nothing

scripted serves 200
taking=$url
scripted unneeded 200
start_engine -o webhook.url="$taking" -o webhook.night.url="$url" -o webhook.night.backup=yes \
	-o pages.failover_after=10s
tell_engine "$(raise DATA_FEED_DOWN)" "$(clear_of DATA_FEED_DOWN)"
await came serves alert.resolved
await nothing_waits
is 0 "$(wc -l <"$work/unneeded")" "pages at a backup that nobody needs"
kill_engine
rm -rf "$run" "$state"
stop_receivers

# --- one that a person must mend is told to the others, whatever they are for; and that it is well

scripted refuses '403,403,200'
refusing=$url
scripted told 200
start_engine -o webhook.url="$refusing" -o webhook.other.url="$url" -o webhook.other.priorities=P3 \
	-o pages.park_retry=300ms
tell_engine "$(raise DATA_FEED_DOWN)"
await came told 'PAGER_DEGRADED.*alert.raised\|alert.raised.*PAGER_DEGRADED'
await came told 'PAGER_DEGRADED.*alert.resolved\|alert.resolved.*PAGER_DEGRADED'
grep -q DATA_FEED_DOWN "$work/told" && fail "a P1 went to an endpoint for P3"
grep -q PAGER_DEGRADED "$work/refuses" && fail "an endpoint was told of itself"
await came refuses DATA_FEED_DOWN 3
is 1 "$(ids_at refuses | wc -l)" "ids at the endpoint that refused twice"
kill_engine
