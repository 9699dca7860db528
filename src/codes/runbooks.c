/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "codes/runbooks.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/files.h"
#include "base/text.h"
#include "codes/runbook_file.h"

#define FALLBACK "GENERAL"
#define INDEX "README.md"
#define SUFFIX ".md"

struct runbooks {
	struct runbook *table; /* ordered by code once all are there */
	unsigned n;
	struct runbook_file *files; /* whose texts the table points to */
	unsigned n_files;
	char *url; /* of the site's folder; NULL: none */
};

DEFINE_CLEANUP(struct runbooks *, runbooks_free, cleanup_runbooks)

/* --- Looking up --- */

unsigned runbooks_list(const struct runbooks *set, const struct runbook **ret)
{
	*ret = set ? set->table : runbook_table;
	return set ? set->n : runbook_table_size;
}

static int compare(const void *code, const void *runbook)
{
	return str_compare(*(const tocsin_str *)code, str(((const struct runbook *)runbook)->code));
}

const struct runbook *runbooks_own(const struct runbooks *set, tocsin_str code)
{
	const struct runbook *table;
	unsigned n = runbooks_list(set, &table);

	return bsearch(&code, table, n, sizeof *table, compare);
}

const struct runbook *runbooks_find(const struct runbooks *set, tocsin_str code)
{
	const struct runbook *found = runbooks_own(set, code);

	if (!found)
		found = runbooks_own(set, STR(FALLBACK));
	assert(found);
	return found;
}

void runbooks_facts(void *userdata, tocsin_str code, struct code_facts *ret)
{
	const struct runbook *r = runbooks_find(userdata, code);

	*ret = (struct code_facts){ .priority = r->priority, .page_after_ns = r->page_after_ns };
}

void runbook_name(const struct runbook *r, char ret[static RUNBOOK_NAME_SIZE])
{
	snprintf(ret, RUNBOOK_NAME_SIZE, "%s" SUFFIX, r->code);
	for (char *p = ret; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p += 'a' - 'A';
}

char *runbooks_link(const struct runbooks *set, const char *base_url, tocsin_str code)
{
	const struct runbook *r = runbooks_find(set, code);
	struct text_buffer b = { 0 };
	char name[RUNBOOK_NAME_SIZE];

	if (r->of_site && strcmp(base_url, RUNBOOKS_BASE_URL_DEFAULT) == 0)
		base_url = set->url;
	runbook_name(r, name);
	text_buffer_printf(&b, "%s/%s", base_url, name);
	if (b.failed)
		text_buffer_done(&b);
	return b.ptr;
}

/* --- Loading --- */

/* "file://" and the path, whose bytes that a URL must not hold are escaped. */
static char *folder_url(const char *dir)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789/-._~";
	size_t len = strlen(dir);
	struct text_buffer b = { 0 };

	while (len > 1 && dir[len - 1] == '/')
		len--;
	text_buffer_add(&b, STR("file://"));
	for (size_t i = 0; i < len; i++)
		if (strchr(plain, dir[i]))
			text_buffer_add(&b, (tocsin_str){ dir + i, 1 });
		else
			text_buffer_printf(&b, "%%%02X", (unsigned char)dir[i]);
	if (b.failed)
		text_buffer_done(&b);
	return b.ptr;
}

bool runbooks_reads(const char *name)
{
	size_t len = strlen(name), suffix = sizeof SUFFIX - 1;

	return *name != '.' && len > suffix && strcmp(name + len - suffix, SUFFIX) == 0 &&
	       strcmp(name, INDEX) != 0;
}

static int is_read(const struct dirent *e)
{
	return runbooks_reads(e->d_name);
}

/* By bytes, whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int by_code(const void *a, const void *b)
{
	return strcmp(((const struct runbook *)a)->code, ((const struct runbook *)b)->code);
}

/* One folder being read. */
struct load {
	struct runbooks *set;
	const char *dir, *name;
	int fd;
	runbooks_bad *bad;
	void *userdata;
};

static void tell(void *userdata, unsigned line, const char *what)
{
	struct load *l = userdata;
	_cleanup_free_ char *name = text_to_line(str(l->name));
	struct text_buffer file = { 0 };

	text_buffer_printf(&file, "%s/%s", l->dir, name ? name : "");
	l->bad(l->userdata, file.ptr ? file.ptr : l->dir, line, what);
	text_buffer_done(&file);
}

/* The place of the same code, or that of a new one. */
static unsigned place_of(const struct runbooks *set, const struct runbook *r)
{
	unsigned i = 0;

	while (i < set->n && strcmp(set->table[i].code, r->code) != 0)
		i++;
	return i;
}

