/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "engine/control.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/files.h"
#include "base/text.h"

#define FORMAT 1
#define SUFFIX ".json"
#define NESTING_MAX 2
#define ID_MAX 256

DEFINE_CLEANUP(DIR *, closedir, cleanup_closedir)
DEFINE_CLEANUP(json_t *, json_decref, cleanup_json)
DEFINE_CLEANUP(struct control *, control_free, cleanup_control)

static const char *const verb_names[] = {
	[CONTROL_RESEND] = "resend",
	[CONTROL_DISCARD] = "discard",
};
#define VERBS (sizeof verb_names / sizeof *verb_names)

const char *control_verb_name(enum control_verb verb)
{
	return verb_names[verb];
}

/* --- A request's text --- */

/* Texts point into the JSON. -EBADMSG, -EPROTONOSUPPORT. */
static int request_read(json_t *root, struct control_request *ret)
{
	struct control_request r = { 0 };
	json_int_t format = 0;
	const char *verb;
	int all = 0;
	size_t i = 0;

	if (json_unpack(root, "{s:I}", "format", &format) < 0 || format < FORMAT)
		return -EBADMSG;
	if (format > FORMAT)
		return -EPROTONOSUPPORT;
	if (json_unpack(root, "{s:s, s?b, s?s, s?s, s?s}", "verb", &verb, "all", &all, "page",
			&r.page_id, "endpoint", &r.endpoint, "reason", &r.reason) < 0)
		return -EBADMSG;
	while (i < VERBS && strcmp(verb_names[i], verb) != 0)
		i++;
	if (i == VERBS || (all != 0) == (r.page_id != NULL))
		return -EBADMSG;
	r.verb = (enum control_verb)i;
	*ret = r;
	return 0;
}

/* Is it one that makes sense? What is given up is named, and why is said. */
static bool request_is_fine(const struct control_request *r)
{
	bool reasoned = r->reason && r->reason[0];

	return (r->page_id ? r->page_id[0] && strlen(r->page_id) <= ID_MAX : !r->endpoint) &&
	       (!r->endpoint || (r->endpoint[0] && strlen(r->endpoint) <= ID_MAX)) &&
	       (!r->reason || strlen(r->reason) <= CONTROL_REASON_MAX) &&
	       (r->verb != CONTROL_DISCARD || (r->page_id && reasoned));
}

static int text_set(json_t *root, const char *name, const char *text)
{
	_cleanup_free_ char *utf8 = NULL;
	size_t len;

	if (!text)
		return 0;
	utf8 = text_to_utf8(str(text), &len);
	return utf8 && json_object_set_new(root, name, json_stringn(utf8, len)) == 0 ? 0 : -ENOMEM;
}

static int request_write(const struct control_request *r, char **ret)
{
	_cleanup_(cleanup_json) json_t *root =
		json_pack("{s:i, s:s}", "format", FORMAT, "verb", control_verb_name(r->verb));
	int error = root ? 0 : -ENOMEM;

	if (error == 0 && !r->page_id)
		error = json_object_set_new(root, "all", json_true()) < 0 ? -ENOMEM : 0;
	if (error == 0)
		error = text_set(root, "page", r->page_id);
	if (error == 0)
		error = text_set(root, "endpoint", r->endpoint);
	if (error == 0)
		error = text_set(root, "reason", r->reason);
	if (error < 0)
		return error;
	char *text = json_dumps(root, JSON_COMPACT);
	if (!text)
		return -ENOMEM;
	if (strlen(text) > CONTROL_FILE_MAX) {
		free(text);
		return -EINVAL;
	}
	*ret = text;
	return 0;
}

/* --- The engine's side --- */

struct control {
	int state, folder;
	struct descriptor_identity state_identity, folder_identity;
	gid_t operators;
	struct timespec seen; /* the folder's change by which everything in it was taken */
};

