/* SPDX-License-Identifier: MIT */
/*
 * How much of its thread's stack a hot call takes: an engine that has laid out its memory before it
 * begins has to know.
 */
#include "config.h"
#include "host.h"
#include "process.h"

#include <pthread.h>
#include <sys/mman.h>

#define PROMISED 8192 /* bytes, tocsin_plugin.h */
#define STACK ((size_t)256 * 1024)
#define PAINT 0xa5
#define TEXT_LEN 4000

static char text[TEXT_LEN];
static tocsin_kv kv[100];

static tocsin_rc say_pulse(const struct world *w, tocsin_instance *i)
{
	tocsin_health_event e = health_event(TOCSIN_HEALTH_FEED_PULSE);

	return w->plugin->on_health(i, &e);
}

static tocsin_rc say_much_health(const struct world *w, tocsin_instance *i)
{
	tocsin_health_event e = health_event(TOCSIN_HEALTH_DRIFT);

	e.source = e.session_id = (tocsin_str){ text, TEXT_LEN };
	e.kv = kv;
	e.n_kv = 100;
	return w->plugin->on_health(i, &e);
}

static tocsin_rc say_much_session(const struct world *w, tocsin_instance *i)
{
	tocsin_session_event e = session_event(TOCSIN_SESSION_CREATED, "s", "running");

	e.session_id = e.status = (tocsin_str){ text, TEXT_LEN };
	e.kv = kv;
	e.n_kv = 100;
	return w->plugin->on_session(i, &e);
}

static tocsin_rc say_much_alert(const struct world *w, tocsin_instance *i)
{
	tocsin_alert_event e = alert_event(TOCSIN_ALERT_RAISE, "GENERAL");
	uint64_t number;

	e.code = e.message = e.session_id = e.instance = (tocsin_str){ text, TEXT_LEN };
	e.kv = kv;
	e.n_kv = 100;
	return w->plugin->on_alert(i, &e, &number);
}

static tocsin_rc say_nothing(const struct world *w, tocsin_instance *i)
{
	tocsin_rc rc = w->plugin->on_alert(i, NULL, NULL);

	return rc == TOCSIN_E_ARG ? TOCSIN_OK : TOCSIN_E_IO;
}

struct caller {
	struct world *world;
	tocsin_instance *instance;
	tocsin_rc (*say)(const struct world *, tocsin_instance *);
	const uint8_t *lowest; /* of its stack */
	tocsin_rc rc;
	size_t took;
};

static void *call(void *arg)
{
	struct caller *c = arg;
	const uint8_t *here = __builtin_frame_address(0), *at = c->lowest;

	c->rc = c->say(c->world, c->instance);
	while (*at == PAINT)
		at++;
	c->took = (size_t)(here - at);
	return NULL;
}

static void a_hot_call_takes_no_more_of_the_stack_than_is_said(void **state)
{
	if (is_watched()) {
		print_message("# under a sanitizer, or valgrind, a call takes more\n");
		skip();
	}
	static tocsin_rc (*const all[])(const struct world *, tocsin_instance *) = {
		say_pulse, say_much_health, say_much_session, say_much_alert, say_nothing,
	};
	struct world *w = *state;
	tocsin_instance *i = start(w);
	uint8_t *stack =
		mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t most = 0;

	assert_true(stack != MAP_FAILED);
	memset(text, 'x', sizeof text);
	for (size_t n = 0; n < 100; n++)
		kv[n] = (tocsin_kv){ { text, 3 }, { text, n == 0 ? 2000 : 5 } };
	for (size_t n = 0; n < sizeof all / sizeof *all; n++) {
		struct caller c = { .world = w, .instance = i, .say = all[n], .lowest = stack };
		pthread_attr_t attr;
		pthread_t thread;

		memset(stack, PAINT, STACK);
		assert_int_equal(pthread_attr_init(&attr), 0);
		assert_int_equal(pthread_attr_setstack(&attr, stack, STACK), 0);
		assert_int_equal(pthread_create(&thread, &attr, call, &c), 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
		pthread_attr_destroy(&attr);
		assert_int_equal(c.rc, TOCSIN_OK);
		assert_in_range(c.took, 1, PROMISED);
		most = c.took > most ? c.took : most;
	}
	print_message("# the most that a call took: %zu bytes\n", most);
	munmap(stack, STACK);
	w->plugin->destroy(i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_world(a_hot_call_takes_no_more_of_the_stack_than_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
