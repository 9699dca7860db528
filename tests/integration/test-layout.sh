#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The folders of src/: README lists all of them, in the order in which they may know each other. A
# file includes no header of a folder above its own, and no two headers need each other.
. "$top_srcdir/tests/integration/common.sh"
begin
cd "$top_srcdir" || fail "no $top_srcdir"

# The folders in README's order, the highest first.
sed -n '/^## The source/,/^## /s/^| `src\/\([a-z]*\)\/` .*/\1/p' README.md >"$work/folders"
find src -mindepth 1 -maxdepth 1 -type d | sed 's|src/||' | sort >"$work/there"
sort "$work/folders" | diff "$work/there" - >"$work/diff" ||
	fail "README's folders (right) are not those of src/ (left): $(cat "$work/diff")"
find src -maxdepth 1 -name '*.[ch]' | grep -q . && fail "files in src/ itself, in no folder"

# INCLUDER INCLUDED, without src/.
find src -name '*.[ch]' -exec grep -HE '^#[ ]*include "[a-z]+/' {} + |
	sed 's|^src/\([^:]*\):.*"\([^"]*\)".*|\1 \2|' >"$work/includes"
[ "$(wc -l <"$work/includes")" -gt 500 ] || fail "too few includes were found"

${AWK:-awk} '
	NR == FNR { rank[$1] = NR; next }
	{
		from = $1; to = $2
		sub("/.*", "", from); sub("/.*", "", to)
		if (rank[to] < rank[from])
			print $1 " includes " $2
	}' "$work/folders" "$work/includes" >"$work/up"
[ ! -s "$work/up" ] || fail "from a folder above: $(cat "$work/up")"

# What is left when files that include nothing of what is left are taken away, again and again.
cp "$work/includes" "$work/left"
while :; do
	${AWK:-awk} '
		NR == FNR { includes[$1] = 1; next }
		$2 in includes' "$work/left" "$work/left" >"$work/next"
	cmp -s "$work/left" "$work/next" && break
	mv "$work/next" "$work/left"
done
[ ! -s "$work/left" ] || fail "headers that need each other: $(cat "$work/left")"
