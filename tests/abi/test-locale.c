/* SPDX-License-Identifier: MIT */
/*
 * An engine whose locale writes "0,2812", as a German one does. It is the process's, so every
 * thread that sets none of its own has it. What tocsin reads and writes has a point all the same.
 */
#include "config.h"
#include "receiver.h"

#include <fcntl.h>
#include <locale.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define LIMIT_NS UINT64_C(60000000000)
#define GERMAN "de_DE.UTF-8"

/* False where there is no localedef, or nothing to build the locale from (Debian's locales). */
static bool locale_build(const struct test_folder *f)
{
	char path[160];
	int status;

	snprintf(path, sizeof path, "%s/" GERMAN, f->path);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		execlp("localedef", "localedef", "-i", "de_DE", "-f", "UTF-8", path, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status == 0 && setenv("LOCPATH", f->path, 1) == 0;
}

/* The machine's German locale, or one that is built in the world's folder. */
static void become_german(const struct world *w)
{
	char text[16];

	if (!setlocale(LC_ALL, GERMAN) && !(locale_build(w->folder) && setlocale(LC_ALL, GERMAN))) {
		print_message("skipped: no %s here, and localedef cannot build it\n", GERMAN);
		skip();
	}
	snprintf(text, sizeof text, "%.2f", 0.25);
	assert_string_equal(text, "0,25");
}

static char *file_text(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	char *text = calloc(1, (size_t)st.st_size + 1);
	assert_non_null(text);
	assert_int_equal(pread(fd, text, (size_t)st.st_size, 0), st.st_size);
	return text;
}

/* Lets stderr be a file of the folder's from here on; *ret_saved is what it was. */
static int stderr_to_file(const struct world *w, int *ret_saved)
{
	char path[160];

	snprintf(path, sizeof path, "%s/stderr", w->folder->path);
	int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	*ret_saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	assert_true(*ret_saved >= 0);
	assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	return fd;
}

/* Each figure that an event brings, as texts and JSON have it; one with a comma is none of them. */
static const struct {
	const char *what;
	uint32_t kind;
	const char *source;
	double value, limit;
	const char *text; /* in the log and in the page */
} figures[] = {
	{ "drift", TOCSIN_HEALTH_DRIFT, "returns_1h", 0.2812, 0, "drift 0.2812" },
	{ "risk", TOCSIN_HEALTH_RISK, "drawdown", 0.0625, 0.03125, "risk 0.0625" },
};
#define N_FIGURES (sizeof figures / sizeof *figures)

static void figures_send(const struct world *w, tocsin_instance *i)
{
	tocsin_session_event s = session_event(TOCSIN_SESSION_CREATED, "shadow", "");
	tocsin_kv kv[] = { { STR("factor"), STR("0.5") } };

	s.kv = kv;
	s.n_kv = 1;
	assert_int_equal(w->plugin->on_session(i, &s), TOCSIN_OK);
	for (size_t n = 0; n < N_FIGURES; n++) {
		tocsin_health_event h = health_event(figures[n].kind);

		h.source = str(figures[n].source);
		h.session_id = STR("shadow");
		h.value = figures[n].value;
		h.limit = figures[n].limit;
		assert_int_equal(w->plugin->on_health(i, &h), TOCSIN_OK);
	}
}

static bool page_has(struct receiver *r, const char *text)
{
	bool has = false;

	for (unsigned n = 0; n < r->n_seen; n++)
		has |= strstr(r->seen[n].body, text) != NULL;
	return has;
}

static void a_german_engine_reads_a_point_everywhere(void **state)
{
	static const char *const take[] = { STEP_TAKE };
	struct world *w = *state;
	int saved;

	become_german(w);
	struct receiver *r = receiver_start(take, 1);
	option(w, "webhook.url", r->url);
	/* Read as 0, and with the rest refused, where a comma is waited for. */
	option(w, "rules.drift_critical", "0.2811");
	option(w, "rules.drift_high", "0.25");
	int log = stderr_to_file(w, &saved);
	tocsin_instance *i = start(w);
	figures_send(w, i);
	assert_int_equal(w->plugin->flush(i, TOCSIN_FLUSH_DELIVERED, LIMIT_NS), TOCSIN_OK);
	receiver_wait(r, N_FIGURES);
	/* In the caller's thread. */
	json_t *json = snapshot(w, i);
	char *picture = json_dumps(json, 0);
	assert_int_equal(w->plugin->stop(i, LIMIT_NS), TOCSIN_OK);
	w->plugin->destroy(i);
	dup2(saved, STDERR_FILENO);
	close(saved);
	/* The host's locale is what it was. */
	assert_string_equal(localeconv()->decimal_point, ",");
	setlocale(LC_ALL, "C");

	char *lines = file_text(log);
	assert_non_null(picture);
	for (size_t n = 0; n < N_FIGURES; n++) {
		char value[32];

		snprintf(value, sizeof value, "%.4f", figures[n].value);
		if (!strstr(lines, figures[n].text))
			fail_msg("%s: the log has no \"%s\": %s", figures[n].what, figures[n].text,
				 lines);
		if (!page_has(r, figures[n].text))
			fail_msg("%s: no page has \"%s\"", figures[n].what, figures[n].text);
		if (!strstr(picture, value))
			fail_msg("%s: the snapshot has no %s: %s", figures[n].what, value, picture);
	}
	receiver_stop(r);
	json_decref(json);
	free(picture);
	free(lines);
	close(log);
}

static void a_german_engine_is_told_of_wrong_settings_with_a_point(void **state)
{
	struct world *w = *state;
	char err[512] = "";
	tocsin_instance *i = NULL;

	become_german(w);
	option(w, "rules.drift_critical", "0.125");
	option(w, "rules.drift_high", "0.25");
	tocsin_rc rc = w->plugin->create(&w->host, w->options, w->n_options, err, sizeof err, &i);
	setlocale(LC_ALL, "C");
	assert_int_not_equal(rc, TOCSIN_OK);
	assert_non_null(strstr(err, "0.25"));
	assert_non_null(strstr(err, "0.125"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_world(a_german_engine_reads_a_point_everywhere),
		in_world(a_german_engine_is_told_of_wrong_settings_with_a_point),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
