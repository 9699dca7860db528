#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Under a real systemd, in a container of its own: engines run as services with the drop-in and are
# killed, and the page arrives, with what systemd knows of the end. Once by the drop-in's
# ExecStopPost=, once by OnFailure=, once by the sentinel, shut in as their units have it; and once
# with the engine shut in too.
. "$top_srcdir/tests/integration/common.sh"
. "$top_srcdir/tests/integration/servers.sh"
skip() {
	echo "skipped: $*"
	exit 77
}
[ "$(id -u)" = 0 ] || skip "only root may start a container"
[ -x /lib/systemd/systemd ] || skip "no systemd here"
# Sanitizers want more of /proc than the units leave.
[ -z "${SANITIZERS:-}" ] || skip "not with sanitizers"
[ -z "${UNDER_VALGRIND:-}" ] || skip "there is no valgrind in the container"
find_server systemd-nspawn
begin
share=$work/share
units=$work/units
mkdir "$share" "$units"
chmod 755 "$work" "$share"
cp "$TOCSIN" "$share/tocsin"
cp "$TOCSIN_PLUGIN" "$share/tocsin.so"

for unit in tocsin-engine.conf tocsin-sentinel.service tocsin-rescue@.service; do
	# The tool is where this test has put it.
	sed 's|^\(Exec[A-Za-z]*=-\{0,1\}\)/[^ ]*/tocsin |\1/test/tocsin |' \
		"$top_builddir/plugin/systemd/$unit" >"$units/$unit"
	grep -q '^Exec.*=-\{0,1\}/test/tocsin ' "$units/$unit" || fail "$unit does not run the tool"
done

# engine NAME: a service that lives on until it is killed.
engine() {
	cat >"$units/$1.service" <<-END
	[Service]
	Type=exec
	User=65534
	Group=65534
	Environment=TOCSIN_PLUGIN=/test/tocsin.so
	ExecStart=/bin/sh -c 'exec /test/tocsin play -o engine.name=$1 -o engine.replay=no \\
		-o clock.source=system -o webhook.url=http://127.0.0.1:8080/ \\
		-o paths.runtime_dir=/run/tocsin/$1 -o paths.state_dir=/var/lib/tocsin/$1 - \\
		<>/run/tocsin/$1/events'
	ExecStartPre=/usr/bin/mkfifo -m 600 /run/tocsin/$1/events
	END
	mkdir "$units/$1.service.d"
	cp "$units/tocsin-engine.conf" "$units/$1.service.d"
}
engine live-1
engine live-2
engine live-3
# Shut in as the example is, and further: no @resources, and a call that is filtered kills.
engine live-4
sed -n '/^# --- what it may see/,/^\[Install\]/p' "$top_srcdir/plugin/systemd/engine.service" |
	sed '/^\[Install\]/d; /^SystemCallErrorNumber=/d; /^SystemCallFilter=@chown/d
		s/^SystemCallFilter=~@privileged$/& @resources/' >>"$units/live-4.service"
grep -q '^SystemCallFilter=~@privileged @resources$' "$units/live-4.service" || fail "no filter"
# These are rescued otherwise.
sed -i '/^ExecStopPost=/d' "$units"/live-[23].service.d/tocsin-engine.conf
printf '[Unit]\nOnFailure=tocsin-rescue@%%N.service\n' >"$units/live-2.service.d/rescue.conf"

cat >"$units/tocsin-test.service" <<'END'
[Unit]
After=basic.target
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=oneshot
ExecStart=/bin/sh /test/inside
TimeoutStartSec=180s
StandardOutput=file:/test/out
StandardError=file:/test/err
END
cat >"$units/tocsin-test.target" <<'END'
[Unit]
Requires=basic.target tocsin-test.service
After=basic.target
AllowIsolate=yes
END

cat >"$share/inside" <<'END'
touch /test/booted
await() {
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ $tries -lt 1500 ] || { echo "waited in vain for: $*"; finish 1; }
		sleep 0.02
	done
}
finish() {
	journalctl --sync
	journalctl -o cat >/test/journal
	journalctl -t tocsin -o export >/test/entries
	systemctl status --no-pager 'live-*' 'tocsin-*' >/test/status 2>&1
	echo "$1" >/test/result
	exit "$1"
}
came() {
	grep -q "\"code\": *\"$1\".*\"engine\": *\"$2\"" /test/pages
}
runs() {
	ls /run/tocsin/"$1"/ring-* >/dev/null 2>&1
}
# killed NAME: it raises an alert, and is killed once that has arrived.
killed() {
	systemctl start "$1" || finish 1
	await runs "$1"
	printf '%s\n' '{"at":1785750996,"session":"created","session_id":"shadow_001"}' \
		'{"at":1785750997,"alert":"raise","code":"DATA_FEED_DOWN","priority":"P1","message":"dark"}' \
		>/run/tocsin/"$1"/events
	await came DATA_FEED_DOWN "$1"
	systemctl kill -s KILL "$1"
	await came ENGINE_DOWN "$1"
}
/test/tocsin receive --port 8080 --json >/test/pages 2>/test/receiver &
await grep -q listening /test/pages
mkdir -p -m 755 /run/tocsin /var/lib/tocsin
killed live-1
killed live-2
killed live-4
systemctl start tocsin-sentinel || finish 1
killed live-3
systemctl stop tocsin-sentinel || finish 1
finish 0
END

set --
for unit in "$units"/*; do
	set -- "$@" "--bind-ro=$unit:/etc/systemd/system/${unit##*/}"
done
(exec_with_libraries timeout -k 10 220 "$server" --quiet --machine="tocsin-$$" -D / --volatile=yes \
	--register=no --keep-unit --private-network --console=pipe "--bind=$share:/test" "$@" \
	-b systemd.unit=tocsin-test.target systemd.show_status=no </dev/null >"$work/boot" 2>&1)
status=$?
if [ ! -e "$share/booted" ]; then
	tail -n 5 "$work/boot"
	skip "systemd does not come up in a container here (status $status)"
fi
if [ "$(cat "$share/result" 2>/dev/null)" != 0 ]; then
	cat "$share/out" "$share/err" "$share/status" "$share/pages"
	tail -n 100 "$share/journal"
	fail "it went wrong inside"
fi

# page CODE ENGINE: that page.
page() {
	grep "\"code\": *\"$1\".*\"engine\": *\"$2\"" "$share/pages"
}
# distinct: how many there are; one that a death made come twice counts once.
distinct() {
	grep -o '"webhook-id": *"[^"]*"' | sort -u | wc -l
}
for name in live-1 live-2 live-3 live-4; do
	is 1 "$(page DATA_FEED_DOWN $name | distinct)" "pages of $name's alert"
	is 1 "$(page ENGINE_DOWN $name | distinct)" "pages of $name's death"
	page ENGINE_DOWN $name | grep -q shadow_001 || fail "$name's session is not told"
done
for name in live-1 live-2 live-4; do
	for fact in '"service_result": *"signal"' '"exit_code": *"killed"' '"exit_status": *"KILL"'; do
		page ENGINE_DOWN $name | grep -q "$fact" || fail "$name's page does not say $fact"
	done
done
is 4 "$(grep -A40 '^MESSAGE=.P1. ENGINE_DOWN' "$share/entries" | grep '^TOCSIN_ALERT_ID=' | sort -u | wc -l)" \
	"deaths in the journal"
