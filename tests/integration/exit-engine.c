/* SPDX-License-Identifier: MIT */
/*
 * An engine that ends without saying goodbye, in each way a process can end by itself:
 *
 *	exit-engine WAY DELAY_US SECTION.KEY=VALUE...
 *
 * It loads the plugin, raises P1s at the place that the way names and ends DELAY_US later with the
 * status 7. Each P1 that was accepted is told on standard output by a line with its session, which
 * is unlike any other. The program is linked with nothing but the C library, so that the first to
 * load libcurl and OpenSSL is who the way says.
 */
#include "config.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tocsin_plugin.h"

#define STATUS 7
#define OPTIONS_MAX 16
#define NAP_US 20000 /* how long a handler leaves a page time to be on its way */
#define CYCLES 3

/* Handlers and destructors have no argument. */
static struct {
	tocsin_host host;
	tocsin_kv options[OPTIONS_MAX];
	size_t n_options;
	void *library;
	const tocsin_plugin *plugin;
	tocsin_instance *instance;
	useconds_t delay;
	unsigned raised;
	bool from_destructor;
} engine = { .host = { .size = sizeof engine.host, .name = "exit-engine" } };

static tocsin_str str(const char *s)
{
	return (tocsin_str){ s, strlen(s) };
}

static void give_up(const char *what)
{
	fprintf(stderr, "exit-engine: %s\n", what);
	_exit(1);
}

static void expect(tocsin_rc rc, const char *what)
{
	if (rc != TOCSIN_OK)
		give_up(what);
}

static void load(void)
{
	tocsin_negotiation n = { sizeof n, 0, TOCSIN_ABI_MINOR, 0, NULL };
	tocsin_plugin_entry *entry;

	engine.library = dlopen(getenv("TOCSIN_PLUGIN"), RTLD_NOW | RTLD_LOCAL);
	if (!engine.library)
		give_up(dlerror());
	entry = (tocsin_plugin_entry *)(uintptr_t)dlsym(engine.library, TOCSIN_PLUGIN_ENTRY);
	expect(entry(&n), TOCSIN_PLUGIN_ENTRY);
	engine.plugin = n.plugin;
}

static void create(void)
{
	char err[256] = "";

	expect(engine.plugin->create(&engine.host, engine.options, engine.n_options, err,
				     sizeof err, &engine.instance),
	       err);
}

static void start(void)
{
	create();
	expect(engine.plugin->start(engine.instance), "start");
}

static void raises(void)
{
	char session[64];
	tocsin_alert_event a = { .head = { sizeof a, TOCSIN_ALERT_RAISE, 0 }, .priority = 1 };

	snprintf(session, sizeof session, "exit-%d-%u", (int)getpid(), engine.raised++);
	a.code = str("DATA_FEED_DOWN");
	a.message = str("gone");
	a.session_id = str(session);
	expect(engine.plugin->on_alert(engine.instance, &a, NULL), "on_alert");
	dprintf(STDOUT_FILENO, "%s\n", session);
}

static void raises_and_lingers(void)
{
	raises();
	usleep(NAP_US);
}

static void says_goodbye(void)
{
	raises();
	engine.plugin->flush(engine.instance, TOCSIN_FLUSH_DELIVERED, UINT64_MAX);
	expect(engine.plugin->stop(engine.instance, UINT64_MAX), "stop");
	engine.plugin->destroy(engine.instance);
	dlclose(engine.library);
}

static void exits_again(void)
{
	raises_and_lingers();
	exit(STATUS);
}

static __attribute__((destructor)) void destructor(void)
{
	if (engine.from_destructor)
		raises_and_lingers();
}

static void *exits(void *unused)
{
	(void)unused;
	usleep(engine.delay);
	exit(STATUS);
}

static void in_a_thread(void *(*f)(void *))
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, f, NULL) != 0)
		give_up("pthread_create");
}

/* For a thread whose process ends now. */
static void waits(void)
{
	for (;;)
		pause();
}

/* --- The ways --- */

static void initialises_openssl(void)
{
	void *library = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_GLOBAL);
	int (*init)(uint64_t, const void *) =
		library ? (int (*)(uint64_t, const void *))(uintptr_t)dlsym(library,
									    "OPENSSL_init_crypto")
			: NULL;

	if (init)
		init(2, NULL);
}

static void initialises_libcurl(void)
{
	void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
	int (*init)(long) =
		library ? (int (*)(long))(uintptr_t)dlsym(library, "curl_global_init") : NULL;

	if (init)
		init(3);
}

static void ends(void)
{
	load();
	start();
	raises();
	usleep(engine.delay);
}

/* Once a page is delivered, the next one's way through TLS is short: even a machine that is very
 * busy goes it within the time for which the exit waits. */
static void ends_after_a_page(void)
{
	load();
	start();
	raises();
	engine.plugin->flush(engine.instance, TOCSIN_FLUSH_DELIVERED, UINT64_MAX);
	raises();
	usleep(engine.delay);
}

