#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Where there is no journald the log goes to stderr, every field behind its message, pages go out
# all the same, and `check` says so.
if [ "${1:-}" != --inside ]; then
	exec "$top_srcdir/tests/integration/private-journald" --no-journald /bin/sh "$0" --inside
fi
. "$top_srcdir/tests/integration/common.sh"
begin

start_receiver --count 6
status 0 "$TOCSIN" play -o webhook.url="$url" "$top_srcdir/tests/demo/session.jsonl"
tells err "[P1] DATA_FEED_DOWN: no data from demo:ETH-USD for 5.0 s [tocsin "
tells err 'code="DATA_FEED_DOWN" priority="P1" state="firing"'
tells err 'state="resolved"'
tells err "session shadow_001: completed"
tells out "6 delivered, 0 pending"
wait "$receiver" || fail "the pages did not come"
receiver=

status 0 "$TOCSIN" check -o engine.name=fallback \
	-o paths.state_dir="$work/state" -o paths.runtime_dir="$work/runtime"
tells out "warning  log: no journald"
status 1 "$TOCSIN" check -o engine.name=fallback -o log.target=journal \
	-o paths.state_dir="$work/state" -o paths.runtime_dir="$work/runtime"
tells out "FAILED   log: no journald"
is "" "$(ls "$TMPDIR")" "left in TMPDIR"
