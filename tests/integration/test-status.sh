#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What `status` and `status --check` say is never better than it is: of all engines, the worst first;
# of one whose snapshot is stale; of one whose start the journal has forgotten; of what is open since
# an earlier run.
if [ "${1:-}" != --inside ]; then
	exec "$top_srcdir/tests/integration/private-journald" /bin/sh "$0" --inside
fi
. "$top_srcdir/tests/integration/common.sh"
. "$top_srcdir/tests/integration/engine.sh"
begin

now() {
	date +%s.%N
}

start_logged() {
	begin_engine "$1"
	shift
	start_engine -o log.target=journal "$@"
}

# raise INSTANCE [PRIORITY]
raise() {
	tell_engine "{\"at\":$(now),\"alert\":\"raise\",\"code\":\"RISK_LIMIT_BREACH\",\"priority\":\"${2:-P1}\",\"message\":\"m\",\"instance\":\"$1\"}"
}

session_runs() {
	tell_engine "{\"at\":$(now),\"session\":\"created\",\"session_id\":\"s1\"}" \
		"{\"at\":$(now),\"session\":\"status\",\"session_id\":\"s1\",\"status\":\"running\"}"
	await in_snapshot '"status":"running"'
	await in_journal TOCSIN_STATUS=running
}

in_snapshot() {
	grep -qs "$1" "$state/snapshot.json"
}

in_journal() {
	journalctl --sync && journalctl -q TOCSIN_ENGINE="$name" "$@" | grep -q .
}

# check EXPECTED TEXT [OPTION]...
check() {
	expected=$1 text=$2
	shift 2
	status "$expected" "$TOCSIN" status --check "$@"
	tells out "$text"
}

firing() {
	"$TOCSIN" alerts --json --engine "$1" | grep -c '"state":"firing"'
}

open_p1() {
	"$TOCSIN" status --json --engine "$1" | sed -n 's/.*"open":{"P1":\([0-9]*\).*/\1/p'
}

# --- A snapshot that is no longer written does not hide what the journal knows.

start_logged stale
session_runs
cp "$state/snapshot.json" "$work/old.json"
raise a
await in_snapshot RISK_LIMIT_BREACH
await in_journal TOCSIN_EVENT=alert
check 2 "stale: 1 open P1, RISK_LIMIT_BREACH" --engine stale
cp "$work/old.json" "$state/snapshot.json"
check 2 "stale: 1 open P1, RISK_LIMIT_BREACH" --engine stale
status 0 "$TOCSIN" status --engine stale
tells out "1 open: P1 1"
tell_engine "{\"at\":$(now),\"alert\":\"clear\",\"code\":\"RISK_LIMIT_BREACH\",\"instance\":\"a\"}"
await in_journal TOCSIN_STATE=resolved
await in_snapshot '"state":"resolved"'
check 0 "1 of 1 engine running" --engine stale
sed 's/"engine_signed_at":"[^"]*"/"engine_signed_at":"2026-01-01T00:00:00.000000Z"/' "$state/snapshot.json" \
	>"$work/old.json"
cp "$work/old.json" "$state/snapshot.json"
check 3 "stale: its snapshot is stale, of " --engine stale
status 0 "$TOCSIN" status --engine stale
tells out "which is stale"
stop_engine
check 0 "TOCSIN OK" --engine stale

# --- A run is known by its signs of life when its start is forgotten, and so is its death.

# What is archived goes, as when a journal has its size.
forget() {
	journalctl --sync && kill -USR2 "$JOURNALD_PID"
	await archived
	rm -f /run/log/journal/*/system@*.journal
}

archived() {
	ls /run/log/journal/*/system@*.journal >/dev/null 2>&1
}

id_of() {
	sed -n "s/^ENTRY_KIND($1, \"\([0-9a-f]*\)\".*/\1/p" "$top_srcdir/src/journal/entry_kinds.def"
}

