#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A recorded hour, played: its incidents are raised and resolved at the true moments, in the journal
# and as pages; by default none lasts long enough to page anyone; and playing it again gives the
# same entries under another epoch. The moments are computed here from the recording alone.
recording=${TOCSIN_RECORDING:-$top_srcdir/../shared/data/okx-eth-perp-1h.jsonl}
if [ ! -r "$recording" ]; then
	echo "skipped: no recording (TOCSIN_RECORDING names one)"
	exit 77
fi
if [ "${1:-}" != --inside ]; then
	exec "$top_srcdir/tests/integration/private-journald" /bin/sh "$0" --inside
fi
. "$top_srcdir/tests/integration/common.sh"
begin

# gaps KIND LIMIT: for each gap of at least LIMIT seconds between events of the kind, when it became
# one and when it ended, in seconds with six digits.
gaps() {
	${AWK:-awk} -F '[:,]' -v kind="\"health\":\"$1\"" -v limit="$2" '
		# Integers and fractions apart: together they need more digits than a double has to spare.
		function micro(text, n, part) {
			n = split(text, part, ".")
			return n < 2 ? 0 : substr(part[2] "000000", 1, 6) + 0
		}
		index($0, kind) {
			second = $2; sub(/\..*/, "", second); us = micro($2)
			if (seen && (second - last_second) * 1000000 + us - last_us >= limit * 1000000)
				printf "%d.%06d %d.%06d\n", last_second + limit, last_us, second, us
			last_second = second; last_us = us; seen = 1
		}' "$recording"
}

# journal_times ENGINE CODE STATE: of the journal entries, in the same form.
journal_times() {
	journalctl -q -t tocsin TOCSIN_ENGINE="$1" TOCSIN_EVENT=alert TOCSIN_CODE="$2" \
		TOCSIN_STATE="$3" -o cat --output-fields=TOCSIN_TIME |
		date -u -f - +%s.%6N
}

# page_times TYPE CODE MEMBER
page_times() {
	grep -F "\"type\":\"$1\"" "$work/pages" | grep -F "\"code\":\"$2\"" |
		sed "s/.*\"$3\":\"\([^\"]*\)\".*/\1/" | date -u -f - +%s.%6N | sort
}

# check_code ENGINE CODE KIND LIMIT
check_code() {
	gaps "$3" "$4" >"$work/gaps"
	cut -d ' ' -f 1 "$work/gaps" >"$work/raised"
	cut -d ' ' -f 2 "$work/gaps" >"$work/resolved"
	journal_times "$1" "$2" firing | diff "$work/raised" - || fail "$2 was not raised at the true moments"
	journal_times "$1" "$2" resolved | diff "$work/resolved" - || fail "$2 was not resolved in time"
}

play() {
	engine=$1
	shift
	status 0 "$TOCSIN" play -o engine.name="$engine" "$@" "$recording"
	journalctl --sync
}

# entries ENGINE: all that is said of sessions and alerts, one field a line, without epoch and name.
entries() {
	journalctl -q -t tocsin TOCSIN_ENGINE="$1" TOCSIN_EVENT=session + \
		-t tocsin TOCSIN_ENGINE="$1" TOCSIN_EVENT=alert -o export |
		${AWK:-awk} 'BEGIN { n = 1 } /^$/ { n++ }
			/^(TOCSIN_|MESSAGE|PRIORITY|DOCUMENTATION)/ { printf "%03d %s\n", n, $0 }' |
		sed "s/[0-9a-f]\{32\}-/EPOCH-/; s/TOCSIN_ENGINE=$1/TOCSIN_ENGINE=/" | sort
}

start_receiver --json
play sharp -o rules.feed_stale_after=5s -o rules.heartbeat_timeout=10s -o pages.page_after=0 \
	-o webhook.url="$url"
check_code sharp ENGINE_STALLED heartbeat 10
stalls=$(wc -l <"$work/gaps")
page_times alert.raised ENGINE_STALLED raised_at | diff "$work/raised" - || fail "stalls paged"
page_times alert.resolved ENGINE_STALLED resolved_at | diff "$work/resolved" - || fail "stalls paged"
check_code sharp DATA_FEED_DOWN feed_pulse 5
is 9 "$(wc -l <"$work/gaps")" "gaps of the feed"
page_times alert.raised DATA_FEED_DOWN raised_at | diff "$work/raised" - || fail "feed paged"
page_times alert.resolved DATA_FEED_DOWN resolved_at | diff "$work/resolved" - || fail "feed paged"
is $((2 * (9 + stalls))) "$(grep -c '"webhook-id"' "$work/pages")" "pages"
is $((2 * (9 + stalls))) "$(grep -o '"webhook-id":"[^"]*"' "$work/pages" | sort -u | wc -l)" \
	"distinct page ids"
stop_receiver

start_receiver --json
play plain -o webhook.url="$url"
check_code plain DATA_FEED_DOWN feed_pulse 5
is 0 "$(grep -c '"webhook-id"' "$work/pages")" "pages by default"
stop_receiver

play again
entries plain >"$work/first"
entries again >"$work/second"
[ -s "$work/first" ] || fail "no entries to compare"
same "$work/first" "$work/second" "played twice, the entries differ"
epochs=$(journalctl -q -t tocsin TOCSIN_EVENT=alert -o cat --output-fields=TOCSIN_ALERT_ID |
	cut -c 1-32 | sort -u | wc -l)
is 3 "$epochs" "epochs of three runs"
is 9 "$("$TOCSIN" alerts --engine again --code DATA_FEED_DOWN --json | wc -l)" "incidents listed"
