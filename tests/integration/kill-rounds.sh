#!/bin/sh
# SPDX-License-Identifier: MIT
#
# An engine is killed at random moments, its receiver doing what receivers do, and no P1 is lost.
# TORTURE_ROUNDS says how often, TORTURE_SEED draws the same rounds again.
: "${top_srcdir:?}" "${top_builddir:?}"
command -v python3 >/dev/null || { echo "skipped: python3 is not there"; exit 77; }
exec python3 "$top_srcdir/tests/integration/kill_rounds.py" --rounds "${TORTURE_ROUNDS:-50}" \
	${TORTURE_SEED:+--seed "$TORTURE_SEED"}
