/* SPDX-License-Identifier: MIT */
/* A page's file in the outbox: what is read is written again and read as the same page. */
#include "config.h"
#include "fuzz.h"

#include <errno.h>

#include "base/moment.h"
#include "page/page.h"

static void body_must(const struct page *p, bool minimal)
{
	_cleanup_free_ char *body = NULL;
	size_t len;

	MUST(page_format_find("generic")->render(p, minimal, 90 * NS_PER_S, &body, &len) == 0);
	MUST(len == strlen(body) && len <= PAGE_BODY_MAX);
}

static void same_again(const struct page *p, const char *endpoint)
{
	_cleanup_free_ char *bytes = NULL, *endpoint_again = NULL;
	struct page *again = NULL;
	size_t len;

	MUST(page_to_file(p, endpoint, &bytes, &len) == 0);
	MUST(page_from_file(bytes, len, &again, &endpoint_again) == 0);
	MUST(strcmp(again->id, p->id) == 0 && strcmp(again->alert_id, p->alert_id) == 0 &&
	     strcmp(again->code, p->code) == 0 && strcmp(endpoint_again, endpoint) == 0);
	MUST(again->type == p->type && again->priority == p->priority &&
	     again->event_wall_ns == p->event_wall_ns && again->due_wall_ns == p->due_wall_ns);
	MUST(page_step(again) == page_step(p));
	page_unref(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *bytes = exact_copy(data, size), *endpoint = NULL;
	struct page *p = NULL;
	int r = page_from_file(bytes, size, &p, &endpoint);

	MUST(r == 0 || r == -EBADMSG || r == -EPROTONOSUPPORT);
	if (r < 0) {
		MUST(!p && !endpoint);
		return 0;
	}
	MUST(p->priority >= 1 && p->priority <= 3 && !strchr(p->id, '/') && p->id[0] != '.');
	body_must(p, false);
	body_must(p, true);
	same_again(p, endpoint);
	page_unref(p);
	return 0;
}
