#!/bin/sh
# SPDX-License-Identifier: MIT
#
# `sessions` lists what the journal knows, tells one session's story in the order of the events'
# times, and names the near ones of an id it does not know; a journal that may not be read is told
# by every verb and never looks empty.
if [ "${1:-}" != --inside ]; then
	exec "$top_srcdir/tests/integration/private-journald" /bin/sh "$0" --inside
fi
. "$top_srcdir/tests/integration/common.sh"
begin
TZ=UTC0
export TZ

start_receiver --count 2
status 0 "$TOCSIN" play -o engine.name=demo -o webhook.url="$url" \
	-o webhook.priorities=P1 - <<'END'
{"at":"2026-03-01T10:00:00.000001Z","session":"created","session_id":"shadow_001","meta":{"mode":"shadow"}}
{"at":"2026-03-01T10:00:01Z","session":"status","session_id":"shadow_001","status":"running"}
{"at":"2026-03-01T10:00:02Z","health":"feed_down","source":"okx"}
{"at":"2026-03-01T10:00:03Z","alert":"raise","code":"DATA_FEED_DOWN","message":"kraken is gone","session_id":"shadow_001","instance":"kraken"}
{"at":"2026-03-01T10:00:04Z","session":"created","session_id":"shadow_002"}
{"at":"2026-03-01T10:00:05Z","alert":"raise","code":"GENERAL","message":"of the other","session_id":"shadow_002"}
{"at":"2026-03-01T10:00:06Z","alert":"clear","code":"DATA_FEED_DOWN","session_id":"shadow_001","instance":"kraken"}
{"at":"2026-03-01T10:00:06.5Z","health":"feed_up","source":"okx"}
{"at":"2026-03-01T10:00:07Z","session":"status","session_id":"shadow_001","status":"completed","meta":{"trades":7}}
{"at":"2026-03-02T10:00:00Z","session":"created","session_id":"live_1"}
{"at":"2026-03-02T10:00:01Z","session":"status","session_id":"live_1","status":"failed"}
END
wait "$receiver" || fail "the pages did not come"
receiver=
journalctl --sync

# The list: newest first, by status, by time, by engine.
status 0 "$TOCSIN" sessions
is "live_1 shadow_002 shadow_001" "$(${AWK:-awk} 'NR > 1 { printf "%s%s", s, $1; s = " " }' "$work/out")" \
	"order"
tells out "shadow_001  completed  2026-03-01 10:00:00  2026-03-01 10:00:07"
status 0 "$TOCSIN" sessions --status failed --json
is '{"session_id":"live_1","status":"failed","started_at":"2026-03-02T10:00:00.000000Z","last_update":"2026-03-02T10:00:01.000000Z","engine":"demo","metadata":{}}' \
	"$(cat "$work/out")" "as JSON"
status 0 "$TOCSIN" sessions --utc --until "2026-03-01 12:00" --json
is 2 "$(wc -l <"$work/out")" "sessions begun until then"
status 0 "$TOCSIN" sessions --utc --since 2026-03-02 --json
is 2 "$(wc -l <"$work/out")" "sessions that ran or changed since"
status 0 "$TOCSIN" sessions --status odd
tells out "no sessions"

# The story.
status 0 "$TOCSIN" sessions shadow_001
tells out "session   shadow_001 of engine demo"
tells out "status    completed"
tells out "trades = 7"
tells out "2026-03-01 10:00:02  engine   [P1] DATA_FEED_DOWN: feed okx reported down"
tells out "page     page "
grep -q "of the other" "$work/out" && fail "another session's alert is told"
status 0 "$TOCSIN" sessions shadow_001 --json
is "session session alert alert alert alert session page page" \
	"$(sed 's/.*"event":"\([a-z]*\)".*/\1/' "$work/out" | tr '\n' ' ' | sed 's/ $//')" "the order"
status 0 "$TOCSIN" sessions shadow_001 --json --until "2026-03-01T10:00:03Z"
is 4 "$(grep -vc '"page"' "$work/out")" "what happened until then"

