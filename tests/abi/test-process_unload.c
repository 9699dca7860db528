/* SPDX-License-Identifier: MIT */
/*
 * The plugin leaves: after destroy, dlclose takes all of it away, even while libcurl's resolver
 * still waits for an answer. The resolver is this program's own getaddrinfo, which stands before
 * the C library's. TOCSIN_TEST_LOG names the log's target where it is not to be stderr.
 */
#include "config.h"
#include "process.h"
#include "receiver.h"

#include <netdb.h>
#include <sys/stat.h>

#define CYCLES 20
#define SLOW_HOST "slow.example"

/* --- A resolver that answers when it is let --- */

static pthread_mutex_t resolver_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t resolver_changed = PTHREAD_COND_INITIALIZER;
static unsigned resolver_asked, resolver_left; /* inside now; have gone again */
static bool resolver_open;

TOCSIN_EXPORT int getaddrinfo(const char *restrict node, const char *restrict service,
			      const struct addrinfo *restrict hints, struct addrinfo **restrict ret)
{
	(void)node;
	(void)service;
	(void)hints;
	(void)ret;
	pthread_mutex_lock(&resolver_mutex);
	resolver_asked++;
	pthread_cond_broadcast(&resolver_changed);
	while (!resolver_open)
		pthread_cond_wait(&resolver_changed, &resolver_mutex);
	resolver_left++;
	pthread_cond_broadcast(&resolver_changed);
	pthread_mutex_unlock(&resolver_mutex);
	return EAI_AGAIN;
}

static unsigned resolver_within(void)
{
	pthread_mutex_lock(&resolver_mutex);
	unsigned n = resolver_asked - resolver_left;
	pthread_mutex_unlock(&resolver_mutex);
	return n;
}

static void resolver_await_question(void)
{
	pthread_mutex_lock(&resolver_mutex);
	while (resolver_asked == 0)
		pthread_cond_wait(&resolver_changed, &resolver_mutex);
	pthread_mutex_unlock(&resolver_mutex);
}

static void resolver_answer(void)
{
	pthread_mutex_lock(&resolver_mutex);
	resolver_open = true;
	pthread_cond_broadcast(&resolver_changed);
	pthread_mutex_unlock(&resolver_mutex);
}

/* --- */

static void load(struct world *w)
{
	tocsin_negotiation n = { sizeof n, 0, TOCSIN_ABI_MINOR, 0, NULL };

	dlclose(w->so);
	w->so = dlopen(getenv("TOCSIN_PLUGIN"), RTLD_NOW | RTLD_LOCAL);
	assert_non_null(w->so);
	assert_int_equal(entry_of(w->so)(&n), TOCSIN_OK);
	w->plugin = n.plugin;
}

static void raises(struct world *w, tocsin_instance *i, const char *code)
{
	/* Incidents stay open over a stop: each is another session's, so that each is paged. */
	static unsigned raised;
	tocsin_alert_event a = alert_event(TOCSIN_ALERT_RAISE, code);
	char session[24];

	snprintf(session, sizeof session, "session-%u", raised++);
	a.session_id = str(session);
	a.priority = 1;
	assert_int_equal(w->plugin->on_alert(i, &a, NULL), TOCSIN_OK);
	dprintf(STDOUT_FILENO, "# raised\n"); /* counted by test-host-process.sh */
}

static void log_to_the_target_asked_for(struct world *w)
{
	const char *target = getenv("TOCSIN_TEST_LOG");

	if (target)
		option(w, "log.target", target);
}

static void a_cycle(struct world *w, struct receiver *r, unsigned n)
{
	tocsin_instance *i = start(w);

	raises(w, i, "DATA_FEED_DOWN");
	if (n % 2 == 0)
		receiver_wait(r, n + 1);
	assert_int_equal(w->plugin->stop(i, UINT64_MAX), TOCSIN_OK);
	w->plugin->destroy(i);
	unload(w);
	tasks_await("tocsin-", 0);
}

