#!/bin/sh
# SPDX-License-Identifier: MIT
#
# systemd has nothing to say about the example unit with the drop-in, about the users and the
# folders; and the unit is shut in as it claims.
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
root=$work/root
units=$root/etc/systemd/system

# A system of its own, which has the engine.
mkdir -p "$units/engine.service.d" "$root/usr/local/bin"
cp "$source/engine.service" "$units"
cp "$source/tocsin-engine.conf" "$units/engine.service.d"
printf '#!/bin/sh\n' >"$root/usr/local/bin/engine"
chmod +x "$root/usr/local/bin/engine"

verified() {
	status "$1" systemd-analyze verify --root="$root" --man=no --recursive-errors=no engine.service
}

verified 0
is "" "$(cat "$work/out" "$work/err")" "what systemd says"
status 0 systemd-analyze security --offline=true --root="$root" --threshold=20 engine.service
# Else systemd deletes the recorders when the unit stops, after a crash too.
grep -qx 'RuntimeDirectoryPreserve=yes' "$source/tocsin-engine.conf" || fail "not preserved"

# A verification that finds nothing would find nothing.
sed -i 's/^StateDirectory=/StateDirectoy=/' "$units/engine.service.d/tocsin-engine.conf"
verified 1
tells err StateDirectoy

if [ "$(id -u)" = 0 ]; then
	status 0 systemd-sysusers --root="$root" "$source/sysusers.d/tocsin.conf"
	grep -q '^tocsin:' "$root/etc/group" || fail "there is no group tocsin"
	status 0 systemd-tmpfiles --create --root="$root" "$source/tmpfiles.d/tocsin.conf"
	for folder in run/tocsin var/lib/tocsin; do
		is "755 root" "$(stat -c '%a %U' "$root/$folder")" "$folder"
	done
fi