static void ends_after_openssl(void)
{
	initialises_openssl();
	ends_after_a_page();
}

static void ends_after_libcurl(void)
{
	initialises_libcurl();
	ends_after_a_page();
}

static void handler_after_openssl(void)
{
	initialises_openssl();
	atexit(raises_and_lingers);
	ends_after_a_page();
}

static void handler_after_libcurl(void)
{
	initialises_libcurl();
	atexit(raises_and_lingers);
	ends_after_a_page();
}

static void destructor_after_openssl(void)
{
	engine.from_destructor = true;
	initialises_openssl();
	ends_after_a_page();
}

static void goodbye_after_openssl(void)
{
	initialises_openssl();
	atexit(says_goodbye);
	ends_after_a_page();
}

static void ends_before_openssl(void)
{
	load();
	start();
	initialises_openssl();
	initialises_libcurl();
	raises();
	usleep(engine.delay);
}

static void ends_quickly(void)
{
	ends();
	quick_exit(STATUS);
}

static void ends_in_the_last_cycle(void)
{
	for (unsigned n = 0; n < CYCLES; n++) {
		load();
		start();
		says_goodbye();
	}
	ends();
}

/* The second is NAME.2, in folders of its own, and has nothing to raise. */
static void ends_with_two(void)
{
	load();
	start();
	raises();
	start();
	usleep(engine.delay);
}

static void handler_from_before(void)
{
	atexit(raises_and_lingers);
	ends();
}

static void handler_from_after(void)
{
	ends();
	atexit(raises_and_lingers);
}

static void handler_exits(void)
{
	atexit(exits_again);
	ends();
}

static void goodbye_from_before(void)
{
	atexit(says_goodbye);
	ends();
}

static void goodbye_from_after(void)
{
	ends();
	atexit(says_goodbye);
}

static void from_a_destructor(void)
{
	ends();
	engine.from_destructor = true;
}

static void in_a_flush(void)
{
	load();
	start();
	in_a_thread(exits);
	for (;;) {
		raises();
		engine.plugin->flush(engine.instance, TOCSIN_FLUSH_DELIVERED, UINT64_MAX);
	}
}

static void in_a_stop(void)
{
	load();
	start();
	raises();
	in_a_thread(exits);
	engine.plugin->stop(engine.instance, UINT64_MAX);
	engine.plugin->destroy(engine.instance);
	waits();
}

static void in_a_start(void)
{
	load();
	create();
	in_a_thread(exits);
	engine.plugin->start(engine.instance);
	waits();
}

static void in_a_child(void)
{
	int status = 0;

	load();
	start();
	raises();
	usleep(engine.delay);
	pid_t pid = fork();
	if (pid == 0)
		exit(STATUS);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		give_up("the child did not exit");
	exit(WEXITSTATUS(status));
}

static const struct way {
	const char *name;
	void (*go)(void);
} ways[] = {
	{ "ends", ends },
	{ "ends_after_openssl", ends_after_openssl },
	{ "ends_after_libcurl", ends_after_libcurl },
	{ "ends_before_openssl", ends_before_openssl },
	{ "handler_after_openssl", handler_after_openssl },
	{ "handler_after_libcurl", handler_after_libcurl },
	{ "destructor_after_openssl", destructor_after_openssl },
	{ "goodbye_after_openssl", goodbye_after_openssl },
	{ "ends_quickly", ends_quickly },
	{ "ends_in_the_last_cycle", ends_in_the_last_cycle },
	{ "ends_with_two", ends_with_two },
	{ "handler_from_before", handler_from_before },
	{ "handler_from_after", handler_from_after },
	{ "handler_exits", handler_exits },
	{ "goodbye_from_before", goodbye_from_before },
	{ "goodbye_from_after", goodbye_from_after },
	{ "from_a_destructor", from_a_destructor },
	{ "in_a_flush", in_a_flush },
	{ "in_a_stop", in_a_stop },
	{ "in_a_start", in_a_start },
	{ "in_a_child", in_a_child },
};

int main(int argc, char **argv)
{
	if (argc < 3) {
		for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
			puts(ways[i].name);
		return argc != 1;
	}
	engine.delay = (useconds_t)strtoul(argv[2], NULL, 10);
	engine.options[engine.n_options++] = (tocsin_kv){ str("engine.name"), str("exit") };
	for (int i = 3; i < argc && engine.n_options < OPTIONS_MAX; i++) {
		char *equals = strchr(argv[i], '=');

		if (!equals)
			give_up(argv[i]);
		engine.options[engine.n_options++] = (tocsin_kv){
			{ argv[i], (size_t)(equals - argv[i]) },
			str(equals + 1),
		};
	}
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
		if (strcmp(ways[i].name, argv[1]) == 0) {
			ways[i].go();
			return STATUS;
		}
	give_up("no such way");
}
