/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/journal_files.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <systemd/sd-id128.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/text.h"

DEFINE_CLEANUP(DIR *, closedir, cleanup_dir)

/* --- Where the files are --- */

bool journal_namespace_is_valid(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789:-_.@\\";
	size_t len = strspn(name, letters);

	return len > 0 && len < 200 && !name[len] && name[0] != '.';
}

bool journal_namespace_is_known_form(const char *name_space)
{
	return !name_space[0] || strcmp(name_space, "*") == 0 ||
	       journal_namespace_is_valid(name_space + (name_space[0] == '+'));
}

void journal_files_folders(const struct journal_source *source, struct journal_folders *ret)
{
	static const char *const roots[] = { "/var/log/journal/", "/run/log/journal/" };
	const char *name = source->name_space ? source->name_space : "*";
	char machine[SD_ID128_STRING_MAX] = "";
	sd_id128_t id;

	ret->n = 0;
	if (source->directory) {
		snprintf(ret->patterns[ret->n++], sizeof(ret->patterns[0]), "%s",
			 source->directory);
		return;
	}
	if (sd_id128_get_machine(&id) < 0)
		return;
	sd_id128_to_string(id, machine);
	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		if (!name[0] || name[0] == '+' || name[0] == '*')
			snprintf(ret->patterns[ret->n++], sizeof(ret->patterns[0]), "%s%s",
				 roots[i], machine);
		if (name[0])
			snprintf(ret->patterns[ret->n++], sizeof(ret->patterns[0]), "%s%s.%s",
				 roots[i], machine, name + (name[0] == '+'));
	}
}

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
		if (!b.failed && glob(b.ptr, GLOB_NOSORT | GLOB_NOESCAPE, NULL, &found) == 0) {
			for (size_t f = 0; f < found.gl_pathc; f++)
				look_at(found.gl_pathv[f], o, ret);
			globfree(&found);
		}
		text_buffer_done(&b);
	}
}

/* Folders that may not be entered: what lies in them is not known. */
static void look_for_forbidden(const char *folder, const char *pattern, struct journal_files *ret)
{
	struct text_buffer b = { 0 };
	glob_t found;

	/* Only folders match with a slash at the end. */
	text_buffer_printf(&b, "%s%s/", folder, pattern);
	if (!b.failed && glob(b.ptr, GLOB_NOSORT | GLOB_NOESCAPE, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			ret->forbidden +=
				access(found.gl_pathv[i], R_OK | X_OK) < 0 && errno == EACCES;
		globfree(&found);
	}
	text_buffer_done(&b);
}

void journal_files_look(const struct journal_source *source, struct journal_files *ret)
{
	struct journal_folders folders;
	struct open_files o = { 0 };

	*ret = (struct journal_files){ 0 };
	open_files_read(&o);
	journal_files_folders(source, &folders);
	for (size_t i = 0; i < folders.n; i++) {
		look_below(folders.patterns[i], "/*", &o, ret);
		look_for_forbidden(folders.patterns[i], "", ret);
	}
	/* Folders named by a machine's id, and by a namespace behind it. */
	if (source->directory) {
		look_below(source->directory, "/[0-9a-f]*/*", &o, ret);
		look_for_forbidden(source->directory, "/[0-9a-f]*", ret);
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
