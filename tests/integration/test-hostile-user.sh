#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Another user of the machine, beside root: what that user lays out in every folder that the tool
# looks into, and writes into the journal, is neither mapped, followed nor believed by root's tool,
# and keeps none of its verbs waiting.
if [ "${1:-}" != --inside ]; then
	if [ "$(id -u)" != 0 ] || ! command -v setpriv >/dev/null; then
		echo "skipped: needs root and setpriv"
		exit 77
	fi
	exec "$top_srcdir/tests/integration/private-journald" --users /bin/sh "$0" --inside
fi
. "$top_srcdir/tests/integration/common.sh"
begin
. "$top_srcdir/tests/integration/engine.sh"
user=12345
chmod 755 "$work"

# them COMMAND...: as the other user.
them() {
	setpriv --reuid $user --regid $user --clear-groups "$@"
}

for python in /usr/bin/python3 /usr/local/bin/python3 none; do
	them "$python" -c '' 2>/dev/null && break
done
if [ $python = none ]; then
	echo "skipped: there are no other users here, or no python3 for them"
	exit 77
fi
# Folders of the system's own, which go with this mount namespace.
mount -t tmpfs -o mode=1777 tmpfs /dev/shm || exit 77
mkdir -p /run/tocsin /run/user/$user
chmod 700 /run/user/$user
chown $user:$user /run/user/$user
[ -d /var/lib ] && mount -t tmpfs -o mode=755 tmpfs /var/lib
mkdir -p /var/lib/tocsin
HOME=$work/home
mkdir "$HOME"
export HOME
unset XDG_RUNTIME_DIR XDG_STATE_HOME

# quick EXPECTED COMMAND...: as status, and within twenty seconds.
quick() {
	expected=$1
	shift
	status "$expected" timeout -k 1 20 "$@"
}

# entry NAME=VALUE...: an entry of the other user's in the journal.
entry() {
	them $python -c '
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.sendto(("\n".join(sys.argv[1:]) + "\n").encode(), "/run/systemd/journal/socket")' \
		SYSLOG_IDENTIFIER=tocsin "$@"
}

# message_id KIND: of an entry that the engine live has written.
message_id() {
	journalctl -q -t tocsin -o json TOCSIN_ENGINE=live TOCSIN_EVENT=tocsin |
		$python -c '
import json, sys
print(next(e["MESSAGE_ID"] for e in map(json.loads, sys.stdin) if sys.argv[1] in e["MESSAGE"]))' "$1"
}

# --- the journal: an engine of root's with a P1 open; then what the other user says of it

play() {
	"$TOCSIN" play -o engine.replay=no -o engine.name=live "$@" >"$work/play" 2>&1
}
at=$(date +%s)
{
	echo "{\"at\":$at,\"session\":\"created\",\"session_id\":\"s1\"}"
	echo "{\"at\":$at,\"alert\":\"raise\",\"code\":\"RISK_LIMIT_BREACH\",\"priority\":\"P1\",\"message\":\"real\",\"session_id\":\"s1\"}"
} >"$work/played"
play "$work/played" || fail "the engine cannot be played"
journalctl --sync
quick 2 "$TOCSIN" status --check --engine live
tells out "RISK_LIMIT_BREACH"
id=$(journalctl -q -t tocsin TOCSIN_EVENT=alert -o cat --output-fields=TOCSIN_ALERT_ID | sed -n 1p)
started=$(message_id started) stopped=$(message_id stopped)
entry TOCSIN_ENGINE=live TOCSIN_EVENT=alert TOCSIN_STATE=resolved TOCSIN_ALERT_ID="$id" \
	TOCSIN_CODE=RISK_LIMIT_BREACH TOCSIN_PRIORITY=P1 PRIORITY=6 "MESSAGE=all is well"
entry TOCSIN_ENGINE=live TOCSIN_EVENT=tocsin MESSAGE_ID="$started" PRIORITY=6 MESSAGE=started
entry TOCSIN_ENGINE=live TOCSIN_EVENT=tocsin MESSAGE_ID="$stopped" PRIORITY=6 MESSAGE=stopped
entry TOCSIN_ENGINE=live TOCSIN_EVENT=alert TOCSIN_STATE=firing TOCSIN_ALERT_ID=forged \
	TOCSIN_CODE=GENERAL TOCSIN_PRIORITY=P1 PRIORITY=2 "MESSAGE=forged"
entry TOCSIN_ENGINE=live TOCSIN_EVENT=session TOCSIN_SESSION=forged TOCSIN_STATUS=running PRIORITY=6 \
	MESSAGE=forged
