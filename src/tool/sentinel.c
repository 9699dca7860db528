/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/verbs.h"

#include <curl/curl.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include "base/cleanup.h"
#include "base/files.h"
#include "base/moment.h"
#include "base/owner.h"
#include "base/text.h"
#include "tool/rescue_engine.h"
#include "tool/sentinel_watch.h"
#include "tool/tool.h"

#define ROOTS_MAX 16
/* One user's leave room for others', and one engine's for its user's others. */
#define RUNS_OF_OWNER_MAX 128
#define RUNS_OF_ENGINE_MAX 32
#define AGAIN_MAX_NS (64 * NS_PER_S)
#define POLL_NS NS_PER_S
#define ROOT_EVENTS (IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF)

static const char help[] =
	"usage: tocsin sentinel [OPTION]...\n"
	"\n"
	"Watches the engines of this machine, and when one dies does at once what tocsin rescue\n"
	"does: its pages leave within milliseconds. Meant to run as a service, as root for all\n"
	"engines, or as a user for that user's.\n"
	"\n"
	"      --runtime-root DIR  watch the engines that have folders in DIR; may be given more\n"
	"                          than once (default: where engines have them by themselves)\n"
	"  -h, --help              this text\n";

/* One run of an engine; found when its recorder appears, forgotten when that is gone. */
struct run {
	char *folder;
	char recorder[RESCUE_LOCK_SIZE];
	uid_t owner; /* of the folder */
	pid_t pid;   /* of its watcher, 0: none */
	bool settled, seen;
	unsigned failures;
	uint64_t again_ns; /* CLOCK_MONOTONIC: when to try again */
};

struct sentinel {
	char *roots[ROOTS_MAX];
	size_t n_roots;
	struct run *runs; /* heap */
	size_t n_runs, runs_size;
	int inotify, signals; /* inotify is -1 where the kernel gives us none */
	bool polls;           /* something could not be watched, so it is looked at each second */
	bool polls_told;
	bool roots_given; /* on the command line */
	bool full_told;
};

DEFINE_CLEANUP(DIR *, closedir, cleanup_dir)

/* --- Runs --- */

static void run_start(struct sentinel *s, struct run *run)
{
	pid_t parent = getpid(), pid;
	sigset_t none;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		if (s->inotify >= 0)
			close(s->inotify);
		close(s->signals);
		int status = sentinel_watch(run->folder, run->recorder, parent);
		fflush(NULL);
		_exit(status);
	}
	run->pid = pid > 0 ? pid : 0;
	if (pid < 0) {
		tool_failed("sentinel", "cannot watch %s: %s", run->folder, strerror(errno));
		run->again_ns = clock_monotonic_ns() + NS_PER_S;
	}
}

static void run_ended(struct run *run, int status)
{
	uint64_t pause = NS_PER_S << (run->failures < 6 ? run->failures : 6);

	run->pid = 0;
	run->settled = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (run->settled)
		return;
	if (WIFSIGNALED(status))
		tool_failed("sentinel", "the watcher of %s was killed by signal %d", run->folder,
			    WTERMSIG(status));
	run->failures++;
	run->again_ns = clock_monotonic_ns() + (pause < AGAIN_MAX_NS ? pause : AGAIN_MAX_NS);
}

static void reap(struct sentinel *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < s->n_runs; i++)
			if (s->runs[i].pid == pid)
				run_ended(&s->runs[i], status);
}

static bool runs_grow(struct sentinel *s)
{
	size_t size = s->runs_size > 0 ? 2 * s->runs_size : 64;
	struct run *runs;

	if (s->n_runs < s->runs_size)
		return true;
	runs = reallocarray(s->runs, size, sizeof(*runs));
	if (!runs)
		return false;
	s->runs = runs;
	s->runs_size = size;
	return true;
}

static void run_found(struct sentinel *s, const char *folder, uid_t owner, const char *recorder)
{
	size_t of_engine = 0, of_owner = 0;

	for (size_t i = 0; i < s->n_runs; i++) {
		struct run *run = &s->runs[i];

		of_owner += run->owner == owner;
		if (strcmp(run->folder, folder) != 0)
			continue;
		of_engine++;
		if (strcmp(run->recorder, recorder) == 0) {
			run->seen = true;
			return;
		}
	}
	struct run new = { .folder = strdup(folder), .owner = owner, .seen = true };
	if (!new.folder || of_engine == RUNS_OF_ENGINE_MAX || of_owner == RUNS_OF_OWNER_MAX ||
	    !runs_grow(s)) {
		free(new.folder);
		if (!s->full_told)
			tool_failed("sentinel",
				    "user %u has too many recorders in %s: not all are watched",
				    (unsigned)owner, folder);
		s->full_told = true;
		return;
	}
	snprintf(new.recorder, sizeof(new.recorder), "%.*s", RESCUE_LOCK_SIZE - 1, recorder);
	s->runs[s->n_runs++] = new;
}

