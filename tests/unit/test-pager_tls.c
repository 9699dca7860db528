/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "pager_fixture.h"

#include "base/files.h"

/* Two authorities; the first has signed for this host and for another. */
struct papers {
	struct test_folder *folder;
	char *key, *cert, *foreign_cert; /* what servers show, PEM */
	char ca[128], other_ca[128];     /* what we trust, files */
};

static int openssl(const char *folder, const char *arguments)
{
	char command[1024];

	snprintf(command, sizeof command, "cd %s && openssl %s >>openssl.log 2>&1", folder,
		 arguments);
	return system(command);
}

static char *paper_read(const struct test_folder *f, const char *name)
{
	char *bytes = NULL;
	size_t len;

	assert_int_equal(file_read(f->fd, name, 65536, &bytes, &len), 0);
	return bytes;
}

#define NEW "req -x509 -days 2 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
#define BY_CA "-CA ca.pem -CAkey ca.key -subj /CN=receiver -addext subjectAltName="
#define NEW_CA NEW "-keyout ca.key -out ca.pem -subj /CN=authority"
#define NEW_OTHER NEW "-keyout other.key -out other.pem -subj /CN=other"
#define NEW_CERT NEW "-keyout key.pem -out cert.pem " BY_CA "IP:127.0.0.1"
#define NEW_FOREIGN "req -x509 -days 2 -key key.pem -out foreign.pem " BY_CA "DNS:other.example"

static int papers_make(void **state)
{
	static const char *const steps[] = { NEW_CA, NEW_OTHER, NEW_CERT, NEW_FOREIGN };
	struct papers *p = calloc(1, sizeof *p);
	int r = 0;

	assert_int_equal(test_folder_make((void **)&p->folder), 0);
	for (size_t i = 0; i < sizeof steps / sizeof *steps && r == 0; i++)
		r = openssl(p->folder->path, steps[i]);
	snprintf(p->ca, sizeof p->ca, "%s/ca.pem", p->folder->path);
	snprintf(p->other_ca, sizeof p->other_ca, "%s/other.pem", p->folder->path);
	if (r == 0 && MHD_is_feature_supported(MHD_FEATURE_TLS) == MHD_YES) {
		p->key = paper_read(p->folder, "key.pem");
		p->cert = paper_read(p->folder, "cert.pem");
		p->foreign_cert = paper_read(p->folder, "foreign.pem");
	}
	*state = p;
	return 0;
}

static int papers_remove(void **state)
{
	struct papers *p = *state;
	int r = test_folder_remove((void **)&p->folder);

	free(p->key);
	free(p->cert);
	free(p->foreign_cert);
	free(p);
	return r;
}

static struct http_server *server_start(const struct papers *p, const char *cert)
{
	static const long steps[] = { 200 };

	if (!p->key)
		skip(); /* without openssl, or a server that speaks TLS */
	return http_start_tls(steps, 1, p->key, cert);
}

static void desk_start_tls(struct desk *d, const struct http_server *s, char *ca)
{
	desk_init(d);
	desk_add(d, NULL, "");
	snprintf(d->url[0], sizeof d->url[0], "https://127.0.0.1:%u/T0K3N", s->port);
	d->endpoints[0].ca_file = ca;
	d->park_retry_ns = 3600 * NS_PER_S;
	assert_int_equal(desk_open(d), 0);
}

static void a_receiver_that_our_authority_knows_gets_pages(void **state)
{
	struct papers *p = *state;
	struct http_server *s = server_start(p, p->cert);
	struct desk d;
	unsigned seen, connections;

	desk_start_tls(&d, s, p->ca);
	desk_submit(&d, "a-1-feed", 1, PAGE_RAISED, 1);
	desk_wait(&d, &d.n_delivered, 1);
	desk_submit(&d, "b-2-feed", 1, PAGE_RAISED, 2);
	desk_wait(&d, &d.n_delivered, 2);
	http_count(s, &seen, &connections);
	assert_int_equal(connections, 1);
	desk_end(&d);
	http_stop(s);
}

static void what_cannot_be_verified_gets_nothing_and_is_parked(void **state)
{
	struct papers *p = *state;
	const struct {
		const char *cert;
		char *ca;
	} cases[] = { { p->cert, p->other_ca },
		      { p->cert, NULL /* the system's */ },
		      { p->foreign_cert, p->ca } };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct http_server *s = server_start(p, cases[i].cert);
		struct desk d;
		unsigned seen, connections;

		desk_start_tls(&d, s, cases[i].ca);
		desk_submit(&d, "a-1-feed", 1, PAGE_RAISED, 1);
		desk_wait(&d, &d.n_told, 1);
		assert_int_equal(d.told[0].result, ATTEMPT_PARKED);
		assert_int_equal(d.told[0].http_status, 0);
		assert_null(strstr(d.told[0].error, "T0K3N"));
		http_count(s, &seen, &connections);
		assert_int_equal(seen, 0);
		desk_end(&d);
		http_stop(s);
	}
}

static void changed_authorities_need_a_new_connection(void **state)
{
	struct papers *p = *state;
	struct http_server *s = server_start(p, p->cert);
	struct desk d;
	char trusted[128], fresh[160];
	struct test_folder *f = p->folder;
	unsigned seen, connections;

	snprintf(trusted, sizeof trusted, "%s/trusted.pem", f->path);
	snprintf(fresh, sizeof fresh, "%s/fresh.pem", f->path);
	assert_int_equal(link(p->ca, trusted), 0);
	desk_start_tls(&d, s, trusted);
	desk_submit(&d, "a-1-feed", 1, PAGE_RAISED, 1);
	desk_wait(&d, &d.n_delivered, 1);
	assert_int_equal(link(p->other_ca, fresh), 0);
	assert_int_equal(rename(fresh, trusted), 0);
	desk_submit(&d, "b-2-feed", 1, PAGE_RAISED, 2);
	desk_wait(&d, &d.n_told, 2);
	assert_int_equal(d.told[1].result, ATTEMPT_PARKED);
	http_count(s, &seen, &connections);
	assert_int_equal(seen, 1);
	assert_int_equal(connections, 2);
	/* Mended, it is tried before the hour is over. */
	assert_int_equal(link(p->ca, fresh), 0);
	assert_int_equal(rename(fresh, trusted), 0);
	desk_wait(&d, &d.n_delivered, 2);
	assert_int_equal(d.n_troubles, 0);
	desk_end(&d);
	http_stop(s);
}

static void a_file_that_is_bad_for_a_while_changes_nothing(void **state)
{
	struct papers *p = *state;
	struct http_server *s = server_start(p, p->cert);
	struct desk d;
	char trusted[128];

	snprintf(trusted, sizeof trusted, "%s/half.pem", p->folder->path);
	assert_int_equal(link(p->ca, trusted), 0);
	desk_start_tls(&d, s, trusted);
	assert_int_equal(unlink(trusted), 0);
	desk_submit(&d, "a-1-feed", 1, PAGE_RAISED, 1);
	desk_wait(&d, &d.n_delivered, 1);
	assert_int_equal(d.n_troubles, 1);
	assert_non_null(strstr(d.trouble, "ca_file"));
	desk_end(&d);
	http_stop(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_receiver_that_our_authority_knows_gets_pages),
		cmocka_unit_test(what_cannot_be_verified_gets_nothing_and_is_parked),
		cmocka_unit_test(changed_authorities_need_a_new_connection),
		cmocka_unit_test(a_file_that_is_bad_for_a_while_changes_nothing),
	};

	return cmocka_run_group_tests(tests, papers_make, papers_remove);
}
