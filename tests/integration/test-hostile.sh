#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Hostile text in every place an engine can put it: line ends, '=', NUL, 64 kB, broken UTF-8, paths
# and terminal escapes come out of journal, pages, file names and the tool's output harmless. Ever
# new metadata keys do not make ever new names of fields.
if [ "${1:-}" != --inside ]; then
	exec "$top_srcdir/tests/integration/private-journald" /bin/sh "$0" --inside
fi
. "$top_srcdir/tests/integration/common.sh"
begin
events=$work/events

# As JSON writes them; the one with raw bytes is as an engine might pipe it.
forged='x\nTOCSIN_FORGED=1\nPRIORITY=7'
escape='\u001b[2J\u001b]0;owned\u0007\u009b31m\r'
path='../../../../../../tmp/tocsin-hostile/../etc'
nul='before\u0000after'
raw=$(printf 'caf\351 \377\376')
spoof='\u202eDESREVER\u2028'
{
	n=0
	for text in "$forged" "$escape" "$path" "$nul" "$raw" "$spoof" "A=B=C"; do
		n=$((n + 1))
		printf '{"at":%d,"session":"created","session_id":"%s","status":"%s","meta":{"%s":"%s"}}\n' \
			$n "$text" "$text" "$text" "$text"
		printf '{"at":%d,"alert":"raise","code":"%s","priority":"P1","message":"%s","session_id":"%s","instance":"%s","meta":{"%s":"%s"}}\n' \
			$n "$text" "$text" "$text" "$text" "$text" "$text"
		printf '{"at":%d,"health":"feed_pulse","source":"%s","session_id":"%s"}\n' $n "$text" "$text"
	done
	long=$(head -c 65536 /dev/zero | tr '\0' y)
	printf '{"at":%d,"alert":"raise","code":"LONG","priority":"P1","message":"%s","instance":"%s","meta":{"k":"%s"}}\n' \
		$n "$long" "$long" "$long"
} >"$events"
alerts=8

# clean FILE: valid UTF-8 without control characters but tabs and line ends.
clean() {
	iconv -f UTF-8 -t UTF-8 "$1" >/dev/null || fail "$1 is not UTF-8"
	LC_ALL=C tr -d '\n\t' <"$1" | LC_ALL=C grep -q '[[:cntrl:]]' && fail "control characters in $1"
	return 0
}

# harmless FILE: and without characters that steer a terminal otherwise.
harmless() {
	clean "$1"
	# C1 controls, line and paragraph separators, bidirectional overrides.
	LC_ALL=C grep -q "$(printf '\302[\200-\237]\|\342\200[\250-\256]')" "$1" &&
		fail "characters that steer a terminal in $1"
	return 0
}

start_receiver
status 0 "$TOCSIN" play -o webhook.url="$url" -o rules.feed_stale_after=0 "$events"
tells out "$alerts delivered, 0 pending"
harmless "$work/err"
cp "$work/pages" "$work/pages.readable"
harmless "$work/pages.readable"
is $alerts "$(grep -c '^page [0-9]*: P1 ' "$work/pages.readable")" "pages shown"
stop_receiver

start_receiver --json
status 0 "$TOCSIN" play -o webhook.url="$url" -o rules.feed_stale_after=0 "$events"
harmless "$work/pages"
is $alerts "$(grep -c '"body":{' "$work/pages")" "pages whose body is JSON"
stop_receiver

journalctl --sync
is "" "$(journalctl -q TOCSIN_FORGED=1)" "forged entries"
is $((2 * alerts)) "$(journalctl -q -t tocsin TOCSIN_EVENT=alert -o cat --output-fields=TOCSIN_CODE | wc -l)" \
	"alerts in the journal"
is 2 "$(journalctl -q -t tocsin TOCSIN_EVENT=alert PRIORITY=2 TOCSIN_CODE=LONG TOCSIN_TRUNCATED=1 -o cat |
	wc -l)" "entries marked as cut"
is "GENERAL LONG" "$(journalctl -q -t tocsin TOCSIN_EVENT=alert -o cat --output-fields=TOCSIN_CODE |
	sort -u | tr '\n' ' ' | sed 's/ $//')" "codes"
journalctl -q -t tocsin -o json >"$work/json"
clean "$work/json"
journalctl -q -t tocsin -o cat --output-fields=MESSAGE >"$work/messages"
harmless "$work/messages"

for view in alerts "alerts --json" status "status --json"; do
	# shellcheck disable=SC2086
	status 0 "$TOCSIN" $view
	harmless "$work/out"
	[ -s "$work/out" ] || fail "$view shows nothing"
done

# Files: pages that nobody takes stay in the outbox, under names that stay in it.
status 1 "$TOCSIN" play --drain 2s -o webhook.url=http://127.0.0.1:1/ \
	-o rules.feed_stale_after=0 -o paths.state_dir="$work/state" "$events"
find "$work/state" -type f -name '*@webhook' >"$work/names"
is $alerts "$(wc -l <"$work/names")" "pages in the outbox"
grep -v '^[A-Za-z0-9_./@:-]*$' "$work/names" && fail "file names"
grep -F .. "$work/names" && fail "file names"
[ ! -e /tmp/tocsin-hostile ] || fail "a path was followed"

n=0
while [ $n -lt 200 ]; do
	n=$((n + 1))
	printf '{"at":%d,"alert":"raise","code":"GENERAL","instance":"%d","message":"m","meta":{"key%d":"v"}}\n' \
		$n $n $n
done >"$work/keys"
status 0 "$TOCSIN" play -o engine.name=keys "$work/keys"
journalctl --sync
journalctl -q TOCSIN_ENGINE=keys TOCSIN_STATE=firing -o json >"$work/json"
is 200 "$(grep -c '"TOCSIN_METADATA":' "$work/json")" "entries with all their metadata"
is 64 "$(grep -o '"TOCSIN_META_KEY[0-9]*"' "$work/json" | sort -u | wc -l)" "names of fields"
is 1 "$(journalctl -q TOCSIN_ENGINE=keys TOCSIN_EVENT=tocsin -o cat --output-fields=MESSAGE |
	grep -c 'more than 64 different keys')" "notes that later keys have no field"
status 0 "$TOCSIN" alerts --engine keys --code CAPACITY_REACHED --json
is names "$(jq -r .instance "$work/out" | sort -u)" "limits that are told as an alert"
status 0 "$TOCSIN" status --engine keys
tells out 'reached   names: ' "the maxima that were reached"
