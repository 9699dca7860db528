#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What `status` and its kin say of an engine that died: since when it is down is its last sign of
# life, whoever finds it dead and whenever; and a page that was refused for good is dead, not waiting.
if [ "${1:-}" != --inside ]; then
	exec "$top_srcdir/tests/integration/private-journald" /bin/sh "$0" --inside
fi
. "$top_srcdir/tests/integration/common.sh"
. "$top_srcdir/tests/integration/engine.sh"
. "$top_srcdir/tests/integration/answers.sh"
begin

now() {
	date -u +%Y-%m-%dT%H:%M:%S.%6NZ
}

in_journal() {
	journalctl --sync && journalctl -q TOCSIN_ENGINE="$name" "$@" | grep -q .
}

# member NAME: of the status as JSON; times in one form can be compared as texts.
member() {
	"$TOCSIN" status --json --engine "$name" | sed -n "s/.*\"$1\":\(\"[^\"]*\"\|[^,}]*\).*/\1/p" | tr -d '"'
}

# not_after WHAT TIME LIMIT, and after
not_after() {
	[ "$(printf '%s\n%s\n' "$2" "$3" | sort | tail -n 1)" = "$3" ] || fail "$1: $2 is after $3"
}
after() {
	[ "$2" != "$3" ] && not_after "$1" "$3" "$2"
}

alive=$(sed -n 's/^ENTRY_KIND(ALIVE, "\([0-9a-f]*\)".*/\1/p' "$top_srcdir/src/journal/entry_kinds.def")

# --- Since when.

# die NAME LINE...: an engine that tells these lives for a while, dies, and is found much later.
die() {
	begin_engine "$1"
	shift
	start_engine -o log.target=journal -o log.alive_every=100ms
	[ $# -eq 0 ] || tell_engine "$@"
	[ $# -eq 0 ] || await in_journal TOCSIN_EVENT=session TOCSIN_STATUS=running
	await in_journal MESSAGE_ID="$alive"
	kill_engine
	journalctl --sync
	died=$(now)
}

# found: its death is told now, by rescue.
found() {
	status 0 "$TOCSIN" rescue "$name"
	await in_journal TOCSIN_CODE=ENGINE_DOWN
	journalctl -q TOCSIN_ENGINE="$name" TOCSIN_CODE=ENGINE_DOWN -o cat --output-fields=TOCSIN_TIME |
		grep -E '^20' | head -n 1
}

for case in quiet events; do
	at=$(now)
	if [ $case = quiet ]; then
		die quiet
	else
		die events "{\"at\":\"$at\",\"session\":\"created\",\"session_id\":\"s\"}" \
			"{\"at\":\"$at\",\"session\":\"status\",\"session_id\":\"s\",\"status\":\"running\"}"
	fi
	sign=$(member last_sign_at) event=$(member last_event_at)
	not_after "the last sign of $case" "$sign" "$died"
	status 0 "$TOCSIN" status --engine "$name"
	grep '^last s' "$work/out" >"$work/before"
	if [ $case = quiet ]; then
		is null "$event" "the last event of an engine that told none"
		status 1 "$TOCSIN" status --check --engine "$name"
		tells out "quiet is dead, last sign of life 20"
	else
		not_after "the last event" "$event" "$died"
		status 2 "$TOCSIN" status --check --engine "$name"
		tells out "events is dead with 1 session running, last event 20"
	fi
	found >/dev/null
	raised=$("$TOCSIN" alerts --json --engine "$name" --code ENGINE_DOWN |
		sed 's/.*"raised_at":"\([^"]*\)".*/\1/')
	after "the rescue of $case" "$raised" "$died"
	is "$sign" "$(member last_sign_at)" "the last sign of $case after its rescue"
	is "$event" "$(member last_event_at)" "the last event of $case after its rescue"
	status 0 "$TOCSIN" status --engine "$name"
	grep '^last s' "$work/out" >"$work/after"
	same "$work/before" "$work/after" "what status says of $case before and after its rescue"
done

# --- A page that was refused for good is dead: it does not wait.

script refuse:poison
begin_engine refused
start_engine -o log.target=journal -o webhook.url="$url" -o pages.park_retry=1h
raise() {
	tell_engine "{\"at\":\"$(now)\",\"alert\":\"raise\",\"code\":\"$1\",\"priority\":\"P1\",\"message\":\"$2\"}"
}
raise FIRST poison
raise SECOND good
await in_journal TOCSIN_RESULT=dead
await in_journal TOCSIN_RESULT=delivered TOCSIN_CODE=SECOND

# dead: each verb calls it so.
dead() {
	status 0 "$TOCSIN" status --engine refused
	grep '^pages ' "$work/out" | grep -q "1 dead" || fail "status does not tell of a dead page ($1)"
	grep '^pages ' "$work/out" | grep -q "[1-9][0-9]* wait" && fail "status: a dead page waits ($1)"
	is 1 "$(member dead)" "dead pages of status --json ($1)"
	is 0 "$(member waiting)" "waiting pages of status --json ($1)"
	status 2 "$TOCSIN" status --check --engine refused
	tells out "refused: 1 page dead"
	tells out " pages_waiting=0 pages_dead=1 "
	grep -q "waiting;\|pages* waiting" "$work/out" && fail "--check: a dead page waits ($1)"
	status 0 "$TOCSIN" pages --engine refused --json
	is 1 "$(grep -c '"code":"FIRST".*"state":"dead"' "$work/out")" "dead pages of pages --json ($1)"
	is 1 "$(wc -l <"$work/out")" "pages of pages --json ($1)"
	status 0 "$TOCSIN" pages --engine refused
	is 1 "$(grep -c ' FIRST .* dead ' "$work/out")" "dead pages of pages ($1)"
}
is_listed() {
	grep -q '"state":"dead"' "$state/pages.json" && ! grep -q waiting "$state/pages.json"
}
await is_listed
dead "it lives"
kill_engine
stop_receiver
dead "it died"
page=$("$TOCSIN" pages --engine refused --json | sed 's/.*"page_id":"\([^"]*\)".*/\1/')
status 0 "$TOCSIN" pages --engine refused discard --reason "told by phone" "$page"
journalctl --sync
status 0 "$TOCSIN" pages --engine refused
tells out "no page waits, and none is dead"
is 0 "$(member dead)" "dead pages of status --json once it is discarded"
exit 0