entry TOCSIN_ENGINE=invented TOCSIN_EVENT=tocsin MESSAGE_ID="$started" PRIORITY=6 MESSAGE=started
journalctl --sync
for asked in "--engine live" ""; do
	# shellcheck disable=SC2086
	quick 2 "$TOCSIN" status --check $asked
	tells out "RISK_LIMIT_BREACH"
	tells out "p1=1 "
done
quick 3 "$TOCSIN" status --check --engine invented
quick 0 "$TOCSIN" alerts --json
grep -q forged "$work/out" && fail "a forged alert counts"
grep -q '"state":"firing"' "$work/out" || fail "the real alert is not open"
quick 0 "$TOCSIN" alerts
tells out "foreign, user $user wrote: forged"
tells err "do not count"
quick 0 "$TOCSIN" sessions
grep -q forged "$work/out" && fail "a forged session is listed"
quick 0 "$TOCSIN" snapshot
grep -q forged "$work/out" && fail "a forged session is in the snapshot"
# The owner of the engine's folder is believed, for that engine alone.
mkdir /var/lib/tocsin/theirs
chown $user:$user /var/lib/tocsin/theirs
for name in theirs other; do
	entry TOCSIN_ENGINE=$name TOCSIN_EVENT=tocsin MESSAGE_ID="$started" PRIORITY=6 MESSAGE=started
	entry TOCSIN_ENGINE=$name TOCSIN_EVENT=tocsin MESSAGE_ID="$stopped" PRIORITY=6 MESSAGE=stopped
done
journalctl --sync
quick 0 "$TOCSIN" status --check --engine theirs
quick 3 "$TOCSIN" status --check --engine other

# --- a recording never counts as the engine it names

"$TOCSIN" play -o engine.name=live "$top_srcdir/tests/demo/session.jsonl" >"$work/play" 2>&1 ||
	echo '{"at":1,"session":"created","session_id":"r"}' |
	"$TOCSIN" play -o engine.name=live - >"$work/play" 2>&1
journalctl --sync
quick 2 "$TOCSIN" status --check --engine live
tells out "RISK_LIMIT_BREACH"

# --- state folders: that of the other user's engine, full of traps

trap=/var/lib/tocsin/theirs
echo secret >"$work/secret"
chmod 600 "$work/secret"
set_traps() {
	them rm -rf "$trap"/snapshot.json "$trap"/pages.json "$trap"/outbox "$trap"/control \
		"$trap"/settings.json
}
each_verb() {
	for verb in status "status --check" pages "pages resend --all" "rescue --drain 1s --all"; do
		# shellcheck disable=SC2086
		timeout -k 1 20 "$TOCSIN" $verb >"$work/out" 2>"$work/err"
		got=$?
		[ $got -lt 124 ] || fail "$verb: exit status $got with $1"
		grep -q secret "$work/out" "$work/err" && fail "$verb shows a secret with $1"
		LC_ALL=C grep -q "$(printf '\033')" "$work/out" "$work/err" &&
			fail "$verb lets an escape out with $1"
	done
	return 0
}
for kind in fifo link socket huge folder hardlink; do
	set_traps
	for file in snapshot.json pages.json settings.json outbox control; do
		case $kind in
		fifo) them mkfifo "$trap/$file" ;;
		link) them ln -s "$work/secret" "$trap/$file" ;;
		socket) them $python -c '
import socket, sys
socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$trap/$file" ;;
		huge) them truncate -s 1T "$trap/$file" ;;
		folder) them mkdir -p "$trap/$file/x" ;;
		hardlink) cp -p "$work/secret" "$trap/.secret" && ln -f "$trap/.secret" "$trap/$file" ;;
		esac
	done
	each_verb "$kind"
done
rm -f "$trap/.secret"
set_traps
them mkdir "$trap/outbox" "$trap/outbox/dead"
them mkfifo "$trap/outbox/a-1.raised@webhook"
them ln -s "$work/secret" "$trap/outbox/dead/a-2.raised@webhook"
them mkfifo "$trap/outbox/.lock"
each_verb "pipes in the outbox"

# What it says of itself cannot act on the terminal, nor speak for another engine.
set_traps
them $python -c '
import json, os, sys
print(json.dumps({"engine": sys.argv[1], "engine_pid": 1, "engine_start_ticks": 0,
                  "timestamp": "2099-01-01T00:00:00Z", "runtime_dir": None, "recorder": None,
                  "stopped_at": None, "registry": {"sessions": []}, "alerts": {"recent": []}}))' \
	live >"$work/claim"
