#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The documents say what the code's tables say: verbs and their options, settings and their
# defaults, journal fields, message ids, alert codes, and what the public header declares. What
# differs is printed; < is the code's, > the document's.
. "$top_srcdir/tests/integration/common.sh"
begin
man=$top_srcdir/man
header=$top_srcdir/plugin/tocsin_plugin.h
runbooks=$(find "$top_srcdir/runbooks" -name '*.md' ! -name README.md | LC_ALL=C sort)
differing=0

# compare WHAT: $work/code and $work/document hold the same lines, in any order, and there are some.
compare() {
	LC_ALL=C sort -u -o "$work/code" "$work/code"
	LC_ALL=C sort -u -o "$work/document" "$work/document"
	[ -s "$work/code" ] || fail "$1: the code has none, so nothing was compared"
	diff "$work/code" "$work/document" >"$work/differences" && return
	echo "FAILED: $1:"
	grep '^[<>]' "$work/differences"
	differing=$((differing + 1))
}

# section PAGE TITLE: the lines of one .Sh of a page.
section() {
	${AWK:-awk} -v title=".Sh $2" '/^\.Sh / { on = $0 == title } on' "$man/$1"
}

# --- the tool

# The verbs' lists are in a list: only what is one level deep are verbs.
verb_items() {
	section tocsin.1 VERBS | ${AWK:-awk} '
		/^\.Bl / { depth++ }
		/^\.El/ { depth-- }
		depth == 1 && /^\.It Cm / { print $3 }'
}

# described VERB: the options with a text below it.
described() {
	section tocsin.1 VERBS | ${AWK:-awk} -v verb="$1" '
		/^\.Bl / { depth++ }
		/^\.El/ { depth-- }
		depth == 1 && /^\.It Cm / { on = $3 == verb }
		depth == 2 && on && /^\.It Fl / { print }' | options_of
}

# synopsis [VERB]: the verbs there, or the options of one.
synopsis() {
	section tocsin.1 SYNOPSIS | ${AWK:-awk} -v verb="${1:-}" '
		/^\.Nm/ { at = "" }
		/^\.Cm / { at = $2; if (!verb) print at }
		verb && at == verb' | if [ $# -eq 0 ]; then cat; else options_of; fi
}

# mdoc's "Fl -since" is --since, "Fl o" is -o.
options_of() {
	grep -oE 'Fl -?[a-z][a-z-]*' | sed 's/^Fl /-/'
}

# The options of a --help: those at the beginning of its indented lines.
help_options() {
	sed -nE 's/^ {2,6}(-[^ ].*)/\1/p' "$work/out" | sed 's/  .*//' |
		grep -oE '(^|[ ,])--?[a-z][a-z-]*' | tr -d ' ,' | grep -vxE -e '-h|--help'
}

status 0 "$TOCSIN" --help
verbs=$(sed -nE 's/^  ([a-z][a-z-]*)  .*/\1/p' "$work/out")
echo "$verbs" >"$work/code"
verb_items >"$work/document"
compare "the verbs of tocsin.1"
synopsis >"$work/document"
compare "the verbs in the synopsis of tocsin.1"
sed -nE 's/^\| `tocsin ([a-z][a-z-]*)[` ].*/\1/p' "$top_srcdir/README.md" >"$work/document"
compare "the verbs of README.md"
for verb in $verbs; do
	status 0 "$TOCSIN" "$verb" --help
	help_options >"$work/code"
	described "$verb" >"$work/document"
	compare "the options of $verb in tocsin.1"
	synopsis "$verb" >"$work/document"
	compare "the options of $verb in the synopsis of tocsin.1"
done

# --- settings, as the plugin tells of them

cat >"$work/help.c" <<'END'
#include <dlfcn.h>
#include <stdio.h>
#include <tocsin_plugin.h>
int main(int argc, char **argv)
{
	tocsin_negotiation n = { sizeof n, 0, TOCSIN_ABI_MINOR, 0, NULL };
	void *so = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
	tocsin_plugin_entry *entry = so ? (tocsin_plugin_entry *)dlsym(so, TOCSIN_PLUGIN_ENTRY) : NULL;

	return !entry || entry(&n) != TOCSIN_OK || fputs(n.plugin->config_help, stdout) < 0;
}
END
# shellcheck disable=SC2086
status 0 ${CC:-cc} -Wall -Wextra -Werror ${SANITIZERS:-} -I "$top_srcdir/plugin" -o "$work/help" \
	"$work/help.c" -ldl
