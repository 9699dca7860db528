/* SPDX-License-Identifier: MIT */
/* Engines of one name that start at once, and one that gives up its rights after it has started. */
#include "config.h"
#include "host.h"

#include <sys/stat.h>
#include <sys/wait.h>

#define NAMESAKES 8
#define NAMESAKES_MAX 64 /* the plugin's */
#define NOBODY 65534
#define LIMIT_NS UINT64_C(60000000000)

/* Ends with 0 when it has started, run until its input ends, and stopped. */
static void namesake(struct world *w, int go, int started)
{
	tocsin_instance *i = NULL;
	char err[256], byte = 0;

	/* All at once, when the parent closes its end. */
	if (read(go, &byte, 1) != 0 ||
	    w->plugin->create(&w->host, w->options, w->n_options, err, sizeof err, &i) !=
		    TOCSIN_OK ||
	    w->plugin->start(i) != TOCSIN_OK)
		_exit(write(started, "f", 1) == 1 ? 1 : 2);
	if (write(started, "x", 1) != 1)
		_exit(2);
	/* Each lives until all have started. */
	if (read(STDIN_FILENO, &byte, 1) < 0)
		_exit(2);
	_exit(w->plugin->stop(i, LIMIT_NS) == TOCSIN_OK ? 0 : 3);
}

static bool folder_is_there(const char *base, unsigned n)
{
	char path[160];
	struct stat st;

	if (n == 1)
		snprintf(path, sizeof path, "%s", base);
	else
		snprintf(path, sizeof path, "%s.%u", base, n);
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static unsigned folders_count(const char *folder)
{
	_cleanup_(cleanup_dir) DIR *d = opendir(folder);
	struct dirent *e;
	unsigned n = 0;

	assert_non_null(d);
	while ((e = readdir(d)))
		n += strncmp(e->d_name, "run", 3) == 0;
	return n;
}

static void engines_of_one_name_all_start_when_they_do_it_at_once(void **state)
{
	struct world *w = *state;
	int go[2], started[2], end[2], status;
	pid_t pids[NAMESAKES];
	char byte;

	assert_int_equal(pipe(go) | pipe(started) | pipe(end), 0);
	fflush(NULL);
	for (unsigned i = 0; i < NAMESAKES; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] > 0)
			continue;
		close(go[1]);
		close(end[1]);
		dup2(end[0], STDIN_FILENO);
		namesake(w, go[0], started[1]);
	}
	close(go[1]);
	close(started[1]);
	for (unsigned i = 0; i < NAMESAKES; i++)
		if (read(started[0], &byte, 1) != 1 || byte != 'x')
			fail_msg("%u engines of %u have started", i, NAMESAKES);
	for (unsigned n = 1; n <= NAMESAKES; n++)
		assert_true(folder_is_there(w->runtime, n));
	assert_int_equal(folders_count(w->folder->path), NAMESAKES);
	close(end[1]);
	for (unsigned i = 0; i < NAMESAKES; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	close(go[0]);
	close(started[0]);
	close(end[0]);
}

/* One lock is all those folders', and the engine that lives holds it. */
static void where_every_name_is_taken_the_start_says_so(void **state)
{
	struct world *w = *state;
	char lock[192], folder[160], other_lock[192];
	tocsin_instance *i = start(w);

	snprintf(lock, sizeof lock, "%s/lock-engine", w->runtime);
	for (unsigned n = 2; n <= NAMESAKES_MAX; n++) {
		snprintf(folder, sizeof folder, "%s.%u", w->runtime, n);
		snprintf(other_lock, sizeof other_lock, "%s/lock-engine", folder);
		assert_int_equal(mkdir(folder, 0700), 0);
		assert_int_equal(link(lock, other_lock), 0);
	}
	tocsin_instance *other = make(w);
	assert_int_not_equal(w->plugin->start(other), TOCSIN_OK);
	assert_non_null(strstr(w->log, "tocsin cannot start for engine contract"));
	assert_non_null(strstr(w->log, "64 engines of this name live"));
	w->plugin->destroy(other);
	assert_int_equal(w->plugin->stop(i, UINT64_MAX), TOCSIN_OK);
	w->plugin->destroy(i);
}

static void loses_its_rights(struct world *w)
{
	tocsin_session_event s = session_event(TOCSIN_SESSION_CREATED, "session", "");
	char err[256];
	tocsin_instance *i = NULL;

	if (w->plugin->create(&w->host, w->options, w->n_options, err, sizeof err, &i) !=
		    TOCSIN_OK ||
	    w->plugin->start(i) != TOCSIN_OK || w->plugin->on_session(i, &s) != TOCSIN_OK)
		_exit(1);
	/* Once this is over the running file is written: what was asked of the disk before it is
	 * done. */
	if (w->plugin->flush(i, TOCSIN_FLUSH_DURABLE, LIMIT_NS) != TOCSIN_OK)
		_exit(2);
	char path[160];
	struct stat st;
	snprintf(path, sizeof path, "%s/running", w->state);
	while (stat(path, &st) < 0)
		usleep(1000);
	if (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0)
		_exit(3);
	w->plugin->stop(i, LIMIT_NS);
	_exit(0);
}

static void a_clean_stop_without_rights_is_no_crash(void **state)
{
	struct world *w = *state;
	int status;

	if (geteuid() != 0)
		skip();
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		loses_its_rights(w);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	tocsin_instance *i = start(w);
	json_t *json = snapshot(w, i);
	char *text = json_dumps(json, 0);
	assert_non_null(text);
	assert_null(strstr(text, "ENGINE_DOWN"));
	assert_null(strstr(w->log, "ended without a clean stop"));
	free(text);
	json_decref(json);
	assert_int_equal(w->plugin->stop(i, LIMIT_NS), TOCSIN_OK);
	w->plugin->destroy(i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_world(engines_of_one_name_all_start_when_they_do_it_at_once),
		in_world(where_every_name_is_taken_the_start_says_so),
		in_world(a_clean_stop_without_rights_is_no_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
