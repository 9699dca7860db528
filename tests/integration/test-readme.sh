#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What README.md shows works as it stands there. Its five first commands lead from the build to the
# pages of the sample. Its program in C and the one in Python raise an alert that journalctl finds by
# its fields, run until SIGTERM and stop their notifier then. Both run on without a notifier when there
# is none. The events it shows can be played; its settings are right.
if [ "${1:-}" != --inside ]; then
	exec "$top_srcdir/tests/integration/private-journald" /bin/sh "$0" --inside
fi
. "$top_srcdir/tests/integration/common.sh"
begin
readme=$top_srcdir/README.md
left_out=

# The programs name no folders, so what a system may have for engines is hidden from them.
for folder in /etc/tocsin /var/lib/tocsin; do
	[ ! -d $folder ] || mount -t tmpfs tmpfs $folder || exit 1
done
mkdir /run/user-of-test
XDG_RUNTIME_DIR=/run/user-of-test
XDG_STATE_HOME=$work/state
TOCSIN_RUNBOOKS=$top_srcdir/runbooks
export XDG_RUNTIME_DIR XDG_STATE_HOME TOCSIN_RUNBOOKS

# block LANGUAGE HEADING: the first block in that language below the heading.
block() {
	${AWK:-awk} -v language="\`\`\`$1" -v heading="$2" '
		$0 == heading { below = 1 }
		on && $0 == "```" { exit }
		on
		below && $0 == language { on = 1 }' "$readme" >"$work/block"
	[ -s "$work/block" ] || fail "README.md has no block in $1 below $2"
}

# The journal's value of a field of the one alert of an engine.
field() {
	journalctl --sync
	journalctl -q -t tocsin TOCSIN_ENGINE="$1" TOCSIN_EVENT=alert TOCSIN_CODE=DATA_FEED_DOWN \
		TOCSIN_STATE=firing -o cat --output-fields="$2"
}

raised() {
	[ -n "$(field "$1" TOCSIN_NUMBER)" ]
}

goes_on_without() {
	grep -qF "going on without $1: " "$work/err"
}

# until_sigterm READY OF COMMAND...: runs it until `READY OF` is true; then SIGTERM ends it, with 0.
until_sigterm() {
	ready=$1 of=$2
	shift 2
	"$@" >"$work/out" 2>"$work/err" &
	pid=$!
	await "$ready" "$of"
	kill -0 $pid || fail "it did not wait for SIGTERM: $*"
	kill -TERM $pid
	wait $pid || fail "exit status $? after SIGTERM: $*"
}

# works ENGINE COMMAND...: with the plugin behind, it raises an alert; without, it goes on.
works() {
	engine=$1
	shift
	until_sigterm raised "$engine" "$@" "$TOCSIN_PLUGIN"
	is trading "$(head -n 1 "$work/out")" "what $engine says first"
	is "" "$(cat "$work/err")" "complaints of $engine"
	number=$(sed -n 's/^raised number \([0-9][0-9]*\)$/\1/p' "$work/out")
	[ -n "$number" ] || fail "$engine raised nothing"
	is "$number" "$(field "$engine" TOCSIN_NUMBER)" "the alert's number in the journal"
	is "[P1] DATA_FEED_DOWN: no data from kraken" "$(field "$engine" MESSAGE)" "the alert"
	is 1 "$(journalctl -q TOCSIN_ENGINE="$engine" TOCSIN_EVENT=tocsin -o cat --output-fields=MESSAGE |
		grep -c "^tocsin stopped for engine $engine:")" "clean stops of $engine"

	echo "no plugin" >"$work/nothing.so"
	for nothing in "$work/absent.so" "$work/nothing.so" "$work"; do
		until_sigterm goes_on_without "$nothing" "$@" "$nothing"
		is trading "$(cat "$work/out")" "what $engine says without a notifier"
	done
}

# How they are run is said, with the file that an installed tocsin.pc names.
for run in ./engine "python3 engine.py"; do
	grep -qF "\`$run \$(pkg-config --variable=plugin tocsin)\`" "$readme" ||
		fail "README.md does not say how to run $run"
done

block c "## Loading it"
mv "$work/block" "$work/engine.c"
# shellcheck disable=SC2086
status 0 ${CC:-cc} -Wall -Wextra -Werror ${SANITIZERS:-} -I "$top_srcdir/plugin" \
	-o "$work/engine" "$work/engine.c"
works sample "$work/engine"