/* Another code that has the same message id, or NULL. */
static const char *id_owner(const struct runbooks *set, const struct runbook *r)
{
	for (unsigned i = 0; i < set->n; i++)
		if (strcmp(set->table[i].message_id, r->message_id) == 0 &&
		    strcmp(set->table[i].code, r->code) != 0)
			return set->table[i].code;
	return NULL;
}

static void take(struct load *l, struct runbook_file *f)
{
	struct runbooks *set = l->set;
	const char *owner = id_owner(set, &f->runbook);
	unsigned place = place_of(set, &f->runbook);
	char what[TOCSIN_CODE_MAX + 40];

	if (owner) {
		snprintf(what, sizeof what, "message-id: is %s's already", owner);
		tell(l, f->message_id_line, what);
		runbook_file_done(f);
		return;
	}
	set->table[place] = f->runbook;
	if (place == set->n)
		set->n++;
	f->body = (tocsin_str){ 0 };
	set->files[set->n_files++] = *f;
}

static int load_one(struct load *l)
{
	_cleanup_free_ char *text = NULL;
	struct runbook_file f;
	char what[128];
	size_t len;
	int r = file_read_followed(l->fd, l->name, RUNBOOK_FILE_MAX, &text, &len);

	if (r == -EFBIG)
		tell(l, 0, "is larger than 256 kB");
	else if (r == -EINVAL)
		tell(l, 0, "is no regular file");
	else if (r < 0 && r != -ENOMEM) {
		snprintf(what, sizeof what, "cannot be read: %s", strerror(-r));
		tell(l, 0, what);
	}
	if (r == 0)
		r = runbook_file_parse(l->name, (tocsin_str){ text, len }, tell, l, &f);
	if (r == 0)
		take(l, &f);
	return r == -ENOMEM ? r : 0;
}

static int load_names(struct load *l, struct dirent **names, unsigned n)
{
	unsigned wanted = n < RUNBOOKS_MAX ? n : RUNBOOKS_MAX;
	struct runbooks *set = l->set;
	struct runbook *table =
		realloc(set->table, (set->n + (size_t)wanted + 1) * sizeof *set->table);
	int r = 0;

	if (!table)
		return -ENOMEM;
	set->table = table;
	set->files = calloc((size_t)wanted + 1, sizeof *set->files);
	if (!set->files)
		return -ENOMEM;
	for (unsigned i = 0; i < wanted && r == 0; i++) {
		l->name = names[i]->d_name;
		r = load_one(l);
	}
	if (n > wanted)
		l->bad(l->userdata, l->dir, 0,
		       "holds more than 1024 runbooks; the rest is left out");
	qsort(set->table, set->n, sizeof *set->table, by_code);
	return r;
}

static int load_folder(struct load *l)
{
	_cleanup_close_ int fd = descriptor_open(l->dir, O_RDONLY | O_DIRECTORY);
	struct dirent **names = NULL;
	char what[128];
	int n = fd < 0 ? -1 : scandirat(fd, ".", &names, is_read, by_name), r;

	if (n < 0 && errno == ENOMEM)
		return -ENOMEM;
	if (n < 0) {
		snprintf(what, sizeof what, "cannot be read: %s", strerror(errno));
		l->bad(l->userdata, l->dir, 0, what);
		return 0;
	}
	l->fd = fd;
	r = load_names(l, names, (unsigned)n);
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return r;
}

int runbooks_load(const char *dir, runbooks_bad *bad, void *userdata, struct runbooks **ret)
{
	_cleanup_(cleanup_runbooks) struct runbooks *set = calloc(1, sizeof *set);
	struct load l = { .set = set, .dir = dir, .bad = bad, .userdata = userdata };
	int r = 0;

	if (!set)
		return -ENOMEM;
	set->n = runbook_table_size;
	set->table = malloc(runbook_table_size * sizeof *set->table);
	if (!set->table)
		return -ENOMEM;
	memcpy(set->table, runbook_table, runbook_table_size * sizeof *set->table);
	if (dir) {
		set->url = folder_url(dir);
		r = set->url ? load_folder(&l) : -ENOMEM;
	}
	if (r == 0)
		*ret = TAKE(set);
	return r;
}

void runbooks_free(struct runbooks *set)
{
	if (!set)
		return;
	for (unsigned i = 0; i < set->n_files; i++)
		runbook_file_done(&set->files[i]);
	free(set->files);
	free(set->table);
	free(set->url);
	free(set);
}
