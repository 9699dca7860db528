#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Secrets stay where they are: a signing secret, a token, and what a URL hides are looked for in the
# log, the folders, the snapshot, error texts, argv, the environment and a core dump of an engine
# that has used them all. Each place is also looked through for what must be there.
private=$top_srcdir/tests/integration/private-journald
[ "${1:-}" = --inside ] || exec "$private" /bin/sh "$0" --inside
. "$top_srcdir/tests/integration/common.sh"
. "$top_srcdir/tests/integration/answers.sh"
. "$top_srcdir/tests/integration/engine.sh"
begin_answers

random() {
	head -c 8 /dev/urandom | od -An -tx1 | tr -d ' \n'
}
key=keycanary-$(random)-$(random) token=tokencanary$(random)
path=pathcanary$(random) query=querycanary$(random) password=passcanary$(random)
secret=$(printf %s "$key" | base64 -w 0)
umask 077
mkdir "$work/own"
printf 'whsec_%s\n' "$secret" >"$work/own/secret"
echo "$token" >"$work/own/token"
printf '%s\n' "$key" "$secret" >"$work/own/signing"
printf '%s\n' "$token" "$path" "$query" "$password" | cat "$work/own/signing" - >"$work/own/all"
umask 022

# absent WHAT FILE...: no canary is in any of them, at any depth.
absent() {
	what=$1
	shift
	found=$(LC_ALL=C grep -rlaF -f "${canaries:-$work/own/all}" "$@")
	[ -z "$found" ] || fail "a secret is in $what: $found: $(LC_ALL=C grep -rhaoF \
		-f "${canaries:-$work/own/all}" "$@" | sort | uniq -c)"
}

# present WHAT TEXT FILE...: so the search finds what is there.
present() {
	what=$1 text=$2
	shift 2
	LC_ALL=C grep -rqaF -e "$text" "$@" || fail "$what does not hold $text"
}

# What was told and kept by others than the receiver, so at a time of their own: the journal's
# entries, each in its turn; the snapshot, written once a second at most.
all_is_told() {
	journalctl -o export >"$work/journal"
	for text in "openly said" TOCSIN_ENDPOINT=unknown TOCSIN_RESULT=dead PAGER_DEGRADED; do
		grep -qaF -e "$text" "$work/journal" || return
	done
	grep -qF PAGER_DEGRADED "$state/snapshot.json"
}

# --- what is wrong is told without them

# wrong TEXT LINE...: the lines of a file are refused, which is told like that.
wrong() {
	told=$1
	shift
	printf '%s\n' "$@" >"$work/own/conf"
	for verb in check page-test; do
		status 1 "$TOCSIN" $verb --config "$work/own/conf"
		cat "$work/out" "$work/err" >"$work/told"
		grep -qF -e "$told" "$work/told" || fail "$verb does not tell: $told: $(cat "$work/told")"
		absent "what $verb tells" "$work/told"
	done
	status 1 "$TOCSIN" play -o config="$work/own/conf" "$work/raise"
	absent "what play tells" "$work/out" "$work/err"
}
good="url = https://a.example/$path"
wrong webhook.url '[webhook]' "url = ftp://u:$password@a.example/$path?$query"
wrong webhook.url '[webhook]' "url = http://u:$password@a.example/$path?$query"
wrong webhook.url '[webhook]' "url = https://u:$password@a.example:99999/$path?$query"
wrong webhook.urll '[webhook]' "urll = https://a.example/$path"
wrong "twice" '[webhook]' "$good" "$good"
wrong webhook.secret '[webhook]' "$good" "secret = whsec_$secret"
wrong webhook.token '[webhook]' "$good" "token = $token"
wrong "a file" '[webhook]' "$good" "secret_file = whsec_$secret"
CREDENTIALS_DIRECTORY=$work wrong "a file" '[webhook]' "$good" "secret_file = whsec_$secret"
wrong webhook.token_file '[webhook]' "$good" "token_file = $token"
printf 'whsec_%s!\n' "$secret" >"$work/own/bad"
wrong webhook.secret_file '[webhook]' "$good" "secret_file = $work/own/bad"
printf '%s %s\n' "$token" "$key" >"$work/own/bad"
wrong webhook.token_file '[webhook]' "$good" "token_file = $work/own/bad"
printf '%s\n' "$token" "$key" >"$work/own/bad"
wrong webhook.token_file '[webhook]' "$good" "token_file = $work/own/bad"
wrong webhook.ca_file '[webhook]' "$good" "ca_file = $work/own/bad"
wrong webhook.cert_file '[webhook]' "$good" "cert_file = $work/own/bad"
wrong webhook.key_file '[webhook]' "$good" "key_file = $work/own/bad"
for option in webhook.secret="whsec_$secret" webhook.url="ftp://a.example/$path" \
	webhook.ulr="https://a.example/$path" webhook.url="https://u:$password@/$path"; do
	status 1 "$TOCSIN" page-test -o "$option"
	absent "what is told of an option" "$work/out" "$work/err"
done

# --- an engine that uses them, with trouble of all kinds

script 401,503,302,reset,half,422,422,200
begin_engine secrets
hook=127.0.0.1:$port/hook/$path?key=$query
cat >"$work/own/conf" <<-END
	[webhook]
	url = http://user:$password@$hook
	secret_file = $work/own/secret
	token_file = $work/own/token
	[webhook.away]
	url = http://user:$password@127.0.0.1:1/$path?key=$query
	secret_file = $work/own/secret
	[webhook.unknown]
	url = https://user:$password@tocsin.invalid/$path?key=$query
	token_file = $work/own/token
	[pages]
	park_retry = 100ms
