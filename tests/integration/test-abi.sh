#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The ABI as debug information tells it is the one written down in tests/abi/tocsin_plugin.abi. With
# --write, writes that file anew, which is for a release that brings a new minor.
. "$top_srcdir/tests/integration/common.sh"
begin
cd "$top_srcdir/tests/abi" || exit 1
description=tocsin_plugin.abi

skip() {
	echo "skipped: $*"
	exit 77
}

command -v abidiff >/dev/null || skip "there is no abidiff (Debian's package abigail-tools)"
[ "$(uname -m)" = x86_64 ] || skip "the description is of x86_64, this is $(uname -m)"
compiler=${CC:-cc}

# library HEADER-FOLDER FILE: the check-only library, from that header.
library() {
	$compiler -std=c11 -g -O0 -shared -fPIC -I "$1" -o "$2" everything.c >"$work/out" 2>&1 ||
		fail "the check-only library is not built"
}

library ../../plugin "$work/now.so"
if [ "${1:-}" = --write ]; then
	abidw --no-corpus-path --no-comp-dir-path --no-show-locs --no-elf-needed \
		--out-file "$description" "$work/now.so"
	exit
fi
abidiff "$description" "$work/now.so" >"$work/out" 2>&1 || fail "the ABI has changed"

# It would have seen a change: differs NAME SED-SCRIPT.
differs() {
	mkdir -p "$work/changed"
	sed "$2" ../../plugin/tocsin_plugin.h >"$work/changed/tocsin_plugin.h"
	cmp -s ../../plugin/tocsin_plugin.h "$work/changed/tocsin_plugin.h" && fail "no change: $1"
	library "$work/changed" "$work/changed.so"
	abidiff "$description" "$work/changed.so" >"$work/out" 2>&1 && fail "not seen: $1"
	return 0
}
differs "a member that is narrower" 's/uint64_t wall_ns;/uint32_t wall_ns;/'
differs "a member in the middle" 's/^\ttocsin_str status; .*/&\n\ttocsin_str owner;/'
differs "a member that is signed" 's/uint64_t refused;/int64_t refused;/'
differs "a slot with another argument" 's/(\*start)(tocsin_instance \*)/(*start)(tocsin_instance *, uint32_t)/'
differs "a slot with another result" 's/void (\*destroy)(tocsin_instance \*)/tocsin_rc (*destroy)(tocsin_instance *)/'
differs "a host's call with another argument" 's/uint32_t level, const char \*text/uint64_t level, const char *text/'
differs "a slot that is gone" '/(\*stats)(tocsin_instance/d'
echo "as written down; seven changes would have been seen"