begin_engine old
start_engine -o log.target=journal -o log.alive_every=100ms
session_runs
raise a
await in_journal TOCSIN_EVENT=alert
await in_snapshot RISK_LIMIT_BREACH
forget
await in_journal "MESSAGE_ID=$(id_of ALIVE)" TOCSIN_SESSIONS=1 "TOCSIN_OPEN=1 0 0"
in_journal "MESSAGE_ID=$(id_of STARTED)" && fail "the start is not forgotten"
in_journal TOCSIN_EVENT=alert && fail "the alert is not forgotten"
check 2 "old: 1 open P1, RISK_LIMIT_BREACH" --engine old
kill_engine
check 2 "old is dead with 1 session running" --engine old
tells out "old: 1 open P1, that the journal has lost"
status 0 "$TOCSIN" status --engine old
tells out "ended without a clean stop"
tells out "and 1 open P1 that the journal has lost"
status 0 "$TOCSIN" status
tells out "old: dead"

# --- After a stop status knows all that alerts knows.

start_logged carried
raise a
await in_journal TOCSIN_EVENT=alert TOCSIN_INSTANCE=a
await in_snapshot '"instance":"a"'
kill_engine
start_engine -o log.target=journal
raise b
await in_journal TOCSIN_EVENT=alert TOCSIN_INSTANCE=b
await in_snapshot '"instance":"b"'
is "$(firing carried)" "$(open_p1 carried)" "open P1 alerts while it lives"
stop_engine
journalctl --sync
[ "$(firing carried)" -ge 2 ] || fail "the alert of the killed run is gone"
is "$(firing carried)" "$(open_p1 carried)" "open P1 alerts after the stop"

# --- All of them, the worst first, and those that need nobody in short.

start_logged ended
await in_journal "MESSAGE_ID=$(id_of STARTED)"
stop_engine
await in_journal "MESSAGE_ID=$(id_of STOPPED)"
start_logged fine
await in_journal "MESSAGE_ID=$(id_of STARTED)"
await in_snapshot '"engine":"fine"'
status 0 "$TOCSIN" status
sed -n 's/^engine *\([a-z]*\): .*/\1/p' "$work/out" >"$work/order"
printf '%s\n' carried old fine ended >"$work/expected"
same "$work/expected" "$work/order" "the order of engines"
is 3 "$(grep -c '^sessions' "$work/out")" "engines that are shown in full"
status 0 "$TOCSIN" status --json
is 4 "$(wc -l <"$work/out")" "engines in JSON"
check 2 "carried: "

# --- What of the journal is not read is said, and is not fine.

# gap TEXT: alerts says so, and that all is well is not believed.
gap() {
	status 0 "$TOCSIN" alerts
	tells err "$1"
	check 3 "$1" --engine fine
}

folder=$(echo /run/log/journal/*)
check 0 "TOCSIN OK" --engine fine
status 0 "$TOCSIN" alerts
is "" "$(cat "$work/err")" "what alerts says of a journal that it can read"
echo "no journal at all" >"$folder/system@damaged.journal"
gap "1 journal file was passed over"
: >"$folder/system@empty.journal"
gap "2 journal files were passed over"
head -c 200 "$folder/system.journal" >"$folder/user-1@cut.journal~"
gap "3 journal files were passed over"
rm -f "$folder/system@damaged.journal" "$folder/system@empty.journal" "$folder/user-1@cut.journal~"
check 0 "TOCSIN OK" --engine fine
# Another machine's, with one that is damaged.
mkdir "$work/journal"
cp "$folder/system.journal" "$work/journal/"
echo "no journal at all" >"$work/journal/b.journal"
status 0 "$TOCSIN" alerts --directory "$work/journal"
tells err "1 journal file was passed over"
# A namespace's are read as the others are.
mv "$work/journal" "$folder.desk"
rm -f "$folder.desk/b.journal"
check 0 "TOCSIN OK" --engine fine
# Too few descriptors.
# shellcheck disable=SC2016
few='ulimit -n 5 && exec "$TOCSIN" status --check --engine fine'
sh -c "$few" >"$work/out" 2>"$work/err"
is 3 $? "exit status with too few descriptors"
stop_engine
exit 0
