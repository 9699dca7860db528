#!/bin/sh
# SPDX-License-Identifier: MIT
#
# journald as it may be found: running, stopped, restarting, gone with its socket left behind, gone
# altogether. In each of them the engine's calls return, pages arrive, and what could not be written
# is written afterwards, or shed in its order, counted and told.
if [ "${1:-}" != --inside ]; then
	exec "$top_srcdir/tests/integration/private-journald" /bin/sh "$0" --inside
fi
. "$top_srcdir/tests/integration/common.sh"
. "$top_srcdir/tests/integration/engine.sh"
begin
socket=/run/systemd/journal/socket
listener=$JOURNALD_PID
# More than the fifo and the pipes hold, so that it is through only when calls have returned.
lines=2000

begin_journaled() {
	begin_engine "$1"
	shift
	start_engine -o log.target=journal -o log.health=yes -o pages.page_after=0 \
		-o pages.max_pages_per_minute=0 -o webhook.url="$url" "$@"
}

# --- journald's states

stop_journald() {
	kill -STOP "$listener"
}

continue_journald() {
	kill -CONT "$listener"
}

# What it has taken is in its files.
kill_journald() {
	journalctl --sync || fail "journald does not answer"
	kill -KILL "$listener"
	wait "$listener" 2>/dev/null
}

# It has read what was sent before, too.
answers() {
	[ -S $socket ] && journalctl --sync 2>/dev/null
}

start_journald() {
	"$JOURNALD" 9>&- &
	listener=$!
	await answers
}

# The engine ends, and journald has all that it sent.
end_in_order() {
	stop_engine
	await answers
}

kill_without_socket() {
	kill_journald
	rm -f $socket
}

nothing() {
	:
}

# --- what is told and what came

now() {
	date +%s.%N
}

# raise PRIORITY INSTANCE, clear INSTANCE
raise() {
	tell_engine "{\"at\":$(now),\"alert\":\"raise\",\"code\":\"GENERAL\",\"priority\":\"$1\",\"message\":\"m\",\"instance\":\"$2\"}"
}

clear() {
	tell_engine "{\"at\":$(now),\"alert\":\"clear\",\"code\":\"GENERAL\",\"instance\":\"$1\"}"
}

# flood N: health events, of the class that is shed first.
flood() {
	${AWK:-awk} -v n="$1" -v at="$(now)" 'BEGIN {
		for (i = 0; i < n; i++)
			printf "{\"at\":%s,\"health\":\"metadata\",\"meta\":{\"n\":\"%d\"}}\n", at, i
	}' >&9
}

paged() {
	grep "\"webhook-id\": *\"[^\"]*\.$2\"" "$work/pages" | grep -q "\"instance\": *\"$1\""
}

# entries EVENT: lines of "instance state alert-id count recovered message" of this engine.
entries() {
	journalctl -q -t tocsin "TOCSIN_ENGINE=$name" "TOCSIN_EVENT=$1" -o export | ${AWK:-awk} '
		function tell() {
			if (n) print f["TOCSIN_INSTANCE"], f["TOCSIN_STATE"], f["TOCSIN_ALERT_ID"],
				f["TOCSIN_COUNT"], f["TOCSIN_RECOVERED"] + 0, f["MESSAGE"]
			split("", f)
			n = 0
		}
		$0 == "" { tell(); next }
		{ at = index($0, "="); f[substr($0, 1, at - 1)] = substr($0, at + 1); n++ }
		END { tell() }'
}

# logged INSTANCE STATE
logged() {
	entries alert | grep -q "^$1 $2 "
}

# No alert is told twice, not even in one state of its own.
none_twice() {
	entries alert | cut -d ' ' -f 3,2,4 | sort | uniq -d >"$work/twice"
	is "" "$(cat "$work/twice")" "entries told twice"
}

