#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tocsin pages lists what no receiver has taken, of engines living and gone; sends dead ones again,
# discards with a reason that is logged, keeps its hands off what somebody else posts from, and says
# who may read what we may not.
. "$top_srcdir/tests/integration/common.sh"
. "$top_srcdir/tests/integration/engine.sh"
. "$top_srcdir/tests/integration/answers.sh"
begin

raise() {
	printf '{"at":%s,"alert":"raise","code":"%s","priority":"P1","message":"%s"}' \
		"$(date +%s)" "$1" "$2"
}

waiting() {
	find "$state/outbox" -maxdepth 1 -name '*@*' 2>/dev/null | wc -l
}

waits() {
	[ "$(waiting)" -ge "$1" ]
}

# listed TEXT: the engine has it in the list that it shows once a second.
listed() {
	grep -q "$1" "$state/pages.json" 2>/dev/null
}

# page_of [OPTION]...: the id of the page whose code is $code.
page_of() {
	"$TOCSIN" pages --json "$@" 2>/dev/null | sed -n "s/.*\"page_id\":\"\([^\"]*\)\".*\"code\":\"$code\".*/\1/p"
}

# --- an engine that has gone, with pages that wait

begin_engine gone
start_receiver
stop_receiver
start_engine -o webhook.url="$url"
tell_engine "$(raise DATA_FEED_DOWN "gone dark")" "$(raise RISK_LIMIT_BREACH "too much")"
await waits 2
await listed DATA_FEED_DOWN
await listed RISK_LIMIT_BREACH
status 0 "$TOCSIN" pages list
tells out DATA_FEED_DOWN
tells out RISK_LIMIT_BREACH
tells out waiting
is 3 "$(wc -l <"$work/out")" "lines of the living engine's list"
kill_engine

# Nobody has told that it is dead yet: that page comes with its next start.
status 0 "$TOCSIN" pages
is 3 "$(wc -l <"$work/out")" "lines of the list"
status 0 "$TOCSIN" pages --engine gone --json
is 2 "$(grep -c '"engine":"gone".*"state":"waiting".*"since":"20' "$work/out")" "pages as JSON"
code=DATA_FEED_DOWN && feed=$(page_of)
code=RISK_LIMIT_BREACH && risk=$(page_of)
[ -n "$feed" ] && [ -n "$risk" ] || fail "the list has no ids"
status 0 "$TOCSIN" pages show "$feed"
tells out "page      $feed"
tells out "endpoint  webhook"
tells out "message   gone dark"
tells out "data_feed_down.md"
status 0 "$TOCSIN" pages --json show "$feed@webhook"
tells out '"message":"gone dark"'
status 1 "$TOCSIN" pages show "$feed@other"
tells err "does not wait and is not dead"
status 1 "$TOCSIN" pages show no-such-page

# --- dead ones: refused twice, moved aside

mkdir "$state/outbox/dead"
mv "$state/outbox/$feed@webhook" "$state/outbox/$risk@webhook" "$state/outbox/dead/"
status 0 "$TOCSIN" pages --utc
is 2 "$(grep -c ' dead ' "$work/out")" "dead pages"
status 0 "$TOCSIN" pages resend "$feed"
tells out "page $feed to webhook: waits"
tells out "tocsin rescue gone"
[ -e "$state/outbox/$feed@webhook" ] || fail "the page does not wait again"
status 0 "$TOCSIN" pages resend --all
is 2 "$(grep -c ': waits' "$work/out")" "pages sent again"
is 2 "$(waiting)" "pages that wait"

# --- discarded: gone, and logged where the engine logs

mv "$state/outbox/$risk@webhook" "$state/outbox/dead/"
status 0 "$TOCSIN" pages discard --reason "told by phone" "$risk@webhook"
tells out "page $risk to webhook: discarded"
tells err "discarded: told by phone ($(id -un), by hand)"
tells err 'result="discarded"'
status 1 "$TOCSIN" pages discard --reason "told by phone" "$risk"
[ ! -e "$state/outbox/dead/$risk@webhook" ] || fail "the discarded page is still there"
[ -e "$state/outbox/$feed@webhook" ] || fail "another page went with it"

# --- what cannot be read is told, and kept as it is

echo "{" >"$state/outbox/x.raised@webhook"
status 0 "$TOCSIN" pages
tells err "x.raised@webhook cannot be read"
[ -e "$state/outbox/x.raised@webhook" ] || fail "looking has moved a file"
rm "$state/outbox/x.raised@webhook"

# --- what was sent again arrives

