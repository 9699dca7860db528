#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The index is what the heads make it, every runbook is built in, has all sections in order and
# names no command that is none, and a broken head is refused by file and line.
set -eu
export LC_ALL=C
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0
TOCSIN=${TOCSIN:-$top_builddir/tocsin}

wrong() {
	echo "wrong: $*"
	failed=1
}

heads() {
	program=$1
	shift
	"$AWK" -v kinds="$top_srcdir/src/journal/entry_kinds.def" \
		-f "$top_srcdir/runbooks/heads.awk" -f "$top_srcdir/runbooks/$program.awk" "$@"
}

index_is_current() {
	heads index "$top_srcdir"/runbooks/[a-z]*.md | diff "$top_srcdir/runbooks/README.md" - ||
		wrong "runbooks/README.md is not what the heads make; run make update-index"
}

every_runbook_is_built_in() {
	for file in "$top_srcdir"/runbooks/[a-z]*.md; do
		code=$(basename "$file" .md | tr "[:lower:]" "[:upper:]")
		grep -q "\"$code\"" "$top_builddir/src/codes/runbook_table.c" || wrong "$code is not in the table"
		grep -q "^Subject: $code: " "$top_builddir/plugin/tocsin.catalog" ||
			wrong "$code is not in the catalog"
	done
}

all_sections_are_in_order() {
	printf '## %s\n' Meaning Impact "First minutes" Diagnosis Mitigation "Do not" \
		"Resolved when" Escalation >"$folder/sections"
	for file in "$top_srcdir"/runbooks/[a-z]*.md; do
		"$AWK" '/^[ \t]*```/ { fence = !fence } !fence && /^## /' "$file" |
			diff "$folder/sections" - || wrong "the sections of $file"
	done
}

# The first thing to know is whether money is at stake; both answers have their consequence.
shadow_or_live_comes_first() {
	for file in "$top_srcdir"/runbooks/[a-z]*.md; do
		sed -n '/^## First minutes/,/^## Diagnosis/p' "$file" >"$folder/first"
		[ "$(grep -m 1 '^[0-9-]' "$folder/first" | cut -c 1-18)" = "1. Shadow or live?" ] ||
			wrong "$file does not ask first: shadow or live?"
		for word in Shadow Live; do
			sed -n '/^## Impact/,/^## First minutes/p' "$file" | grep -q "$word" ||
				wrong "the impact in $file does not speak of $word"
		done
	done
}

# Commands stand in blocks, in `backticks`, or indented among the first minutes.
verbs_are_known() {
	"$TOCSIN" --help | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p' >"$folder/verbs"
	"$AWK" '
		/^[ \t]*```/ { fence = !fence }
		/^## / { first = /First minutes/ }
		(fence || (first && /^ /)) && /^ *tocsin [a-z]/ { print FILENAME, $2 }
		{
			while (match($0, /`tocsin [a-z-]+/)) {
				print FILENAME, substr($0, RSTART + 8, RLENGTH - 8)
				$0 = substr($0, RSTART + RLENGTH)
			}
		}' "$top_srcdir"/runbooks/[a-z]*.md >"$folder/used"
	[ "$(wc -l <"$folder/used")" -gt 20 ] || wrong "hardly a command was found"
	while read -r file verb; do
		grep -qx -e "$verb" "$folder/verbs" || wrong "$file: there is no tocsin $verb"
	done <"$folder/used"
}

# refused LINE TEXT SCRIPT: general.md changed by the sed script is refused at this line.
refused() {
	sed "$3" "$top_srcdir/runbooks/general.md" >"$folder/general.md"
	if heads runbook-table "$folder/general.md" >"$folder/out" 2>"$folder/err"; then
		wrong "accepted: $3"
	elif ! grep -q "^$folder/general.md:$1: .*$2" "$folder/err"; then
		wrong "for $3 expected line $1 and \"$2\", found:"
		cat "$folder/err"
	fi
}

index_is_current
every_runbook_is_built_in
all_sections_are_in_order
shadow_or_live_comes_first
verbs_are_known
refused 1 "expected ---" 1d
refused 2 "expected capitals" '2s/GENERAL/general/'
refused 2 "must be named other.md" '2s/GENERAL/OTHER/'
refused 3 "expected P1, P2 or P3" '3s/P3/P4/'
refused 4 "32 hex digits" '4s/.$//'
refused 4 "32 hex digits" '4s/.$/Z/'
refused 5 "has no value" '5s/:.*/:/'
refused 5 "expected at most 100" '5s/$/ "quoted"/'
refused 6 "expected a duration" '6s/8h/8 hours/'
refused 7 "expected a role" '7s/$/ and all/'
refused 8 "expected a duration" '8s/0/-1s/'
refused 8 "at most a day" '8s/0/25h/'
refused 8 "expected one of" '8s/page-after/page-afterwards/'
refused 8 "lacks page-after" 8d
refused 8 "given twice" '8s/.*/title: again/'

# Without its sections a runbook cannot be shown by journalctl -x.
sed '/^## Meaning/d' "$top_srcdir/runbooks/general.md" >"$folder/general.md"
if heads catalog "$folder/general.md" >/dev/null 2>"$folder/err"; then
	wrong "accepted: no section Meaning"
fi

: >"$folder/empty.md"
if heads index "$top_srcdir/runbooks/general.md" "$folder/empty.md" >/dev/null 2>"$folder/err"; then
	wrong "accepted: an empty runbook"
fi
exit $failed