# An interpreter that no sanitizer was built into needs its runtime loaded first.
find_python() {
	python=$(python3 -c 'import ctypes, sys; print(sys.executable)' 2>/dev/null)
	if [ -z "$python" ]; then
		left_out="there is no python3 with ctypes"
		return 1
	fi
	preload=
	case ${SANITIZERS:-} in
	*address*) preload=$(${CC:-cc} -print-file-name=libasan.so) ;;
	*thread*) preload=$(${CC:-cc} -print-file-name=libtsan.so) ;;
	esac
	[ -n "$preload" ] || return 0
	with_python="env LD_PRELOAD=$preload ASAN_OPTIONS=detect_leaks=0"
	# shellcheck disable=SC2016
	$with_python "$python" -c 'import ctypes, sys; ctypes.CDLL(sys.argv[1])' "$TOCSIN_PLUGIN" \
		>"$work/out" 2>&1 && return
	left_out="python3 cannot load a plugin built with ${SANITIZERS:-}"
	return 1
}

with_python=
block python "## Loading it"
mv "$work/block" "$work/engine.py"
if find_python; then
	# shellcheck disable=SC2086
	works sample-py $with_python "$python" "$work/engine.py"
	is kraken "$(field sample-py TOCSIN_INSTANCE)" "the instance"
fi

# --- the five commands

# The tests run after the first command, so the other four run here, in a folder with what they use of
# a checkout that is built. The port is a free one, and the compiler that of the build.
block sh "## The first page in five commands"
mv "$work/block" "$work/five"
is 5 "$(wc -l <"$work/five")" "the number of commands to the first page"
is ./bootstrap "$(head -n 1 "$work/five")" "the first of the five commands"
[ -x "$top_srcdir/bootstrap" ] || fail "there is no ./bootstrap"
is 2 "$(grep -cE '(--port |127\.0\.0\.1:)8080\b' "$work/five")" "the commands that name port 8080"
checkout=$work/checkout
mkdir -p "$checkout/build/plugin/.libs" "$work/bin"
ln -s "$readme" "$top_srcdir/plugin" "$checkout/"
ln -s "$TOCSIN" "$checkout/build/tocsin"
ln -s "$TOCSIN_PLUGIN" "$checkout/build/plugin/.libs/tocsin.so"
printf '#!/bin/sh\nexec %s %s "$@"\n' "${CC:-cc}" "${SANITIZERS:-}" >"$work/bin/cc"
chmod +x "$work/bin/cc"
start_receiver
port=${url##*:}
port=${port%%/*}
stop_receiver
{
	sed -e 1d -e "s/8080/$port/" "$work/five"
	# shellcheck disable=SC2016
	echo 'kill $!; wait $!'
} >"$checkout/commands"
(cd "$checkout" && PATH=$work/bin:$PATH exec sh ./commands) >"$work/out" 2>"$work/err"
tells out "raised number "
tells out "page 1: P1 DATA_FEED_DOWN firing"
tells out "page 2: P1 DATA_FEED_DOWN resolved"

# The page at the head of README.md is a part of the first one. Its runbook is that of an installation.
sed -n '1,/^## /s/^  \([a-z].*\)/\1/p' "$readme" | grep -v '^do  ' >"$work/page"
is 3 "$(wc -l <"$work/page")" "the lines of the page at the head that were compared"
while read -r line; do
	tells out "$line"
done <"$work/page"

# --- the rest

# What is shown of the demo is what it runs.
sed -n '/^## What the demo shows/,/^## /s/^\$ //p' "$readme" >"$work/commands"
[ -s "$work/commands" ] || fail "README.md shows nothing of the demo"
sed -e ':join' -e '/\\$/N' -e 's/\\\n[[:space:]]*//' -e 't join' \
	"$top_srcdir/tests/demo/demo" >"$work/demo"
while read -r command; do
	grep -qF -e "$command" "$work/demo" || fail "the demo does not run: $command"
done <"$work/commands"

block json "## The tool"
status 0 "$TOCSIN" play -o log.target=journal -o engine.name=lines "$work/block"
is "[P1] DATA_FEED_DOWN: no data" "$(field lines MESSAGE)" "the alert that was played"

# The URL is judged; nobody is called.
block ini "## Settings"
printf 'whsec_%s\n' "$(head -c 32 /dev/urandom | base64 -w 0)" >"$work/secret"
sed "s,^secret_file = [^ ]*,secret_file = $work/secret," "$work/block" >"$work/tocsin.conf"
"$TOCSIN" check --config "$work/tocsin.conf" -o webhook.url=http://127.0.0.1:1/ \
	>"$work/out" 2>"$work/err"
tells out "ok       settings: they are right, for engine live-1"
status 0 "$TOCSIN" runbook --config "$work/tocsin.conf" DATA_FEED_DOWN
tells out "the trading desk, +1 555 0100"
tells out "https://desk.example.org/stop"

if [ -n "$left_out" ]; then
	echo "skipped: the program in Python, since $left_out; all else passed"
	[ "${CI:-}" = true ] && [ -z "${SANITIZERS:-}" ] && exit 1
	exit 77
fi
