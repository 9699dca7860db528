# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# Sourced after answers.sh by tests that want a real web server: nginx on loopback, certificates of
# an authority of the test's own.
. "$top_srcdir/tests/integration/servers.sh"

find_nginx() {
	find_server openssl
	find_server nginx
}

# make_authority NAME: $work/NAME.pem and its key, as openssl ca wants them.
make_authority() {
	mkdir -p "$work/$1.files"
	: >"$work/$1.files/index"
	cat >"$work/$1.conf" <<-END
		[req]
		prompt = no
		distinguished_name = name
		x509_extensions = authority
		[name]
		CN = tocsin test authority $1
		[authority]
		basicConstraints = critical, CA:TRUE
		keyUsage = keyCertSign
		[ca]
		default_ca = self
		[self]
		database = $work/$1.files/index
		new_certs_dir = $work/$1.files
		certificate = $work/$1.pem
		private_key = $work/$1.key
		rand_serial = yes
		unique_subject = no
		default_md = sha256
		policy = any
		copy_extensions = copy
		[any]
		commonName = supplied
	END
	# shellcheck disable=SC2086
	openssl req -x509 $new_key -days 30 -config "$work/$1.conf" -keyout "$work/$1.key" \
		-out "$work/$1.pem" 2>"$work/openssl.err" || fail "$(cat "$work/openssl.err")"
}
new_key="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"

# make_certificate FILE AUTHORITY NAME FROM TO [MORE]: $work/FILE.pem and .key for a host of that
# name, good between those days (YYMMDD). MORE: ,DNS:NAME and so on.
make_certificate() {
	# shellcheck disable=SC2086
	openssl req $new_key -subj "/CN=$3" -addext "subjectAltName=DNS:$3${6:-}" \
		-keyout "$work/$1.key" -out "$work/$1.request" 2>"$work/openssl.err" &&
		openssl ca -batch -notext -config "$work/$2.conf" -startdate "${4}000000Z" \
			-enddate "${5}000000Z" -in "$work/$1.request" -out "$work/$1.pem" \
			2>"$work/openssl.err" || fail "$(cat "$work/openssl.err")"
}

# free_ports N: so many ports that nobody listens on now.
free_ports() {
	i=0
	holders=
	while [ $i -lt "$1" ]; do
		i=$((i + 1))
		script 200
		echo "$port"
		holders="$holders $receiver"
	done >"$work/ports"
	# shellcheck disable=SC2086
	kill $holders && wait $holders
	receiver=
	cat "$work/ports"
}

# No shell stays before it, so that signals reach it.
exec_nginx() {
	exec_with_libraries setpriv --pdeathsig KILL "$server" \
		-p "$work/nginx" -c "$work/nginx.conf" -e "$work/nginx.err" -g "daemon off;"
}

# try_nginx: starts it with what stands in $work/servers.conf; fails when a port is taken.
try_nginx() {
	mkdir -p "$work/nginx"
	{
		[ "$(id -u)" = 0 ] && echo "user root;"
		echo "pid $work/nginx.pid; worker_processes 1; events { }"
		echo "http { access_log off;"
		for kind in client_body proxy fastcgi uwsgi scgi; do
			echo "${kind}_temp_path $work/nginx/$kind;"
		done
		cat "$work/servers.conf"
		echo "}"
	} >"$work/nginx.conf"
	rm -f "$work/nginx.pid"
	exec_nginx </dev/null >"$work/nginx.out" 2>&1 &
	server=$!
	tries=0
	until [ -s "$work/nginx.pid" ]; do
		tries=$((tries + 1))
		[ $tries -le 500 ] && kill -0 $server 2>/dev/null || return 1
		sleep 0.02
	done
	trap 'stop_nginx; end' EXIT
}

stop_nginx() {
	[ -n "${server:-}" ] && kill "$server" 2>/dev/null && wait "$server" 2>/dev/null
	server=
}

# nginx reads its configuration and certificates again, soon.
reload_nginx() {
	kill -HUP "$server"
}