# state NAME BREAK MEND: events come while journald is broken.
state() {
	echo "journald is $1"
	begin_journaled "$1"
	raise P1 before
	await logged before firing
	$2
	raise P1 a
	raise P2 b
	raise P3 c
	raise P1 d
	clear a
	tell_engine "{\"at\":$(now),\"session\":\"created\",\"session_id\":\"s1\"}"
	flood $lines
	for instance in before a d; do
		await paged $instance raised
	done
	await paged a resolved
	$3
	for instance in a b c d; do
		await logged $instance firing
	done
	await logged a resolved
	end_in_order
	is 1 "$(entries session | grep -c 's1')" "entries of the session ($1)"
	is $lines "$(entries health | wc -l)" "health entries ($1)"
	entries alert | cut -d ' ' -f 1,2 | sed 's/^-$//' >"$work/order"
	printf '%s firing\n' before a b c d >"$work/expected"
	echo "a resolved" >>"$work/expected"
	same "$work/expected" "$work/order" "the order of entries ($1)"
	none_twice
	entries alert | cut -d ' ' -f 5 | grep -q 1 && fail "an entry is marked recovered ($1)"
	is "" "$(find "$state/owed" -type f ! -name '.*')" "what is owed ($1)"
}

# Only the end of a child can be waited for, so journald becomes one of ours.
kill -KILL "$listener"
start_journald

start_receiver --json
state running nothing nothing
state stopped stop_journald continue_journald
state deaf kill_journald start_journald
state absent kill_without_socket start_journald

# --- Restarted over and over while events come, its socket held as by the system: nothing is missing.

restart() {
	kill -HUP "$holder"
	await answers
}

restart_often() {
	for restarts in 1 2 3 4 5; do
		restart
	done
}

if command -v python3 >/dev/null; then
	kill_journald
	python3 "$top_srcdir/tests/integration/hold_journald.py" "$JOURNALD" 9>&- &
	holder=$!
	await answers
	state restarting "kill -HUP $holder" restart_often
	kill "$holder"
	wait "$holder"
	rm -f $socket
	start_journald
else
	echo "not tested: restarts (no python3 here)"
fi

# --- Stopped for too long: what is least goes, counted and told, P1 never.

begin_journaled flooded -o recorder.size=1M
stop_journald
flood $lines # its socket takes some
raise P1 first
raise P2 second
raise P3 third
flood 20000
raise P1 last
await paged first raised
await paged last raised
continue_journald
for instance in first second third last; do
	await logged $instance firing
done
end_in_order
none_twice
came=$(entries health | wc -l)
lost=$(entries tocsin | sed -n 's/.* lost since .*, \([0-9]*\) of health and retry.*/\1/p' |
	${AWK:-awk} '{ n += $1 } END { print n + 0 }')
dropped=$(sed -n 's/.* \([0-9]*\) [^0-9]*dropped.*/\1/p' "$work/engine.out")
[ "$lost" -gt 0 ] || fail "nothing was shed, or nothing tells of it"
entries tocsin | grep 'lost since' | grep -E ' of (P1|P2|P3|session)' && fail "more was shed"
echo "shed: $lost, came: $came, dropped: ${dropped:-0}"
is $((20000 + lines)) $((lost + came + ${dropped:-0})) "health events written, shed and refused"

# --- Stopped while the recorder runs full, and the engine is killed: the next start tells it.

begin_journaled killed -o recorder.size=256K
stop_journald
flood $lines # its socket takes some
for instance in a b c; do
	raise P1 $instance
done
flood 20000
await paged c raised
owed() {
	[ -n "$(find "$state/owed" -type f ! -name '.*')" ]
}
await owed
kill_engine
continue_journald
start_engine -o log.target=journal -o log.health=yes -o pages.page_after=0 \
	-o pages.max_pages_per_minute=0 -o webhook.url="$url" -o recorder.size=256K
for instance in a b c; do
	await logged $instance firing
done
end_in_order
is 3 "$(entries alert | grep -cE '^[abc] firing ')" "entries of P1 alerts"
is 0 "$(entries alert | grep -E '^[abc] firing ' | grep -vc ' 1 \[P1\]')" "those not marked"
none_twice
is "" "$(find "$state/owed" -type f ! -name '.*')" "what is owed in the end"

# --- Stopped in order while journald is stopped: the next start tells it.

begin_journaled ended
stop_journald
flood $lines
raise P1 a
await paged a raised
exec 9>&-
wait "$engine"
is 1 $? "the exit status of an engine that could not write its log"
engine=
continue_journald
start_engine -o log.target=journal -o webhook.url="$url"
await logged a firing
end_in_order
entries alert | grep -q '^a firing .* 1 \[P1\]' || fail "it is not marked as recovered"
entries tocsin | grep -q 'lost since .* of health and retry' || fail "what was lost is not told"
none_twice
exit 0
