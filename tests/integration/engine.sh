# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# Sourced after common.sh by tests that let engines die: an engine that lives as long as it is to,
# its folders, and what it told.

# begin_engine NAME [ROOT]: $run and $state will be the folders of the engine of that name, $run on a
# tmpfs where there is one. ROOT: where those of all engines are, else a folder of the test's own.
begin_engine() {
	name=$1
	if [ -z "${runs:-}" ]; then
		runs=$(mktemp -d /dev/shm/tocsin-test-XXXXXX 2>/dev/null) || runs=$work/runs
		trap 'end_engine; end' EXIT
		# As a user's session has them: engines are found there by name.
		XDG_RUNTIME_DIR=$runs XDG_STATE_HOME=$work/states
		export XDG_RUNTIME_DIR XDG_STATE_HOME
		mkdir -p "$runs/tocsin" "$XDG_STATE_HOME/tocsin"
	fi
	run=$runs/tocsin/$name state=$XDG_STATE_HOME/tocsin/$name
}

end_engine() {
	[ -n "${engine:-}" ] && kill -9 "$engine" 2>/dev/null
	[ -n "${sentinel:-}" ] && kill "$sentinel" 2>/dev/null && wait "$sentinel" 2>/dev/null
	rm -rf "${runs:?}"
}

# start_engine [OPTION]...: as $engine; what is written to descriptor 9 are its events. AS=COMMAND is
# put before it.
start_engine() {
	rm -f "$work/events"
	mkfifo -m 666 "$work/events"
	# A name of its own, so that the shell keeps no descriptor to it.
	# shellcheck disable=SC2086
	${AS:-} "$TOCSIN" play -o log.target=stderr -o engine.name="$name" -o engine.replay=no \
		-o clock.source=system -o paths.runtime_dir="$run" -o paths.state_dir="$state" "$@" - \
		<"$work/events" >"$work/engine.out" 2>"$work/engine.err" 9>&- &
	engine=$!
	exec 9>"$work/events"
	await engine_runs
}

engine_runs() {
	kill -0 "$engine" 2>/dev/null || fail "the engine does not run: $(cat "$work/engine.err")"
	ring=$(find "$run" -name 'ring-*' 2>/dev/null | head -n 1)
	[ -n "$ring" ]
}

tell_engine() {
	printf '%s\n' "$@" >&9
}

kill_engine() {
	kill -9 "$engine"
	wait "$engine" 2>/dev/null
	engine=
	exec 9>&-
}

# A clean stop. stop_engine [STATUS]
stop_engine() {
	exec 9>&-
	wait "$engine"
	is "${1:-0}" $? "the engine's exit status"
	engine=
}

# arrived N: so many pages.
arrived() {
	[ "$(grep -c '"webhook-id"' "$work/pages")" -ge "$1" ]
}

# pages CODE: how many of that code came; one that a death made come twice counts once.
pages() {
	grep "\"code\": *\"$1\"" "$work/pages" | distinct
}
