# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# Sourced by tests that run the tool: a folder of the test's own, a receiver, ways to wait and to
# fail. From the environment: top_srcdir, top_builddir, and TOCSIN, TOCSIN_PLUGIN where they differ.
set -u
: "${top_srcdir:?}" "${top_builddir:?}"
TOCSIN=${TOCSIN:-$top_builddir/tocsin}
TOCSIN_PLUGIN=${TOCSIN_PLUGIN:-$top_builddir/plugin/.libs/tocsin.so}
export top_srcdir top_builddir TOCSIN TOCSIN_PLUGIN

fail() {
	echo "FAILED: $*"
	[ -f "$work/out" ] && sed 's/^/out: /' "$work/out"
	[ -f "$work/err" ] && sed 's/^/err: /' "$work/err"
	exit 1
}

# begin: makes $work, which goes at the end, with all that was started.
begin() {
	work=$(mktemp -d "${TMPDIR:-/tmp}/tocsin-test-XXXXXX") || exit 1
	receiver=
	trap end EXIT
	trap 'exit 130' INT TERM
	mkdir "$work/tmp"
	TMPDIR=$work/tmp
	export TMPDIR
}

end() {
	[ -n "$receiver" ] && kill "$receiver" 2>/dev/null && wait "$receiver" 2>/dev/null
	rm -rf "$work"
}

# start_receiver [OPTION]...: pages go to $work/pages, its address is $url.
start_receiver() {
	rm -f "$work/pages"
	: >"$work/pages"
	"$TOCSIN" receive --timeout 1h "$@" >"$work/pages" 2>"$work/receiver.err" &
	receiver=$!
	tries=0
	until url=$(sed -n 's/.*\(http:\/\/127[^"]*\).*/\1/p;q' "$work/pages") && [ -n "$url" ]; do
		tries=$((tries + 1))
		if [ $tries -gt 500 ] || ! kill -0 "$receiver" 2>/dev/null; then
			cat "$work/receiver.err"
			fail "the receiver does not start"
		fi
		sleep 0.02
	done
}

stop_receiver() {
	kill "$receiver" 2>/dev/null
	wait "$receiver" 2>/dev/null
	receiver=
}

# await COMMAND...: until it succeeds, for some twenty seconds; for longer under valgrind.
patience=1000
[ -z "${UNDER_VALGRIND:-}" ] || patience=10000
await() {
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ $tries -lt "$patience" ] || fail "waited in vain for: $*"
		sleep 0.02
	done
}

# status EXPECTED COMMAND...: output to $work/out and $work/err.
status() {
	expected=$1
	shift
	"$@" >"$work/out" 2>"$work/err"
	got=$?
	[ $got -eq "$expected" ] || fail "exit status $got instead of $expected: $*"
}

# tells FILE TEXT: the text stands in $work/FILE.
tells() {
	grep -qF -e "$2" "$work/$1" || fail "$1 does not tell: $2"
}

# same A B WHAT: the files are equal.
same() {
	diff "$1" "$2" || fail "$3"
}

# is EXPECTED GOT WHAT
is() {
	[ "$1" = "$2" ] || fail "$3: expected $1, got $2"
}

# distinct: how many pages there are among the lines of standard input.
distinct() {
	grep -o '"webhook-id": *"[^"]*"' | sort -u | wc -l
}
