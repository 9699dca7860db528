#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A page that finds its receiver away waits on disk, over a restart of the engine and over a failed
# second run, and arrives once the receiver is there, under the id it had from the start.
. "$top_srcdir/tests/integration/common.sh"
begin

run() {
	"$TOCSIN" play --drain 300ms -o log.target=stderr -o paths.state_dir="$work/state" \
		-o webhook.url="$url" "$@" >"$work/out" 2>"$work/err"
}

waiting() {
	(cd "$work/state/outbox" && ls)
}

# An address nobody listens on: that of a receiver which has gone again.
start_receiver
stop_receiver

cat >"$work/raise" <<'END'
{"at":1000,"alert":"raise","code":"DATA_FEED_DOWN","priority":"P1","message":"gone","session_id":"s"}
{"at":1001,"alert":"clear","code":"DATA_FEED_DOWN","session_id":"s"}
END
cat >"$work/nothing" <<'END'
{"at":2000,"health":"metadata","meta":{"run":"2"}}
END

run "$work/raise"
is 2 "$(waiting | wc -l)" "pages waiting after the first run"
waiting | sed 's/@.*//' | sort >"$work/ids"
grep -q '\.raised$' "$work/ids" || fail "no raised page waits"
grep -q '\.resolved$' "$work/ids" || fail "no resolved page waits"
# Of a failing endpoint only the oldest page is tried, the raising.
grep -q 'state="resolved".*attempt' "$work/err" && fail "the resolution was tried before the raising"

run "$work/nothing"
is 2 "$(waiting | wc -l)" "pages waiting after the second run"

port=$(echo "$url" | sed 's/.*:\([0-9]*\).*/\1/')
start_receiver --port "$port" --json
run "$work/nothing" || fail "the third run"
is 0 "$(waiting | wc -l)" "pages waiting in the end"
stop_receiver

grep -o '"webhook-id": *"[^"]*"' "$work/pages" | sed 's/.*"\([^"]*\)"$/\1/' >"$work/arrived"
grep '\.raised$' "$work/ids" >"$work/expected"
grep '\.resolved$' "$work/ids" >>"$work/expected"
same "$work/expected" "$work/arrived" "the pages that arrived, in order"
