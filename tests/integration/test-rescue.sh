#!/bin/sh
# SPDX-License-Identifier: MIT
#
# An engine is killed, and no next start comes: tocsin rescue sends what was due and says how it
# ended, once. It leaves alone who lives and who stopped in good order, and root does it as the
# engine's user.
. "$top_srcdir/tests/integration/common.sh"
. "$top_srcdir/tests/integration/engine.sh"
begin

raise() {
	printf '{"at":%s,"alert":"raise","code":"DATA_FEED_DOWN","priority":"P1","message":"%s"}' \
		"$(date +%s)" "$1"
}

recorded() {
	"$TOCSIN" blackbox "$ring" 2>/dev/null | grep -q "$1"
}

# --- killed with a page that no receiver has taken

begin_engine sample
start_receiver
stop_receiver
start_engine -o webhook.url="$url"
tell_engine '{"at":1785750996,"session":"created","session_id":"shadow_001"}' "$(raise "gone dark")"
await recorded "gone dark"
epoch=${ring##*/ring-}

status 0 "$TOCSIN" rescue sample
tells out "engine sample: it lives"
[ -e "$ring" ] || fail "the living engine's recorder is gone"

kill_engine
start_receiver --port "$(echo "$url" | sed 's/.*:\([0-9]*\).*/\1/')" --json
status 0 env SERVICE_RESULT=signal EXIT_CODE=killed EXIT_STATUS=KILL "$TOCSIN" rescue sample
tells out "engine sample: 1 dead run, "
tells out "pages: 2 delivered, 0 waiting"
is "" "$(grep settings.json "$work/err")" "what is said of the settings"
is 1 "$(pages DATA_FEED_DOWN)" "pages of the raise"
is 1 "$(pages ENGINE_DOWN)" "pages of the death"
is 2 "$(grep -c "\"webhook-id\": *\"$epoch-" "$work/pages")" "pages with ids of the dead run"
for fact in '"service_result": *"signal"' '"exit_code": *"killed"' '"exit_status": *"KILL"' \
	'shadow_001'; do
	grep -q "$fact" "$work/pages" || fail "no page says $fact"
done
is 0 "$(find "$run" -name 'ring-*' | wc -l)" "recorders left"

status 0 "$TOCSIN" rescue sample
tells out "engine sample: no dead run; pages: 0 delivered, 0 waiting"
status 0 "$TOCSIN" rescue --all
is 2 "$(grep -c '"webhook-id"' "$work/pages")" "pages in the end"

# --- the receiver is away: pages wait for the next one who comes

begin_engine other
stop_receiver
start_engine -o webhook.url="$url"
tell_engine "$(raise "dark again")"
await recorded "dark again"
kill_engine
status 0 "$TOCSIN" rescue --drain 200ms other
tells out "pages: 0 delivered, 2 waiting"
start_receiver --port "$(echo "$url" | sed 's/.*:\([0-9]*\).*/\1/')" --json
# The folders say all that is needed.
status 0 "$TOCSIN" rescue -o paths.runtime_dir="$run" -o paths.state_dir="$state"
tells out "pages: 2 delivered, 0 waiting"
is 1 "$(pages DATA_FEED_DOWN)" "pages of the raise"

# --- a clean stop

begin_engine clean
start_engine -o webhook.url="$url"
stop_engine
status 0 env SERVICE_RESULT=success EXIT_CODE=exited EXIT_STATUS=0 "$TOCSIN" rescue clean
tells out "it stopped cleanly"
status 0 "$TOCSIN" rescue clean
is 2 "$(grep -c '"webhook-id"' "$work/pages")" "pages after a clean stop"

# --- wrong use, and nobody there

status 1 "$TOCSIN" rescue nobody
tells err "there is no engine nobody here"
status 0 env SERVICE_RESULT=exit-code "$TOCSIN" rescue nobody
status 1 "$TOCSIN" rescue -o paths.runtime_dir="$work/none"
status 2 "$TOCSIN" rescue
status 2 "$TOCSIN" rescue --all sample
status 2 "$TOCSIN" rescue -o paths.state_dir="$state" sample
status 2 "$TOCSIN" rescue --drain soon sample

# --- root, and an engine of somebody else's

if [ "$(id -u)" != 0 ] || ! command -v setpriv >/dev/null; then
	echo "not root, or no setpriv: another user's engine is not tried"
	exit 0
fi
begin_engine theirs
chmod 755 "$work" "$runs" "$runs/tocsin" "$work/tmp" "$XDG_STATE_HOME" "$XDG_STATE_HOME/tocsin"
mkdir "$run" "$state"
chown 65534:65534 "$run" "$state"
chmod 700 "$run" "$state"
stop_receiver
AS="setpriv --reuid 65534 --regid 65534 --clear-groups"
# shellcheck disable=SC2086
if ! $AS test -x "$TOCSIN" || ! $AS test -r "$TOCSIN_PLUGIN"; then
	echo "nobody may not run the tool here: another user's engine is not tried"
	exit 0
fi
start_engine -o webhook.url="$url"
AS=
tell_engine "$(raise "theirs is dark")"
await recorded "theirs is dark"
kill_engine
status 0 "$TOCSIN" rescue --drain 200ms theirs
tells out "pages: 0 delivered, 2 waiting"
is "" "$(find "$run" "$state" ! -user 65534)" "files that are not the engine's user's"
[ -n "$(find "$state" -name '*@webhook')" ] || fail "no page waits"
