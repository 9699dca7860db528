#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Pages over TLS, to a real nginx: a receiver that proves who it is gets them; one that does not gets
# none, never without encryption, and has what waited once it is mended. Certificates of our own, and
# tokens. Host names end in .localhost, which is always this host.
. "$top_srcdir/tests/integration/common.sh"
. "$top_srcdir/tests/integration/answers.sh"
. "$top_srcdir/tests/integration/nginx.sh"
find_nginx
begin_answers

day() {
	date -u -d "$1" +%y%m%d
}
make_authority ours
make_authority theirs
make_certificate good ours good.localhost "$(day -1day)" "$(day +20day)" \
	,DNS:mutual.localhost,DNS:optional.localhost,DNS:guarded.localhost,DNS:old.localhost
make_certificate soon ours soon.localhost "$(day -1day)" "$(day +5day)"
make_certificate expired ours expired.localhost 200101 200201
make_certificate early ours early.localhost "$(day +2day)" "$(day +20day)"
make_certificate other ours elsewhere.example "$(day -1day)" "$(day +20day)"
make_certificate unknown theirs unknown.localhost "$(day -1day)" "$(day +20day)"
make_certificate client ours "engine live-1" "$(day -1day)" "$(day +20day)"
make_certificate past ours "engine live-1" 200101 200201
make_certificate stranger theirs "engine live-1" "$(day -1day)" "$(day +20day)"

# server NAME CERTIFICATE [LINE]...: what nginx does as NAME.localhost on the port of today's TLS.
server() {
	host=$1 certificate=$2
	shift 2
	cat <<-END
		server {
			listen 127.0.0.1:$tls ssl;
			server_name $host.localhost;
			ssl_certificate $work/$certificate.pem;
			ssl_certificate_key $work/$certificate.key;
			$*
			location / {
				proxy_pass http://127.0.0.1:$backend;
				proxy_set_header X-Host \$host;
				proxy_set_header X-Protocol \$ssl_protocol;
				proxy_set_header X-Client \$ssl_client_s_dn;
			}
		}
	END
}

servers() {
	server good good "ssl_protocols TLSv1.2 TLSv1.3;"
	server soon soon
	server expired expired
	server early early
	server other other
	server unknown unknown
	server mutual good "ssl_verify_client on; ssl_client_certificate $work/ours.pem;"
	server optional good "ssl_verify_client optional; ssl_client_certificate $work/ours.pem;
		if (\$ssl_client_verify != SUCCESS) { return 403; }"
	server guarded good "if (\$http_authorization != 'Bearer right') { return 401; }"
	cat <<-END
		server {
			listen 127.0.0.1:$old ssl;
			server_name old.localhost;
			ssl_certificate $work/good.pem;
			ssl_certificate_key $work/good.key;
			ssl_protocols TLSv1 TLSv1.1;
			ssl_ciphers DEFAULT@SECLEVEL=0;
			location / { proxy_pass http://127.0.0.1:$backend; }
		}
	END
}

# The scripted receiver behind it takes whatever nginx lets through, and notes it.
for again in 1 2 3 4 5; do
	# shellcheck disable=SC2046
	set -- $(free_ports 3)
	tls=$1 old=$2 strict=$3
	script 200
	backend=$port
	servers >"$work/servers.conf"
	try_nginx && break
	[ "$again" != 5 ] || fail "nginx does not start: $(cat "$work/nginx.out" "$work/nginx.err")"
	stop_receiver
done

# to NAME [OPTION]...: a page to that host.
to() {
	url=https://$1.localhost:${2:-$tls}/hook/way
	shift $(($# > 1 ? 2 : 1))
	run "$work/raise" -o webhook.ca_file="$work/ours.pem" "$@"
}

# delivered: the one page came, and nothing waits.
delivered() {
	is "$1" "$(results)" "results of $url"
	is 1 "$(came)" "requests through $url"
	is 0 "$(waiting)" "files that wait for $url"
	cp "$work/came" "$work/last"
	: >"$work/came"
}

# refused RESULT: it was not delivered, went nowhere, and waits.
refused() {
	case " $(results)" in
	*" delivered"*) fail "delivered to $url" ;;
	" $1"*) ;;
	*) fail "results of $url: $(results)" ;;
	esac
	is 0 "$(came)" "requests through $url"
	is 1 "$(waiting)" "files that wait for $url"
}

