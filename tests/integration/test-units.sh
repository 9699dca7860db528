#!/bin/sh
# SPDX-License-Identifier: MIT
#
# systemd has nothing to say about the example unit with the drop-in, about the rescue and the
# sentinel, about the users and the folders; and the units are shut in as they claim.
. "$top_srcdir/tests/integration/common.sh"
for tool in systemd-analyze systemd-sysusers systemd-tmpfiles; do
	command -v $tool >/dev/null || { echo "skipped: no $tool here"; exit 77; }
done
version=$(systemd-analyze --version | sed -n 's/^systemd \([0-9]*\).*/\1/p')
if [ "${version:-0}" -lt 250 ]; then
	echo "skipped: systemd $version cannot look at units offline"
	exit 77
fi
begin
source=$top_srcdir/plugin/systemd
made=$top_builddir/plugin/systemd
root=$work/root
units=$root/etc/systemd/system

# A system of its own, which has the engine.
mkdir -p "$units/engine.service.d" "$root/usr/local/bin"
cp "$source/engine.service" "$units"
cp "$made/tocsin-engine.conf" "$units/engine.service.d"
cp "$made/tocsin-rescue@.service" "$made/tocsin-sentinel.service" "$units"
# What the build has put in for the tool.
tool=$(sed -n 's/^ExecStart=\([^ ]*\) .*/\1/p' "$made/tocsin-sentinel.service")
is tocsin "${tool##*/}" "the sentinel's program"
mkdir -p "$root${tool%/*}"
for program in /usr/local/bin/engine "$tool"; do
	printf '#!/bin/sh\n' >"$root$program"
	chmod +x "$root$program"
done

# verified STATUS UNIT
verified() {
	status "$1" systemd-analyze verify --root="$root" --man=no --recursive-errors=no "$2"
}

for unit in engine.service tocsin-rescue@live-1.service tocsin-sentinel.service; do
	verified 0 "$unit"
	is "" "$(cat "$work/out" "$work/err")" "what systemd says of $unit"
done
status 0 systemd-analyze security --offline=true --root="$root" --threshold=20 engine.service
# These become other users, which costs them something.
for unit in tocsin-rescue@live-1.service tocsin-sentinel.service; do
	status 0 systemd-analyze security --offline=true --root="$root" --threshold=35 "$unit"
done
# Else systemd deletes the recorders when the unit stops, after a crash too.
grep -qx 'RuntimeDirectoryPreserve=yes' "$made/tocsin-engine.conf" || fail "not preserved"
grep -qx "ExecStopPost=-$tool rescue .*%N" "$made/tocsin-engine.conf" || fail "no rescue"

# A verification that finds nothing would find nothing.
sed -i 's/^StateDirectory=/StateDirectoy=/' "$units/engine.service.d/tocsin-engine.conf"
verified 1 engine.service
tells err StateDirectoy

if [ "$(id -u)" = 0 ]; then
	status 0 systemd-sysusers --root="$root" "$source/sysusers.d/tocsin.conf"
	grep -q '^tocsin:' "$root/etc/group" || fail "there is no group tocsin"
	status 0 systemd-tmpfiles --create --root="$root" "$source/tmpfiles.d/tocsin.conf"
	for folder in run/tocsin var/lib/tocsin; do
		is "755 root" "$(stat -c '%a %U' "$root/$folder")" "$folder"
	done
fi
