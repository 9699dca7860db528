#!/bin/sh
# SPDX-License-Identifier: MIT
#
# `status` and `snapshot` ask a living engine's snapshot.json first and say so; of an engine that was
# killed they say that it is dead, since when, and count no uptime on. `--evidence` writes it all.
if [ "${1:-}" != --inside ]; then
	exec "$top_srcdir/tests/integration/private-journald" /bin/sh "$0" --inside
fi
. "$top_srcdir/tests/integration/common.sh"
begin
engine=
trap '[ -n "$engine" ] && kill -9 "$engine" 2>/dev/null; end' EXIT
XDG_STATE_HOME=$work/states
export XDG_STATE_HOME
state=$XDG_STATE_HOME/tocsin/shadow

# start NAME: an engine that lives until its pipe is closed, or it is killed.
start() {
	mkfifo "$work/events-$1"
	"$TOCSIN" play -o engine.name="$1" -o engine.replay=no -o clock.source=system \
		-o paths.runtime_dir="$work/runtime" \
		-o paths.state_dir="$XDG_STATE_HOME/tocsin/$1" "$work/events-$1" \
		>"$work/engine.out" 2>"$work/engine.err" &
	engine=$!
}

# member NAME: of $work/out, as it is written; the last of that name.
member() {
	grep -o "\"$1\": *[^,}]*" "$work/out" | grep -v ': *null$' | tail -n 1 | sed 's/^[^:]*: *//'
}

start shadow
exec 3>"$work/events-shadow"
cat >&3 <<'END'
{"at":"2026-03-01T10:00:00Z","health":"start"}
{"at":"2026-03-01T10:00:00Z","session":"created","session_id":"shadow_001","meta":{"mode":"shadow"}}
{"at":"2026-03-01T10:00:01Z","session":"status","session_id":"shadow_001","status":"running"}
{"at":"2026-03-01T10:00:02Z","alert":"raise","code":"RISK_LIMIT_BREACH","message":"too much","session_id":"shadow_001","meta":{"a":"b"}}
END
await grep -qs RISK_LIMIT_BREACH "$state/snapshot.json"
in_journal() {
	journalctl -q -o cat | grep -q RISK_LIMIT_BREACH
}
await in_journal

# Alive.
status 0 "$TOCSIN" snapshot
tells err "engine shadow, from the living engine's own snapshot of "
is '"snapshot"' "$(member source)" "source"
grep -q '^  "state": "running"' "$work/out" || fail "it does not say that it runs"
is 1 "$(member total_sessions)" "sessions"
grep -q '"system_uptime_s": [0-9]' "$work/out" || fail "a living engine has no uptime"
status 0 "$TOCSIN" status
tells out "engine    shadow: running as process "
tells out "told by   the engine itself, in its snapshot of "
tells out "shadow_001  running"
tells out "alerts    1 open: P1 1"
status 0 "$TOCSIN" status --json
is '"snapshot"' "$(member source)" "source"
status 0 "$TOCSIN" snapshot --state-dir "$state"
tells err "living engine"
# What others read is another machine's.
status 0 "$TOCSIN" snapshot --directory /run/log/journal
tells err "from the journal"
cp "$state/snapshot.json" "$work/living.json"

# Killed.
kill -9 "$engine"
wait "$engine" 2>/dev/null
engine=
exec 3>&-
status 0 "$TOCSIN" snapshot
tells err "engine shadow, from the journal; the engine is dead, its last event was at 2026-03-01T10:00:02"
is '"journal"' "$(member source)" "source"
grep -q '^  "state": "dead"' "$work/out" || fail "it does not say that it is dead"
grep -q '"system_uptime_s": null' "$work/out" || fail "uptime of a dead engine"
status 0 "$TOCSIN" status
tells out "engine    shadow: dead: process "
tells out "last sign 2026-03-01 "
tells out "told by   the journal"
grep -q "^uptime" "$work/out" && fail "uptime of a dead engine"

# Each member that the engine itself tells is there, too, and in the same places.
status 0 "$TOCSIN" snapshot
members() {
	grep -o '"[a-z_A-Z0-9]*" *:' "$1" | tr -d ': ' | sort -u
}
members "$work/living.json" | grep -v -e '"engine_' -e '"runtime_dir"' -e '"recorder"' -e '"stopped_at"' \
	>"$work/a"
members "$work/out" >"$work/b"
is "" "$(comm -23 "$work/a" "$work/b")" "members that are missing"

# All of it as files.
status 0 "$TOCSIN" snapshot --evidence "$work/evidence"
is "README alerts.json alerts.txt runbooks.txt sessions.json sessions.txt snapshot.json" \
	"$(ls "$work/evidence" | tr '\n' ' ' | sed 's/ $//')" "files"
grep -q RISK_LIMIT_BREACH "$work/evidence/alerts.txt" || fail "no alert in the table"
grep -q '"metadata":{"a":"b"}' "$work/evidence/alerts.json" || fail "no metadata"
grep -q 'shadow_001 *running' "$work/evidence/sessions.txt" || fail "no session in the table"
grep -q '^DATA_FEED_DOWN P1 ' "$work/evidence/runbooks.txt" || fail "no runbook"
for name in $(ls "$work/evidence"); do
	grep -q "^$name " "$work/evidence/README" || fail "README does not tell of $name"
done
is 700 "$(stat -c %a "$work/evidence")" "mode"
status 1 "$TOCSIN" snapshot --evidence "$work/evidence"
tells err "not empty"
mkdir "$work/empty"
status 0 "$TOCSIN" snapshot --evidence "$work/empty"
status 1 "$TOCSIN" snapshot --evidence "$work/no/where"
status 1 "$TOCSIN" snapshot --engine shado
tells err "near it: shadow"
