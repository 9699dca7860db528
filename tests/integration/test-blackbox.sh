#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A recorder is read while its engine lives and after it was killed, and what comes out plays as it
# was told.
. "$top_srcdir/tests/integration/common.sh"
. "$top_srcdir/tests/integration/engine.sh"
begin
begin_engine box
start_engine

cat >"$work/told" <<'END'
{"at":1785750996.584631001,"session":"created","session_id":"shadow_001","meta":{"mode":"shadow"}}
{"at":1785750997.500000000,"health":"feed_pulse","source":"okx:ETH-USD"}
{"at":1785750998.000000000,"health":"drift","session_id":"shadow_001","source":"returns","value":0.125,"limit":0.0}
{"at":1785750999.000000000,"health":"drift","source":"returns"}
{"at":1785751000.000000000,"alert":"raise","session_id":"shadow_001","code":"EXECUTION_ERROR","priority":"P2","message":"no \"fill\"","instance":"i"}
{"at":1785751001.000000000,"alert":"clear","session_id":"shadow_001","code":"EXECUTION_ERROR","instance":"i"}
END
cat "$work/told" >&9

all_there() {
	status 0 "$TOCSIN" blackbox --utc "$ring"
	[ "$(wc -l <"$work/out")" -ge 6 ]
}
await all_there
same "$work/told" "$work/out" "these are not the events of the living engine"
tells err "engine box, process $engine, running, run ${ring##*/ring-}"
status 0 "$TOCSIN" blackbox --last 2 "$ring"
tail -n 2 "$work/told" >"$work/expected"
same "$work/expected" "$work/out" "these are not the last two"

kill_engine
status 0 "$TOCSIN" blackbox "$ring"
same "$work/told" "$work/out" "these are not the events of the dead engine"
tells err "dead"
"$TOCSIN" blackbox "$ring" 2>/dev/null >"$work/lines"
status 0 "$TOCSIN" play --json -o log.target=stderr "$work/lines"
tells out '"sessions":1,"health":3,"alerts":2,"refused":0'
status 0 "$TOCSIN" blackbox --json "$ring"
head -n 1 "$work/out" | grep -q '"state":"dead".*"events":6.*"torn":0' || fail "not the facts"
is "" "$(cat "$work/err")" "what is on stderr beside JSON"

# Reading has taken nothing away: the next to come learns of the death.
is 1 "$(find "$run" -name 'ring-*' | wc -l)" "recorders"

cp "$ring" "$work/ring-cut"
truncate -s 100000 "$work/ring-cut"
status 0 "$TOCSIN" blackbox "$work/ring-cut"
tells err "damaged"
echo "this is no recorder" >"$work/none"
status 1 "$TOCSIN" blackbox "$work/none"
tells err "this is no recorder"
status 1 "$TOCSIN" blackbox "$work/nothing"
status 1 "$TOCSIN" blackbox "$work"
status 2 "$TOCSIN" blackbox
status 2 "$TOCSIN" blackbox --last 0 "$ring"
status 2 "$TOCSIN" blackbox "$ring" "$ring"