them sh -c "cat >$trap/snapshot.json" <"$work/claim"
quick 2 "$TOCSIN" status --check --engine live
tells err "not believed"
{
	printf '{"format":1,"timestamp":"2026-01-01T00:00:00Z","left_out":0,"pages":[{"page_id":'
	printf '"x\\u001b]0;owned\\u0007","priority":"P1","code":"\\u001b[2J","endpoint":"e\\u009b31m",'
	printf '"state":"dead","attempts":1,"http_status":1,"since":"2026-01-01T00:00:00Z"}]}\n'
} >"$work/pages.json"
sed 's/"engine": "live"/"engine": "theirs\\u001b[2J\\u001b]0;x\\u0007"/' "$work/claim" >"$work/escapes"
them sh -c "cat >$trap/snapshot.json" <"$work/escapes"
them sh -c "cat >$trap/pages.json" <"$work/pages.json"
each_verb "escapes"
for verb in "pages" "pages resend x" "pages resend --all" "pages discard --reason x x" "status" snapshot; do
	# shellcheck disable=SC2086
	timeout -k 1 20 "$TOCSIN" $verb --state-dir $trap >"$work/out" 2>&1
	LC_ALL=C grep -q "$(printf '\033\|\302\233\|\007')" "$work/out" && fail "$verb lets an escape out"
done
# Its files were not made, nor changed, by root.
is "" "$(find $trap -newer "$work/claim" -user 0)" "root's files in the other user's folder"

# --- recorders and locks in /dev/shm

rm -rf /run/tocsin
them mkdir -p "/dev/shm/tocsin-0/live" "/dev/shm/tocsin-0/squat"
n=0
while [ $n -lt 40 ]; do
	them touch "/dev/shm/tocsin-0/live/ring-$(printf %032x $n)"
	n=$((n + 1))
done
them mkfifo "/dev/shm/tocsin-0/live/lock-$(printf %032x 1)" "/dev/shm/tocsin-0/live/lock-engine"
quick 0 "$TOCSIN" rescue --all --drain 1s
quick 1 "$TOCSIN" check -o engine.name=squat -o config=
tells out "another user's"
find /dev/shm/tocsin-0 ! -user $user | grep . && fail "root made files in the other user's folder"
# Root's sentinel watches nothing of it, and is not blinded: an engine of root's dies and is noticed.
"$TOCSIN" sentinel >"$work/sentinel.out" 2>"$work/sentinel.err" &
sentinel=$!
trap 'kill $sentinel 2>/dev/null; end' EXIT
mkdir -p /run/tocsin
n=0
mkdir -p /run/tocsin/evil
chown $user:$user /run/tocsin/evil
while [ $n -lt 600 ]; do
	echo "/run/tocsin/evil/ring-$(printf %032x $n)"
	n=$((n + 1))
done | them xargs touch
name=watched run=/run/tocsin/watched state=$work/watched.state
start_engine
echo '{"at":1,"alert":"raise","code":"GENERAL","priority":"P1","message":"last words"}' >&9
kill_engine
recorder_is_gone() {
	! ls $run/ring-* >/dev/null 2>&1
}
await recorder_is_gone
tells sentinel.err "user $user has too many recorders in /run/tocsin/evil"
kill $sentinel
wait $sentinel 2>/dev/null
trap end EXIT
rm -rf /run/tocsin
# An engine of root's keeps nothing there.
play -o paths.state_dir="$work/live.state" "$work/played" || fail "an engine with no recorder"
find /dev/shm/tocsin-0 ! -user $user | grep . && fail "root's engine made files in the other user's folder"
rm -rf /dev/shm/tocsin-0

# The environment of that user, in which root runs the tool.
them mkdir -p /run/user/$user/tocsin/live
them touch "/run/user/$user/tocsin/live/ring-$(printf %032x 7)"
mkdir -p /dev/shm/tocsin-0
chmod 700 /dev/shm/tocsin-0
quick 1 env XDG_RUNTIME_DIR=/run/user/$user "$TOCSIN" rescue --drain 1s live

# --- files named on the command line

them mkfifo /dev/shm/pipe
them ln -s "$work/secret" /dev/shm/link
quick 1 "$TOCSIN" blackbox /dev/shm/pipe
quick 1 "$TOCSIN" blackbox /dev/shm/link
them mkdir /dev/shm/evidence
quick 1 "$TOCSIN" snapshot --engine live --evidence /dev/shm/evidence
is "" "$(ls /dev/shm/evidence)" "evidence in the other user's folder"
quick 1 "$TOCSIN" export --session s1 /dev/shm/pipe
quick 1 "$TOCSIN" export --session s1 /dev/shm/link
is secret "$(cat "$work/secret")" "what the other user's link leads to"
