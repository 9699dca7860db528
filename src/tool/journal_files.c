/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/journal_files.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <systemd/sd-id128.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/text.h"

DEFINE_CLEANUP(DIR *, closedir, cleanup_dir)

/* --- What is open --- */

struct file_id {
	dev_t dev;
	ino_t ino;
};

struct open_files {
	struct file_id *list;
	size_t n;
};

static void open_files_read(struct open_files *o)
{
	_cleanup_(cleanup_dir) DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	struct stat st;

	while (dir && (entry = readdir(dir))) {
		int fd = entry->d_name[0] == '.' ? -1 : (int)strtol(entry->d_name, NULL, 10);
		struct file_id *list;

		if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		list = reallocarray(o->list, o->n + 1, sizeof(*list));
		if (!list)
			return;
		o->list = list;
		list[o->n++] = (struct file_id){ st.st_dev, st.st_ino };
	}
}

static bool is_open(const struct open_files *o, const struct stat *st)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->list[i].dev == st->st_dev && o->list[i].ino == st->st_ino)
			return true;
	return false;
}

/* --- What is there --- */

static void look_at(const char *path, const struct open_files *o, struct journal_files *ret)
{
	struct stat st;

	/* One that is gone by now was journald's to remove. */
	if (stat(path, &st) < 0) {
		ret->forbidden += errno == EACCES;
		return;
	}
	if (!S_ISREG(st.st_mode) || is_open(o, &st))
		return;
	if (access(path, R_OK) < 0)
		ret->forbidden++;
	else
		ret->skipped++;
}

static void look_below(const char *folder, const char *pattern, const struct open_files *o,
		       struct journal_files *ret)
{
	/* journald renames a file that it finds damaged to end in a tilde. */
	static const char *const endings[] = { ".journal", ".journal~" };

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		struct text_buffer b = { 0 };
		glob_t found;

		text_buffer_printf(&b, "%s%s%s", folder, pattern, endings[i]);
		if (!b.failed && glob(b.ptr, GLOB_NOSORT, NULL, &found) == 0) {
			for (size_t f = 0; f < found.gl_pathc; f++)
				look_at(found.gl_pathv[f], o, ret);
			globfree(&found);
		}
		text_buffer_done(&b);
	}
	if (access(folder, R_OK | X_OK) < 0 && errno == EACCES)
		ret->forbidden++;
}

void journal_files_look(const char *directory, struct journal_files *ret)
{
	static const char *const folders[] = { "/var/log/journal/", "/run/log/journal/" };
	struct open_files o = { 0 };
	char machine[SD_ID128_STRING_MAX] = "";
	sd_id128_t id;

	*ret = (struct journal_files){ 0 };
	open_files_read(&o);
	if (directory) {
		look_below(directory, "/*", &o, ret);
		/* Folders named by a machine's id, and by a namespace behind it. */
		look_below(directory, "/[0-9a-f]*/*", &o, ret);
	} else if (sd_id128_get_machine(&id) >= 0) {
		sd_id128_to_string(id, machine);
		for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
			struct text_buffer b = { 0 };

			text_buffer_printf(&b, "%s%s", folders[i], machine);
			if (!b.failed)
				look_below(b.ptr, "*/*", &o, ret);
			text_buffer_done(&b);
		}
	}
	free(o.list);
}

/* --- Files that are shortened --- */

/* A signal's handler can reach nothing else: file-level, and for this process's life. */
static volatile sig_atomic_t cut;
static volatile sig_atomic_t page_size;

static void on_sigbus(int signal_number, siginfo_t *info, void *context)
{
	uintptr_t page = (uintptr_t)info->si_addr & ~((uintptr_t)page_size - 1);

	(void)context;
	if (info->si_code == BUS_ADRERR &&
	    /* NOLINTNEXTLINE(performance-no-int-to-ptr): the page that could not be read. */
	    mmap((void *)page, (size_t)page_size, PROT_READ,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED) {
		cut = 1;
		return;
	}
	/* It comes again when this returns, and then ends the process. */
	(void)signal(signal_number, SIG_DFL);
}

void journal_files_survive(void)
{
	struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };

	page_size = (sig_atomic_t)sysconf(_SC_PAGESIZE);
	sigemptyset(&action.sa_mask);
	(void)sigaction(SIGBUS, &action, NULL);
}

int journal_files_were_cut(void)
{
	int was = cut;

	cut = 0;
	return was;
}
