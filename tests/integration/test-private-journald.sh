#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The private journald that other tests stand on: an entry comes back with its catalog text, the
# command's status is kept, and without journald there is no socket.
set -eu
private=$top_srcdir/tests/integration/private-journald
"$private" --probe

# shellcheck disable=SC2016
shown=$("$private" sh -c '
	id=$(sed -n "s/^-- //p" "$top_builddir/plugin/tocsin.catalog" | head -n 1)
	printf "MESSAGE=hello from inside\nMESSAGE_ID=%s\n" "$id" | logger --journald
	journalctl --sync
	journalctl -x -q -t logger')
echo "$shown"
echo "$shown" | grep -q 'hello from inside'
echo "$shown" | grep -q 'Defined-By: tocsin'
echo "$shown" | grep -q 'First minutes:'

status=0
"$private" sh -c 'exit 42' || status=$?
[ "$status" -eq 42 ]
"$private" --no-journald test ! -e /run/systemd/journal/socket
