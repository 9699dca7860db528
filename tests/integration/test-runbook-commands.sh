#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Every command of every runbook, run as an operator would after an incident of each kind: it ends
# well and prints what the runbook wants to see, such as the alert's own entry and its metadata. A
# command that cannot be run here is named below with the reason; one that is not known fails.
if [ "${1:-}" != --inside ]; then
	exec "$top_srcdir/tests/integration/private-journald" /bin/sh "$0" --inside
fi
. "$top_srcdir/tests/integration/common.sh"
. "$top_srcdir/tests/integration/engine.sh"
# So that [a-z] is what it says: README.md is no runbook.
export LC_ALL=C
begin

# why_not COMMAND: why it is not run here; nothing: it is.
why_not() {
	case $1 in
	systemctl\ * | systemd-analyze\ * | systemd-tmpfiles\ * | loginctl\ *)
		echo "no systemd runs here" ;;
	journalctl\ -u\ *) echo "no unit has logged here" ;;
	journalctl\ -k\ *) echo "the kernel's log is not read here" ;;
	coredumpctl\ * | gcore\ * | gdb\ * | *\ stack.txt) echo "no core file, and no debugger" ;;
	"kill -9" | kill\ -CONT\ *) echo "it is about a process that hangs" ;;
	getent\ * | openssl\ * | curl\ * | chronyc\ * | ss\ *) echo "it is about the network, and its tools" ;;
	last\ * | findmnt\ * | vmstat\ * | top\ * | ps\ * | df\ * | ls\ * | cat\ /proc/* | grep\ *\ /proc/*)
		echo "it is about the host, and nothing of ours" ;;
	git\ *) echo "it is about the engine's own source" ;;
	"journalctl --vacuum-size=1G") echo "it removes entries" ;;
	"journalctl --since -1h | grep -E 'sudo|COMMAND'") echo "nobody has used sudo here" ;;
	journalctl\ *"| grep -E '40[13]|418|429'") echo "no exchange has refused anything" ;;
	"tocsin rescue") echo "it is named as what the next start does; it was run already" ;;
	esac
}

# expected FILE COMMAND: what must be printed, as a pattern; nothing: the command is not known.
expected() {
	code=$(echo "${1%.md}" | tr '[:lower:]' '[:upper:]')
	case $2 in
	journalctl\ *TOCSIN_EVENT=alert*-o\ verbose) echo "TOCSIN_META_DESK=seven" ;;
	journalctl\ *TOCSIN_EVENT=page*-o\ verbose) echo "TOCSIN_RESULT=delivered" ;;
	journalctl\ *TOCSIN_EVENT=page*) echo "delivered" ;;
	journalctl\ *TOCSIN_STATE=resolved*) echo "$code resolved" ;;
	journalctl\ *--output-fields=TOCSIN_TIME,TOCSIN_VALUE*) echo '"TOCSIN_VALUE" *: *"' ;;
	journalctl\ *--output-fields=TOCSIN_EVENT,TOCSIN_CODE*) echo '[0-9] "TOCSIN_CODE":"'"$code" ;;
	journalctl\ *"| grep -o '\"TOCSIN_CODE\""*) echo '[0-9] "TOCSIN_CODE":"'"$code" ;;
	journalctl\ *"| cut -c 1-13 | sort | uniq -c") echo " [1-9][0-9]* 20" ;;
	journalctl\ *TOCSIN_RECOVERED=1*) echo "ENGINE_DOWN" ;;
	journalctl\ *TOCSIN_PRIORITY=P1) echo "\\[P1\\]" ;;
	journalctl\ *TOCSIN_CODE=*) echo "$code" ;;
	journalctl\ *TOCSIN_SOURCE=*) echo "okx:ETH-USD" ;;
	journalctl\ *TOCSIN_SESSION=*) echo "session shadow_001" ;;
	journalctl\ *TOCSIN_EVENT=tocsin*-p\ warning*) echo "tocsin.*: " ;;
	journalctl\ *MESSAGE_ID=*) echo "started for engine" ;;
	journalctl\ _PID=*) echo "tocsin" ;;
	"systemd-cat -t probe echo taken && journalctl -t probe -n 1") echo "taken" ;;
	tocsin\ alerts\ --code\ *) echo "$2" | sed 's/.*--code \([A-Z_]*\).*/\1/' ;;
	tocsin\ alerts\ --session\ *) echo "shadow_001" ;;
	tocsin\ alerts*) echo "P1 .*$code" ;;
	tocsin\ check) echo "ok .*journald listens" ;;
	tocsin\ export\ *) echo '"session_id":"shadow_001"' ;;
	tocsin\ page-test) echo "taken\\|delivered\\|ok" ;;
	tocsin\ pages) echo "no page waits" ;;
	tocsin\ runbook\ *) echo "First minutes" ;;
	"tocsin sessions SESSION") echo "mode = shadow" ;;
	tocsin\ sessions*) echo "shadow_001.*mode.*shadow" ;;
	tocsin\ snapshot\ --evidence\ *) echo "alerts.json" ;;
	tocsin\ snapshot\ \|*source*) echo "okx:ETH-USD" ;;
	tocsin\ status) echo "engine    desk" ;;
	esac
}

# --- An engine with an incident of each kind, and one that died.

now() {
	date +%s.%N
}

in_journal() {
	journalctl --sync && journalctl -q "$@" | grep -q .
}

