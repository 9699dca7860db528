/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into faults-engine: fails one call, the nth from when it is armed, of those that the
 * plugin, or libjansson and libcurl for it, make to the allocator or to the system. Who calls is
 * told by the return address. What OpenSSL and the C library need for themselves is let through.
 *
 * Functions have names of their own here and the real ones as labels, so that no header's
 * declaration, which may be variadic or fortified, is in the way.
 */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "fault_shim.h"

#define SHIM(name) __asm__(#name) __attribute__((visibility("default")))
#define RANGES_MAX 16
#define EARLY_BYTES 65536

static struct {
	uintptr_t begin, end, base;
	const char *name;
} ranges[RANGES_MAX];
static unsigned n_ranges;

static atomic_int armed; /* enum fault_kind, or 0 */
static atomic_ulong calls, nth;
/* What failed; the text is made for whoever asks. */
static _Atomic(const char *) failed_call;
static _Atomic(const char *) failed_in;
static atomic_uintptr_t failed_at;

/* What is asked of us before the real allocator is found. */
static _Alignas(16) char early[EARLY_BYTES];
static size_t early_used;

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);
static void (*real_free)(void *);

static int range_note(struct dl_phdr_info *info, size_t size __attribute__((unused)),
		      void *data __attribute__((unused)))
{
	static const char *const names[] = { "tocsin.so", "libjansson.so", "libcurl" };

	for (unsigned n = 0; n < sizeof names / sizeof *names; n++) {
		if (!strstr(info->dlpi_name, names[n]))
			continue;
		for (unsigned i = 0; i < info->dlpi_phnum && n_ranges < RANGES_MAX; i++) {
			const ElfW(Phdr) *p = &info->dlpi_phdr[i];

			if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
				continue;
			ranges[n_ranges].base = info->dlpi_addr;
			ranges[n_ranges].begin = info->dlpi_addr + p->p_vaddr;
			ranges[n_ranges].end = ranges[n_ranges].begin + p->p_memsz;
			ranges[n_ranges++].name = names[n];
		}
	}
	return 0;
}

/* Is it this call's turn to fail? */
static int fails(int kind, const char *name, const void *caller)
{
	uintptr_t at = (uintptr_t)caller;
	unsigned i = 0;

	if (atomic_load(&armed) != kind)
		return 0;
	while (i < n_ranges && (at < ranges[i].begin || at >= ranges[i].end))
		i++;
	if (i == n_ranges || atomic_fetch_add(&calls, 1) + 1 != atomic_load(&nth))
		return 0;
	atomic_store(&failed_in, ranges[i].name);
	atomic_store(&failed_at, at - ranges[i].base);
	atomic_store(&failed_call, name);
	return 1;
}

__attribute__((visibility("default"))) void fault_arm(int kind, unsigned long n)
{
	if (n_ranges == 0)
		dl_iterate_phdr(range_note, NULL);
	atomic_store(&nth, n);
	atomic_store(&armed, kind);
}

__attribute__((visibility("default"))) unsigned long fault_calls(const char **ret_report)
{
	static char report[256] = "none";
	const char *name = atomic_load(&failed_call);

	if (name)
		snprintf(report, sizeof report, "%s %s+0x%lx", name, atomic_load(&failed_in),
			 (unsigned long)atomic_load(&failed_at));
	*ret_report = report;
	return atomic_load(&calls);
}