# It asks something, which posts nothing.
check() {
	"$TOCSIN" check -o log.target=stderr -o paths.state_dir="$work/state" \
		-o paths.runtime_dir="$work/run" -o webhook.url="$url" "$@"
	checked=$?
	grep -v '"method":"OPTIONS"' "$work/came" && fail "check posts to $url"
	: >"$work/came"
	return $checked
}

# --- who the receiver is

to good
delivered delivered
tells last '"x-host":"good.localhost"'
grep -qE '"x-protocol":"TLSv1\.[23]"' "$work/last" || fail "not TLS 1.2 or newer"
status 0 check -o webhook.ca_file="$work/ours.pem"
tells out "ok       webhook: https://good.localhost:$tls answers"
tells out "webhook: its certificate is good until $(date -u -d +20day +%F)"

to soon
delivered delivered
status 0 check -o webhook.ca_file="$work/ours.pem"
tells out "warning  webhook: its certificate ends on $(date -u -d +5day +%F)"

drain=1s
for host in expired early other unknown; do
	to $host
	refused "parked"
	tells err "$host.localhost: "
	tells err 'code="PAGER_DEGRADED" priority="P2" state="firing"'
	status 1 check -o webhook.ca_file="$work/ours.pem"
	tells out "FAILED   webhook: https://$host.localhost:$tls is not trusted: "
done

# Our authority is not one of the system's; and named, it is the only one.
url=https://good.localhost:$tls/hook/way
run "$work/raise"
refused "parked"
to good "$tls" -o webhook.ca_file="$work/theirs.pem"
refused "parked"

# With theirs as the system's it is trusted, unless we name our own.
system=/etc/ssl/certs
mkdir "$work/system"
cp "$work/theirs.pem" "$work/system/ca-certificates.crt"
cp "$work/theirs.pem" "$work/system/$(openssl x509 -hash -noout -in "$work/theirs.pem").0"
cat >"$work/trusting" <<-END
	#!/bin/sh
	mount --bind "$work/system" $system && exec "\$@"
END
chmod +x "$work/trusting"
as="unshare --user --map-root-user --mount $work/trusting"
if [ "$(curl-config --ca)" = $system/ca-certificates.crt ] && $as true 2>"$work/as.err"; then
	url=https://unknown.localhost:$tls/hook/way
	run "$work/raise"
	delivered delivered
	to unknown
	refused "parked"
else
	echo "note: the system's authorities cannot be others here: $(cat "$work/as.err")"
fi
as=

# Too old to be safe: no page, as with any connection that fails.
to old "$old"
refused "retry"
echo | openssl s_client -connect 127.0.0.1:"$old" -tls1_1 -cipher DEFAULT@SECLEVEL=0 \
	>"$work/s_client" 2>&1
grep -q 'Protocol *: TLSv1.1' "$work/s_client" ||
	echo "note: nginx here does not speak TLS 1.1, so it was refused for another reason"
# No TLS at all on that port.
url=https://good.localhost:$backend/hook/way
run "$work/raise"
refused "retry"
drain=

# --- who we are

to mutual "$tls" -o webhook.cert_file="$work/client.pem" -o webhook.key_file="$work/client.key"
delivered delivered
tells last '"x-client":"CN=engine live-1"'
cat "$work/client.key" "$work/client.pem" >"$work/both.pem"
to mutual "$tls" -o webhook.cert_file="$work/both.pem"
delivered delivered
# nginx says 400 to who shows none, or a stranger's; the page is not to blame for that.
drain=1s
for host in mutual optional; do
	to $host
	refused "parked"
	to $host "$tls" -o webhook.cert_file="$work/stranger.pem" \
		-o webhook.key_file="$work/stranger.key"
	refused "parked"
done
url=https://mutual.localhost:$tls/hook/way
status 0 check -o webhook.ca_file="$work/ours.pem" -o webhook.cert_file="$work/both.pem"
tells out "ok       webhook: https://mutual.localhost:$tls answers"
status 1 check -o webhook.ca_file="$work/ours.pem"
tells out "FAILED   webhook: https://mutual.localhost:$tls is not trusted: "
# Nor does it speak to who comes without TLS.
url=http://127.0.0.1:$tls/hook/way
status 1 check
tells out "FAILED   webhook: http://127.0.0.1:$tls is not trusted: "
run "$work/raise"
refused "parked"

