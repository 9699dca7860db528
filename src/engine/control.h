/* SPDX-License-Identifier: MIT */
/*
 * STATE/control: where operators leave requests for a living engine, each a small file, from which
 * it takes them. Operators' files are not trusted: only regular ones of at most CONTROL_FILE_MAX
 * bytes are read, CONTROL_TAKE_MAX of them at a time, none through a link.
 *
 *	control/RANDOM.json    {"format":1,"verb":"resend"|"discard","all":true or
 *	                       "page":ID [,"endpoint":NAME] [,"reason":TEXT]}
 *
 * The folder belongs to the group `operators` (0770), or is the engine's user's alone (0700).
 */
#ifndef TOCSIN_ENGINE_CONTROL_H
#define TOCSIN_ENGINE_CONTROL_H

#include <stdbool.h>
#include <sys/types.h>

#define CONTROL_FOLDER "control"
#define CONTROL_FILE_MAX 4096
/* Requests that one call takes; the others are left for the next. */
#define CONTROL_TAKE_MAX 64
/* Bytes of a reason. */
#define CONTROL_REASON_MAX 1024

enum control_verb {
	CONTROL_RESEND,  /* tries again at once; a dead one waits again */
	CONTROL_DISCARD, /* gives it up; always has a reason */
};

/* Texts live for the call. */
struct control_request {
	enum control_verb verb;
	const char *page_id;  /* NULL: each page there is; only of a resend */
	const char *endpoint; /* NULL: at each endpoint */
	const char *reason;   /* UTF-8; NULL when none was given */
	uid_t uid;            /* whose file it was that was read */
};

const char *control_verb_name(enum control_verb verb);

/* --- For the engine --- */

struct control;

/* Makes STATE/control what it is to be. `state`, a folder, must outlive it; operators: (gid_t)-1
 * where there is no such group. -errno; -EPERM: it is another user's. */
int control_open(int state, gid_t operators, struct control **ret);
/* Takes NULL. */
void control_free(struct control *c);
/* The state folder has another descriptor now. */
void control_moved(struct control *c, int state);

/*
 * Calls `request` for each request, oldest first, and removes its file before; `bad` for each file
 * that is none (-EBADMSG, -EPROTONOSUPPORT: a later version's, -EFBIG, -EINVAL: no regular file,
 * -ELOOP), which is removed too, or hidden where it is a folder that is not empty. One system call
 * when nothing was put there since. Made again when the folder was removed. Returns how many files
 * it took, or -errno.
 */
int control_take(struct control *c,
		 void (*request)(void *userdata, const struct control_request *r),
		 void (*bad)(void *userdata, const char *name, int error), void *userdata);

/* --- For the tool --- */

#define CONTROL_NAME_SIZE 64

/* Leaves the request (uid is not looked at) in STATE_DIR/control; ret_name is its file's. -ENOENT:
 * there is no such folder; -EACCES: only the engine's user and the group may; -EINVAL: it is none.
 */
int control_put(const char *state_dir, const struct control_request *r,
		char ret_name[static CONTROL_NAME_SIZE]);
/* Has it been taken? 1, 0 or -errno. */
int control_taken(const char *state_dir, const char *name);

#endif