start_receiver --port "$(echo "$url" | sed 's/.*:\([0-9]*\).*/\1/')" --json
status 0 "$TOCSIN" rescue gone
is 1 "$(grep -c "\"webhook-id\": *\"$feed\"" "$work/pages")" "pages that arrived under the id"
is 0 "$(grep -c "$risk" "$work/pages")" "discarded pages that arrived"
status 0 "$TOCSIN" pages --engine gone
tells out "no page waits, and none is dead"
status 0 "$TOCSIN" pages --engine gone resend --all
stop_receiver

# --- an engine that lives

begin_engine lives
start_engine -o webhook.url="$url"
tell_engine "$(raise DATA_FEED_DOWN "dark again")"
await waits 1
await listed DATA_FEED_DOWN
code=DATA_FEED_DOWN && feed=$(page_of --engine lives)
status 0 "$TOCSIN" pages --engine lives discard --reason "seen by everybody" "$feed"
tells out "engine lives: asked to discard $feed"
status 0 "$TOCSIN" pages --engine lives
tells out "no page waits, and none is dead"
gone() { [ ! -e "$state/outbox/$feed@webhook" ]; }
await gone
await grep -q "seen by everybody" "$work/engine.err"
grep "seen by everybody" "$work/engine.err" | grep -q 'result="discarded"' ||
	fail "the engine has not logged that it was discarded"
tell_engine "$(raise RISK_LIMIT_BREACH "once more")"
await waits 1
# Whoever takes it for dead finds that somebody posts from there. (The engine writes its snapshot
# once more; nothing changes after that.)
await grep -q RISK_LIMIT_BREACH "$state/snapshot.json"
mv "$state/snapshot.json" "$work/snapshot.json"
rm -f "$state/pages.json"
status 1 "$TOCSIN" pages --state-dir "$state" resend --all
tells err "another process posts its pages"
mv "$work/snapshot.json" "$state/snapshot.json"
kill_engine

# --- a dead page of an engine that lives is discarded, and is listed no more

script 400,400,200,400
begin_engine refused
start_engine -o webhook.url="$url" -o pages.park_retry=1h
tell_engine "$(raise DATA_FEED_DOWN "never taken")"
await listed '"state":"parked"'
tell_engine "$(raise RISK_LIMIT_BREACH "taken")"
await listed '"state":"dead"'
code=DATA_FEED_DOWN && feed=$(page_of --engine refused)
status 0 "$TOCSIN" pages --engine refused
is 1 "$(grep -c ' DATA_FEED_DOWN .* dead ' "$work/out")" "pages that are called dead"
grep -q waiting "$work/out" && fail "a dead page is called waiting"
status 0 "$TOCSIN" pages --engine refused --json
is 1 "$(grep -c '"code":"DATA_FEED_DOWN".*"state":"dead"' "$work/out")" "dead pages as JSON"
grep -q waiting "$work/out" && fail "a dead page is called waiting in JSON"
status 0 "$TOCSIN" pages --engine refused discard --reason "told by phone" "$feed@webhook"
status 0 "$TOCSIN" pages --engine refused
tells out "no page waits, and none is dead"
status 0 "$TOCSIN" pages --engine refused --json
is "" "$(cat "$work/out")" "pages as JSON once it is discarded"
status 1 "$TOCSIN" pages --engine refused show "$feed"
kill_engine
stop_receiver

# --- a dead page of an engine that lives is sent again, and is dead no more

# It dies when the endpoint takes another page and refuses this one again.
script 400,400,200,400,400,200
begin_engine mended
start_engine -o webhook.url="$url" -o pages.park_retry=1h
tell_engine "$(raise DATA_FEED_DOWN "dark once more")"
await listed '"state":"parked"'
tell_engine "$(raise RISK_LIMIT_BREACH "taken")"
await listed '"state":"dead"'
code=DATA_FEED_DOWN && feed=$(page_of --engine mended)
status 0 "$TOCSIN" pages --engine mended show "$feed"
tells out "state     dead"
[ -e "$state/outbox/dead/$feed@webhook" ] || fail "the dead page is not in dead/"
status 0 "$TOCSIN" pages --engine mended resend "$feed@webhook"
tells out "engine mended: asked to resend $feed"
is_sent_again() { [ "$(came)" -eq 6 ]; }
await is_sent_again
is 5 "$(grep -c "\"webhook-id\": *\"$feed\"" "$work/came")" "requests under the page's id"
await grep -q '"pages":\[\]' "$state/pages.json"
# The list is written before the disk thread has taken the file away.
no_file_is_left() { [ -z "$(find "$state/outbox" -name '*@*')" ]; }
await no_file_is_left
# It is asked for by name, and nobody has it any more.
status 1 "$TOCSIN" pages --engine mended resend "$feed"
stop_engine
stop_receiver

