#!/bin/sh
# SPDX-License-Identifier: MIT
#
# An engine that pages over TLS ends without saying goodbye, in every way a process can end and at
# moments around its first page. It has the exit status that it chose, no signal ends it, it never
# hangs, and what it raised to the last is posted by whoever comes after it.
. "$top_srcdir/tests/integration/common.sh"
. "$top_srcdir/tests/integration/answers.sh"
. "$top_srcdir/tests/integration/nginx.sh"
if [ -n "${SANITIZERS:-}" ]; then
	echo "skipped: a plugin with sanitizers does not load into a plain program"
	exit 77
fi
find_nginx
begin_answers
make_authority ours
make_certificate good ours good.localhost "$(date -u -d -1day +%y%m%d)" \
	"$(date -u -d +20day +%y%m%d)"

for again in 1 2 3 4 5; do
	tls=$(free_ports 1)
	script 200
	cat >"$work/servers.conf" <<-END
		server {
			listen 127.0.0.1:$tls ssl;
			server_name good.localhost;
			# Each page then goes its whole way through TLS, where an exit must not meet it.
			keepalive_timeout 0;
			ssl_certificate $work/good.pem;
			ssl_certificate_key $work/good.key;
			location / { proxy_pass http://127.0.0.1:$port; }
		}
	END
	try_nginx && break
	[ "$again" != 5 ] || fail "nginx does not start: $(cat "$work/nginx.out" "$work/nginx.err")"
	stop_receiver
done

settings="config= log.target=stderr webhook.url=https://good.localhost:$tls/hook/way
	webhook.ca_file=$work/ours.pem paths.state_dir=$work/state paths.runtime_dir=$work/run
	pages.max_pages_per_minute=1000"

# ends WAY DELAY_US
ends() {
	# shellcheck disable=SC2086
	timeout -k 1 60 "$top_builddir/tests/integration/exit-engine" "$1" "$2" $settings \
		>>"$work/raised" 2>"$work/err"
	got=$?
	[ $got -eq 7 ] || fail "$1, $2 us: exit status $got"
}

: >"$work/raised"
for way in $("$top_builddir/tests/integration/exit-engine"); do
	for delay in ${EXIT_DELAYS:-0 1000 3000 7000 20000}; do
		ends "$way" "$delay"
	done
done

# The last of them says goodbye, so that nothing is left over.
ends goodbye_from_after 1000
came_all() {
	while read -r session; do
		grep -qF "$session\\" "$work/came" || return 1
	done <"$work/raised"
}
[ -s "$work/raised" ] || fail "nothing was raised"
await came_all
