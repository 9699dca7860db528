#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Hosts of other worlds: an engine in C++20 and one in Python play a session with a page to a
# receiver, and both go on trading when the plugin is absent, broken or of another version.
. "$top_srcdir/tests/integration/common.sh"
begin
hosts=$top_srcdir/tests/abi
tried=0

# --- files that are no plugin for these hosts

# library NAME: a shared library from standard input, C.
library() {
	# shellcheck disable=SC2086
	${CC:-cc} ${SANITIZERS:-} -shared -fPIC -I "$top_srcdir/plugin" -x c -o "$work/$1" - ||
		fail "$1 is not built"
}

make_wrong_plugins() {
	echo "no plugin" >"$work/text.so"
	head -c 40 "$TOCSIN_PLUGIN" >"$work/short.so"
	: >"$work/empty.so"
	mkdir "$work/folder.so"
	echo 'int answer(void); int answer(void) { return 42; }' | library another.so
	echo 'int tocsin_plugin_v2(void *n); int tocsin_plugin_v2(void *n) { return !n; }' |
		library major2.so
	library minor9.so <<-'END'
		#include "tocsin_plugin.h"
		tocsin_rc tocsin_plugin_v1(tocsin_negotiation *n)
		{
			n->abi = 9;
			n->plugin = NULL;
			return TOCSIN_E_ABI;
		}
	END
	echo 'int absent_function(void); int f(void); int f(void) { return absent_function(); }' |
		library unresolved.so
}

# goes_on FILE REASON COMMAND...: without the plugin, told why.
goes_on() {
	file=$work/$1
	reason=$2
	shift 2
	status 0 "$@" "$file"
	is trading "$(cat "$work/out")" "what it says without a notifier"
	tells err "going on without $file: "
	tells err "$reason"
}

# --- one host

# plays NAME COMMAND...: the whole session, then without a plugin.
plays() {
	name=$1
	shift
	start_receiver --json
	status 0 "$@" "$TOCSIN_PLUGIN" engine.name="$name" log.target=stderr webhook.url="$url" \
		paths.runtime_dir="$work/run" paths.state_dir="$work/state"
	is trading "$(sed -n 1p "$work/out")" "what $name says first"
	sed -n 2p "$work/out" | grep -q '^raised [1-9][0-9]*$' || fail "$name raised nothing"
	tells out "\"session_id\":\"live_$name\""
	tells out '"status":"completed"'
	tells out '"strategy":"ma_cross"'
	tells out '"code":"RISK_LIMIT_BREACH"'
	is "accepted 8 refused 0 delivered 1" "$(tail -n 1 "$work/out")" "the counters of $name"
	# From a thread of the plugin's, through the host's own function.
	tells err "notifier <4> a status came for an unknown session: nobody"
	stop_receiver
	is 1 "$(grep -c '"type": *"alert.raised"' "$work/pages")" "pages of $name"
	tells pages "\"session_id\":\"live_$name\""

	# Settings that cannot be are a reason to go on without it, too.
	status 0 "$@" "$TOCSIN_PLUGIN" engine.name="$name" webhook.url=ftp://nowhere
	tells err "going on without $TOCSIN_PLUGIN: "
	tells err webhook.url

	goes_on absent.so "" "$@"
	goes_on text.so "" "$@"
	goes_on short.so "" "$@"
	goes_on empty.so "" "$@"
	goes_on folder.so "" "$@"
	goes_on another.so tocsin_plugin_v1 "$@"
	goes_on major2.so tocsin_plugin_v1 "$@"
	goes_on minor9.so "it speaks minor 9 only" "$@"
	goes_on unresolved.so absent_function "$@"
	tried=$((tried + 1))
}

make_wrong_plugins

case ${CC:-cc} in
*clang*) compiler=clang++ ;;
*) compiler=g++ ;;
esac
echo 'int main() { return 0; }' >"$work/probe.cpp"
if $compiler -std=c++20 -o "$work/probe" "$work/probe.cpp" 2>/dev/null; then
	# shellcheck disable=SC2086
	$compiler -std=c++20 -Wall -Wextra -Wpedantic -Werror ${SANITIZERS:-} -pthread \
		-I "$top_srcdir/plugin" -o "$work/engine" "$hosts/engine.cpp" >"$work/out" 2>&1 ||
		fail "engine.cpp is not built by $compiler"
	plays cpp "$work/engine"
else
	echo "left out: $compiler takes no C++20 here (Debian's package g++)"
fi

if ! python3 -c 'import ctypes' 2>/dev/null; then
	echo "left out: there is no python3 with ctypes"
elif [ -n "${SANITIZERS:-}" ]; then
	echo "left out: a plugin with sanitizers does not load into python3"
else
	plays py python3 "$hosts/engine.py"
fi
[ $tried -gt 0 ] || { echo "skipped: neither of the two can be built and run here"; exit 77; }
exit 0