# What is not there.
status 1 "$TOCSIN" sessions shadow_003
tells err "the journal knows no session shadow_003; near it: shadow_001, shadow_002"
status 1 "$TOCSIN" sessions --engine dmo
tells err "the journal knows no engine dmo; near it: demo"
status 1 "$TOCSIN" alerts --session live_2
tells err "knows no session live_2; near it: live_1"
status 1 "$TOCSIN" alerts --code data_feed_dwon
tells err "near it: DATA_FEED_DOWN"
status 0 "$TOCSIN" alerts --code ENGINE_DOWN
tells out "no alerts"
status 2 "$TOCSIN" sessions --since noon
status 2 "$TOCSIN" sessions shadow_001 shadow_002
status 2 "$TOCSIN" sessions shadow_001 --status failed

# An incident is found by the priority that it has now and by that of its worst.
status 0 "$TOCSIN" play -o engine.name=fell - <<'END'
{"at":"2026-03-04T10:00:00Z","alert":"raise","code":"GENERAL","priority":"P1","message":"bad"}
{"at":"2026-03-04T10:00:05Z","alert":"raise","code":"GENERAL","priority":"P3","message":"better"}
END
journalctl --sync
for row in P1:1 P2:0 P3:1; do
	"$TOCSIN" alerts --engine fell --priority "${row%:*}" --json >"$work/out"
	is "${row#*:}" "$(grep -c '"priority":"P3","worst":"P1"' "$work/out")" "incidents of ${row%:*}"
done

# The same id again is another session; a recording played twice is two.
status 0 "$TOCSIN" play -o engine.name=demo - <<'END'
{"at":"2026-03-03T10:00:00Z","session":"created","session_id":"shadow_001"}
END
journalctl --sync
status 0 "$TOCSIN" sessions --json
is 2 "$(grep -c '"session_id":"shadow_001"' "$work/out")" "sessions of one id"
status 0 "$TOCSIN" sessions shadow_001
tells out "status    started"
tells out "1 more of this id"
status 0 "$TOCSIN" sessions shadow_001 --until 2026-03-02 --utc
tells out "status    completed"

# On a terminal a table fits 80 columns, and grows with it.
if command -v script >/dev/null; then
	for columns in 80 200; do
		NO_COLOR=1 script -qec "stty cols $columns; '$TOCSIN' sessions shadow_001 --until 2026-03-02" \
			/dev/null </dev/null | tr -d '\r' >"$work/terminal"
		widest=$(LC_ALL=C.UTF-8 wc -L <"$work/terminal")
		[ "$widest" -le $columns ] || fail "$widest columns on a terminal of $columns"
	done
	grep -q "okx reported down" "$work/terminal" || fail "a wide terminal shows no more"
	grep -q "$(printf '\033')" "$work/terminal" && fail "coloured in spite of NO_COLOR"
	script -qec "stty cols 80; '$TOCSIN' sessions" /dev/null </dev/null >"$work/terminal"
	grep -q "$(printf '\033')\[31m" "$work/terminal" || fail "no colour on a terminal"
fi

# A journal that is not to be read: without any capability root is like anybody.
anybody() {
	setpriv --bounding-set -all --inh-caps -all "$@"
}
mkdir "$work/journal"
cp /run/log/journal/*/system.journal "$work/journal/"
status 0 "$TOCSIN" sessions --directory "$work/journal" --json
is 4 "$(wc -l <"$work/out")" "sessions in the copy"
chmod 0 "$work/journal/system.journal"
chmod 0 /run/log/journal/*/system.journal
if anybody true 2>/dev/null && ! anybody cat "$work/journal/system.journal" >/dev/null 2>&1; then
	for verb in alerts sessions "sessions live_1" status snapshot "export --session live_1"; do
		# shellcheck disable=SC2086
		status 1 anybody "$TOCSIN" $verb
		tells err "you may not read this journal"
		tells err "systemd-journal"
		# shellcheck disable=SC2086
		status 1 anybody "$TOCSIN" $verb --directory "$work/journal"
		tells err "you may not read this journal"
		is "" "$(cat "$work/out")" "shown all the same"
	done
	status 3 anybody "$TOCSIN" status --check
	tells out "TOCSIN UNKNOWN - you may not read this journal"
fi
chmod 640 /run/log/journal/*/system.journal
status 1 "$TOCSIN" sessions --directory "$work/tmp"
tells err "there is no journal here"
status 1 "$TOCSIN" sessions --directory "$work/nowhere"
tells err "No such file"