static void unloaded_again_and_again_it_leaves_no_descriptor(void **state)
{
	static const char *const take[] = { STEP_TAKE };
	struct world *w = *state;
	struct receiver *r = receiver_start(take, 1);

	option(w, "webhook.url", r->url);
	log_to_the_target_asked_for(w);
	size_t threads = tasks_count(""), descriptors = descriptors_count();
	for (unsigned n = 0; n < CYCLES; n++) {
		a_cycle(w, r, n);
		assert_int_equal(descriptors_count(), descriptors);
		if (n + 1 < CYCLES)
			load(w);
	}
	assert_int_equal(receiver_seen(r), CYCLES);
	assert_int_equal(tasks_count(""), threads);
	receiver_stop(r);
}

/*
 * Hosts with garbage collectors let go of the library when they like. Each letter is what such a
 * host does next: (s)tart, (r)aise, let go of the library with d(l)close, (f)lush, sto(p),
 * (d)estroy. Of two instances the capitals are what is done with the second.
 */
static const char *const orders[] = {
	"sld",  "srld",  "slrd",    "slrfd",  "slpd",    "slrpd",
	"spld", "srpld", "sSlrRdD", "sSlDrd", "sSlpPDd", "sSpdlRD",
};

static void takes_a_step(struct world *w, char step, tocsin_instance **i)
{
	switch (step | 0x20) {
	case 's':
		*i = start(w);
		break;
	case 'r':
		raises(w, *i, "DATA_FEED_DOWN");
		break;
	case 'l':
		assert_int_equal(dlclose(w->so), 0);
		assert_true(is_mapped("/tocsin.so"));
		break;
	case 'f':
		assert_int_equal(w->plugin->flush(*i, TOCSIN_FLUSH_DURABLE, UINT64_MAX), TOCSIN_OK);
		break;
	case 'p':
		assert_int_equal(w->plugin->stop(*i, UINT64_MAX), TOCSIN_OK);
		break;
	default:
		w->plugin->destroy(*i);
		*i = NULL;
		break;
	}
}

static void an_instance_holds_its_library_until_it_is_destroyed(void **state)
{
	struct world *w = *state;

	log_to_the_target_asked_for(w);
	for (size_t n = 0; n < sizeof orders / sizeof *orders; n++) {
		tocsin_instance *instances[2] = { NULL, NULL };

		print_message("# %s\n", orders[n]);
		for (const char *step = orders[n]; *step; step++)
			takes_a_step(w, *step, &instances[(*step & 0x20) == 0]);
		tasks_await("tocsin-", 0);
		assert_null(dlopen(getenv("TOCSIN_PLUGIN"), RTLD_NOW | RTLD_NOLOAD));
		assert_false(is_mapped("/tocsin.so"));
		w->so = dlopen(NULL, RTLD_NOW);
		load(w);
	}
}

/* Last: what it pins stays. */
static void a_resolver_that_answers_late_finds_its_code_still_there(void **state)
{
	struct world *w = *state;

	option(w, "webhook.url", "http://" SLOW_HOST "/");
	option(w, "webhook.allow_insecure", "yes");
	option(w, "webhook.connect_timeout", "60s");
	option(w, "webhook.timeout", "5m");
	log_to_the_target_asked_for(w);
	tocsin_instance *i = start(w);
	raises(w, i, "DATA_FEED_DOWN");
	resolver_await_question();
	/* Were the resolver waited for, this would not return: it answers only afterwards. */
	assert_int_equal(w->plugin->stop(i, NS_PER_S), TOCSIN_OK);
	w->plugin->destroy(i);
	assert_true(resolver_within() > 0);
	unload(w);
	/* Its thread has been made by ours, and has the name. */
	assert_true(tasks_count("tocsin-") > 0);
	resolver_answer();
	tasks_await("tocsin-", 0);
	assert_int_equal(resolver_within(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_world(unloaded_again_and_again_it_leaves_no_descriptor),
		in_world(an_instance_holds_its_library_until_it_is_destroyed),
		in_world(a_resolver_that_answers_late_finds_its_code_still_there),
	};

	alarm(240);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
