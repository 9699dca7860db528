#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The bash completion offers the verbs and options that the tool's --help lists, no others; the
# codes and settings there are; and, where it is loaded, it runs nothing.
. "$top_srcdir/tests/integration/common.sh"
command -v bash >/dev/null || { echo "skipped: no bash here"; exit 77; }
begin
completion=$top_builddir/src/tool/bash-completion/tocsin

# offered WORD...: what is offered for the last word, one a line, sorted.
offered() {
	# shellcheck disable=SC2016
	env -i PATH=/nowhere "$(command -v bash)" --norc --noprofile -c '
		file=$1 && shift
		. "$file" || exit 1
		COMP_WORDS=(tocsin "$@") COMP_CWORD=$# COMPREPLY=()
		_tocsin 2>&1
		printf "%s\n" "${COMPREPLY[@]}"' completion "$completion" "$@" | LC_ALL=C sort
}

# The options of a --help: those at the beginning of its indented lines.
listed() {
	sed -nE 's/^ {2,6}(-[^ ].*)/\1/p' "$work/out" | sed 's/  .*//' |
		grep -oE '(^|[ ,])--?[a-z][a-z-]*' | tr -d ' ,' | LC_ALL=C sort -u
}

status 0 "$TOCSIN" --help
verbs=$(sed -nE 's/^  ([a-z][a-z-]*)  .*/\1/p' "$work/out")
[ -n "$verbs" ] || fail "--help lists no verbs"
{
	echo "$verbs"
	printf '%s\n' --help --version
} | LC_ALL=C sort >"$work/expected"
offered "" >"$work/got"
same "$work/expected" "$work/got" "these are not the verbs"

for verb in $verbs; do
	status 0 "$TOCSIN" "$verb" --help
	listed >"$work/expected"
	offered "$verb" - >"$work/got"
	same "$work/expected" "$work/got" "these are not the options of $verb"
done

sed -n 's/^code: *//p' "$top_srcdir"/runbooks/*.md | LC_ALL=C sort >"$work/expected"
[ -s "$work/expected" ] || fail "the runbooks have no codes"
offered alerts --code "" >"$work/got"
same "$work/expected" "$work/got" "these are not the codes"
is GENERAL "$(offered runbook GEN)" "the runbook that begins with GEN"
is "log.target=" "$(offered check -o log.ta)" "the setting that begins with log.ta"
is "P1 P2 P3" "$(offered alerts --priority "" | tr '\n' ' ' | sed 's/ $//')" "priorities"
is "" "$(offered alerts --session "")" "values that nobody can know"
is "" "$(offered no-such-verb -)" "options of a verb that is none"
touch "$work/a file" && mkdir "$work/folder"
is "$work/a file" "$(offered play "$work/a")" "the files to play"
is "$work/folder" "$(offered alerts --directory "$work/fo")" "the folders"