static void forget_unseen(struct sentinel *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n_runs; i++) {
		if (s->runs[i].seen || s->runs[i].pid > 0)
			s->runs[kept++] = s->runs[i];
		else
			free(s->runs[i].folder);
	}
	s->n_runs = kept;
}

/* --- Looking --- */

/*
 * Before looking, so that nothing comes in between unseen. Watched already, it stays so. A folder
 * that is there and that the kernel does not watch for us, because its limits are reached or it has
 * no inotify, is looked at each second.
 */
static int watch(struct sentinel *s, const char *path, uint32_t mask)
{
	if (s->inotify >= 0 && inotify_add_watch(s->inotify, path, mask | IN_ONLYDIR) >= 0)
		return 0;
	if (s->inotify >= 0 && (errno == ENOENT || errno == ENOTDIR || errno == EACCES))
		return -errno;
	s->polls = true;
	return 0;
}

/* Where engines have their folders by themselves others' do not count; what the command line names
 * counts whoever made it, for each run is watched as its folder's owner. */
static DIR *folder_list(const struct sentinel *s, const char *path)
{
	_cleanup_close_ int fd = -1;
	DIR *dir;

	if (!s->roots_given)
		return rescue_root_list(path);
	dir = folder_open(path, false, &fd) < 0 ? NULL : fdopendir(fd);
	if (dir)
		fd = -1;
	return dir;
}

static void look_at_engine(struct sentinel *s, const char *folder)
{
	char lock[RESCUE_LOCK_SIZE];
	struct dirent *entry;
	struct stat st, file;

	/* A recorder gets its name when its lock is held: see recorder_hold. */
	if (watch(s, folder, IN_MOVED_TO | IN_DONT_FOLLOW) < 0)
		return;
	_cleanup_(cleanup_dir) DIR *dir = folder_list(s, folder);
	if (!dir || fstat(dirfd(dir), &st) < 0)
		return;
	while ((entry = readdir(dir)))
		if (rescue_lock_name(entry->d_name, lock) &&
		    fstatat(dirfd(dir), entry->d_name, &file, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(file.st_mode) && owner_is_trusted(file.st_uid, st.st_uid))
			run_found(s, folder, st.st_uid, entry->d_name);
}

/* The folder that a root which is not there yet will appear in. */
static void wait_for_root(struct sentinel *s, const char *root)
{
	_cleanup_free_ char *parent = strdup(root);
	char *slash = parent ? strrchr(parent, '/') : NULL;

	if (!slash || slash == parent)
		return;
	*slash = 0;
	(void)watch(s, parent, IN_CREATE | IN_MOVED_TO);
}

static void look_at_root(struct sentinel *s, const char *root)
{
	struct dirent *entry;

	if (watch(s, root, ROOT_EVENTS) < 0) {
		wait_for_root(s, root);
		if (watch(s, root, ROOT_EVENTS) < 0)
			return;
	}
	_cleanup_(cleanup_dir) DIR *dir = folder_list(s, root);
	while (dir && (entry = readdir(dir))) {
		struct text_buffer path = { 0 };

		if (entry->d_name[0] == '.' || entry->d_type == DT_REG)
			continue;
		text_buffer_printf(&path, "%s/%s", root, entry->d_name);
		if (!path.failed)
			look_at_engine(s, path.ptr);
		text_buffer_done(&path);
	}
}

/* A limit may have been raised meanwhile. */
static void begin_watching(struct sentinel *s)
{
	if (s->inotify < 0)
		s->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	s->polls = s->inotify < 0;
}

static void tell_polling(struct sentinel *s)
{
	if (s->polls == s->polls_told)
		return;
	s->polls_told = s->polls;
	if (s->polls)
		tool_failed("sentinel", "the kernel does not watch the folders for it, so it looks "
					"at them each second; raise fs.inotify.max_user_instances "
					"and fs.inotify.max_user_watches");
	else
		fputs("tocsin sentinel: the kernel watches all folders again\n", stderr);
}

static void look(struct sentinel *s)
{
	begin_watching(s);
	for (size_t i = 0; i < s->n_runs; i++)
		s->runs[i].seen = false;
	for (size_t i = 0; i < s->n_roots; i++)
		look_at_root(s, s->roots[i]);
	tell_polling(s);
	forget_unseen(s);
	uint64_t now_ns = clock_monotonic_ns();
	for (size_t i = 0; i < s->n_runs; i++) {
		struct run *run = &s->runs[i];

		if (run->seen && run->pid == 0 && !run->settled && run->again_ns <= now_ns)
			run_start(s, run);
	}
}

/* Milliseconds until something is to be tried or looked at again; -1: only when something happens.
 */
static int pause_ms(const struct sentinel *s)
{
	uint64_t now_ns = clock_monotonic_ns();
	uint64_t first = s->polls ? now_ns + POLL_NS : UINT64_MAX;

	for (size_t i = 0; i < s->n_runs; i++)
		if (s->runs[i].pid == 0 && !s->runs[i].settled && s->runs[i].again_ns < first)
			first = s->runs[i].again_ns;
	if (first == UINT64_MAX)
		return -1;
	return first <= now_ns ? 0 : (int)((first - now_ns) / NS_PER_MS) + 1;
}

/* What happened does not matter: all is looked at anew, which is little. */
static void drain(int fd)
{
	_Alignas(struct inotify_event) char events[4096];

	while (read(fd, events, sizeof(events)) > 0)
		;
}

/* --- The service --- */

/* 1: it is to end. */
static int take_signals(struct sentinel *s)
{
	struct signalfd_siginfo info;
	int end = 0;

	while (read(s->signals, &info, sizeof(info)) == sizeof(info))
		end |= info.ssi_signo != SIGCHLD;
	reap(s);
	return end;
}

static void serve(struct sentinel *s)
{
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };

	do {
		drain(s->inotify);
		look(s);
		sd_notify(0, "READY=1");
		fds[0].fd = s->signals;
		fds[1].fd = s->inotify;
	} while ((poll(fds, 2, pause_ms(s)) >= 0 || errno == EINTR) && !take_signals(s));
}