static int folder_make(int state, gid_t operators, int *ret_fd)
{
	mode_t mode = operators == (gid_t)-1 ? 0700 : 0770;
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (mkdirat(state, CONTROL_FOLDER, 0700) < 0 && errno != EEXIST && errno != EROFS)
		return -errno;
	fd = descriptor_openat(state, CONTROL_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid())
		return -EPERM;
	if (operators != (gid_t)-1 && st.st_gid != operators &&
	    fchown(fd, (uid_t)-1, operators) < 0)
		return -errno;
	if ((st.st_mode & 07777) != mode && fchmod(fd, mode) < 0)
		return -errno;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

static int folder_get(struct control *c)
{
	int r;

	if (!descriptor_is(c->state, c->state_identity))
		return -ESTALE;
	r = folder_make(c->state, c->operators, &c->folder);
	if (r == 0)
		c->folder_identity = descriptor_identify(c->folder);
	return r;
}

/* The number may be another file's by now, which is not ours to close. */
static void folder_forget(struct control *c)
{
	if (descriptor_is(c->folder, c->folder_identity))
		close(c->folder);
	c->folder = -1;
}

int control_open(int state, gid_t operators, struct control **ret)
{
	_cleanup_(cleanup_control) struct control *c = malloc(sizeof *c);
	int r;

	if (!c)
		return -ENOMEM;
	*c = (struct control){ .state = state,
			       .folder = -1,
			       .state_identity = descriptor_identify(state),
			       .operators = operators };
	r = folder_get(c);
	if (r < 0)
		return r;
	*ret = TAKE(c);
	return 0;
}

void control_moved(struct control *c, int state)
{
	c->state = state;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	folder_forget(c);
	free(c);
}

struct request_file {
	char name[NAME_MAX + 1];
	struct timespec at;
};

struct request_files {
	struct request_file items[CONTROL_TAKE_MAX];
	size_t n;
	bool more;
};

static int compare_files(const void *a, const void *b)
{
	const struct request_file *x = a, *y = b;

	if (x->at.tv_sec != y->at.tv_sec)
		return x->at.tv_sec < y->at.tv_sec ? -1 : 1;
	if (x->at.tv_nsec != y->at.tv_nsec)
		return x->at.tv_nsec < y->at.tv_nsec ? -1 : 1;
	return strcmp(x->name, y->name);
}

static bool is_request(const char *name)
{
	size_t len = strlen(name);

	return name[0] != '.' && len > strlen(SUFFIX) &&
	       strcmp(name + len - strlen(SUFFIX), SUFFIX) == 0;
}

static int files_list(int folder, struct request_files *ret)
{
	int fd = descriptor_openat(folder, ".", O_RDONLY | O_DIRECTORY, 0);
	_cleanup_(cleanup_closedir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	struct stat st;

	if (!dir) {
		int error = errno;

		if (fd >= 0)
			close(fd);
		return -error;
	}
	ret->n = 0;
	ret->more = false;
	while ((e = readdir(dir))) {
		if (!is_request(e->d_name) ||
		    fstatat(folder, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (ret->n == CONTROL_TAKE_MAX) {
			ret->more = true;
			break;
		}
		struct request_file *f = &ret->items[ret->n++];
		snprintf(f->name, sizeof f->name, "%s", e->d_name);
		f->at = st.st_mtim;
	}
	qsort(ret->items, ret->n, sizeof *ret->items, compare_files);
	return 0;
}

/* What cannot be removed, a folder with something in it, is out of the way under another name. */
static int file_remove(int folder, const char *name, bool is_folder)
{
	char hidden[NAME_MAX + 2];
	int error;

	if (unlinkat(folder, name, is_folder ? AT_REMOVEDIR : 0) == 0)
		return 0;
	error = errno;
	snprintf(hidden, sizeof hidden, ".%s", name);
	if (is_folder)
		(void)renameat(folder, name, folder, hidden);
	return -error;
}

/* Removed first: one that cannot be is not done again and again. */
static int file_take(const struct control *c, const char *name,
		     void (*request)(void *userdata, const struct control_request *r),
		     void *userdata)
{
	_cleanup_(cleanup_json) json_t *root = NULL;
	_cleanup_free_ char *text = NULL;
	struct control_request request_of_file;
	struct stat st = { 0 };
	size_t len;
	uid_t uid = 0;
	int r = file_read_of(c->folder, name, CONTROL_FILE_MAX, &text, &len, &uid);

	if (fstatat(c->folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	int removed = file_remove(c->folder, name, S_ISDIR(st.st_mode));
	if (removed < 0 || r < 0)
		return removed < 0 ? removed : r;
	if (!json_nests_within(text, len, NESTING_MAX))
		return -EBADMSG;
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	r = request_read(root, &request_of_file);
	if (r == 0 && !request_is_fine(&request_of_file))
		r = -EBADMSG;
	if (r < 0)
		return r;
	request_of_file.uid = uid;
	request(userdata, &request_of_file);
	return 0;
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/*
 * A change leaves a trace only as fine as the kernel's clock ticks: one that comes right after we
 * have looked may have the time of the one before. So a recent time is not relied on.
 */
static void seen_set(struct control *c, struct timespec changed)
{
	struct timespec now;

	if (clock_gettime(CLOCK_REALTIME, &now) == 0 && changed.tv_sec + 2 <= now.tv_sec)
		c->seen = changed;
}

int control_take(struct control *c,
		 void (*request)(void *userdata, const struct control_request *r),
		 void (*bad)(void *userdata, const char *name, int error), void *userdata)
{
	_cleanup_free_ struct request_files *files = NULL;
	struct stat st;
	int r;

	if (!descriptor_is(c->folder, c->folder_identity) || fstat(c->folder, &st) < 0 ||
	    st.st_nlink == 0) {
		folder_forget(c);
		c->seen = (struct timespec){ 0 };
	}
	if (c->folder < 0)
		return folder_get(c);
	if (same_time(st.st_mtim, c->seen))
		return 0;
	files = malloc(sizeof *files);
	if (!files)
		return -ENOMEM;
	r = files_list(c->folder, files);
	if (r < 0)
		return r;
	if (!files->more)
		seen_set(c, st.st_mtim);
	for (size_t i = 0; i < files->n; i++) {
		r = file_take(c, files->items[i].name, request, userdata);
		if (r < 0 && bad)
			bad(userdata, files->items[i].name, r);
	}
	return (int)files->n;
}

/* --- The tool's side --- */

static int folder_of(const char *state_dir, int *ret_fd)
{
	struct text_buffer path = { 0 };
	int r;

	text_buffer_printf(&path, "%s/" CONTROL_FOLDER, state_dir);
	r = path.failed ? -ENOMEM : folder_open(path.ptr, false, ret_fd);
	text_buffer_done(&path);
	return r;
}

int control_put(const char *state_dir, const struct control_request *r,
		char ret_name[static CONTROL_NAME_SIZE])
{
	_cleanup_close_ int folder = -1;
	_cleanup_free_ char *text = NULL;
	char name[CONTROL_NAME_SIZE];
	uint64_t random;
	int error;

	if (!request_is_fine(r))
		return -EINVAL;
	error = request_write(r, &text);
	if (error == 0)
		error = folder_of(state_dir, &folder);
	if (error < 0)
		return error;
	if (getrandom(&random, sizeof random, 0) != sizeof random)
		return -errno;
	snprintf(name, sizeof name, "%016llx" SUFFIX, (unsigned long long)random);
	/* The folder lets nobody in but those who are meant, and the engine is one of them. */
	error = file_replace_readable(folder, name, text, strlen(text));
	if (error == 0)
		snprintf(ret_name, CONTROL_NAME_SIZE, "%s", name);
	return error;
}

int control_taken(const char *state_dir, const char *name)
{
	_cleanup_close_ int folder = -1;
	struct stat st;
	int r = folder_of(state_dir, &folder);

	if (r < 0)
		return r;
	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	return errno == ENOENT ? 1 : -errno;
}
