#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What is wrong with a recording or a command line is told with its place, what came before it is
# played, the exit status says which it was, and nothing is left behind.
. "$top_srcdir/tests/integration/common.sh"
begin
file=$work/events

play() {
	"$TOCSIN" play -o log.target=stderr "$@"
}

# lines LINE...
lines() {
	printf '%s\n' "$@" >"$file"
}

created='{"at":1,"session":"created","session_id":"s1"}'
raise='{"at":2,"alert":"raise","code":"GENERAL","priority":"P3","message":"before the bad line"}'

lines "$created" "$raise" '{"at":3,"health":"feed_pulse","sorce":"x"}' "$raise"
status 1 play "$file"
tells err "$file:3:31: unknown member \"sorce\": expected source"
tells err "before the bad line"
tells err "session s1"
tells out "2 events"

lines "$created" '{"at":3,"health":'
status 1 play "$file"
tells err "$file:2:18: expected a value"
tells err "session s1"

lines "$created" '' '{"at":3,"health":"feed_puls"}'
status 1 play "$file"
tells err "$file:3:18: expected feed_pulse, found \"feed_puls\""

lines "$created" '{"at":"yesterday","health":"start"}'
status 1 play "$file"
tells err "$file:2:7: expected a time"

lines '{"at":1,"health":"start","meta":{"a":{"b":1}}}'
status 1 play "$file"
tells err "$file:1:38: expected a string"

printf '%s\n{"at":1,"health":"sta\033]0;owned\007' "$created" >"$file"
status 1 play "$file"
tells err "$file:2:22: expected no raw control character"

head -c 1100000 /dev/zero | tr '\0' ' ' >"$file"
status 1 play "$file"
tells err "$file:1:1: expected a line of at most"

# A recording without an end of line at its end, and from the standard input.
printf '%s\n%s' "$created" "$raise" >"$file"
status 0 play - <"$file"
tells out "2 events"
status 0 play --speed 1000 "$file"
tells out "2 events"
status 0 play --json "$file"
tells out '"sessions":1,"health":0,"alerts":1,"refused":0'

status 1 play "$work/absent"
tells err "cannot open $work/absent: No such file or directory"
status 1 play "$work"
tells err "cannot read $work: Is a directory"
status 1 play --plugin "$work/absent.so" "$file"
tells err "cannot load the plugin"
tells err "absent.so"
status 1 play --plugin libc.so.6 "$file"
tells err "libc.so.6 is no tocsin plugin"
status 1 play -o webhok.url=http://127.0.0.1:9/ "$file"
tells err "webhook.url"

status 2 play
status 2 play a b
status 2 play --speed fast "$file"
tells err "--speed fast: expected a number or max"
status 2 play -o rules "$file"
tells err "-o rules: expected section.key=value"
status 2 play --drain soon "$file"
status 2 play --colour "$file"
status 2 "$TOCSIN"
status 2 "$TOCSIN" plya
tells err 'did you mean "play"?'
status 2 "$TOCSIN" xyzzyplugh
tells err "tocsin --help lists them"
status 2 "$TOCSIN" alerts --priority P7
status 2 "$TOCSIN" alerts --since noon
status 2 "$TOCSIN" receive --port 70000
status 1 "$TOCSIN" receive --secret-file "$work/absent"
echo nonsense >"$work/secret"
status 1 "$TOCSIN" receive --secret-file "$work/secret"
tells err "$work/secret:1: expected whsec_"
status 0 "$TOCSIN" --help
tells out "usage: tocsin"
for verb in play receive alerts status check; do
	status 0 "$TOCSIN" $verb --help
	tells out "usage: tocsin $verb"
done

# An endpoint that does not answer: the page is kept, and told where.
lines "$created" '{"at":2,"alert":"raise","code":"X","priority":"P1","message":"m"}'
status 1 play --drain 1s -o webhook.url=http://127.0.0.1:1/ "$file"
tells err "not everything was delivered"
tells out "1 pending"
kept=$(sed -n 's/.*delivered are kept in \(.*\);$/\1/p' "$work/err")
[ -n "$(find "$kept" -name '*.raised@webhook')" ] || fail "no page in $kept"
start_receiver --count 1
lines "$created"
status 0 play -o paths.state_dir="$kept" -o webhook.url="$url" "$file"
wait "$receiver" || fail "the kept page did not come"
receiver=
rm -r "${kept%/state}"

is "" "$(ls "$TMPDIR")" "left in TMPDIR"
