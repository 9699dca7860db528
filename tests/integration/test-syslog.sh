#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Where there is no journald but a syslog, here rsyslog, listens at /dev/log, the log goes there:
# every entry, at its priority, with its fields. One that is started again is found again.
private=$top_srcdir/tests/integration/private-journald
. "$top_srcdir/tests/integration/servers.sh"

if [ "${1:-}" != --inside ]; then
	find_server rsyslogd
	exec "$private" --no-journald /bin/sh "$0" --inside "$server"
fi
server=$2
. "$top_srcdir/tests/integration/common.sh"
begin
demo=$top_srcdir/tests/demo/session.jsonl

cat >"$work/rsyslog.conf" <<END
module(load="imuxsock" SysSock.Use="on" SysSock.Name="/dev/log")
template(name="line" type="string"
	string="%syslogfacility-text%.%syslogseverity-text% %programname%[%procid%]:%msg%\n")
if \$programname != "rsyslogd" then action(type="omfile" file="$work/log" template="line")
END

start_rsyslogd() {
	set --
	case $server in
	"$servers"/*) set -- -M "$(echo "$servers"/usr/lib/*-linux-gnu*/rsyslog)" ;;
	esac
	exec_with_libraries setpriv --pdeathsig KILL "$server" "$@" \
		-n -C -f "$work/rsyslog.conf" -i "$work/rsyslogd.pid" \
		>"$work/rsyslogd.err" 2>&1 3>&- &
	listener=$!
	tries=0
	until [ -S /dev/log ]; do
		tries=$((tries + 1))
		if [ $tries -gt 500 ] || ! kill -0 $listener 2>/dev/null; then
			cat "$work/rsyslogd.err"
			fail "rsyslogd does not start"
		fi
		sleep 0.02
	done
}

# stop_rsyslogd TEXT: once it has told that. What it has not taken out of its socket is lost then.
stop_rsyslogd() {
	await grep -qsF -e "$1" "$work/log"
	kill $listener
	wait $listener
	rm -f /dev/log
}

# logged SELECTOR TEXT: a line of that facility and severity holds the text.
logged() {
	grep -E "^$1 tocsin\[[0-9]+\]: " "$work/log" | grep -qF -e "$2" ||
		fail "not in the log as $1: $2: $(cat "$work/log")"
}

start_rsyslogd
status 0 "$TOCSIN" check -o engine.name=play -o paths.state_dir="$work/state" \
	-o paths.runtime_dir="$work/runtime"
tells out "warning  log: no journald"
tells out "entries go to syslog"
status 0 "$TOCSIN" check -o log.target=syslog -o paths.state_dir="$work/state" \
	-o paths.runtime_dir="$work/runtime"
tells out "ok       log: to syslog"

status 0 "$TOCSIN" play "$demo"
is "" "$(cat "$work/err")" "on stderr"
cat >"$work/hostile" <<'END'
{"at":1000,"alert":"raise","code":"DATA_FEED_DOWN","priority":"P1","message":"one\ntwo\u001b[2J","session_id":"a\"b]\\c\nd","meta":{"venue":"k"}}
{"at":1001,"alert":"raise","code":"GENERAL","priority":"P2","message":"second"}
{"at":1002,"alert":"raise","code":"GENERAL","priority":"P3","message":"third","instance":"x"}
END
status 0 "$TOCSIN" play -o log.target=syslog "$work/hostile"
is "" "$(cat "$work/err")" "on stderr"
stop_rsyslogd third

logged daemon.notice "log to syslog"
logged daemon.crit '[P1] DATA_FEED_DOWN: no data from demo:ETH-USD for 5.0 s [tocsin '
logged daemon.crit ' code="DATA_FEED_DOWN" priority="P1" state="firing" '
logged daemon.notice ' state="resolved" '
logged daemon.crit 'one\ntwo\x1b[2J [tocsin '
logged daemon.crit ' session="a\"b\]\\c\\nd"'
logged daemon.crit ' meta_venue="k"'
logged daemon.err '[P2] GENERAL: second'
logged daemon.warning '[P3] GENERAL: third'
grep -vE '^daemon\.[a-z]+ tocsin\[[0-9]+\]: .*\[tocsin .*\]$' "$work/log" && fail "other lines"

# Entries wait while nobody listens: the engine runs on, and the next syslog gets them.
rm -f "$work/log"
start_rsyslogd
mkfifo "$work/events"
exec 3<>"$work/events"
"$TOCSIN" play "$work/events" >"$work/out" 2>"$work/err" 3>&- &
player=$!
echo '{"at":1000,"alert":"raise","code":"GENERAL","message":"before"}' >&3
stop_rsyslogd before
echo '{"at":1001,"alert":"raise","code":"GENERAL","message":"while away","instance":"x"}' >&3
start_rsyslogd
exec 3>&-
wait $player || fail "the player has failed"
stop_rsyslogd "while away"
logged daemon.warning 'GENERAL: before'
logged daemon.warning 'GENERAL: while away'
is 1 "$(grep -c 'while away' "$work/log")" "entries for it"

# Asked for and not there: nothing is lost to stderr.
status 1 "$TOCSIN" check -o log.target=syslog -o paths.state_dir="$work/state" \
	-o paths.runtime_dir="$work/runtime"
tells out "FAILED   log: no syslog on /dev/log"