static void *real(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

__attribute__((constructor)) static void begin(void)
{
	*(void **)&real_free = real("free");
	*(void **)&real_realloc = real("realloc");
	*(void **)&real_calloc = real("calloc");
	*(void **)&real_malloc = real("malloc");
}

/* --- Memory --- */

static void *early_take(size_t size)
{
	size_t at = early_used;

	size = (size + 15) & ~(size_t)15;
	if (size > sizeof early - at)
		return NULL;
	early_used = at + size;
	return early + at;
}

static int is_early(const void *p)
{
	return (const char *)p >= early && (const char *)p < early + sizeof early;
}

#define CALLER __builtin_return_address(0)
#define NO_MEMORY(name) (fails(FAULT_MEMORY, name, CALLER) ? (errno = ENOMEM) : 0)

void *shim_malloc(size_t size) SHIM(malloc);
void *shim_malloc(size_t size)
{
	if (!real_malloc)
		return early_take(size);
	return NO_MEMORY("malloc") ? NULL : real_malloc(size);
}

void *shim_calloc(size_t n, size_t size) SHIM(calloc);
void *shim_calloc(size_t n, size_t size)
{
	if (!real_malloc)
		return early_take(n * size);
	return NO_MEMORY("calloc") ? NULL : real_calloc(n, size);
}

static void *grow(void *p, size_t size)
{
	void *grown;

	if (!is_early(p))
		return real_realloc(p, size);
	grown = real_malloc ? real_malloc(size) : early_take(size);
	if (grown)
		memcpy(grown, p,
		       (size_t)(early + sizeof early - (char *)p) < size
			       ? (size_t)(early + sizeof early - (char *)p)
			       : size);
	return grown;
}

void *shim_realloc(void *p, size_t size) SHIM(realloc);
void *shim_realloc(void *p, size_t size)
{
	return NO_MEMORY("realloc") ? NULL : grow(p, size);
}

void *shim_reallocarray(void *p, size_t n, size_t size) SHIM(reallocarray);
void *shim_reallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (NO_MEMORY("reallocarray") || __builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return grow(p, bytes);
}

void shim_free(void *p) SHIM(free);
void shim_free(void *p)
{
	if (!is_early(p) && real_free)
		real_free(p);
}

/* These allocate inside the C library, on the plugin's behalf. */
#define MEMORY(type, name, params, args, failed)                                                   \
	type shim_##name params SHIM(name);                                                        \
	type shim_##name params                                                                    \
	{                                                                                          \
		static type(*next) params;                                                         \
		if (!next)                                                                         \
			*(void **)&next = real(#name);                                             \
		return NO_MEMORY(#name) ? (failed) : next args;                                    \
	}

MEMORY(char *, strdup, (const char *s), (s), NULL)
MEMORY(char *, strndup, (const char *s, size_t n), (s, n), NULL)
MEMORY(int, __vasprintf_chk, (char **p, int flag, const char *f, va_list a), (p, flag, f, a), -1)
MEMORY(int, vasprintf, (char **p, const char *f, va_list a), (p, f, a), -1)
MEMORY(void *, fdopendir, (int fd), (fd), NULL)
MEMORY(void *, opendir, (const char *path), (path), NULL)
MEMORY(int, scandirat, (int fd, const char *path, void *list, void *choose, void *order),
       (fd, path, list, choose, order), -1)

int shim_asprintf_chk(char **p, int flag, const char *f, ...) SHIM(__asprintf_chk);
int shim_asprintf_chk(char **p, int flag, const char *f, ...)
{
	static int (*next)(char **, int, const char *, va_list);
	va_list args;
	int n;

	if (!next)
		*(void **)&next = real("__vasprintf_chk");
	if (NO_MEMORY("asprintf"))
		return -1;
	va_start(args, f);
	n = next(p, flag, f, args);
	va_end(args);
	return n;
}

/* --- The system --- */

#define SYSTEM(type, name, params, args, failed, error)                                            \
	type shim_##name params SHIM(name);                                                        \
	type shim_##name params                                                                    \
	{                                                                                          \
		static type(*next) params;                                                         \
		if (!next)                                                                         \
			*(void **)&next = real(#name);                                             \
		if (!fails(FAULT_SYSTEM, #name, CALLER))                                           \
			return next args;                                                          \
		errno = (error);                                                                   \
		return (failed);                                                                   \
	}

typedef const char *path_t;

SYSTEM(int, open, (path_t p, int f, unsigned m), (p, f, m), -1, EMFILE)
SYSTEM(int, open64, (path_t p, int f, unsigned m), (p, f, m), -1, EMFILE)
SYSTEM(int, openat, (int d, path_t p, int f, unsigned m), (d, p, f, m), -1, EMFILE)
SYSTEM(int, openat64, (int d, path_t p, int f, unsigned m), (d, p, f, m), -1, EMFILE)
SYSTEM(int, __openat_2, (int d, path_t p, int f), (d, p, f), -1, EMFILE)
SYSTEM(int, __open_2, (path_t p, int f), (p, f), -1, EMFILE)
SYSTEM(ssize_t, read, (int d, void *b, size_t n), (d, b, n), -1, EIO)
SYSTEM(ssize_t, __read_chk, (int d, void *b, size_t n, size_t s), (d, b, n, s), -1, EIO)
SYSTEM(ssize_t, pread, (int d, void *b, size_t n, long o), (d, b, n, o), -1, EIO)
SYSTEM(ssize_t, pread64, (int d, void *b, size_t n, long o), (d, b, n, o), -1, EIO)
SYSTEM(ssize_t, write, (int d, const void *b, size_t n), (d, b, n), -1, ENOSPC)
SYSTEM(ssize_t, pwrite, (int d, const void *b, size_t n, long o), (d, b, n, o), -1, ENOSPC)
SYSTEM(int, fsync, (int d), (d), -1, EIO)
SYSTEM(int, fdatasync, (int d), (d), -1, EIO)
SYSTEM(int, fstat, (int d, void *s), (d, s), -1, EIO)
SYSTEM(int, fstat64, (int d, void *s), (d, s), -1, EIO)
SYSTEM(int, stat, (path_t p, void *s), (p, s), -1, EIO)
SYSTEM(int, fstatat, (int d, path_t p, void *s, int f), (d, p, s, f), -1, EIO)
SYSTEM(int, fstatat64, (int d, path_t p, void *s, int f), (d, p, s, f), -1, EIO)
SYSTEM(int, fstatfs, (int d, void *s), (d, s), -1, EIO)
SYSTEM(int, faccessat, (int d, path_t p, int m, int f), (d, p, m, f), -1, EIO)
SYSTEM(int, renameat, (int d, path_t p, int e, path_t q), (d, p, e, q), -1, EIO)
SYSTEM(int, linkat, (int d, path_t p, int e, path_t q, int f), (d, p, e, q, f), -1, EIO)
SYSTEM(int, unlinkat, (int d, path_t p, int f), (d, p, f), -1, EIO)
SYSTEM(int, mkdirat, (int d, path_t p, unsigned m), (d, p, m), -1, ENOSPC)
SYSTEM(int, fchmod, (int d, unsigned m), (d, m), -1, EPERM)
SYSTEM(int, fchown, (int d, unsigned u, unsigned g), (d, u, g), -1, EPERM)
SYSTEM(int, posix_fallocate, (int d, long o, long n), (d, o, n), ENOSPC, 0)
SYSTEM(int, posix_fallocate64, (int d, long o, long n), (d, o, n), ENOSPC, 0)
SYSTEM(int, ftruncate, (int d, long n), (d, n), -1, EIO)
SYSTEM(void *, mmap, (void *a, size_t n, int p, int f, int d, long o), (a, n, p, f, d, o),
       (void *)-1, ENOMEM)
SYSTEM(int, madvise, (void *a, size_t n, int v), (a, n, v), -1, EINVAL)
SYSTEM(int, mprotect, (void *a, size_t n, int v), (a, n, v), -1, ENOMEM)
SYSTEM(int, fcntl, (int d, int c, unsigned long a), (d, c, a), -1, EINVAL)
SYSTEM(int, fcntl64, (int d, int c, unsigned long a), (d, c, a), -1, EINVAL)
SYSTEM(int, ioctl, (int d, unsigned long c, unsigned long a), (d, c, a), -1, EINVAL)
SYSTEM(int, poll, (void *p, unsigned long n, int t), (p, n, t), -1, ENOMEM)
SYSTEM(int, __poll_chk, (void *p, unsigned long n, int t, size_t s), (p, n, t, s), -1, ENOMEM)
SYSTEM(int, socket, (int f, int t, int p), (f, t, p), -1, EMFILE)
SYSTEM(int, socketpair, (int f, int t, int p, int *v), (f, t, p, v), -1, EMFILE)
SYSTEM(int, eventfd, (unsigned v, int f), (v, f), -1, EMFILE)
SYSTEM(int, pipe2, (int *v, int f), (v, f), -1, EMFILE)
SYSTEM(int, pipe, (int *v), (v), -1, EMFILE)
SYSTEM(int, connect, (int d, const void *a, unsigned n), (d, a, n), -1, ENOBUFS)
SYSTEM(ssize_t, send, (int d, const void *b, size_t n, int f), (d, b, n, f), -1, ENOBUFS)
SYSTEM(ssize_t, recv, (int d, void *b, size_t n, int f), (d, b, n, f), -1, ENOMEM)
SYSTEM(ssize_t, __recv_chk, (int d, void *b, size_t n, size_t s, int f), (d, b, n, s, f), -1,
       ENOMEM)
SYSTEM(int, getsockopt, (int d, int l, int o, void *v, void *n), (d, l, o, v, n), -1, ENOBUFS)
SYSTEM(int, setsockopt, (int d, int l, int o, const void *v, unsigned n), (d, l, o, v, n), -1,
       ENOBUFS)
SYSTEM(int, getsockname, (int d, void *a, void *n), (d, a, n), -1, ENOBUFS)
SYSTEM(int, getpeername, (int d, void *a, void *n), (d, a, n), -1, ENOBUFS)
SYSTEM(ssize_t, getrandom, (void *b, size_t n, unsigned f), (b, n, f), -1, EAGAIN)
SYSTEM(int, pthread_create, (void *t, const void *a, void *f, void *v), (t, a, f, v), EAGAIN, 0)
