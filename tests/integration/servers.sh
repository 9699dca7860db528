# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# Sourced by tests that want a server of Debian's: the system's, else the one that ./bootstrap check
# unpacked into $TOCSIN_SERVERS, by default the build's folder for them.
servers=${TOCSIN_SERVERS:-$top_builddir/servers}

# find_server NAME: $server becomes its path. Where there is none a test is skipped; in CI it fails.
find_server() {
	for server in "/usr/sbin/$1" "/usr/bin/$1" "$servers/usr/sbin/$1" "$servers/usr/bin/$1"; do
		[ -x "$server" ] && return
	done
	echo "skipped: no $1 here and none in $servers (./bootstrap check fetches it)"
	[ "${CI:-}" = true ] && exit 1
	exit 77
}

# exec_with_libraries COMMAND...: an unpacked $server in it finds the libraries unpacked with it.
exec_with_libraries() {
	case $server in
	"$servers"/*)
		path=$(printf '%s:' "$servers"/usr/lib/*-linux-gnu* \
			"$servers"/usr/lib/*-linux-gnu*/systemd "$servers"/lib/*-linux-gnu*)
		set -- env LD_LIBRARY_PATH="${path%:}" "$@"
		;;
	esac
	exec "$@"
}
