# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# Sourced after common.sh by tests of what becomes of a page: a receiver that answers as it is told,
# an engine that has one page to send, and what came of it.

# begin_answers: as begin; $work/raise is a file of events with one alert to page.
begin_answers() {
	begin
	# What is asked here is not to be answered by a proxy.
	unset http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY
	echo '{"at":1000,"alert":"raise","code":"DATA_FEED_DOWN","priority":"P1",' \
		'"message":"gone","session_id":"s","meta":{"only_in_full":"v"}}' >"$work/raise"
}

# script STEPS [OPTION]...: a receiver that answers so; what comes goes to $work/came.
script() {
	rm -f "$work/came" "$work/port"
	steps=$1
	shift
	mkfifo "$work/port"
	"$top_builddir/tests/integration/scripted-receiver" --script "$steps" --out "$work/came" \
		"$@" >"$work/port" 2>"$work/receiver.err" &
	receiver=$!
	port=
	read -r port <"$work/port"
	[ -n "$port" ] || fail "the receiver does not start: $(cat "$work/receiver.err")"
	url=http://127.0.0.1:$port/hook/way
}

# run EVENTS [OPTION]...: an engine that tells them to $url and then waits up to $drain, in a new
# state folder unless $keep_state; $as is put before the command, $park_retry is 100ms unless set.
run() {
	events=$1
	shift
	[ -n "${keep_state:-}" ] || rm -rf "$work/state"
	# shellcheck disable=SC2086
	${as:-} "$TOCSIN" play --drain "${drain:-20s}" -o log.target=stderr -o engine.name=answers \
		-o paths.state_dir="$work/state" -o paths.runtime_dir="$work/run" \
		-o pages.park_retry="${park_retry:-100ms}" -o webhook.timeout=2s -o webhook.url="$url" "$@" \
		"$events" >"$work/out" 2>"$work/err"
}

# results: how each attempt ended, as the log tells, in one line.
results() {
	sed -n 's/.*event="page".* result="\([a-z]*\)".*/\1/p' "$work/err" | tr '\n' ' ' |
		sed 's/ $//'
}

# ended RESULTS: attempts have ended so, one after the other.
ended() {
	[ -e "$work/err" ] && results | grep -qwF -e "$1"
}

# came: how many requests.
came() {
	wc -l <"$work/came"
}

ids() {
	grep -o '"webhook-id": *"[^"]*"' "$work/came"
}

# waiting, dead: how many files lie in the outbox, in its dead/.
waiting() {
	find "$work/state/outbox" -maxdepth 1 -type f -name '*@*' | wc -l
}

dead() {
	find "$work/state/outbox/dead" -type f -name '*@*' 2>/dev/null | wc -l
}
