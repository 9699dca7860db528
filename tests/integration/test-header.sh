#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The public header alone, for whoever writes a host: each compiler there is takes it twice, in each
# C since C99 and C++ since C++98, with 32 bits and 64, for x86 and ARM, without padding, a warning
# or a difference that short enums make. What was released stays as it was released.
. "$top_srcdir/tests/integration/common.sh"
begin
cd "$top_srcdir/tests/abi" || exit 1
header=../../plugin/tocsin_plugin.h
strict="-fsyntax-only -Wall -Wextra -Wpadded -pedantic -Werror -fshort-enums"
compiled=0

# takes COMPILER OPTION...: layout.c, which holds the header's every offset, size and value.
takes() {
	# shellcheck disable=SC2086
	"$@" $strict -I ../../plugin layout.c >"$work/out" 2>&1 || fail "$*"
	compiled=$((compiled + 1))
}

# has_cpp COMPILER: does it come with C++? gcc's is a package of its own.
has_cpp() {
	echo "#include <stdint.h>" | "$@" -x c++ -fsyntax-only - 2>/dev/null
}

# each_language COMPILER OPTION...
each_language() {
	for standard in c99 c11 c17; do
		takes "$@" -x c -std=$standard
	done
	has_cpp "$1" || return 0
	for standard in c++98 c++11 c++14 c++17 c++20; do
		takes "$@" -x c++ -std=$standard
	done
}

found=0
for compiler in gcc clang; do
	if ! command -v $compiler >/dev/null; then
		echo "left out: there is no $compiler here"
		continue
	fi
	has_cpp $compiler || echo "left out: $compiler is here without its C++"
	found=$((found + 1))
	each_language $compiler
	# Freestanding: the compiler's own headers are all that it takes.
	case $(uname -m) in
	x86_64) each_language $compiler -m32 -ffreestanding ;;
	*) echo "left out: $compiler -m32, which is for x86_64" ;;
	esac
done
[ $found -gt 0 ] || { echo "skipped: neither gcc nor clang is here"; exit 77; }
if command -v clang >/dev/null; then
	for target in i386-linux-gnu arm-linux-gnueabihf aarch64-linux-gnu; do
		each_language clang --target=$target -ffreestanding
	done
fi
echo "compiled $compiled times"

# The pedantry is real: a member out of its place, a narrower one, another number, padding.
# refused NAME SED-SCRIPT: a header so changed does not compile.
compiler=${CC:-cc}
refused() {
	mkdir -p "$work/changed"
	sed "$2" "$header" >"$work/changed/tocsin_plugin.h"
	cmp -s "$header" "$work/changed/tocsin_plugin.h" && fail "nothing was changed: $1"
	# shellcheck disable=SC2086
	$compiler $strict -I "$work/changed" layout.c >"$work/out" 2>&1 && fail "not refused: $1"
	return 0
}
refused "another order" 's/^\ttocsin_str code; .*/\ttocsin_str other;/; s/^\ttocsin_str message; .*/\ttocsin_str code;/; s/^\ttocsin_str other;/\ttocsin_str message;/'
refused "another name" 's/uint64_t pages_dead;/uint64_t pages_gone;/'
refused "a narrower member" 's/^\tdouble limit;/\tfloat limit;/'
refused "a member in the middle" 's/^\ttocsin_str status; .*/&\n\ttocsin_str owner;/'
refused "another number" 's/TOCSIN_HEALTH_RISK = 8/TOCSIN_HEALTH_RISK = 11/'
refused "another length" 's/TOCSIN_ID_MAX 255u/TOCSIN_ID_MAX 256u/'
refused "a member appended without a new minor" 's/^} tocsin_alert_event;/\tuint64_t later;\n&/'
refused "a frozen struct that grows" 's/^} tocsin_str;/\tsize_t later;\n&/; s/TOCSIN_ABI_MINOR 0u/TOCSIN_ABI_MINOR 1u/'

# But growing at the end, with a new minor, is what it is made for.
mkdir "$work/next"
${AWK:-awk} -f next-minor.awk "$header" >"$work/next/tocsin_plugin.h" || fail "next-minor.awk"
# shellcheck disable=SC2086
$compiler $strict -I "$work/next" layout.c >"$work/out" 2>&1 || fail "a minor that grows as it may"

# words FILE: a header's text without its comments and line ends.
words() {
	tr '\n' ' ' <"$1" | sed 's,/\*[^*]*\*\**\([^/*][^*]*\*\**\)*/, ,g' | tr -s ' \t' '\n'
}

# What was kept of each minor holds for its own header, and layout.c asks it of today's.
for kept in headers/*; do
	printf '#include "tocsin_plugin.h"\n#include "layout.h"\n' >"$work/kept.c"
	# shellcheck disable=SC2086
	$compiler $strict -I "$kept" "$work/kept.c" >"$work/out" 2>&1 || fail "$kept does not hold"
	grep -qF "#include \"$kept/layout.h\"" layout.c || fail "layout.c leaves out $kept"
done

# The header of a minor is frozen with it: comments may still become better, and no more.
minor=$(sed -n 's/^#define TOCSIN_ABI_MINOR \([0-9]*\)u$/\1/p' "$header")
[ -n "$minor" ] || fail "the header does not tell its minor"
frozen=headers/1.$minor/tocsin_plugin.h
[ -f "$frozen" ] || fail "minor $minor has no header kept in tests/abi/headers/1.$minor"
words "$header" >"$work/now"
words "$frozen" >"$work/frozen"
[ "$(grep -c ';' "$work/frozen")" -gt 50 ] || fail "too little is left of the frozen header"
same "$work/frozen" "$work/now" "the header is not that of minor $minor any more: it needs a new one"
exit 0
