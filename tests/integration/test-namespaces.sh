#!/bin/sh
# SPDX-License-Identifier: MIT
#
# An engine whose unit has LogNamespace= writes into a journal of its own. The verbs that read the
# journal read all of them, or those that --namespace names, as journalctl has it.
if [ "${1:-}" != --inside ]; then
	exec "$top_srcdir/tests/integration/private-journald" /bin/sh "$0" --inside
fi
. "$top_srcdir/tests/integration/common.sh"
begin
desk=
trap '[ -n "$desk" ] && kill "$desk" && wait "$desk"; end' EXIT

# A drop-in: the main file in /run is read by newer ones alone.
mkdir /run/systemd/journal.desk /run/systemd/journald@desk.conf.d
printf '[Journal]\nStorage=volatile\n' >/run/systemd/journald@desk.conf.d/test.conf
"$JOURNALD" desk &
desk=$!
await test -S /run/systemd/journal.desk/socket

# events SESSION
events() {
	cat <<-END
		{"at":"2026-03-01T10:00:00Z","health":"start"}
		{"at":"2026-03-01T10:00:00Z","session":"created","session_id":"$1"}
		{"at":"2026-03-01T10:00:01Z","alert":"raise","code":"GENERAL","message":"of $1","session_id":"$1"}
	END
}
events s_plain | "$TOCSIN" play -o engine.name=plain - || fail "it cannot be played"
events s_desk >"$work/events"
# As systemd does for LogNamespace=.
# shellcheck disable=SC2016
events=$work/events unshare --mount sh -c 'mount --bind /run/systemd/journal.desk /run/systemd/journal &&
	exec "$TOCSIN" play -o engine.name=desk "$events"' || fail "it cannot be played in a namespace"
journalctl --sync
journalctl --namespace desk --sync
is 1 "$(journalctl -q --namespace desk -o cat | grep -c 'of s_desk')" "entries in the namespace"
is 0 "$(journalctl -q -o cat | grep -c 'of s_desk')" "entries of the namespace in the default journal"

# found WANTED NAMESPACE...: which engines each verb finds; without a NAMESPACE --namespace is not
# given.
found() {
	wanted=$1
	shift
	for verb in "alerts --json" "sessions --json" "status --json"; do
		# shellcheck disable=SC2086
		"$TOCSIN" $verb "$@" >"$work/out" 2>"$work/err"
		is "$wanted" "$(grep -o '"engine":"[a-z]*"' "$work/out" | sort -u | cut -d '"' -f 4 |
			tr '\n' ' ' | sed 's/ $//')" "engines of $verb $*"
		is "" "$(cat "$work/err")" "what $verb $* complains of"
	done
}

found "desk plain"
found "desk plain" --namespace '*'
found "desk plain" --namespace +desk
found "desk" --namespace desk
found "plain" --namespace ""
status 0 "$TOCSIN" snapshot --namespace desk
tells out '"engine": "desk"'
status 0 "$TOCSIN" export --namespace desk --session s_desk
tells out s_desk
status 0 "$TOCSIN" snapshot --namespace desk --evidence "$work/evidence"
grep -q "of s_desk" "$work/evidence/alerts.txt" || fail "no alert of the namespace in the evidence"

# What is not there, is another's, or is no name.
for verb in alerts sessions "export --session s_desk" status snapshot; do
	# shellcheck disable=SC2086
	status 1 "$TOCSIN" $verb --namespace other
	tells err "there is no journal of this namespace here"
	for name in . ./x a/b "a b" +; do
		# shellcheck disable=SC2086
		status 2 "$TOCSIN" $verb --namespace "$name"
	done
	# shellcheck disable=SC2086
	status 2 "$TOCSIN" $verb --namespace desk --directory "$work"
done
status 1 "$TOCSIN" alerts --namespace "" --engine desk
tells err "the journal knows no engine desk"
status 3 "$TOCSIN" status --check --namespace other

# A damaged file is told of where it is in what was asked for.
folder=$(echo /run/log/journal/*.desk)
echo "no journal at all" >"$folder/system@damaged.journal"
for case in "1 *" "1 desk" "1 +desk" "0 "; do
	"$TOCSIN" alerts --namespace "${case#* }" >"$work/out" 2>"$work/err"
	is "${case%% *}" "$(grep -c "1 journal file was passed over" "$work/err")" \
		"files that --namespace ${case#* } tells of as damaged"
done
rm -f "$folder/system@damaged.journal"

# A check of the journald that serves it.
status 0 "$TOCSIN" check -o config= -o engine.name=desk -o paths.state_dir="$work/state" \
	-o paths.runtime_dir="$work/runtime" --namespace desk
tells out "ok       log: journald listens on /run/systemd/journal.desk/socket, and reads"
tells out "warning  journald@desk: Storage=volatile"
exit 0
