#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The demo shows each thing it promises, with journalctl's own output, and leaves nothing behind.
"$top_srcdir/tests/integration/private-journald" --probe || exit
. "$top_srcdir/tests/integration/common.sh"
begin

status 0 "$top_srcdir/tests/demo/demo" "$top_builddir"
tells out '$ journalctl -q -t tocsin TOCSIN_PRIORITY=P1'
tells out "[P1] DATA_FEED_DOWN: no data from demo:ETH-USD for 5.0 s"
tells out "[P1] DRIFT_CRITICAL: drift 0.28 of returns_1h in session shadow_001 is not below 0.25"
tells out "[P1] DRIFT_CRITICAL resolved after 20.8 s"
tells out "[P1] RISK_LIMIT_BREACH: risk 0.31 of drawdown"
tells out "    TOCSIN_CODE=RISK_LIMIT_BREACH"
tells out "    TOCSIN_REPLAY=1"
tells out "First minutes:"
for code in DATA_FEED_DOWN DRIFT_CRITICAL RISK_LIMIT_BREACH; do
	grep -q "^page [1-6]: P1 $code firing" "$work/out" || fail "no page of $code"
	grep -q "^page [1-6]: P1 $code resolved" "$work/out" || fail "no page of the end of $code"
done
is 6 "$(grep -c 'signature *verified' "$work/out")" "pages verified"
tells out "6 delivered, 0 pending"
tells out '$ tocsin status'
tells out "engine    play (a replay): stopped"
tells out "shadow_001  completed"
tells out "shadow_002  failed"
tells out "TOCSIN WARNING - play: 2 open P2"
tells out '$ tocsin alerts'
for row in "P1   DATA_FEED_DOWN     resolved  1" "P1   DRIFT_CRITICAL     resolved  1" \
	"P1   RISK_LIMIT_BREACH  resolved  1" "P2   DRIFT_HIGH         resolved  3" \
	"P2   EXECUTION_ERROR    firing    1" "P2   SESSION_FAILED     firing    1"; do
	tells out "$row"
done
tells out '$ tocsin sessions shadow_001'
tells out "evidence/snapshot.json"
tells out '"session":"created","session_id":"shadow_002"'

# The link in the page is a file that is there.
link=$(sed -n 's/^  do *file:\/\///p' "$work/out" | head -n 1)
[ -r "$link" ] || fail "no runbook at $link"
is "" "$(ls "$TMPDIR")" "left in TMPDIR"
is "" "$(cat "$work/err")" "complaints"
