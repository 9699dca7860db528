#!/bin/sh
# SPDX-License-Identifier: MIT
#
# `status --check` answers a monitoring system: one line, and 0 OK, 1 warning, 2 critical, 3 unknown.
if [ "${1:-}" != --inside ]; then
	exec "$top_srcdir/tests/integration/private-journald" /bin/sh "$0" --inside
fi
. "$top_srcdir/tests/integration/common.sh"
begin
XDG_STATE_HOME=$work/states
export XDG_STATE_HOME

created='{"at":"2026-03-01T10:00:00Z","session":"created","session_id":"s"}'
running='{"at":"2026-03-01T10:00:01Z","session":"status","session_id":"s","status":"running"}'
p1='{"at":"2026-03-01T10:00:02Z","alert":"raise","code":"RISK_LIMIT_BREACH","message":"m","session_id":"s"}'
p2='{"at":"2026-03-01T10:00:02Z","alert":"raise","code":"DRIFT_HIGH","message":"m","session_id":"s"}'
p3='{"at":"2026-03-01T10:00:02Z","alert":"raise","code":"GENERAL","message":"m","session_id":"s"}'
clear='{"at":"2026-03-01T10:00:03Z","alert":"clear","code":"RISK_LIMIT_BREACH","session_id":"s"}'

# play ENGINE LINE...
play() {
	engine=$1
	shift
	printf '%s\n' "$@" | "$TOCSIN" play -o engine.name="$engine" -o engine.replay=no - \
		>"$work/played" 2>&1 || fail "$engine: $(cat "$work/played")"
	journalctl --sync
}

# check EXPECTED TEXT [OPTION]...
check() {
	expected=$1 text=$2
	shift 2
	status "$expected" "$TOCSIN" status --check "$@"
	tells out "$text"
	is 1 "$(wc -l <"$work/out")" "lines"
}

check 3 "TOCSIN UNKNOWN - there is no trace of an engine"
check 3 "TOCSIN UNKNOWN - " --directory "$work/tmp"

play quiet "$created" "$running" "$p3" "$p1" "$clear"
check 0 "TOCSIN OK - 0 of 1 engine running, 0 sessions, no P1 or P2 open | p1=0 p2=0 p3=1 "
play odd "$created" "$p2"
check 1 "TOCSIN WARNING - odd: 1 open P2, DRIFT_HIGH | p1=0 p2=1 "
check 0 "TOCSIN OK - " --engine quiet
play bad "$created" "$p1" "$p2"
check 2 "bad: 1 open P1, RISK_LIMIT_BREACH"
tells out "odd: 1 open P2"
check 1 "TOCSIN WARNING - odd" --engine odd
check 3 "TOCSIN UNKNOWN - " --engine none
# The newest run counts.
play bad "$created"
check 1 "TOCSIN WARNING - odd"

# A replay is nobody's engine, unless it is asked for.
printf '%s\n' "$created" "$p1" | "$TOCSIN" play -o engine.name=replayed - >/dev/null 2>&1
journalctl --sync
check 1 "TOCSIN WARNING - odd"
check 2 "replayed: 1 open P1" --engine replayed

# A page that waits.
printf '%s\n' "$created" "$p1" "$clear" |
	"$TOCSIN" play -o engine.name=mute -o engine.replay=no -o webhook.url=http://127.0.0.1:1/ \
		-o paths.state_dir="$work/mute" --drain 2s - >/dev/null 2>&1
journalctl --sync
check 1 "mute: 1 page waiting" --engine mute

# An engine that died while a session ran, and one that lives.
mkfifo "$work/events"
"$TOCSIN" play -o engine.name=shadow -o engine.replay=no -o clock.source=system \
	-o paths.runtime_dir="$work/runtime" \
	-o paths.state_dir="$XDG_STATE_HOME/tocsin/shadow" "$work/events" >/dev/null 2>&1 &
pid=$!
exec 3>"$work/events"
printf '%s\n' "$created" "$running" >&3
session_runs() {
	grep -qs '"status":"running"' "$XDG_STATE_HOME/tocsin/shadow/snapshot.json" &&
		"$TOCSIN" sessions --engine shadow --status running 2>/dev/null | grep -q running
}
await session_runs
check 0 "TOCSIN OK - 1 of 1 engine running, 1 session, " --engine shadow
kill -9 $pid
wait $pid 2>/dev/null
check 2 "shadow is dead with 1 session running, last event 2026-03-01 " --engine shadow
check 2 "shadow is dead"
tells out "odd: 1 open P2"
exec 3>&-
# Those that stopped long ago can be left out; one that is down only when its folder is gone.
check 0 "TOCSIN OK" --engine quiet --since now
check 2 "TOCSIN CRITICAL - shadow is dead" --since now
mv "$XDG_STATE_HOME/tocsin/shadow" "$work/kept"
check 0 "TOCSIN OK - 0 of 1 engine" --engine shadow
check 3 "TOCSIN UNKNOWN" --since now
mv "$work/kept" "$XDG_STATE_HOME/tocsin/shadow"
status 0 "$TOCSIN" rescue -o paths.state_dir="$XDG_STATE_HOME/tocsin/shadow" \
	-o paths.runtime_dir="$work/runtime"
journalctl --sync
check 2 "shadow: 1 open P1, ENGINE_DOWN" --since now
rm -r "$XDG_STATE_HOME/tocsin/shadow"
check 3 "TOCSIN UNKNOWN" --since now

# A page that its receiver has refused for good does not wait: nothing more is tried.
play refused "$created"
tried() {
	printf '%s\n' SYSLOG_IDENTIFIER=tocsin PRIORITY=3 TOCSIN_EVENT=page TOCSIN_ENGINE=refused \
		TOCSIN_PAGE_ID=a-1-call.raised TOCSIN_ENDPOINT=webhook TOCSIN_ATTEMPT=2 \
		TOCSIN_RESULT="$1" MESSAGE=page | logger --journald
	journalctl --sync
}
tried retry
check 1 "refused: 1 page waiting" --engine refused
tried dead
check 1 "refused: 1 page dead" --engine refused
tells out "pages_waiting=0 pages_dead=1"
status 0 "$TOCSIN" status --engine refused
tells out "0 tried and waiting, 1 dead"
tried delivered
check 0 "TOCSIN OK" --engine refused
status 2 "$TOCSIN" status --since now
