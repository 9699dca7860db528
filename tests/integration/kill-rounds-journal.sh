#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The kills of kill-rounds.sh with a real journald, which is asked in the end what it was told.
: "${top_srcdir:?}" "${top_builddir:?}"
command -v python3 >/dev/null || { echo "skipped: python3 is not there"; exit 77; }
exec "$top_srcdir/tests/integration/private-journald" \
	python3 "$top_srcdir/tests/integration/kill_rounds.py" --log journal \
	--rounds "${TORTURE_ROUNDS:-15}" ${TORTURE_SEED:+--seed "$TORTURE_SEED"}
