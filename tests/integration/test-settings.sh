#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Settings from a file and from options, through the tool: what is wrong is refused with file, line
# and the nearest right name; an option wins over the file; secrets stay secret.
. "$top_srcdir/tests/integration/common.sh"
begin
conf=$work/tocsin.conf
secret=$(head -c 32 /dev/urandom | base64 -w 0)
printf 'whsec_%s\n' "$secret" >"$work/secret"
chmod 600 "$work/secret"

check() {
	"$TOCSIN" check --config "$conf" -o paths.state_dir="$work/state" \
		-o paths.runtime_dir="$work/runtime" "$@"
}

# refused TEXT...: the lines of a file, and what is told of it.
refused() {
	told=$1
	shift
	printf '%s\n' "$@" >"$conf"
	status 1 check
	tells out "FAILED   settings: $conf:"
	tells out "$told"
}

start_receiver
printf '%s\n' '[engine]' 'name = trial' '[rules]' 'feed_stale_after = 7s' '[webhook]' \
	"url = ${url}hook/$secret" "secret_file = $work/secret" >"$conf"
status 0 check -o log.target=stderr
tells out "ok       settings: they are right, for engine trial"
tells out "state folder: $work/state is writable"
tells out "ok       webhook: ${url%/} answers"
grep -qF "$secret" "$work/out" "$work/err" && fail "the secret is shown"
grep -q '^page ' "$work/pages" && fail "check has sent a page"

# The file's rule, then the option's, seen in what is raised.
cat >"$work/events" <<END
{"at":1000,"health":"feed_pulse","source":"f"}
{"at":1060,"health":"feed_pulse","source":"f"}
END
status 0 "$TOCSIN" play -o config="$conf" -o log.target=stderr "$work/events"
tells err "no data from f for 7.0 s"
status 0 "$TOCSIN" play -o config="$conf" -o log.target=stderr -o rules.feed_stale_after=9s \
	"$work/events"
tells err "no data from f for 9.0 s"
status 0 "$TOCSIN" play -o log.target=stderr "$work/events"
tells err "no data from f for 5.0 s"
stop_receiver

# Signatures: with the same secret verified, with another or with none refused.
drain=20s
page() {
	"$TOCSIN" play -o log.target=stderr --drain $drain -o webhook.url="$url" "$@" "$work/events"
}
start_receiver --secret-file "$work/secret"
status 0 page -o webhook.secret_file="$work/secret"
tells pages "signature   verified"
printf 'whsec_%s\n' "$(head -c 32 /dev/urandom | base64 -w 0)" >"$work/other"
drain=1s
[ -z "${UNDER_VALGRIND:-}" ] || drain=3s
status 1 page -o webhook.secret_file="$work/other"
tells pages "signature   WRONG"
status 1 page
tells pages "REFUSED page"
tells pages "signature   none"
stop_receiver

refused feed_stale_after '[rules]' 'feed_stale_afte = 5s'
refused ":2: " '[rules]' 'feed_stale_afte = 5s'
refused webhook '[webhok]' 'url = http://127.0.0.1:1/'
refused feed_stale_after '[rules]' 'feed_stale_after = soon'
refused feed_stale_after '[rules]' 'feed_stale_after = 5s' 'feed_stale_after = 6s'
refused url '[webhook]' 'url = http://example.org/'
refused url '[webhook]' 'url = ftp://127.0.0.1/'
refused secret_file '[webhook]' 'url = http://127.0.0.1:1/' "secret_file = $work/absent"

printf '%s\n' '[webhook]' 'url = http://127.0.0.1:1/' >"$conf"
status 1 check -o log.target=stderr
tells out "FAILED   webhook: http://127.0.0.1:1 cannot be reached"
tells out "warning  webhook: pages are not signed"

status 1 "$TOCSIN" check --config "$work/absent.conf"
tells out "absent.conf"
status 1 "$TOCSIN" check -o engine.nam=x
tells out "engine.name"
