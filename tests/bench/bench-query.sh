#!/bin/sh
# SPDX-License-Identifier: MIT
#
# bench-query.sh BUILD_DIR [OTHERS [ALERTS]], inside a private journald: how long tocsin takes to
# find its alerts among many other entries, against journalctl with the same match, process start
# included. The medians of many runs in turns.
set -u
build=$1
others=${2:-1000000}
alerts=${3:-1000}

begun=$(date +%s)
"$build/tests/bench/bench-fill" "$others" "$alerts" || exit 1
journalctl --sync
printf '%-44s %7d of %d entries, logged in %d s\n' "alerts in the journal" \
	"$(journalctl -q -t tocsin TOCSIN_EVENT=alert -o cat | wc -l)" "$((others + alerts))" \
	"$(($(date +%s) - begun))"

# once COMMAND...: prints microseconds.
once() {
	from=$(date +%s%N)
	"$@" >/dev/null 2>&1 || exit 1
	echo $((($(date +%s%N) - from) / 1000))
}

median() {
	sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
round=0
while [ $round -lt 31 ]; do
	once journalctl -q -t tocsin TOCSIN_EVENT=alert --since -24h >>"$folder/journalctl"
	once "$build/tocsin" alerts --since -24h >>"$folder/tocsin"
	round=$((round + 1))
done
a=$(median <"$folder/journalctl")
b=$(median <"$folder/tocsin")
awk -v a="$a" -v b="$b" 'BEGIN {
	printf "%-44s %7.1f ms\n", "journalctl -t tocsin TOCSIN_EVENT=alert", a / 1000
	printf "%-44s %7.1f ms  (ratio %.2f)\n", "tocsin alerts", b / 1000, b / a
}'
