#!/bin/sh
# SPDX-License-Identifier: MIT
#
# make install puts everything where it belongs, with its mode, below DESTDIR; an engine finds the
# plugin by pkg-config; make uninstall leaves nothing.
. "$top_srcdir/tests/integration/common.sh"
begin
root=$work/root

# As a person would, not as a part of the make that runs this test.
run_make() {
	env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS "${MAKE:-make}" -s -C "$top_builddir" "$@"
}

# variable NAME: a folder, as configured.
variable() {
	# shellcheck disable=SC2016
	printf 'include Makefile\nprint-it:\n\t@echo $(%s)\n' "$1" >"$work/print.mk"
	run_make -f "$work/print.mk" print-it
}

listing() {
	(cd "$root" && find . ! -type d -printf '%m /%P\n' | LC_ALL=C sort -k 2)
}

# Where the source has changed meanwhile it would make anew what other tests are running.
if find "$top_srcdir/src" "$top_srcdir/plugin" -name '*.[ch]' -newer "$top_builddir/tocsin" \
	-newer "$top_builddir/plugin/.libs/tocsin.so" | grep .; then
	echo "skipped: the source has changed since the build"
	exit 77
fi

status 0 run_make install DESTDIR="$root"
prefix=$(variable prefix)
pkgdata=$(variable pkgdatadir)
pkglib=$(variable pkglibdir)
man=$(variable mandir)
{
	echo "755 $(variable bindir)/tocsin"
	echo "755 $pkglib/tocsin.so"
	echo "644 $(variable includedir)/tocsin_plugin.h"
	echo "644 $(variable pkgconfigdir)/tocsin.pc"
	echo "644 $(variable catalogdir)/tocsin.catalog"
	echo "644 $(variable tmpfilesdir)/tocsin.conf"
	echo "644 $(variable sysusersdir)/tocsin.conf"
	echo "644 $(variable bashcompletiondir)/tocsin"
	echo "644 $(variable systemdsystemunitdir)/tocsin-rescue@.service"
	echo "644 $(variable systemdsystemunitdir)/tocsin-sentinel.service"
	echo "644 $pkgdata/systemd/tocsin-engine.conf"
	echo "644 $(variable docdir)/examples/engine.service"
	for runbook in "$top_srcdir"/runbooks/*.md; do
		echo "644 $pkgdata/runbooks/${runbook##*/}"
	done
	for page in "$top_srcdir"/man/*.[1-8]; do
		echo "644 $man/man${page##*.}/${page##*/}"
	done
} | LC_ALL=C sort -k 2 >"$work/expected"
listing >"$work/got"
same "$work/expected" "$work/got" "this is not what is installed"

PKG_CONFIG_PATH=$root$(variable pkgconfigdir)
export PKG_CONFIG_PATH
is "$pkglib" "$(pkg-config --variable=plugindir tocsin)" "plugindir"
is "$pkglib/tocsin.so" "$(pkg-config --variable=plugin tocsin)" "plugin"
is "$prefix" "$(pkg-config --variable=prefix tocsin)" "prefix"
export PKG_CONFIG_SYSROOT_DIR="$root"
printf '#include <tocsin_plugin.h>\nint main(void) { return TOCSIN_OK; }\n' >"$work/engine.c"
# shellcheck disable=SC2046,SC2086
status 0 ${CC:-cc} -o "$work/engine" "$work/engine.c" $(pkg-config --cflags tocsin)
status 0 "$work/engine"

echo '{"at":1000,"alert":"raise","code":"GENERAL","message":"installed"}' >"$work/events"
status 0 "$root$(variable bindir)/tocsin" play --plugin "$root$pkglib/tocsin.so" \
	-o log.target=stderr "$work/events"
tells err "GENERAL: installed"

status 0 run_make uninstall DESTDIR="$root"
is "" "$(listing)" "left by uninstall"
