/* SPDX-License-Identifier: MIT */
/*
 * The boundary: the table an engine gets, and its control calls. The hot ones are in calls.c.
 */
#include "config.h"
#include "instance.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "base/exit_gate.h"
#include "base/failure.h"
#include "base/fork_watch.h"
#include "base/moment.h"
#include "post/endpoint_files.h"

#define SNAPSHOT_TIMEOUT_NS NS_PER_S
#define SNAPSHOT_SLACK                                                                             \
	1024 /* bytes: so that a second call with room for the first's still fits                  \
	      */
#define DESTROY_TIMEOUT_NS (5 * NS_PER_S)
#define DESTROY_SILENCE_NS NS_PER_S /* for a call of the host's log function that is under way */

_Static_assert(sizeof(tocsin_instance) <= INSTANCE_PAGE, "an instance is a page");

/*
 * A control call is no point at which the host's thread is cancelled: it may hold a lock of ours.
 * For as long as a local declared with this lives.
 */
#define NOT_CANCELLED _cleanup_(cancellation_restore) int cancellation_before = cancellation_hold()

static int cancellation_hold(void)
{
	int before;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	return before;
}

static void cancellation_restore(const int *before)
{
	pthread_setcancelstate(*before, NULL);
}

static void instance_free(tocsin_instance *i)
{
	settings_free(i->settings);
	fork_watch_remove(&i->state);
	munmap(i, 2 * INSTANCE_PAGE);
}

DEFINE_CLEANUP(tocsin_instance *, instance_free, cleanup_instance)

