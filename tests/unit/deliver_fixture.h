/* SPDX-License-Identifier: MIT */
/* What the tests of delivery share: incidents, pages and deliveries, made in one line each. */
#ifndef TOCSIN_TESTS_UNIT_DELIVER_FIXTURE_H
#define TOCSIN_TESTS_UNIT_DELIVER_FIXTURE_H

#include "test.h"

#include <pthread.h>

#include "base/moment.h"
#include "base/text.h"
#include "page/page.h"
#include "spool/delivery.h"

#define FIXTURE_WALL_NS UINT64_C(1785750996584631000) /* 2026-08-03T09:56:36.584631Z */
#define FIXTURE_LIMIT_NS (30 * NS_PER_S) /* for what must come; nothing is judged by it */

static const struct page_context fixture_context = {
	.engine = "shadow-1",
	.host = "box",
	.runbooks_base_url = "https://runbooks.example",
};

/* Texts are borrowed. */
__attribute__((unused)) static struct incident fixture_incident(const char *alert_id,
								uint32_t priority)
{
	static char key[] = "k", code[] = "DATA_FEED_DOWN", message[] = "no data from okx:ETH-USD";
	struct incident i = {
		.key = key,
		.code = code,
		.message = message,
		.open = true,
		.priority = priority,
		.number = 7,
		.count = 2,
		.opened = { 1, FIXTURE_WALL_NS },
		.raised = { 2, FIXTURE_WALL_NS + NS_PER_S },
	};

	snprintf(i.id, sizeof i.id, "%s", alert_id);
	return i;
}

__attribute__((unused)) static struct page *fixture_page_at(const char *alert_id, uint32_t priority,
							    enum page_kind kind, uint64_t wall_ns)
{
	struct incident i = fixture_incident(alert_id, priority);
	struct moment at = { 3, wall_ns };
	struct page *page = NULL;

	if (kind == PAGE_RESOLVED)
		i.resolved = at;
	if (kind == PAGE_REPEAT)
		i.repeats = 1;
	assert_int_equal(page_new(&fixture_context, &i, kind, at, &page), 0);
	return page;
}

__attribute__((unused)) static struct page *fixture_page(const char *alert_id)
{
	return fixture_page_at(alert_id, 1, PAGE_RAISED, FIXTURE_WALL_NS);
}

/* Its page has no other owner. */
__attribute__((unused)) static struct delivery *fixture_delivery(const char *alert_id,
								 uint32_t priority,
								 enum page_kind kind,
								 uint64_t sequence)
{
	struct page *page = fixture_page_at(alert_id, priority, kind, FIXTURE_WALL_NS);
	struct delivery *p = delivery_new(page, 0, sequence);

	assert_non_null(p);
	page_unref(page);
	return p;
}

__attribute__((unused)) static unsigned fixture_flags(const struct delivery *p)
{
	return atomic_load_explicit(&p->flags, memory_order_acquire);
}

#endif
