/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/play_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/text.h"
#include "spool/outbox.h"

DEFINE_CLEANUP(struct outbox *, outbox_free, cleanup_outbox)

/* Folders deep that removing goes. */
#define DEPTH_MAX 16

static char *join(const char *folder, const char *name)
{
	struct text_buffer b = { 0 };

	text_buffer_printf(&b, "%s/%s", folder, name);
	if (b.failed) {
		text_buffer_done(&b);
		return NULL;
	}
	return b.ptr;
}

static int make_unique(const char *parent, char **ret)
{
	char *path = join(parent, "tocsin-play-XXXXXX");

	if (!path)
		return -ENOMEM;
	if (!mkdtemp(path)) {
		int e = errno;

		free(path);
		return -e;
	}
	*ret = path;
	return 0;
}

static bool is_tmpfs(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

/* The recorder belongs on a tmpfs; the parent folder need not be on one. */
static int make_runtime(struct play_folder *f)
{
	if (!is_tmpfs(f->path) && is_tmpfs("/dev/shm") &&
	    make_unique("/dev/shm", &f->runtime) == 0) {
		f->runtime_apart = true;
		return 0;
	}
	f->runtime = join(f->path, "runtime");
	return f->runtime ? 0 : -ENOMEM;
}

int play_folder_make(struct play_folder *f, struct tool_options *options)
{
	bool runtime = !tool_options_has(options, "paths.runtime_dir");
	bool state = !tool_options_has(options, "paths.state_dir");
	const char *tmpdir = secure_getenv("TMPDIR");
	int r = 0;

	*f = (struct play_folder){ .parent = tmpdir && tmpdir[0] == '/' ? tmpdir : "/tmp" };
	if (runtime || state)
		r = make_unique(f->parent, &f->path);
	if (r == 0 && runtime) {
		r = make_runtime(f);
		if (r == 0)
			r = tool_options_add(options, "paths.runtime_dir", f->runtime);
	}
	if (r == 0 && state) {
		f->state = join(f->path, "state");
		r = f->state ? tool_options_add(options, "paths.state_dir", f->state) : -ENOMEM;
	}
	if (r < 0)
		play_folder_done(f);
	return r;
}

static void count_page(void *userdata, struct page *page, const char *endpoint)
{
	size_t *n = userdata;

	(void)endpoint;
	(*n)++;
	page_unref(page);
}

bool play_folder_has_dead(const struct tool_options *options)
{
	_cleanup_(cleanup_outbox) struct outbox *o = NULL;
	_cleanup_free_ char *path = NULL;
	struct outbox_cursor cursor = { 0 };
	size_t n = 0;

	for (size_t i = options->n; i-- > 0 && !path;)
		if (str_is(options->kv[i].key, "paths.state_dir"))
			path = str_dup(options->kv[i].value);
	if (!path || outbox_open_existing(path, &o) < 0)
		return true;
	return outbox_scan_dead(o, &cursor, count_page, NULL, &n) < 0 || n > 0;
}

void play_folder_keep(struct play_folder *f)
{
	f->keep = true;
	if (f->state)
		fprintf(stderr,
			"tocsin play: pages that were not delivered are kept in %s;\n"
			"play again with -o paths.state_dir=%s and an endpoint that answers, or "
			"remove %s\n",
			f->state, f->state, f->path);
	else
		fputs("tocsin play: pages that were not delivered are kept in paths.state_dir\n",
		      stderr);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	remove(path);
	return 0;
}

static void remove_tree(const char *path)
{
	nftw(path, remove_one, DEPTH_MAX, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

void play_folder_done(struct play_folder *f)
{
	if (f->runtime_apart)
		remove_tree(f->runtime);
	if (f->path && !f->keep)
		remove_tree(f->path);
	free(f->runtime);
	free(f->state);
	free(f->path);
	f->runtime = f->state = f->path = NULL;
}
