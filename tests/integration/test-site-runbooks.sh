#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A site's own runbooks: a code of its own has its own priority, message id, times and link in the
# log and in pages; contacts are filled in; what is wrong is told by file and line and the rest goes
# on; `tocsin runbook` shows them and `tocsin check --runbooks` looks at them closely.
. "$top_srcdir/tests/integration/common.sh"
begin
folder=$work/runbooks
TOCSIN_RUNBOOKS=$top_srcdir/runbooks
export TOCSIN_RUNBOOKS
mkdir "$folder"
conf=$work/tocsin.conf
id=3f1e5a0c9b7d4e2f8a6b1c0d9e8f7a6b

# runbook NAME CODE PRIORITY ID: one that is right in all.
runbook() {
	cat >"$folder/$1" <<END
---
code: $2
priority: $3
message-id: $4
title: The gateway is gone
ack-within: 7m
escalate-to: gateway-desk
page-after: 0
---
# $2

## Meaning

No order leaves. See [the index](README.md) and <https://example.org/>.

## Impact

- Live: orders rest.

## First minutes

1. Shadow or live? \`tocsin sessions\`
2. Call {{gateway-desk}}, then {{trading-desk}}.

## Diagnosis

\`\`\`sh
## Meaning is no heading here, nor is [this](absent.md) a link
ping gateway
\`\`\`

## Mitigation

1. Wait.

## Do not

- Do not resend.

## Resolved when

- It answers.

## Escalation

- {{trading-desk}}
END
}

runbook gateway_down.md GATEWAY_DOWN P1 $id
runbook general.md GENERAL P2 25a921e8f355bf11842be768b80009c4
echo '# Ours' >"$folder/README.md"
printf '%s\n' '[runbooks]' "dir = $folder" '[contacts]' \
	'gateway-desk = +1 555 0100 (desk phone)' >"$conf"

# A code of the site's in the log, with all fields, and its page.
cat >"$work/events" <<END
{"at":1000,"session":"created","session_id":"live_1"}
{"at":1001,"alert":"raise","code":"GATEWAY_DOWN","message":"no answer","session_id":"live_1"}
{"at":1002,"alert":"raise","code":"NEVER_HEARD_OF","message":"odd"}
{"at":1003,"alert":"raise","code":"EXECUTION_ERROR","message":"timeout"}
END
start_receiver --json
status 0 "$TOCSIN" play -o config="$conf" -o log.target=stderr -o webhook.url="$url" \
	-o webhook.priorities=P1,P2 "$work/events"
stop_receiver
grep -F GATEWAY_DOWN "$work/err" >"$work/own" || fail "the site's code is not in the log"
for part in "[P1] GATEWAY_DOWN: no answer" \
	"documentation=\"file://$folder/gateway_down.md\""; do
	grep -qiF -e "$part" "$work/own" || { cat "$work/own"; fail "the entry lacks $part"; }
done
tells err "[P2] NEVER_HEARD_OF: odd"
tells err "[P2] EXECUTION_ERROR: timeout"
for part in '"code":"GATEWAY_DOWN"' '"priority":"P1"' '"ack_within":"7m"' \
	'"escalate_to":"gateway-desk: +1 555 0100 (desk phone)"' \
	"\"runbook_url\":\"file://$folder/gateway_down.md\"" '"escalate_to":"trading-desk"'; do
	tr -d ' \\' <"$work/pages" | grep -qF -e "$(printf '%s' "$part" | tr -d ' ')" || {
		cat "$work/pages"
		fail "no page says $part"
	}
done

# In the journal it is found by the message id of its own.
journald=$top_srcdir/tests/integration/private-journald
if "$journald" --probe >/dev/null 2>&1; then
	export conf work id
	# shellcheck disable=SC2016 # for the shell inside
	status 0 "$journald" /bin/sh -c '"$TOCSIN" play -o config="$conf" "$work/events" >/dev/null &&
		journalctl --sync && journalctl -q MESSAGE_ID="$id" -o cat --output-fields=TOCSIN_CODE'
	is GATEWAY_DOWN "$(cat "$work/out")" "the code found by the message id"
fi

# The link is the base's once one is given.
status 0 "$TOCSIN" play -o config="$conf" -o log.target=stderr \
	-o runbooks.base_url=https://r.example/x/ "$work/events"
tells err "https://r.example/x/gateway_down.md"

# A broken head is told once, at start, and the rest goes on.
sed '3s/P1/P9/' "$folder/gateway_down.md" | sed '2s/GATEWAY/BROKER/' >"$folder/broker_down.md"
status 0 "$TOCSIN" play -o config="$conf" -o log.target=stderr "$work/events"
is 1 "$(grep -c "^the site's runbooks: $folder/broker_down.md:3: priority: expected P1, P2 or P3" \
	"$work/err")" \
	"how often a broken head is told"
tells err "[P1] GATEWAY_DOWN: no answer"
status 1 "$TOCSIN" check --config "$conf" -o log.target=stderr -o paths.state_dir="$work/state" \
	-o paths.runtime_dir="$work/runtime"
tells out "FAILED   $folder/broker_down.md:3: priority: expected P1, P2 or P3, found P9"
ours=$(find "$top_srcdir/runbooks" -name '*.md' ! -name README.md | wc -l)
# One of the site's two stands instead of one of ours.
tells out "ok       runbooks: $((ours + 1)) codes, 2 of them the site's own"
tells out "warning  contacts: trading-desk is not set in [contacts]"
tells out "warning  contacts: stop-switch is not set in [contacts]"
grep -q "contacts: gateway-desk" "$work/out" && fail "a contact that is set is warned of"
rm "$folder/broker_down.md"

# Shown: the list, the filled text, the head, and what is near an unknown code.
status 0 "$TOCSIN" runbook --config "$conf"
tells out "GATEWAY_DOWN"
tells out "$folder/gateway_down.md"
tells out "$top_srcdir/runbooks/drift_high.md"
status 0 "$TOCSIN" runbook --config "$conf" gateway_down
tells out "GATEWAY_DOWN, P1: acknowledge within 7m, then escalate to gateway-desk: +1 555 0100 (desk phone)"
tells out "2. Call +1 555 0100 (desk phone), then (trading-desk: not set, see [contacts])."
tells err "not set in 2 places"
grep -q '^message-id' "$work/out" && fail "the head is shown"
status 0 "$TOCSIN" runbook --config "$conf" -o contacts.trading-desk="+1 555 0199" DATA_FEED_DOWN
tells out "+1 555 0199"
status 0 "$TOCSIN" runbook --config "$conf" --json GATEWAY_DOWN
tells out "\"message_id\":\"$id\""
tells out '"contact":"+1 555 0100 (desk phone)"'
tells out '"of_site":true'
is "$ours" "$("$TOCSIN" runbook -o config= --json | grep -c '^{.*"of_site":false.*}$')" "codes as JSON"
status 1 "$TOCSIN" runbook --config "$conf" GATEWAY_DWN
tells err "there is no runbook for GATEWAY_DWN; near it: GATEWAY_DOWN"
status 1 "$TOCSIN" runbook --config "$conf" DRIFT
tells err "DRIFT_CRITICAL, DRIFT_HIGH"
status 1 "$TOCSIN" runbook --config "$conf" ../../etc/passwd
status 2 "$TOCSIN" runbook --config "$conf" A B
status 1 "$TOCSIN" runbook --config "$work/absent.conf" GENERAL

# Looked at closely: what is right, and then what is not, each by file and line.
check() {
	"$TOCSIN" check --config "$conf" --runbooks "$folder"
}
status 0 check
tells out "ok       runbooks: 2 in $folder are right"
tells out "warning  $folder/gateway_down.md:23: trading-desk: not set, see [contacts]"
grep -q "gateway-desk" "$work/out" && fail "a contact that is set is warned of"

# wrong LINE TEXT SCRIPT: the runbook changed by the sed script.
wrong() {
	runbook gateway_down.md GATEWAY_DOWN P1 $id
	sed -i "$3" "$folder/gateway_down.md"
	status 1 check
	tells out "FAILED   $folder/gateway_down.md:$1: $2"
}
wrong 1 "expected ---" 1d
wrong 4 "message-id: expected 32 hex digits" '4s/.$//'
wrong 5 "title: has no value" '5s/:.*/:/'
wrong 4 "message-id: is GENERAL's already" '4s/: .*/: 25a921e8f355bf11842be768b80009c4/'
wrong 45 'there is no section "## Impact"' '/^## Impact/d'
wrong 16 'the section "## Impact" has no text' '/^- Live/d'
wrong 36 'the section "## Impact" is there already, at line 16' 's/^## Do not/## Impact/'
wrong 36 'the section "## Diagnosis" must come before "## Mitigation"' \
	's/^## Diagnosis/## X/; s/^## Mitigation/## Y/; s/^1. Wait/## Mitigation\nx\n## Diagnosis\nx/'
wrong 14 'the link to absent.md points to nothing' 's/README.md/absent.md/'
wrong 14 'the link to ../absent.md#x points to nothing' 's/README.md/..\/absent.md#x/'
wrong 45 'a block of ``` has no end' '30d'
runbook gateway_down.md GATEWAY_DOWN P1 $id
status 1 "$TOCSIN" check --config "$conf" --runbooks "$work/absent"
tells out "FAILED   $work/absent: cannot be read: No such file or directory"

# The built-in ones stand the same test, and are told of the same way when they are broken.
status 0 "$TOCSIN" check -o config= --runbooks "$top_srcdir/runbooks"
tells out "ok       runbooks: $ours in $top_srcdir/runbooks are right"
awk_told() {
	LC_ALL=C "$AWK" -f "$top_srcdir/runbooks/heads.awk" -f "$top_srcdir/runbooks/index.awk" \
		"$work/alone/general.md" 2>&1 >/dev/null | sed "s|^$work/alone/||" | head -n 1
}
mkdir "$work/alone"
for script in 1d '2s/GENERAL/general/' '2s/GENERAL/OTHER/' '3s/P3/P4/' '4s/.$/Z/' '5s/:.*/:/' \
	'6s/8h/8 hours/' '7s/$/ and all/' '8s/page-after/page-afterwards/' 8d '8s/.*/title: x/'; do
	sed "$script" "$top_srcdir/runbooks/general.md" >"$work/alone/general.md"
	status 1 "$TOCSIN" check -o config= --runbooks "$work/alone"
	tells out "$(awk_told)"
done