status 0 "$work/help" "$TOCSIN_PLUGIN"
# "section.key = default  (bounds)". The default that is a folder of the installation is cut.
sed -nE 's,(file://)[^ ]*,\1,; s/^([a-zA-Z_]+(\.[a-zA-Z_]+)+) = (.*)  \((.*)\)$/\1|\3|\4/p' \
	"$work/out" >"$work/settings"
cut -d '|' -f 1,2 "$work/settings" >"$work/code"
setting_items() {
	section tocsin.conf.5 SETTINGS | ${AWK:-awk} -v want="$1" '
		function told() { if (key) print key "|" value }
		/^\.(It|El|Ss)/ { told(); key = ""; at = value = "" }
		/^\.It Cm / { key = $3 }
		/^Default:/ || (want == "bounds" && /^([Ff]rom|one of|any of)$/) { at = $1; next }
		/^to$/ && want == "bounds" { value = value ".."; next }
		/^\.Ql / && want == "default" && at == "Default:" { value = $2; at = "" }
		/^\.Ql / && want == "bounds" && at != "Default:" && at {
			value = value (at ~ /[Ff]rom/ || !value ? "" : " ") $2
		}'
}
setting_items default >"$work/document"
compare "the settings and their defaults in tocsin.conf.5"
# Of a switch and of a choice of one there is nothing to choose from.
${AWK:-awk} -F '|' '$3 ~ /\.\./ || ($3 ~ / / && $3 != "yes no") { print $1 "|" $3 }' \
	"$work/settings" >"$work/code"
setting_items bounds | grep -v '|$' >"$work/document"
compare "the bounds of the settings in tocsin.conf.5"

# example PAGE: the first display below EXAMPLES.
section tocsin.conf.5 EXAMPLES | sed -n '/^\.Bd/,/^\.Ed/{/^\./!p}' | sed '/^tocsin /d' \
	>"$work/example"
printf 'whsec_%s\n' "$(head -c 32 /dev/urandom | base64 -w 0)" >"$work/secret"
mkdir "$work/runbooks"
sed -i -e "s,^secret_file = .*,secret_file = $work/secret," \
	-e "s,^dir = .*,dir = $work/runbooks," "$work/example"
TOCSIN_RUNBOOKS=$top_srcdir/runbooks
export TOCSIN_RUNBOOKS
status 0 "$TOCSIN" runbook --config "$work/example" DATA_FEED_DOWN

# --- the journal

# What is added to an entry, by whatever function.
grep -hoE 'entry_add[a-z_]*\([a-z]+, *"[A-Z_]+"' "$top_srcdir"/src/journal/*.c \
	"$top_srcdir"/src/post/*.c |
	sed 's/.*"\(.*\)"/\1/' >"$work/code"
echo "$(sed -n 's/^#define META_PREFIX "\(.*\)"/\1/p' "$top_srcdir/src/journal/entry.c")KEY" \
	>>"$work/code"
section tocsin.7 "JOURNAL FIELDS" | sed -n 's/^\.It Cm \([A-Z_]*\)$/\1/p' >"$work/document"
compare "the journal's fields in tocsin.7"

# head_value KEY FILE: from the head of a runbook.
head_value() {
	sed -n "s/^$1: *//p" "$2" | head -n 1
}
for runbook in $runbooks; do
	echo "$(head_value code "$runbook") $(head_value message-id "$runbook")"
done >"$work/code"
sed -nE 's/^ENTRY_KIND\(([A-Z_]+), *"([0-9a-f]{32})".*/\1 \2/p' \
	"$top_srcdir/src/journal/entry_kinds.def" >>"$work/code"
section tocsin.7 "MESSAGE IDS" |
	${AWK:-awk} '/^\.It Cm / { name = $3; next } name { print name, $0; name = "" }' \
		>"$work/document"
compare "the message ids in tocsin.7"

for runbook in $runbooks; do
	echo "$(head_value code "$runbook") $(head_value priority "$runbook")" \
		"$(head_value ack-within "$runbook") $(head_value escalate-to "$runbook")"
done >"$work/code"
section tocsin.7 "ALERT CODES" | sed -n 's/^\.It Cm \(.*\)/\1/p' | sed 's/ Ta / /g' \
	>"$work/document"
compare "codes, priorities and times to acknowledge in tocsin.7"

