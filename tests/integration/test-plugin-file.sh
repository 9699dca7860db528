#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The plugin exports one symbol, needs only what it should, and is hardened and unloadable.
set -eu
export LC_ALL=C
failed=0

wrong() {
	echo "wrong: $*"
	failed=1
}

exported=$(nm -D --defined-only "$TOCSIN_PLUGIN" | awk '{ print $3 }')
[ "$exported" = tocsin_plugin_v1 ] || wrong "exported symbols: $exported"

if [ -n "$SANITIZERS" ]; then
	echo "built with sanitizers: what it needs and its hardening are not looked at"
	exit $failed
fi

dynamic=$(readelf -dW "$TOCSIN_PLUGIN")
needed=$(echo "$dynamic" | sed -n 's/.*(NEEDED).*\[\(.*\)\.so.*/\1/p' | sort | tr '\n' ' ')
for library in $needed; do
	case $library in
	libc | libm | libcurl | libinih | libjansson | libnettle | libsystemd | ld-linux-*) ;;
	*) wrong "needs $library" ;;
	esac
done
case $dynamic in *BIND_NOW* | *NOW*) ;; *) wrong "not bound at once" ;; esac
case $dynamic in *NODELETE*) wrong "cannot be unloaded" ;; esac
case $dynamic in *TEXTREL*) wrong "has text relocations" ;; esac
headers=$(readelf -lW "$TOCSIN_PLUGIN")
case $headers in *GNU_RELRO*) ;; *) wrong "no relro" ;; esac
echo "$headers" | grep GNU_STACK | grep -q 'RW ' || wrong "executable stack"
exit $failed