start_receiver --json
begin_engine dead
start_engine -o log.target=journal
tell_engine "{\"at\":$(now),\"session\":\"created\",\"session_id\":\"dead_001\",\"meta\":{\"mode\":\"shadow\"}}"
await in_journal TOCSIN_SESSION=dead_001
kill_engine
status 0 "$TOCSIN" rescue dead
rm -rf "$state"

begin_engine desk
start_engine -o log.target=journal -o log.health=yes -o webhook.url="$url" \
	-o pages.page_after=0 -o pages.max_pages_per_minute=0
s=shadow_001
tell_engine "{\"at\":$(now),\"health\":\"start\"}" \
	"{\"at\":$(now),\"session\":\"created\",\"session_id\":\"$s\",\"meta\":{\"mode\":\"shadow\"}}" \
	"{\"at\":$(now),\"session\":\"status\",\"session_id\":\"$s\",\"status\":\"running\"}" \
	"{\"at\":$(now),\"health\":\"feed_up\",\"source\":\"okx:ETH-USD\"}" \
	"{\"at\":$(now),\"health\":\"drift\",\"source\":\"okx:ETH-USD\",\"session_id\":\"$s\",\"value\":0.1}"
codes=$(basename -s .md "$top_srcdir"/runbooks/[a-z]*.md | tr '[:lower:]' '[:upper:]')
for code in $codes; do
	alert="\"alert\":\"raise\",\"code\":\"$code\",\"priority\":\"P1\",\"session_id\":\"$s\""
	tell_engine "{\"at\":$(now),$alert,\"message\":\"as in its runbook\",\"instance\":\"a\",\"meta\":{\"desk\":\"seven\"}}" \
		"{\"at\":$(now),\"alert\":\"clear\",\"code\":\"$code\",\"session_id\":\"$s\",\"instance\":\"a\"}" \
		"{\"at\":$(now),$alert,\"message\":\"and open\",\"instance\":\"b\",\"meta\":{\"desk\":\"seven\"}}"
	await in_journal TOCSIN_CODE="$code" TOCSIN_INSTANCE=b
done
tell_engine "{\"at\":$(now),\"alert\":\"clear\",\"code\":\"GENERAL\",\"instance\":\"never raised\"}"
await grep -qs 'okx:ETH-USD' "$state/snapshot.json"
# Something that tocsin warns of.
echo "no request" >"$state/control/odd.json"
await in_journal TOCSIN_EVENT=tocsin -p warning
await in_journal TOCSIN_EVENT=page TOCSIN_RESULT=delivered
no_page_waits() {
	"$TOCSIN" pages --engine desk | grep -q "no page waits"
}
await no_page_waits

# --- As an operator has it: the commands by name, and the site's settings.

mkdir "$work/bin" "$work/desk"
cat >"$work/site.conf" <<-END
	[engine]
	name = desk
	[paths]
	state_dir = $work/check/state
	runtime_dir = $work/check/run
	[webhook]
	url = $url
END
cat >"$work/bin/tocsin" <<-END
	#!/bin/sh
	verb=\$1
	shift
	case \$verb in
	check | page-test | runbook) set -- --config "$work/site.conf" "\$@" ;;
	esac
	exec "$TOCSIN" "\$verb" "\$@"
END
chmod +x "$work/bin/tocsin"
PATH=$work/bin:$PATH
# As they are installed.
TOCSIN_RUNBOOKS=$top_srcdir/runbooks
export TOCSIN_RUNBOOKS

${AWK:-awk} -f "$top_srcdir/tests/integration/runbook-commands.awk" "$top_srcdir"/runbooks/[a-z]*.md |
	sort -u >"$work/commands"
[ "$(wc -l <"$work/commands")" -gt 100 ] || fail "the commands are not found in the runbooks"
tab=$(printf '\t')
wrong=0 ran=0
while IFS=$tab read -r file command <&7; do
	[ -z "$(why_not "$command")" ] || continue
	want=$(expected "$file" "$command")
	code=$(echo "${file%.md}" | tr '[:lower:]' '[:upper:]')
	line=$(echo "$command" | sed "s/ -f / /; s/\\bSESSION\\b/$s/g; s/=SOURCE\\b/=okx:ETH-USD/
		s/=CODE\\b/=$code/; s/runbook CODE/runbook $code/; s/=ENDPOINT\\b/=webhook/
		s/\\bPID\\b/$engine/; s/\\bDIR\\b/evidence/")
	rm -rf "$work/desk/evidence" "$work/desk/$s.jsonl"
	(cd "$work/desk" && sh -c "$line") >"$work/out" 2>"$work/err" </dev/null
	got=$?
	case $command in
	tocsin\ export\ *) cp "$work/desk/$s.jsonl" "$work/out" ;;
	esac
	ran=$((ran + 1))
	if [ -z "$want" ]; then
		echo "$file: not known to this test: $command"
	elif [ $got -ne 0 ]; then
		echo "$file: exit status $got: $line: $(head -n 3 "$work/err")"
	elif ! grep -q -e "$want" "$work/out"; then
		echo "$file: prints no \"$want\": $line: $(head -n 5 "$work/out")"
	else
		continue
	fi
	wrong=$((wrong + 1))
done 7<"$work/commands"
echo "$ran commands were run"
[ $ran -gt 60 ] || fail "most commands are not run"
is 0 $wrong "commands that do not do what their runbook says"
exit 0
