#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Whoever delivers is killed at one boundary of a system call after the other: an engine, one that
# recovers, a rescue, one that stops. TORTURE_SECONDS is how long each may take: 0 is every boundary.
: "${top_srcdir:?}" "${top_builddir:?}"
command -v python3 >/dev/null || { echo "skipped: python3 is not there"; exit 77; }
# Leaks are looked for by tracing, and a process has one tracer.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
export ASAN_OPTIONS
skipped=0
for scenario in engine recover rescue stop; do
	python3 "$top_srcdir/tests/integration/kill_boundaries.py" $scenario \
		--seconds "${TORTURE_SECONDS:-15}"
	case $? in
	0) ;;
	77) skipped=$((skipped + 1)) ;;
	*) exit 1 ;;
	esac
done
[ $skipped -lt 4 ] || exit 77
