#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What disks do: the outbox's is full, read-only, deleted under the engine, or no longer the
# engine's to use; the recorder's tmpfs is full at the start, or later. The page goes from memory
# each time and the trouble is told; and once the disk is well again, what waits lies on it.
if [ -z "${TOCSIN_OWN_MOUNTS:-}" ]; then
	[ "$(id -u)" = 0 ] && own="unshare --mount" || own="unshare --map-root-user --mount"
	# shellcheck disable=SC2086
	$own sh -c 'mount -t tmpfs none /mnt' 2>/dev/null ||
		{ echo "skipped: no mounts of its own here"; exit 77; }
	# shellcheck disable=SC2086
	TOCSIN_OWN_MOUNTS=1 exec $own "$0"
fi
. "$top_srcdir/tests/integration/common.sh"
. "$top_srcdir/tests/integration/engine.sh"
begin
mounted=

# mount_at FOLDER SIZE: a tmpfs of its own.
mount_at() {
	mkdir -p "$1"
	mount -t tmpfs -o mode=700,size="$2" none "$1" || fail "no tmpfs at $1"
	mounted="$mounted $1"
}

unmount() {
	for at in $mounted; do
		umount -l "$at"
	done
	mounted=
}

raise() {
	tell_engine "$(printf '{"at":%s,"alert":"raise","code":"RISK_LIMIT_BREACH","priority":"P1",%s' \
		"$(date +%s)" "\"message\":\"$1\",\"instance\":\"$1\"}")"
}

came() {
	grep -q "\"message\": *\"$1\"" "$work/pages"
}

log_tells() {
	grep -qsF -e "$1" "$work/engine.err"
}

# Not by its recorder: it may have none.
engine_runs() {
	kill -0 "$engine" 2>/dev/null || fail "the engine does not run"
	log_tells "started for engine"
}

# start [OPTION]...: with a log of its own.
start() {
	rm -f "$work/engine.err"
	start_engine "$@"
}

# fill FOLDER: to the last byte.
fill() {
	dd if=/dev/zero of="$1/filler" bs=4k >/dev/null 2>&1
	dd if=/dev/zero of="$1/filler2" bs=1 count=4096 >/dev/null 2>&1
}

waits() {
	[ -n "$(find "$state/outbox" -maxdepth 1 -name '*@webhook' 2>/dev/null)" ]
}

# The page was lost to nobody: with the receiver away it lies on disk once the disk is well, and the
# next start sends it after a death.
away() {
	stop_receiver
}

back() {
	start_receiver --port "$port" --json
}

survives() {
	await waits
	kill_engine
	back
	start -o webhook.url="$url"
	await came "$1"
	stop_engine
}

begin_engine full
trap 'unmount; end_engine; end' EXIT
start_receiver --json
port=$(echo "$url" | sed 's/.*:\([0-9]*\).*/\1/')

# --- the outbox's disk is full

mount_at "$state" 512k
start -o webhook.url="$url"
fill "$state"
raise full-1
await came full-1
away
raise full-2
await log_tells "cannot be written to the outbox in $state: No space left on device"
waits && fail "a full disk has taken a page"
rm "$state/filler" "$state/filler2"
survives full-2
unmount

# --- it is read-only

begin_engine readonly
mount_at "$state" 512k
mount -o remount,bind,ro "$state"
start -o webhook.url="$url"
log_tells "$state" || fail "a read-only state folder is not told"
raise readonly-1
await came readonly-1
stop_engine
unmount

# --- it is deleted under the engine

begin_engine deleted
start -o webhook.url="$url"
rm -rf "$state/outbox"
raise deleted-1
await came deleted-1
away
rm -rf "$state"
raise deleted-2
await log_tells "cannot be written to the outbox in $state: No such file or directory"
survives deleted-2

# --- its rights are gone

if command -v setpriv >/dev/null && setpriv --reuid 65534 --regid 65534 --clear-groups \
	test -x "$TOCSIN" -a -r "$TOCSIN_PLUGIN" 2>/dev/null; then
	begin_engine rights
	chmod 755 "$work" "$runs" "$runs/tocsin" "$XDG_STATE_HOME" "$XDG_STATE_HOME/tocsin"
	chmod 777 "$work/tmp"
	mkdir "$run" "$state"
	chown 65534:65534 "$run" "$state"
	chmod 700 "$run" "$state"
	AS="setpriv --reuid 65534 --regid 65534 --clear-groups"
	start -o webhook.url="$url"
	chmod 000 "$state/outbox"
	raise rights-1
	await came rights-1
	away
	raise rights-2
	await log_tells "cannot be written to the outbox in $state: Permission denied"
	chmod 700 "$state/outbox"
	survives rights-2
	AS=
else
	echo "no user to lose rights here: that is not tried"
fi

# --- the recorder's tmpfs is full at the start, and later

begin_engine memory
mount_at "$run" 256k
fill "$run"
start -o webhook.url="$url"
grep "no recorder could be made in $run: " "$work/engine.err" |
	grep -q "No space left on device.*; events are kept in memory" ||
	fail "a full tmpfs is not told: $(cat "$work/engine.err")"
raise memory-1
await came memory-1
stop_engine
unmount

begin_engine later
mount_at "$run" 16m
start -o webhook.url="$url"
fill "$run"
i=0
while [ $i -lt 200 ]; do
	printf '{"at":%s,"health":"feed_pulse","source":"f"}\n' "$(date +%s)" >&9
	i=$((i + 1))
done
raise later-1
await came later-1
stop_engine
unmount

# --- a page's file is damaged: it is told and set aside, the others are sent

begin_engine damaged
away
start -o webhook.url="$url"
raise damaged-1
await waits
cut=$(find "$state/outbox" -maxdepth 1 -name '*@webhook')
raise damaged-2
two() { [ "$(find "$state/outbox" -maxdepth 1 -name '*@webhook' | wc -l)" -ge 2 ]; }
await two
kill_engine
# As a disk leaves it that has lost the end, and the recorder that would draw it again.
truncate -s 100 "$cut"
rm -f "$run"/ring-* "$run"/lock-*
back
start -o webhook.url="$url"
await came damaged-2
await log_tells "$(basename "$cut") cannot be read"
[ -e "$cut.corrupt" ] || fail "the damaged page is not set aside"
stop_engine