# Others refuse by an alert; that of TLS 1.3 comes when the connection is made and the page is sent.
alerts() {
	: >"$work/s_server"
	openssl s_server -accept "127.0.0.1:$strict" -cert "$work/good.pem" -key "$work/good.key" \
		-CAfile "$work/ours.pem" -Verify 3 -verify_return_error "$@" -quiet -www \
		</dev/null >"$work/s_server" 2>&1 &
	alerting=$!
	await listens "$strict"
}
# listens PORT: somebody does.
listens() {
	grep -q ":$(printf %04X "$1") 00000000:0000 0A" /proc/net/tcp
}
for protocol in tls1_2 tls1_3; do
	alerts -$protocol
	for who in nobody stranger past; do
		set -- -o webhook.cert_file="$work/$who.pem" -o webhook.key_file="$work/$who.key"
		[ $who != nobody ] || set --
		to good "$strict" "$@"
		refused "parked"
		tells err 'code="PAGER_DEGRADED" priority="P2" state="firing"'
		status 1 check -o webhook.ca_file="$work/ours.pem" "$@"
		tells out "FAILED   webhook: https://good.localhost:$strict is not trusted: "
	done
	kill $alerting
	wait $alerting 2>/dev/null
done
# A key that is another's.
to optional "$tls" -o webhook.cert_file="$work/client.pem" -o webhook.key_file="$work/stranger.key"
refused "parked"
drain=

umask 077
echo "token-of-this-test" >"$work/token"
to good "$tls" -o webhook.token_file="$work/token"
delivered delivered
tells last '"authorization":"Bearer token-of-this-test"'

# --- mended while it waits

# during RESULT COMMAND...: once an attempt has ended so, the command; then the page is delivered.
during() {
	result=$1
	shift
	await ended "$result"
	is 0 "$(came)" "requests before it was mended"
	"$@" || fail "could not: $*"
	wait $player || fail "the engine"
	results | grep -qxE "($result )+delivered" || fail "results: $(results)"
	is 1 "$(grep -c 'result="delivered"' "$work/err")" "deliveries"
	is 1 "$(grep -o ' page_id="[^"]*"' "$work/err" | sort -u | wc -l)" "page ids"
	tells err 'code="PAGER_DEGRADED" priority="P2" state="resolved"'
	: >"$work/came"
}

renew() {
	make_certificate expired ours expired.localhost "$(day -1day)" "$(day +20day)"
	reload_nginx
}
rm -f "$work/err"
to expired &
player=$!
during parked renew

cp "$work/theirs.pem" "$work/ca.pem"
rm -f "$work/err"
to good "$tls" -o webhook.ca_file="$work/ca.pem" &
player=$!
# Put in its place whole, as whoever changes such a file should.
trust() {
	cp "$work/ours.pem" "$work/ca.new" && mv "$work/ca.new" "$work/ca.pem"
}
during parked trust

introduce() {
	cat "$work/client.key" "$work/client.pem" >"$work/own.new" &&
		mv "$work/own.new" "$work/own.pem"
}
cat "$work/stranger.key" "$work/stranger.pem" >"$work/own.pem"
rm -f "$work/err"
to mutual "$tls" -o webhook.cert_file="$work/own.pem" &
player=$!
during parked introduce

repair_token() {
	echo right >"$work/token.new" && mv "$work/token.new" "$work/token"
}
echo wrong >"$work/token"
rm -f "$work/err"
to guarded "$tls" -o webhook.token_file="$work/token" &
player=$!
during parked repair_token
stop_nginx
stop_receiver

new_secret() {
	echo "whsec_$(head -c 32 /dev/urandom | base64 -w 0)"
}
new_secret >"$work/secret"
new_secret >"$work/secret.new"
cp "$work/secret.new" "$work/secret.theirs"
start_receiver --secret-file "$work/secret.theirs"
rm -f "$work/err"
run "$work/raise" -o webhook.secret_file="$work/secret" &
player=$!
during parked mv "$work/secret.new" "$work/secret"
tells pages "signature   WRONG"
tells pages "signature   verified"
