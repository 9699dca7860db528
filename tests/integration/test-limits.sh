#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Whatever has a maximum says so when that is reached. limits.txt has each maximum of the source and
# how that is told; a new one is to be put there. Then more engines than the tool looks at.
if [ "${1:-}" != --inside ]; then
	exec "$top_srcdir/tests/integration/private-journald" /bin/sh "$0" --inside
fi
. "$top_srcdir/tests/integration/common.sh"
begin
limits=$top_srcdir/tests/limits.txt

# --- the table

(cd "$top_srcdir" && find src plugin -name '*.[ch]' -exec \
	sed -n 's/^#define \([A-Z_]*_MAX\)\>.*/\1/p' {} +) | LC_ALL=C sort -u >"$work/source"
cut -f 1 "$limits" | LC_ALL=C sort >"$work/table"
same "$work/source" "$work/table" "the maxima in the source (<) and in limits.txt (>) differ"

tab=$(printf '\t')
while IFS=$tab read -r name how where; do
	case $how in
	alert | said)
		file=${where%%:*} text=${where#*:}
		[ -f "$top_srcdir/$file" ] || fail "$name: limits.txt does not say where it is told"
		grep -qF -e "$text" "$top_srcdir/$file" || fail "$name: $file does not tell: $text"
		;;
	refused | marked | waits | inner) ;;
	*) fail "$name: $how is none of alert, said, refused, marked, waits, inner" ;;
	esac
done <"$limits"

# --- more engines than are looked at

XDG_STATE_HOME=$work/states XDG_RUNTIME_DIR=$work/runs
export XDG_STATE_HOME XDG_RUNTIME_DIR
mkdir -p "$XDG_RUNTIME_DIR/tocsin"
n=0
while [ $n -lt 260 ]; do
	n=$((n + 1))
	mkdir -p "$XDG_STATE_HOME/tocsin/e$n/outbox"
	printf '{"timestamp":"2026-03-01T10:00:00Z","engine":"e%d"}\n' $n \
		>"$XDG_STATE_HOME/tocsin/e$n/snapshot.json"
done

status 3 "$TOCSIN" status --check
tells out "past the first 256 were not looked at"
"$TOCSIN" status >"$work/out" 2>"$work/err"
tells err "past the first 256 were not looked at"
status 1 "$TOCSIN" pages
tells err "past the first 256 were not looked at"
status 1 "$TOCSIN" rescue --all
tells err "past the first 256 were not looked at"
status 0 "$TOCSIN" pages --engine e259
