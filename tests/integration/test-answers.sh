#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What becomes of a page, for each kind of answer: delivered; tried again under the same id; parked
# until somebody mends the endpoint; or, called malformed twice by a receiver that takes others, in
# dead/. Never dropped, and a redirect is never followed.
. "$top_srcdir/tests/integration/common.sh"
. "$top_srcdir/tests/integration/answers.sh"
. "$top_srcdir/tests/integration/engine.sh"
begin_answers

# row STEPS RESULTS: one page, answered so, comes to these results, delivered at last.
row() {
	script "$1"
	run "$work/raise"
	stop_receiver
	is "$2" "$(results)" "$1: results"
	is "$(echo "$2" | wc -w)" "$(came)" "$1: requests"
	is 1 "$(ids | sort -u | wc -l)" "$1: page ids"
	is 0 "$(waiting)" "$1: files that wait"
	is 0 "$(dead)" "$1: files in dead/"
	grep -v '"method":"POST"' "$work/came" && fail "$1: not all were posted"
	grep -v '"path":"/hook/way"' "$work/came" && fail "$1: not all went to the endpoint's path"
	return 0
}

# --- taken

for status in 200 201 202 204; do
	row $status delivered
done
# Of what goes on for ever the beginning is enough, and what becomes of a body changes nothing.
for body in endless half cut garbled drip; do
	row $body delivered
	row $body:202 delivered
done

# --- tried again

for status in 408 425 429 500 502 503 504 599; do
	row $status,200 "retry delivered"
done
for step in reset empty half:503 cut:503 garbled:429 drip:500 endless:503 endless-head slow hang \
	delay:2000; do
	row $step,200 "retry delivered"
done
row 503,500,429,200 "retry retry retry delivered"
tells err "again in"

# after SECONDS: the second request came no sooner after the first.
after() {
	${AWK:-awk} -v least="$1" '
		match($0, /"time": *[0-9.]+/) { t[NR] = substr($0, RSTART + 7, RLENGTH - 7) + 0 }
		END { exit !(NR == 2 && t[2] - t[1] >= least - 0.01) }' "$work/came" ||
		fail "the second attempt came too soon: $(grep -o '"time":[^,]*' "$work/came" | tr '\n' ' ')"
}
row retry-after:1,200 "retry delivered"
after 1
row retry-after:1:429,200 "retry delivered"
after 1
row retry-after-date:2,200 "retry delivered"
after 2

# Nobody listens there, then somebody does.
script 200
stop_receiver
rm -f "$work/err"
run "$work/raise" &
player=$!
await ended retry
script 200 --port "$port"
wait $player
stop_receiver
is 1 "$(came)" "requests once somebody listens"
tells err 'result="delivered"'
is 1 "$(grep -o ' page_id="[^"]*"' "$work/err" | sort -u | wc -l)" "page ids of the attempts"
is 0 "$(waiting)" "files that wait once somebody listened"

# A name that nobody has: tried more than once, and kept.
cat >"$work/noting-pid" <<-END
	echo \$\$ >"$work/pid"
	exec "\$@"
END
url=https://tocsin.invalid/
rm -f "$work/err"
as="sh $work/noting-pid" run "$work/raise" &
player=$!
await ended "retry retry"
kill "$(cat "$work/pid")"
wait $player
tells err "tocsin.invalid: "
results | grep -qx "retry retry.*" || fail "an unknown name: $(results)"
is 1 "$(waiting)" "files that wait for an unknown name"

# Of an endpoint that fails one page knocks, the oldest; the others wait, and come in the end.
for n in 1 2 3 4 5 6 7 8; do
	sed "s/\"s\"/\"s$n\"/; s/1000/100$n/" "$work/raise"
done >"$work/eight"
script 503,503,503,200
run "$work/eight"
stop_receiver
is 11 "$(came)" "requests for eight pages of which one knocks three times"
is 1 "$(ids | head -n 4 | sort -u | wc -l)" "pages that knock"
is 8 "$(ids | sort -u | wc -l)" "pages that came"
is 0 "$(waiting)" "files that wait"

# --- parked: PAGER_DEGRADED says so, until it is mended

for status in 401 403 404 405 407 410 426 drip:403; do
	row $status,200 "parked delivered"
	tells err 'code="PAGER_DEGRADED" priority="P2" state="firing"'
	tells err 'code="PAGER_DEGRADED" priority="P2" state="resolved"'
done
row redirect,301,307,308,200 "parked parked parked parked delivered"
tells err "a redirect, which is not followed"
row 404,503,410,200 "parked retry parked delivered"

# Parked over a restart: the next run has it at once, and waits for it as for its own.
script 403
drain=1s run "$work/raise"
stop_receiver
is 1 "$(waiting)" "files of a parked page"
ids | sort -u >"$work/before"
echo '{"at":2000,"health":"metadata","meta":{"run":"2"}}' >"$work/nothing"
script delay:1500
keep_state=yes run "$work/nothing" || fail "the run did not wait for a page of the one before"
stop_receiver
ids >"$work/after"
same "$work/before" "$work/after" "the parked page's id after a restart"
is 0 "$(waiting)" "files that wait after a restart"

# --- malformed: once more as a minimal page; then the next page shows whose fault it is

# However slow the machine, its one failure in a row is too short to blame it for.
park_retry=1h
for status in 400 413 415 422; do
	row $status,200 "retry delivered"
	sed -n 1p "$work/came" | grep -q only_in_full || fail "$status: the first was not whole"
	sed -n 2p "$work/came" | grep -q only_in_full && fail "$status: the second was not minimal"
	for member in alert_id code priority message runbook_url; do
		sed -n 2p "$work/came" | grep -q "\\\\\"$member\\\\\":" ||
			fail "$status: the minimal page lacks $member"
	done
	grep -q PAGER_DEGRADED "$work/err" && fail "$status: the endpoint was blamed"

	# It may be the endpoint, and there is no other page that would show it.
	script $status
	drain=1s run "$work/raise"
	stop_receiver
	results | grep -qxE "retry parked( retry parked)*( retry)?" || fail "$status for ever: $(results)"
	is 1 "$(ids | sort -u | wc -l)" "$status for ever: page ids"
	is 1 "$(waiting)" "$status for ever: files that wait"
	is 0 "$(dead)" "$status for ever: files in dead/"
	tells err 'code="PAGER_DEGRADED" priority="P2" state="firing"'
	# Mended, it has what waited.
	script 200
	keep_state=yes run "$work/nothing"
	stop_receiver
	is 0 "$(waiting)" "$status, mended: files that wait"
	is 1 "$(came)" "$status, mended: requests"
done
park_retry=

# An endpoint that refuses all: nothing of it is dead, and all goes out once it is mended.
script 400
drain=2s run "$work/eight"
stop_receiver
is 0 "$(dead)" "files in dead/ of an endpoint that refuses all"
is 8 "$(waiting)" "files that wait for an endpoint that refuses all"
[ "$(ids | sort -u | wc -l)" -gt 2 ] || fail "one page keeps the others from being tried"
tells err 'code="PAGER_DEGRADED" priority="P2" state="firing"'
script 200
keep_state=yes run "$work/nothing"
stop_receiver
is 0 "$(waiting)" "files that wait for an endpoint that was mended"
is 8 "$(came)" "requests to an endpoint that was mended"

# The page is the reason where others are taken: these go their way, and nobody else is blamed.
for n in 1 2 3 4 5 6 7 8 9; do
	case $n in
	2 | 4 | 6 | 8) text=poison ;;
	*) text=good ;;
	esac
	sed "s/\"s\"/\"s$n\"/; s/1000/100$n/; s/gone/$text/" "$work/raise"