static void end_watchers(struct sentinel *s)
{
	for (size_t i = 0; i < s->n_runs; i++)
		if (s->runs[i].pid > 0 && kill(s->runs[i].pid, SIGTERM) == 0)
			waitpid(s->runs[i].pid, NULL, 0);
}

static void sentinel_done(struct sentinel *s)
{
	for (size_t i = 0; i < s->n_runs; i++)
		free(s->runs[i].folder);
	free(s->runs);
	for (size_t i = 0; i < s->n_roots; i++)
		free(s->roots[i]);
	if (s->inotify >= 0)
		close(s->inotify);
	if (s->signals >= 0)
		close(s->signals);
}

static int begin(struct sentinel *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signals < 0)
		return -errno;
	/* What takes long the first time is done before anybody waits for it: how groups are looked
	 * up, how TLS is begun. */
	(void)getgrnam("tocsin");
	return curl_global_init(CURL_GLOBAL_DEFAULT) == 0 ? 0 : -EIO;
}

/* -1: go on; else the exit status. */
static int parse_arguments(struct sentinel *s, int argc, char **argv)
{
	static const struct option options[] = {
		{ "runtime-root", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return TOOL_FINE;
		}
		if (option != 'r')
			return tool_wrong_use("sentinel", "unknown option");
		if (optarg[0] != '/' || s->n_roots == ROOTS_MAX)
			return tool_wrong_use("sentinel",
					      "--runtime-root %s: expected an absolute path, at "
					      "most %d times",
					      optarg, ROOTS_MAX);
		s->roots[s->n_roots] = strdup(optarg);
		if (!s->roots[s->n_roots])
			return tool_failed("sentinel", "no memory");
		s->n_roots++;
	}
	return optind == argc ? -1
			      : tool_wrong_use("sentinel", "unexpected argument %s", argv[optind]);
}

int sentinel_main(int argc, char **argv)
{
	_cleanup_(sentinel_done) struct sentinel s = { .inotify = -1, .signals = -1 };
	int status = parse_arguments(&s, argc, argv);

	if (status >= 0)
		return status;
	s.roots_given = s.n_roots > 0;
	int r = s.n_roots > 0 ? 0 : rescue_runtime_roots(s.roots, ROOTS_MAX, &s.n_roots);
	if (r == 0)
		r = begin(&s);
	if (r < 0)
		return tool_failed("sentinel", "%s", strerror(-r));
	serve(&s);
	end_watchers(&s);
	return TOOL_FINE;
}
