#!/bin/sh
# SPDX-License-Identifier: MIT
#
# `check` says whether journald reads what is sent to it, by looking and not by who holds its socket,
# and what it would lose by its configuration.
if [ "${1:-}" != --inside ]; then
	exec "$top_srcdir/tests/integration/private-journald" /bin/sh "$0" --inside
fi
. "$top_srcdir/tests/integration/common.sh"
begin
trap 'kill -CONT "$JOURNALD_PID"; end' EXIT

# check STATUS TEXT [OPTION]...
check() {
	expected=$1 text=$2
	shift 2
	status "$expected" "$TOCSIN" check -o config= -o engine.name=checked \
		-o paths.state_dir="$work/state" -o paths.runtime_dir="$work/runtime" "$@"
	tells out "$text"
}

before=$(journalctl -q -o cat | wc -l)
check 0 "ok       log: journald listens on /run/systemd/journal/socket, and reads"
journalctl --sync
is "$before" "$(journalctl -q -o cat | wc -l)" "entries, for a check writes none"

kill -STOP "$JOURNALD_PID"
for target in auto journal; do
	check 1 "FAILED   log: nobody reads what is sent to /run/systemd/journal/socket" -o log.target=$target
	grep -q "journald listens" "$work/out" && fail "it listens, too ($target)"
done
kill -CONT "$JOURNALD_PID"
check 0 "and reads"

# What it would lose, and by which line.
conf=/run/systemd/journald.conf.d
check 0 "warning  journald: Storage=volatile ($conf/private.conf:2)"
cat >$conf/site.conf <<-END
	[Journal]
	Storage=persistent
	MaxLevelStore=crit
	RateLimitIntervalSec=30s
	RateLimitBurst=500
END
check 0 "warning  journald: MaxLevelStore ($conf/site.conf:3) drops P2 alerts;"
tells out "($conf/site.conf:5) drop what a service writes over 500 entries in 30.0 s"
echo "Storage=none" >>$conf/site.conf
check 1 "FAILED   journald: Storage=none ($conf/site.conf:6)"
printf '[Journal]\nStorage=persistent\nRateLimitBurst=0\nMaxLevelStore=debug\n' >$conf/site.conf
check 0 "ok       journald: its configuration keeps every entry"

# A namespace has its own socket and configuration.
printf '[Journal]\nStorage=none\n' >/run/systemd/journald@desk.conf
check 0 "warning  journald, for units with LogNamespace=desk: Storage=none"
check 1 "FAILED   log: no journald on /run/systemd/journal.desk/socket" --namespace desk
tells out "start systemd-journald@desk"
tells out "FAILED   journald@desk: Storage=none (/run/systemd/journald@desk.conf:2)"
for name in "" . a/b "a b"; do
	status 2 "$TOCSIN" check --namespace "$name"
done
exit 0