done >"$work/nine"
script refuse:poison
run "$work/nine" -o pages.park_retry=1h
is 1 $? "the exit status of a play four of whose pages are refused for good"
tells out "pages: 5 delivered, 0 pending, 4 dead: refused for good"
tells err "pages that were not delivered are kept in paths.state_dir"
stop_receiver
is 4 "$(dead)" "files in dead/ of nine pages, four of which are refused"
is 0 "$(waiting)" "files that wait of nine pages"
is 5 "$(grep -c 'result="delivered"' "$work/err")" "delivered of nine pages"
is 4 "$(grep -c 'result="dead"' "$work/err")" "dead of nine pages"
tells err "given up: it is in dead/"
tells err "nobody there has seen it"
grep -q PAGER_DEGRADED "$work/err" && fail "the endpoint was blamed for four pages"
# Those of an earlier play are none of a later one's.
script 200
keep_state=yes run "$work/nothing" --json || fail "a play fails because of dead pages of the one before"
stop_receiver
tells out '"pages_dead":0,'
is 4 "$(dead)" "files in dead/ after a later play"

# A page that comes later shows it too, at once; and the endpoint's trouble is told, and its end.
script 400,400,200,400,400
begin_engine answers
start_engine -o webhook.url="$url" -o pages.park_retry=1h
alert() {
	tell_engine "{\"at\":1000,\"alert\":\"raise\",\"code\":\"$1\",\"priority\":\"P1\",\"message\":\"m\"}"
}
degraded() {
	grep -q "code=\"PAGER_DEGRADED\" priority=\"P2\" state=\"$1\"" "$work/engine.err"
}
is_dead() {
	grep -q 'result="dead"' "$work/engine.err"
}
alert FIRST
await degraded firing
alert SECOND
await degraded resolved
await is_dead
stop_engine 1
tells engine.out "0 pending, 1 dead: refused for good"
stop_receiver
is 5 "$(came)" "requests for two pages of which one is refused"

# That it takes nothing is told by the clock, though no attempt ends: it hangs, or asks for an hour.
for step in hang retry-after:3600 retry-after:3600:429; do
	script $step
	rm -rf "$run" "$state"
	start_engine -o webhook.url="$url" -o pages.park_retry=300ms -o webhook.timeout=5m
	alert FIRST
	await degraded firing
	is 1 "$(came)" "requests to one that answers with $step"
	kill_engine
	stop_receiver
done

# Lesser pages hold no P1 back, and a summary is as late as the first page that it tells of.
script 200
rm -rf "$run" "$state"
start_engine -o webhook.url="$url" -o webhook.priorities=P1,P2,P3 -o pages.max_pages_per_minute=1
noise() {
	tell_engine "{\"at\":1000,\"alert\":\"raise\",\"code\":\"$1\",\"priority\":\"P3\",\"message\":\"m\"}"
}
is_logged() {
	grep -q "code=\"$1\" priority=\"P.\" state=\"firing\"" "$work/engine.err"
}
noise NOISE
noise HELD
await is_logged HELD
alert FIRST
is_later() {
	[ "$(date +%s)" -gt "$1" ]
}
await is_later $(($(date +%s) + 1))
is 2 "$(came)" "pages of which one was urgent, before the summary"
stop_engine
stop_receiver
is 3 "$(came)" "pages of which one was held"
grep -q 'FIRST' "$work/came" || fail "the P1 was held back"
late=$(sed -n 's/.*alert\.summary.*delayed_by_s[^0-9]*\([0-9]*\)\..*/\1/p' "$work/came")
[ "${late:-0}" -ge 1 ] || fail "a summary that is late by more than a second says: ${late:-nothing}"
