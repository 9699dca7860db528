/* SPDX-License-Identifier: MIT */
/* An operator's request: one that is taken is left again by the tool and taken as the same. */
#include "config.h"
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>

#include "engine/control.h"

struct taken {
	unsigned n, n_bad;
	bool again;
	char *page_id, *endpoint, *reason;
	enum control_verb verb;
};

static char *kept(const char *text)
{
	return text ? strdup(text) : NULL;
}

static bool same(const char *a, const char *b)
{
	return a ? b && strcmp(a, b) == 0 : !b;
}

static void take(void *userdata, const struct control_request *r)
{
	struct taken *t = userdata;

	t->n++;
	MUST(control_verb_name(r->verb));
	MUST(r->verb != CONTROL_DISCARD || (r->page_id && r->reason && r->reason[0]));
	MUST(r->uid == geteuid());
	if (t->again) {
		MUST(r->verb == t->verb && same(r->page_id, t->page_id) &&
		     same(r->endpoint, t->endpoint) && same(r->reason, t->reason));
		return;
	}
	t->verb = r->verb;
	t->page_id = kept(r->page_id);
	t->endpoint = kept(r->endpoint);
	t->reason = kept(r->reason);
}

static void bad(void *userdata, const char *name, int error)
{
	struct taken *t = userdata;

	t->n_bad++;
	MUST(name[0] && error < 0);
}

/* -EINVAL: a text may come out too long for a file, once it is written as JSON again. */
static void again(struct control *c, struct taken *t)
{
	struct control_request r = {
		.verb = t->verb,
		.page_id = t->page_id,
		.endpoint = t->endpoint,
		.reason = t->reason,
	};
	char name[CONTROL_NAME_SIZE];
	int e = control_put(fuzz_folder_path(), &r, name);

	MUST(e == 0 || e == -EINVAL);
	t->again = true;
	if (e == 0)
		MUST(control_take(c, take, bad, t) == 1 && t->n == 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct control *c;
	struct taken t = { 0 };

	if (!c)
		MUST(control_open(fuzz_folder(), (gid_t)-1, &c) == 0);
	fuzz_file(CONTROL_FOLDER "/1.json", data, size);
	MUST(control_take(c, take, bad, &t) == 1);
	MUST(t.n + t.n_bad == 1);
	if (t.n == 1)
		again(c, &t);
	free(t.page_id);
	free(t.endpoint);
	free(t.reason);
	return 0;
}
