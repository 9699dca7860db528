#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The plugin's file exports one symbol, is hardened and can be unloaded, and needs the libraries and
# symbols that tests/abi/needs.txt lists, all of them and no others. With --write, writes that list
# anew; then look at what has changed in it.
. "$top_srcdir/tests/integration/common.sh"
begin
LC_ALL=C
export LC_ALL
list=$top_srcdir/tests/abi/needs.txt

# What compilers and C libraries of different ages call one and the same function; and what their
# start files and stack protector bring.
plain_names() {
	sed -E -e 's/@.*//' -e 's/^__(.*)_chk$/\1/' -e 's/^__isoc[0-9]+_//' \
		-e 's/^__(open|openat)(64)?_2$/\1/' -e 's/^__([fl]?)xstat(at)?(64)?$/\1stat\2/' \
		-e 's/^(open|openat|stat|fstat|fstatat|mmap|pread|fallocate|posix_fallocate|scandir|scandirat|readdir|fstatfs)64$/\1/' \
		-e 's/^bcmp$/memcmp/' -e 's/^mempcpy$/memcpy/' |
		grep -vE '^(_ITM_.*|__gmon_start__|__cxa_finalize|(__)?stack_chk_(fail|guard))$'
}

# Since its version 2.34 the C library is one file.
libraries() {
	sed -n 's/.*(NEEDED).*\[\(.*\)\.so.*/\1/p' "$work/dynamic" |
		grep -vE '^(libpthread|libdl|librt|ld-linux.*)$' | sort -u | sed 's/^/library /'
}

symbols() {
	nm -D --undefined-only "$TOCSIN_PLUGIN" | awk '{ print $NF }' | plain_names | sort -u |
		sed 's/^/symbol /'
}

exported=$(nm -D --defined-only "$TOCSIN_PLUGIN" | awk '{ print $3 }' | sed 's/@.*//')
is tocsin_plugin_v1 "$exported" "exported symbols"

readelf -dW "$TOCSIN_PLUGIN" >"$work/dynamic" || fail "readelf"
readelf -lW "$TOCSIN_PLUGIN" >"$work/headers" || fail "readelf"
if [ "${1:-}" = --write ]; then
	{
		echo "# The libraries and symbols that the plugin needs: test-plugin-file.sh."
		libraries
		symbols
	} >"$list"
	exit
fi

# lacks FILE PATTERN WHAT
lacks() {
	! grep -qwE -e "$2" "$work/$1" || fail "$3"
}

has() {
	grep -qwE -e "$2" "$work/$1" || fail "$3"
}

lacks dynamic NODELETE "it cannot be unloaded"
lacks dynamic TEXTREL "it has text relocations"
lacks dynamic STATIC_TLS "its thread-local words need room in the engine's start"
lacks dynamic SYMBOLIC "it binds its own symbols first"
lacks headers 'GNU_STACK.* RWE' "its stack is executable"
lacks headers 'LOAD.* RWE' "a part of it can be written and executed"
has headers 'GNU_STACK' "it says nothing of its stack, which is then executable"
if [ -n "${SANITIZERS:-}" ]; then
	echo "built with sanitizers: what it needs, and the rest of its hardening, are not looked at"
	exit 0
fi
lacks dynamic 'RPATH|RUNPATH' "it looks for libraries in folders of its own"
has headers GNU_RELRO "no relro"
has dynamic 'FLAGS.* BIND_NOW' "not bound at once"
has dynamic 'FLAGS_1.* NOW' "not bound at once"

case " ${BUILD_CFLAGS:-} " in
*coverage* | *-fprofile* | *-flto*) optimised=no ;;
*" -O2 "*) optimised=yes ;;
*) optimised=no ;;
esac
if [ $optimised = no ]; then
	echo "built with ${BUILD_CFLAGS:-}, not the usual -O2: what it needs is not looked at"
	exit 0
fi
{
	libraries
	symbols
} >"$work/needs"
[ "$(wc -l <"$work/needs")" -gt 50 ] || fail "the symbols it needs are not found"
grep -v '^#' "$list" >"$work/listed"
same "$work/listed" "$work/needs" "it needs other things (>) than needs.txt lists (<)"
