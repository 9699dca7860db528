#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Engines in languages whose wrappers load the plugin and may unload it at any moment: CPython's
# ctypes and cffi, LuaJIT's FFI, Java's JNA. Each raises P1 alerts and exits at once, without stop
# and without destroy. Its exit status is its own, and no alert is lost.
. "$top_srcdir/tests/integration/common.sh"
. "$top_srcdir/tests/integration/answers.sh"
. "$top_srcdir/tests/integration/nginx.sh"
hosts=$top_srcdir/tests/integration
if [ -n "${SANITIZERS:-}" ]; then
	echo "skipped: a plugin with sanitizers does not load into a plain program"
	exit 77
fi
find_nginx
begin_answers
make_authority ours
make_certificate good ours good.localhost "$(date -u -d -1day +%y%m%d)" \
	"$(date -u -d +20day +%y%m%d)"

# Each page has a handshake of its own: OpenSSL's exit handler harms that most.
for again in 1 2 3 4 5; do
	tls=$(free_ports 1)
	script 200
	cat >"$work/servers.conf" <<-END
		server {
			listen 127.0.0.1:$tls ssl;
			server_name good.localhost;
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

# As a user's session has them: rescue finds engines there by name.
XDG_RUNTIME_DIR=$work/runs XDG_STATE_HOME=$work/states
export XDG_RUNTIME_DIR XDG_STATE_HOME
mkdir -p "$work/runs/tocsin" "$work/states/tocsin"
webhook="webhook.url=https://good.localhost:$tls/hook/way webhook.ca_file=$work/ours.pem
	pages.max_pages_per_minute=1000"

# What wrappers that read C read: the header without its directives.
TOCSIN_DECLARATIONS=$work/declarations.h
export TOCSIN_DECLARATIONS
sed '/^#include/d' "$top_srcdir/plugin/tocsin_plugin.h" | ${CC:-cc} -E -P -U__GNUC__ -xc - \
	>"$TOCSIN_DECLARATIONS" || fail "the header cannot be preprocessed"

# ends WAY STATUS DELAY_MS [SETTINGS]: $host is an engine named $name that exits so; a new $session.
ends() {
	count=$((count + 1))
	session=$name-$count
	# shellcheck disable=SC2086
	timeout -k 1 60 $host "$1" "$2" "$3" "$session" engine.name="$name" log.target=stderr \
		paths.runtime_dir="$XDG_RUNTIME_DIR/tocsin/$name" \
		paths.state_dir="$XDG_STATE_HOME/tocsin/$name" ${4:-} >"$work/out" 2>"$work/err"
	got=$?
	[ $got -eq "$2" ] || fail "$name: exit status $got instead of $2 ($1, $3 ms)"
	raised="$raised $session"
	[ "$1" = keep ] || raised="$raised $session-closed"
}

# exits NAME DELAYS COMMAND...: a host exits in each way, with a webhook and then without.
exits() {
	name=$1
	delays=$2
	shift 2
	host=$*
	count=0
	raised=
	for delay in $delays; do
		ends keep 0 "$delay" "$webhook"
		ends close 3 "$delay" "$webhook"
	done
	status 0 "$TOCSIN" rescue "$name"
	for one in $raised; do
		grep -qF "$one\\" "$work/came" || fail "$name: the alert of $one was not posted"
	done

	name=$name-log raised=
	ends close 3 0
	ring=$(find "$XDG_RUNTIME_DIR/tocsin/$name" -name 'ring-*')
	[ -n "$ring" ] || fail "$name: no recorder is left"
	status 0 "$TOCSIN" blackbox "$ring"
	for one in $raised; do
		grep -qE "$one([^-]|$)" "$work/out" ||
			fail "$name: the recorder does not have the alert of $one"
	done
	tried=$((tried + 1))
}

tried=0
left_out=

# leave_out WHAT: that host cannot be run here.
leave_out() {
	left_out="$left_out$1; "
}

# Debian's own: another one in PATH has no cffi.
python=/usr/bin/python3
if $python -c 'import ctypes' 2>/dev/null; then
	exits ctypes "0 20" $python "$hosts/wrapper_ctypes.py"
else
	leave_out "no ctypes in $python"
fi
if $python -c 'import cffi' 2>/dev/null; then
	exits cffi "0 20" $python "$hosts/wrapper_cffi.py"
else
	leave_out "no cffi in $python (python3-cffi)"
fi
if command -v luajit >/dev/null; then
	exits luajit "0 20" luajit "$hosts/wrapper.lua"
else
	leave_out "no luajit"
fi

# One JVM at a time, each small and without the slower compiler.
jna=/usr/share/java/jna.jar
if ! command -v javac >/dev/null || ! command -v java >/dev/null; then
	leave_out "no java and javac (default-jdk-headless)"
elif [ ! -e $jna ]; then
	leave_out "no $jna (libjna-java)"
else
	unset JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS
	status 0 javac -J-XX:TieredStopAtLevel=1 -J-XX:+UseSerialGC -cp $jna -d "$work/classes" \
		"$hosts/Wrapper.java"
	exits java 0 java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx64m -XX:-UsePerfData \
		-XX:ErrorFile="$work/java.err" -Djava.io.tmpdir="$work/tmp" \
		-cp "$work/classes:$jna" Wrapper
fi

if [ -n "$left_out" ]; then
	echo "left out: ${left_out%; }"
	[ "${CI:-}" = true ] && exit 1
	[ $tried -gt 0 ] || exit 77
fi
exit 0