END
mkdir "$work/cores"
AS="env -C $work/cores LOOK=here" start_engine -o config="$work/own/conf" -o log.target=journal
for n in 1 2 3; do
	tell_engine "{\"at\":100$n,\"alert\":\"raise\",\"code\":\"DATA_FEED_DOWN\",\"priority\":\"P1\",\
\"message\":\"openly said\",\"session_id\":\"s$n\"}"
done
enough() {
	[ "$(came)" -ge 10 ]
}
await enough
for verb in status alerts snapshot check page-test; do
	case $verb in
	check | page-test) set -- --config "$work/own/conf" ;;
	*) set -- ;;
	esac
	"$TOCSIN" $verb "$@" >"$work/out" 2>"$work/err"
	absent "what $verb shows" "$work/out" "$work/err"
done

# A file that gets worse while it is used.
umask 077
printf 'whsec_%s!\n' "$secret" >"$work/own/secret.new"
mv "$work/own/secret.new" "$work/own/secret"
printf '%s\n' "$token" "$key" >"$work/own/token.new"
mv "$work/own/token.new" "$work/own/token"
umask 022
tell_engine '{"at":2000,"alert":"raise","code":"DATA_FEED_DOWN","priority":"P1","message":"last","session_id":"s4"}'
told_of_files() {
	journalctl -o cat | grep -q "secret_file .* cannot be used" &&
		journalctl -o cat | grep -q "token_file .* cannot be used"
}
await told_of_files
grep -qF "Bearer $token" "$work/came" || fail "the token did not come: $(head -n 1 "$work/came")"
grep -qF "/hook/$path" "$work/came" || fail "the path did not come"

await all_is_told
absent "the journal" "$work/journal"

present "the outbox" "openly said" "$state/outbox"
absent "the state folder" "$state"
present "the recorder" "openly said" "$run"
absent "the runtime folder" "$run"
present "the snapshot" "PAGER_DEGRADED" "$state/snapshot.json"
absent "the engine's own words" "$work/engine.out" "$work/engine.err"

cat "/proc/$engine/cmdline" >"$work/cmdline"
cat "/proc/$engine/environ" >"$work/environ"
present "argv" "$work/own/conf" "$work/cmdline"
absent "argv" "$work/cmdline"
present "the environment" "LOOK=here" "$work/environ"
absent "the environment" "$work/environ"

# --- a core dump. A token is in it: it goes through libcurl's memory, as tocsin.conf(5) says.

# The kernel's, where it writes cores to files and lets us have one; else gdb's of the living engine.
dump_core() {
	case $(cat /proc/sys/kernel/core_pattern) in
	core | core.%p)
		prlimit --pid "$engine" --core=unlimited 2>/dev/null && kill -ABRT "$engine" &&
			{ wait "$engine"; } 2>/dev/null
		core=$(find "$work/cores" -type f)
		[ -n "$core" ] && engine= && return
		;;
	esac
	kill -0 "$engine" 2>/dev/null && command -v gcore >/dev/null &&
		gcore -o "$work/cores/core" "$engine" >"$work/gcore.out" 2>&1
	core=$(find "$work/cores" -type f)
	[ -n "$core" ]
}
if [ -n "${SANITIZERS:-}" ]; then
	echo "note: no core dump was looked through: it would be the sanitizers'"
elif dump_core; then
	present "the core dump" "openly said" "$core"
	canaries=$work/own/signing absent "the core dump" "$core"
else
	echo "note: no core dump was looked through: none can be had here"
fi
rm -rf "$work/cores"

# --- a URL that was given as an option is kept for those who come after a death, for nobody else

url=http://$hook
drain=100ms run "$work/raise"
(cd "$work/state" && LC_ALL=C grep -rlaF "$path" .) >"$work/kept"
is ./settings.json "$(cat "$work/kept")" "the files with the URL"
is 600 "$(stat -c %a "$work/state/settings.json")" "the mode of settings.json"

# --- check warns of secrets that others may read or write, and of those alone

secret=$work/mode.secret
printf 'whsec_%s\n' "$(head -c 32 /dev/urandom | base64 -w 0)" >"$secret"
for case in "0644 may be read" "0604 may be read" "0666 may be read" "0620 may be written" \
	"0602 may be written" "0600 " "0640 " "0400 "; do
	mode=${case%% *} said=${case#* }
	chmod "$mode" "$secret"
	"$TOCSIN" check -o config= -o webhook.url=http://127.0.0.1:1/ -o webhook.secret_file="$secret" \
		>"$work/out" 2>"$work/err"
	if [ -n "$said" ]; then
		tells out "warning  webhook: secret_file: $secret $said by others"
	else
		grep -q "by others" "$work/out" && fail "mode $mode is warned of"
	fi
done
# Errors come before warnings, and those before what is well.
"$TOCSIN" check -o config= -o recorder.size=0 -o webhook.url=ftp://x/ >"$work/out" 2>&1
is 2 "$(grep -c '^FAILED ' "$work/out")" "errors told at once"
"$TOCSIN" check -o config= -o webhook.url=http://127.0.0.1:1/ >"$work/out" 2>&1
is "FAILED warning ok " "$(sed 's/ .*//' "$work/out" | uniq | tr '\n' ' ')" "the order of what is told"
exit 0
