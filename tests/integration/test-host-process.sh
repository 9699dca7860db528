#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Loaded and unloaded again and again in one process, with pages and journal entries flowing: each
# entry is in the journal, and no descriptor is left.
unload=$top_builddir/tests/abi/test-process_unload
if [ ! -x "$unload" ]; then
	echo "skipped: built without the unit tests"
	exit 77
fi
if [ "${1:-}" != --inside ]; then
	exec "$top_srcdir/tests/integration/private-journald" /bin/sh "$0" --inside
fi
. "$top_srcdir/tests/integration/common.sh"
begin

entries() {
	journalctl -q -o cat "$@" | wc -l
}

TOCSIN_TEST_LOG=journal
export TOCSIN_TEST_LOG
status 0 "$unload"
journalctl --sync
raised=$(grep -c "^# raised$" "$work/out")
[ "$raised" -ge 20 ] || fail "only $raised alerts were raised"
is "$raised" "$(entries TOCSIN_EVENT=alert TOCSIN_STATE=firing)" "alerts in the journal"
is 20 "$(entries TOCSIN_EVENT=page TOCSIN_RESULT=delivered)" "deliveries in the journal"