# --- pages and the snapshot, as they come

# The members of a JSON text, but those of objects whose keys are the engine's own or a status.
members() {
	sed -E 's/"(metadata|by_status)":\{[^}]*\}/"\1":0/g' | grep -oE '"[A-Za-z0-9_]+":' | tr -d '":'
}

# told TITLE FROM TO: what is set in .Cm in a part of a section of tocsin.7, from a line to a line.
told() {
	section tocsin.7 "$1" | ${AWK:-awk} -v from="$2" -v to="$3" '
		$0 == from { on = 1 }
		on && to && $0 == to { exit }
		on && (/^\.Cm / || /^\.It Cm /)' |
		sed -E 's/^\.(It )?Cm //; s/[.,]/ /g' | tr -s ' ' '\n' | grep '[A-Za-z]'
}

cat >"$work/events" <<END
{"at":1000,"session":"created","session_id":"s","meta":{"k":"v"}}
{"at":1001,"health":"feed_pulse","source":"f"}
{"at":1002,"alert":"raise","code":"no code","priority":"P1","message":"m","meta":{"k":"v"}}
{"at":1003,"alert":"raise","code":"LONG","priority":"P1","message":"$(printf '%6000s' x)"}
{"at":1004,"alert":"raise","code":"HELD","priority":"P1","message":"m"}
{"at":1097,"alert":"raise","code":"no code","priority":"P2","message":"m","meta":{"k":"v"}}
{"at":1098,"alert":"clear","code":"no code"}
{"at":1100,"health":"heartbeat"}
END
start_receiver --json
status 0 "$TOCSIN" play -o log.target=stderr -o webhook.url="$url" -o engine.name=documents \
	-o pages.max_pages_per_minute=2 \
	-o paths.state_dir="$work/state" -o paths.runtime_dir="$work/run" "$work/events"
stop_receiver
sed -n 's/.*"body"://p' "$work/pages" | members >"$work/code"
told PAGES ".It Cm type" "Headers:" >"$work/document"
compare "the members of a page in tocsin.7"
members <"$work/state/snapshot.json" >"$work/code"
told SNAPSHOT ".It Cm timestamp" "" >"$work/document"
compare "the members of snapshot.json in tocsin.7"

# --- the interface

# Each slot with the tag of its thread, as it stands in the comment above it.
${AWK:-awk} '
	/^typedef struct tocsin_plugin / { on = 1 }
	/^} tocsin_plugin;/ { on = 0 }
	on && match($0, /\[(hot|control|any)\]/) { tag = substr($0, RSTART + 1, RLENGTH - 2) }
	on && match($0, /\(\*[a-z_]+\)/) { print substr($0, RSTART + 2, RLENGTH - 3), tag }' \
	"$header" >"$work/code"
section tocsin_plugin.3 DESCRIPTION | sed -nE 's/^\.It Cm ([a-z_]+) No \(([a-z]+)\)$/\1 \2/p' \
	>"$work/document"
compare "the slots in tocsin_plugin.3"
section tocsin_plugin.3 SYNOPSIS | sed -nE 's/^[a-z_].*[ *]([a-z_]+)\(.*/\1/p' >"$work/document"
cut -d ' ' -f 1 "$work/code" | sed '$a tocsin_plugin_entry' >"$work/slots"
mv "$work/slots" "$work/code"
compare "the slots in the synopsis of tocsin_plugin.3"

grep -oE '\bTOCSIN_(OK|E_[A-Z]+)\b' "$header" >"$work/code"
section tocsin_plugin.3 "RETURN VALUES" | sed -n 's/^\.It Dv \(TOCSIN_[A-Z_]*\)$/\1/p' \
	>"$work/document"
compare "what a call returns in tocsin_plugin.3"

sed -nE -e 's/^\t(enum \{ )?(TOCSIN_[A-Z_]+) =.*/\2/p' \
	-e 's/^#define (TOCSIN_[A-Z_]+) .*/\1/p' "$header" |
	grep -vx -e TOCSIN_EXPORT >"$work/code"
grep -oE '\bTOCSIN_FLUSH_[A-Z]+\b' "$header" >>"$work/code"
grep -oE '\bTOCSIN_[A-Z_]+\b' "$man/tocsin_plugin.3" | grep -vx -e TOCSIN_PLUGIN >"$work/document"
compare "the constants in tocsin_plugin.3"

[ $differing -eq 0 ] || exit 1
