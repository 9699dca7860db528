#!/bin/sh
# SPDX-License-Identifier: MIT
#
# `page-test` posts one signed page of type test to each endpoint, and tells what came back.
. "$top_srcdir/tests/integration/common.sh"
begin

umask 077
echo whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw >"$work/secret"
start_receiver --secret-file "$work/secret" --json
status 0 "$TOCSIN" page-test -o webhook.url="$url" -o webhook.secret_file="$work/secret"
tells out "webhook: taken, answer 2"
grep '"webhook-id"' "$work/pages" >"$work/page" || fail "no page came"
is 1 "$(wc -l <"$work/page")" "pages"
tells page '"type":"test"'
tells page '"webhook-id":"'
grep -q '"webhook-id":"[^"]*\.test"' "$work/page" || fail "it has no id of its own"
tells page '"code":"GENERAL"'
tells page "nothing is wrong"

# The settings' file, and one endpoint of it.
cat >"$work/conf" <<END
[webhook]
url = $url
secret_file = $work/secret
END
status 0 "$TOCSIN" page-test --config "$work/conf" --endpoint webhook
tells out "webhook: taken"
status 1 "$TOCSIN" page-test --config "$work/conf" --endpoint pager
tells err "there is no endpoint pager; there are: webhook"

# Not signed as it should be: refused, told once, no second attempt.
status 1 "$TOCSIN" page-test -o webhook.url="$url"
tells out "webhook: NOT taken: "
tells out "401"
is 1 "$(wc -l <"$work/out")" "lines"
stop_receiver
status 1 "$TOCSIN" page-test --config "$work/conf"
tells out "webhook: NOT taken: "

status 1 "$TOCSIN" page-test -o config=
tells err "no webhook.url is set"
status 1 "$TOCSIN" page-test -o webhook.url=gopher://x/
status 2 "$TOCSIN" page-test now
