#!/bin/sh
# SPDX-License-Identifier: MIT
#
# One call to the allocator or to the system fails: no crash, and no accepted P1 is lost. A sample;
# "make faults" has all of them.
. "$top_srcdir/tests/integration/common.sh"
begin
command -v python3 >/dev/null || { echo "skipped: there is no python3"; exit 77; }
"$top_srcdir/tests/faults/faults" --sample "${FAULTS_SAMPLE:-40}" >"$work/out" 2>&1 || {
	cat "$work/out"
	fail "a call that failed did harm"
}
cat "$work/out"