/* NULL: the kernel does not give us such a page; f: why. */
static tocsin_instance *instance_new(struct failure *f)
{
	void *p = mmap(NULL, 2 * INSTANCE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	if (p == MAP_FAILED) {
		failure_set(f, -errno, "create: mmap of an instance");
		return NULL;
	}
	tocsin_instance *i = p;
	if (madvise(p, INSTANCE_PAGE, MADV_WIPEONFORK) == 0)
		return i;
	i->unwiped_error = -errno;
	if (fork_watch_add(&i->state) < 0) {
		failure_set(f, i->unwiped_error,
			    "create: no fork handler is free, and madvise(MADV_WIPEONFORK)");
		munmap(p, 2 * INSTANCE_PAGE);
		return NULL;
	}
	return i;
}

/* Which process was told last that it is a fork. The same for all instances, and no instance's,
 * since each loses what it has in a fork. */
static _Atomic pid_t fork_told_in;

/*
 * Once a process. What another thread held at the time of the fork is held for ever: a lock of the
 * host's logger, where a thread of ours was just calling it. Then it is not called.
 */
static void fork_tell(tocsin_instance *i)
{
	static const char text[] =
		"this process was forked from the engine, so every call of the notifier is refused "
		"with TOCSIN_E_STATE and nothing is logged or sent: let the engine's own process "
		"make these calls, or create an instance here";
	struct host_log *l = &instance_kept(i)->host_log;
	pid_t me = getpid();

	if (atomic_load(&l->gate.inside) == 0 && l->host->log &&
	    atomic_exchange(&fork_told_in, me) != me)
		l->host->log(l->host, LOG_WARNING, text, sizeof text - 1);
}

__attribute__((cold, noinline)) void instance_tell_fork(tocsin_instance *i)
{
	/* Wiped by the fork, as the state: nothing but these two words is looked at in each call.
	 */
	if (instance_state(i) == STATE_FORKED && !atomic_exchange(&i->fork_told, true))
		fork_tell(i);
}

static bool host_is_readable(const tocsin_host *host)
{
	return host && host->size >= SIZE_UP_TO(tocsin_host, extension);
}

/* Takes a line into the host's buffer. */
static void err_set(char *err, size_t err_size, const char *text)
{
	if (err && err_size > 0)
		snprintf(err, err_size, "%s", text);
}

static tocsin_rc create(const tocsin_host *host, const tocsin_kv *options, size_t n_options,
			char *err, size_t err_size, tocsin_instance **ret)
{
	NOT_CANCELLED;
	char line[1024] = "";
	struct failure failure = { 0 };

	if (!ret || !host_is_readable(host) || (n_options > 0 && !options)) {
		err_set(err, err_size,
			"create: host, its size, options or the place for the instance is missing");
		return TOCSIN_E_ARG;
	}
	for (size_t n = 0; n < n_options; n++)
		if (!str_is_readable(options[n].key) || !str_is_readable(options[n].value)) {
			err_set(err, err_size, "create: an option is NULL with a length");
			return TOCSIN_E_ARG;
		}
	_cleanup_(cleanup_instance) tocsin_instance *i = instance_new(&failure);
	if (!i) {
		err_set(err, err_size, failure.line);
		return TOCSIN_E_NOMEM;
	}
	instance_kept(i)->host_log.host = host;
	int r = settings_load(endpoint_files_check, options, n_options, line, sizeof line,
			      &i->settings);
	if (r < 0) {
		err_set(err, err_size, line);
		return r == -ENOMEM ? TOCSIN_E_NOMEM : TOCSIN_E_CONFIG;
	}
	instance_enter(i, STATE_CREATED);
	*ret = TAKE(i);
	return TOCSIN_OK;
}

/*
 * A reference on this library, so that a host whose own goes early, as in a garbage collector, does
 * not take away the code that our threads run. NULL: this is part of a program, or cannot be held.
 */
static void *self_hold(void)
{
	Dl_info info;

	if (dladdr((void *)(uintptr_t)self_hold, &info) == 0 || !info.dli_fname)
		return NULL;
	return dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
}

static tocsin_rc start(tocsin_instance *i)
{
	NOT_CANCELLED;

	if (!i)
		return TOCSIN_E_ARG;
	if (instance_state(i) != STATE_CREATED || i->unstarted)
		return instance_refuse_state(i, CALL_START);
	if (!i->self)
		i->self = self_hold();
	struct dispatcher_options o = {
		.settings = i->settings,
		.rescue = NULL,
		.refusals = &i->refusals,
		.clock = &i->clock,
		.host_log = &instance_kept(i)->host_log,
		.unwiped_error = i->unwiped_error,
	};
	struct dispatcher *d;
	int r = dispatcher_start(&o, &d);
	if (r < 0) {
		i->unstarted = d;
		return rc_of(r);
	}
	i->dispatcher = d;
	i->producer = *recorder_producer(dispatcher_recorder(i->dispatcher));
	i->runbooks = dispatcher_runbooks(i->dispatcher);
	instance_enter(i, STATE_ACTIVE);
	return TOCSIN_OK;
}

static tocsin_rc flush(tocsin_instance *i, uint32_t level, uint64_t timeout_ns)
{
	NOT_CANCELLED;

	if (!i)
		return TOCSIN_E_ARG;
	if (instance_state(i) != STATE_ACTIVE)
		return instance_refuse_state(i, CALL_FLUSH);
	if (level != TOCSIN_FLUSH_DURABLE && level != TOCSIN_FLUSH_DELIVERED)
		return instance_refuse_call(i, CALL_FLUSH, TOCSIN_E_ARG,
					    "its level is unknown: give TOCSIN_FLUSH_DURABLE or "
					    "TOCSIN_FLUSH_DELIVERED");
	return rc_of(dispatcher_flush(i->dispatcher, level, timeout_ns));
}

static tocsin_rc snapshot(tocsin_instance *i, char *buf, size_t size, size_t *ret_len)
{
	NOT_CANCELLED;
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (!i)
		return TOCSIN_E_ARG;
	if (instance_state(i) == STATE_FORKED)
		return instance_refuse_state(i, CALL_SNAPSHOT);
	if (!ret_len || (!buf && size > 0))
		return instance_refuse_call(i, CALL_SNAPSHOT, TOCSIN_E_ARG,
					    "ret_len is NULL, or buf is NULL with a size: give a "
					    "place for the length, and a buffer of that size");
	int r = i->dispatcher ? dispatcher_snapshot(i->dispatcher, SNAPSHOT_TIMEOUT_NS, &text, &len)
			      : dispatcher_snapshot_empty(i->settings, &text, &len);
	if (r == -ENOMEM)
		return instance_refuse_call(i, CALL_SNAPSHOT, TOCSIN_E_NOMEM,
					    "there is no memory for the text: free some, and call "
					    "it again");
	if (r < 0)
		return rc_of(r);
	if (!buf || len > size) {
		*ret_len = len + SNAPSHOT_SLACK + len / 4;
		return TOCSIN_E_ARG;
	}
	memcpy(buf, text, len);
	*ret_len = len;
	return TOCSIN_OK;
}

static tocsin_rc stats(tocsin_instance *i, tocsin_stats *ret)
{
	NOT_CANCELLED;
	tocsin_stats all = { 0 };

	if (!i)
		return TOCSIN_E_ARG;
	if (instance_state(i) == STATE_FORKED)
		return instance_refuse(i);
	if (!ret || ret->size < 8) {
		/* Any thread, without waiting: the dispatcher tells it. */
		atomic_fetch_or(&i->refusals.kinds,
				REFUSAL_BIT(REFUSAL_STATS, ret ? REFUSAL_SIZE : REFUSAL_NULL));
		return TOCSIN_E_ARG;
	}
	if (i->dispatcher)
		dispatcher_stats(i->dispatcher, &all);
	all.refused = atomic_load_explicit(&i->refusals.count, memory_order_relaxed);
	all.size = ret->size;
	/* Whole members only: all of them are eight bytes wide. */
	memcpy(ret, &all, ret->size < sizeof all ? ret->size / 8 * 8 : sizeof all);
	return TOCSIN_OK;
}

static tocsin_rc stop(tocsin_instance *i, uint64_t timeout_ns)
{
	NOT_CANCELLED;

	if (!i)
		return TOCSIN_E_ARG;
	enum state state = instance_state(i);
	if (state == STATE_STOPPED)
		return TOCSIN_OK;
	if (state != STATE_ACTIVE && state != STATE_STOPPING)
		return instance_refuse_state(i, CALL_STOP);
	instance_enter(i, STATE_STOPPING);
	int r = dispatcher_stop(i->dispatcher, timeout_ns);
	if (dispatcher_has_stopped(i->dispatcher))
		instance_enter(i, STATE_STOPPED);
	return rc_of(r);
}

/* All of destroy but its last act: the reference that is to be given back, or NULL. */
static __attribute__((noinline)) void *instance_end(tocsin_instance *i)
{
	NOT_CANCELLED;

	if (!i || instance_state(i) == STATE_FORKED)
		return NULL;
	struct dispatcher *d = i->dispatcher ? i->dispatcher : i->unstarted;
	if (d && !dispatcher_has_stopped(d))
		dispatcher_stop(d, DESTROY_TIMEOUT_NS);
	if (d && !dispatcher_has_stopped(d)) {
		/* Its threads live, so all they use stays, this library too; but what is the
		 * host's may go. */
		host_log_write(&instance_kept(i)->host_log, LOG_ERR,
			       "destroy could not end all threads of tocsin: the library and this "
			       "instance stay in memory, and nothing more is told here");
		host_log_silence(&instance_kept(i)->host_log, DESTROY_SILENCE_NS);
		return NULL;
	}
	void *self = i->self;
	dispatcher_free(d);
	instance_free(i);
	/* Once the process exits a thread may rest in our code: see pager_stop. */
	return exit_gate_is_shut() ? NULL : self;
}

/*
 * The reference may be the last, and then dlclose unmaps this very code: it must not return here
 * but to our caller. Both compilers have to promise that; what a sanitizer or a build without
 * optimisation adds at a function's end would break it.
 */
#ifdef __clang__
#define DLCLOSE_LAST __attribute__((no_sanitize("address", "thread", "undefined")))
/* It wants a function of destroy's own type; nobody looks at the result. */
#define DLCLOSE(handle)                                                                            \
	__attribute__((musttail)) return ((void (*)(tocsin_instance *))(uintptr_t)dlclose)(handle)
#else
#define DLCLOSE_LAST                                                                               \
	__attribute__((optimize("O2", "optimize-sibling-calls"), no_instrument_function,           \
		       no_profile_instrument_function,                                             \
		       no_sanitize("address", "thread", "undefined")))
#define DLCLOSE(handle) dlclose(handle)
#endif

static DLCLOSE_LAST void destroy(tocsin_instance *i)
{
	void *self = instance_end(i);

	if (self)
		DLCLOSE(self);
}

static const void *extension(tocsin_instance *i, const char *id)
{
	(void)i;
	(void)id;
	return NULL;
}

/* --- The table --- */

static uint32_t minor_min(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

TOCSIN_EXPORT tocsin_rc tocsin_plugin_v1(tocsin_negotiation *n)
{
	static const tocsin_plugin table = {
		.size = sizeof table,
		.abi = TOCSIN_ABI_MINOR,
		.name = "tocsin",
		.version = PACKAGE_VERSION,
		.config_help = settings_help,
		.create = create,
		.start = start,
		.on_session = calls_on_session,
		.on_health = calls_on_health,
		.on_alert = calls_on_alert,
		.flush = flush,
		.snapshot = snapshot,
		.stats = stats,
		.stop = stop,
		.destroy = destroy,
		.extension = extension,
	};

	if (!n || n->size < SIZE_UP_TO(tocsin_negotiation, plugin) || n->abi_min > n->abi_max)
		return TOCSIN_E_ARG;
	if (minor_min(n->abi_min, TOCSIN_ABI_MINOR) != n->abi_min) {
		n->abi = TOCSIN_ABI_MINOR;
		n->plugin = NULL;
		return TOCSIN_E_ABI;
	}
	n->abi = minor_min(n->abi_max, TOCSIN_ABI_MINOR);
	n->plugin = &table;
	return TOCSIN_OK;
}
