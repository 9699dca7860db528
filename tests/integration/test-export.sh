#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A session that was exported and is played again is the same session with the same alerts at the
# same times; so is what is exported from that.
if [ "${1:-}" != --inside ]; then
	exec "$top_srcdir/tests/integration/private-journald" /bin/sh "$0" --inside
fi
. "$top_srcdir/tests/integration/common.sh"
begin

cat >"$work/original" <<'END'
{"at":"2026-03-01T10:00:00.000001Z","session":"created","session_id":"s \"1\"\n=","meta":{"strategy":"ma_cross","odd key":"a=b\nc"}}
{"at":"2026-03-01T10:00:01.999999Z","session":"status","session_id":"s \"1\"\n=","status":"running"}
{"at":"2026-03-01T10:00:03Z","alert":"raise","code":"DATA_FEED_DOWN","message":"kraken\nis gone","session_id":"s \"1\"\n=","instance":"kraken","meta":{"venue":"k"}}
{"at":"2026-03-01T10:00:04Z","alert":"raise","code":"not a code","priority":"P2","message":"[P2] GENERAL: odd","session_id":"s \"1\"\n="}
{"at":"2026-03-01T10:00:05Z","alert":"raise","code":"DATA_FEED_DOWN","message":"still","session_id":"s \"1\"\n=","instance":"kraken"}
{"at":"2026-03-01T10:00:06Z","alert":"clear","code":"DATA_FEED_DOWN","session_id":"s \"1\"\n=","instance":"kraken"}
{"at":"2026-03-01T10:00:06.5Z","session":"status","session_id":"s \"1\"\n=","meta":{"trades":7}}
{"at":"2026-03-01T10:00:07Z","health":"drift","source":"model","session_id":"s \"1\"\n=","value":0.31}
{"at":"2026-03-01T10:00:08Z","health":"drift","source":"model","session_id":"s \"1\"\n=","value":0.01}
{"at":"2026-03-01T10:00:08.5Z","health":"risk","source":"drawdown","session_id":"s \"1\"\n=","value":null,"limit":0.25}
{"at":"2026-03-01T10:00:09Z","session":"created","session_id":"another"}
{"at":"2026-03-01T10:00:09Z","alert":"raise","code":"GENERAL","message":"not mine","session_id":"another"}
{"at":"2026-03-01T10:00:10Z","session":"status","session_id":"s \"1\"\n=","status":"failed"}
END
id=$(printf 's "1"\n=')

play() {
	engine=$1
	shift
	status 0 "$TOCSIN" play -o engine.name="$engine" "$@"
	journalctl --sync
}

# alerts ENGINE, sessions ENGINE: without what each run has of its own.
alerts() {
	"$TOCSIN" alerts --engine "$1" --session "$id" --json |
		sed 's/"alert_id":"[^"]*"//; s/"number":[0-9]*//; s/"engine":"[a-z]*"//'
}
sessions() {
	"$TOCSIN" sessions --engine "$1" --json | grep -v '"another"' | sed 's/"engine":"[a-z]*"//'
}

# Rules' alerts come back as calls where health was not logged: all but their source.
play first "$work/original"
status 0 "$TOCSIN" export --session "$id" --engine first "$work/exported"
tells err "of engine first; 3 of a rule's alerts became calls"
grep -q 'not mine' "$work/exported" && fail "another session's alert is exported"
grep -q SESSION_FAILED "$work/exported" && fail "what the status will raise is exported"
play second "$work/exported"
sessions first >"$work/a"
sessions second >"$work/b"
[ -s "$work/a" ] || fail "no session"
same "$work/a" "$work/b" "the sessions differ"
# The figures are the rule's own, too.
calls='s/"source":"\([^"]*\)","instance":null/"source":null,"instance":"\1"/
	s/"value":[^,]*,"limit":[^,]*,//'
alerts first | sed "$calls" >"$work/a"
alerts second | sed "$calls" >"$work/b"
is 6 "$(wc -l <"$work/a")" "alerts of the first"
same "$work/a" "$work/b" "the alerts differ"
status 0 "$TOCSIN" export --session "$id" --engine second
same "$work/exported" "$work/out" "exported again it differs"

# With health logged they come back from the rules, exactly.
play third -o log.health=yes "$work/original"
status 0 "$TOCSIN" export --session "$id" --engine third "$work/exported"
grep -q '"health":"drift","source":"model"' "$work/exported" || fail "no health lines"
grep -q '"code":"DRIFT' "$work/exported" && fail "what the rules will raise is exported"
play fourth "$work/exported"
alerts third >"$work/a"
alerts fourth >"$work/b"
is 6 "$(wc -l <"$work/a")" "alerts of the third"
same "$work/a" "$work/b" "the alerts differ"

status 2 "$TOCSIN" export
tells err "--session ID is missing"
status 1 "$TOCSIN" export --session anoter
tells err "near it: another"
status 1 "$TOCSIN" export --session another --engine first "$work/no/file"
tells err "No such file"
