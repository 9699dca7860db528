#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A part of the journal: a file that is shortened under its reader is survived, as journalctl does,
# and a reader who may read only some of the files is told so, by every verb that reads it.
if [ "${1:-}" != --inside ]; then
	exec "$top_srcdir/tests/integration/private-journald" /bin/sh "$0" --inside
fi
. "$top_srcdir/tests/integration/common.sh"
begin

# --- Shortened under the reader.

# Much more than a pipe holds, so that the export waits in the middle of it.
${AWK:-awk} 'BEGIN {
	for (i = 0; i < 4000; i++)
		printf "{\"at\":%d,\"session\":\"%s\",\"session_id\":\"long\",\"status\":\"running\",\"meta\":{\"n\":\"%d %0200d\"}}\n",
			1772359200 + i, i ? "status" : "created", i, i
}' >"$work/long.jsonl"
"$TOCSIN" play -o engine.name=long "$work/long.jsonl" >"$work/played" 2>&1 || fail "$(cat "$work/played")"
journalctl --sync
mkdir "$work/whole"
cp /run/log/journal/*/system.journal "$work/whole/"
size=$(stat -c %s "$work/whole/system.journal")
"$TOCSIN" export --directory "$work/whole" --session long >"$work/all" 2>"$work/err"
is 4000 "$(wc -l <"$work/all")" "lines of the whole session"
is 1 "$(wc -l <"$work/err")" "lines that an export of the whole tells"

mkfifo "$work/pipe"
for left in 4096 65536 1000000 $((size / 4)); do
	rm -rf "$work/cut"
	cp -r "$work/whole" "$work/cut"
	"$TOCSIN" export --directory "$work/cut" --session long >"$work/pipe" 2>"$work/err" &
	reader=$!
	# With the first line it is at it, and the pipe holds it.
	exec 8<"$work/pipe"
	read -r first <&8
	truncate -s "$left" "$work/cut/system.journal"
	cat <&8 >"$work/rest"
	exec 8<&-
	wait $reader
	got=$?
	[ $got -le 1 ] || fail "an export of a file cut to $left bytes ended with $got"
	is "$(head -n 1 "$work/all")" "$first" "the first line"
	[ "$(wc -l <"$work/rest")" -lt 3999 ] || fail "the file was not cut in time"
	tells err "a journal file was shortened while it was read"
	head -n 50 "$work/rest" >"$work/a"
	sed -n 2,51p "$work/all" >"$work/b"
	same "$work/a" "$work/b" "what was read before it was cut to $left bytes"
done

# --- Only some of the files.

# Without any capability root is like anybody.
anybody() {
	setpriv --bounding-set -all --inh-caps -all "$@"
}
folder=$(echo /run/log/journal/*)
printf '%s\n' '{"at":"2026-03-01T10:00:00Z","session":"created","session_id":"s1"}' \
	'{"at":"2026-03-01T10:00:01Z","alert":"raise","code":"GENERAL","message":"m","session_id":"s1"}' |
	"$TOCSIN" play -o engine.name=partial -o engine.replay=no - >/dev/null 2>&1 || fail "it cannot be played"
journalctl --sync
mkdir -p "$work/files" "$work/folders/0123456789abcdef0123456789abcdef" \
	"$work/folders/0123456789abcdef0123456789abcdef.desk"
for to in files/a folders/0123456789abcdef0123456789abcdef/a; do
	cp "$folder/system.journal" "$work/$to.journal"
done
cp "$work/whole/system.journal" "$work/files/b.journal"
cp "$work/whole/system.journal" "$work/folders/0123456789abcdef0123456789abcdef.desk/b.journal"
cp "$work/whole/system.journal" "$folder/system@old.journal"
chmod 0 "$work/files/b.journal" "$folder/system@old.journal" \
	"$work/folders/0123456789abcdef0123456789abcdef.desk"
if ! anybody true 2>/dev/null || anybody cat "$work/files/b.journal" >/dev/null 2>&1; then
	echo "not tested: whoever may read a part of it only (no setpriv, or nothing can be forbidden)"
	exit 0
fi

# told VERB [OPTION]...: it shows what it may, and tells that this is not all.
told() {
	status 0 anybody "$TOCSIN" "$@"
	tells err "you may not read 1 journal file"
	tells err "systemd-journal"
	[ -s "$work/out" ] || fail "$* shows nothing of what may be read"
	is 1 "$(grep -c "you may not read" "$work/err")" "how often $* tells so"
}

for where in "" "--directory $work/files" "--directory $work/folders"; do
	for verb in alerts "alerts --json" sessions "sessions --json" "sessions s1" status \
		"status --json" snapshot "export --session s1"; do
		# shellcheck disable=SC2086
		told $verb $where
	done
	# shellcheck disable=SC2086
	status 3 anybody "$TOCSIN" status --check --engine partial $where
	tells out "you may not read 1 journal file"
	# Evidence says itself what it lacks.
	rm -rf "$work/evidence"
	# shellcheck disable=SC2086
	status 1 anybody "$TOCSIN" snapshot --evidence "$work/evidence" $where
	tells err "you may not read 1 journal file"
	grep -q "you may not read 1 journal file" "$work/evidence/README" || fail "its README does not tell"
	grep -q GENERAL "$work/evidence/alerts.txt" || fail "the evidence lacks what may be read"
done
# What is not found may be in what may not be read.
status 1 anybody "$TOCSIN" sessions s2 --directory "$work/files"
tells err "you may not read"
chmod 640 "$folder/system@old.journal"
status 0 anybody "$TOCSIN" alerts
is "" "$(cat "$work/err")" "what is told once all may be read"
exit 0