# --- pages for an endpoint that was renamed: reported once, listed, discarded, alive or not

begin_engine renamed
start_receiver
stop_receiver
start_engine -o webhook.url="$url"
tell_engine "$(raise DATA_FEED_DOWN "dark and renamed")"
await waits 1
await listed DATA_FEED_DOWN
code=DATA_FEED_DOWN && feed=$(page_of --engine renamed)
kill_engine

# former ID FOLDER: that page, as one for an endpoint that the settings do not name.
former() {
	mkdir -p "$2"
	sed "s/\"endpoint\": *\"webhook\"/\"endpoint\":\"former\"/; s/$feed/$1/g" \
		"$state/outbox/$feed@webhook" >"$2/$1@former"
}
former "$feed" "$state/outbox"
for n in 1 2; do
	former "a$n.raised" "$state/outbox"
	former "d$n.raised" "$state/outbox/dead"
done
start_engine -o webhook.url="$url"
await listed '"state":"no endpoint of that name"'
# Once in the log, and once to the host.
is 1 "$(grep "3 pages wait in $state/outbox for endpoint former" "$work/engine.err" |
	grep -c 'event="tocsin"')" "reports in the log"
grep "for endpoint former" "$work/engine.err" | grep -q "tocsin pages discard" ||
	fail "the report does not say what to do"
status 0 "$TOCSIN" pages --engine renamed
is 3 "$(grep -c 'no endpoint of that name .* former' "$work/out")" "pages of the former endpoint"
is 2 "$(grep -c ' dead .* former' "$work/out")" "its dead pages"
discarded() { [ ! -e "$1" ]; }
for page in a1.raised a2.raised@former d1.raised d2.raised@former "$feed@former"; do
	status 0 "$TOCSIN" pages --engine renamed discard --reason "renamed: $page" "$page"
	tells out "engine renamed: asked to discard"
	await grep -q "renamed: $page .*result=\"discarded\"" "$work/engine.err"
done
for file in a1.raised@former a2.raised@former dead/d1.raised@former dead/d2.raised@former \
	"$feed@former"; do
	await discarded "$state/outbox/$file"
done
[ -e "$state/outbox/$feed@webhook" ] || fail "the page of an endpoint that is named went with them"
unlisted() { ! grep -q former "$state/pages.json"; }
await unlisted
kill_engine
former a3.raised "$state/outbox"
status 0 "$TOCSIN" pages --engine renamed
tells out former
status 0 "$TOCSIN" pages --engine renamed discard --reason "renamed too" a3.raised@former
tells out "page a3.raised to former: discarded"
discarded "$state/outbox/a3.raised@former" || fail "the page is still there"

# --- wrong use, and nobody there

status 1 "$TOCSIN" pages --engine nobody
tells err "there is no engine nobody here"
status 1 "$TOCSIN" pages --state-dir "$work/none"
status 2 "$TOCSIN" pages send
status 2 "$TOCSIN" pages list "$feed"
status 2 "$TOCSIN" pages show
status 2 "$TOCSIN" pages resend
status 2 "$TOCSIN" pages resend --all "$feed"
status 2 "$TOCSIN" pages discard "$feed"
status 2 "$TOCSIN" pages discard --reason "" "$feed"
status 2 "$TOCSIN" pages discard --reason all --all
status 2 "$TOCSIN" pages --reason none

# --- another user's

if [ "$(id -u)" != 0 ] || ! command -v setpriv >/dev/null; then
	echo "not root, or no setpriv: another user's engine is not tried"
	exit 0
fi
chmod 755 "$work" "$XDG_STATE_HOME" "$XDG_STATE_HOME/tocsin"
nobody="setpriv --reuid 65534 --regid 65534 --clear-groups"
# shellcheck disable=SC2086
if ! $nobody test -x "$TOCSIN"; then
	echo "nobody may not run the tool here: another user's engine is not tried"
	exit 0
fi
# shellcheck disable=SC2086
status 1 $nobody "$TOCSIN" pages --state-dir "$state"
tells err "$state: it may be read by user root alone"

# Root leaves nothing of its own in a folder of somebody else's.
rm -f "$state/pages.json"
chown -R 65534:65534 "$state"
status 0 "$TOCSIN" pages --state-dir "$state" resend --all
is "" "$(find "$state" ! -user 65534)" "files that are not the engine's user's"
chmod 750 "$state"
chmod 700 "$state/outbox"
# As somebody of the group sees it.
other="setpriv --reuid 65533 --regid 65534 --clear-groups"
# shellcheck disable=SC2086
status 1 $other "$TOCSIN" pages --state-dir "$state"
tells err "$state/outbox: it may be read by user nobody alone"
