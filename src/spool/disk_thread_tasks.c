/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "spool/disk_thread_tasks.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"

struct task *task_new(const struct task *like)
{
	struct delivery *p = like->delivery;
	unsigned place = like->kind != TASK_KEEP;
	bool own = p && !atomic_exchange(&p->asked[place], true);
	struct task *t = own ? &p->tasks[place] : malloc(sizeof *t);

	if (!t)
		return NULL;
	*t = *like;
	if (t->delivery) {
		delivery_ref(t->delivery);
		t->incident = hash_text(str(t->delivery->page->alert_id));
	}
	return t;
}

void task_free(struct task *t)
{
	if (!t)
		return;
	struct delivery *p = t->delivery;

	if (p && t >= p->tasks && t < p->tasks + DELIVERY_TASKS)
		atomic_store(&p->asked[t - p->tasks], false);
	else
		free(t);
	delivery_unref(p);
}

void task_list_init(struct task_list *l)
{
	l->first = NULL;
	l->end = &l->first;
}

void task_list_append(struct task_list *l, struct task *t)
{
	t->next = NULL;
	*l->end = t;
	l->end = &t->next;
}

struct task *task_list_take(struct task_list *l)
{
	struct task *t = l->first;

	if (t) {
		l->first = t->next;
		if (!l->first)
			l->end = &l->first;
	}
	return t;
}

void task_list_join(struct task_list *l, struct task_list *from)
{
	if (!from->first)
		return;
	*l->end = from->first;
	l->end = from->end;
	task_list_init(from);
}

static bool is_earlier(const struct task *a, const struct task *b)
{
	const struct delivery *p = a->delivery, *q = b->delivery;

	return a->kind == TASK_KEEP && a->incident == b->incident && p->endpoint == q->endpoint &&
	       page_step(p->page) < page_step(q->page) &&
	       strcmp(p->page->alert_id, q->page->alert_id) == 0 &&
	       !(atomic_load_explicit(&p->flags, memory_order_acquire) & DELIVERY_ENDED);
}

int task_list_earlier(const struct task_list *l, const struct task *t)
{
	if (page_step(t->delivery->page) == 0)
		return 0;
	for (const struct task *i = l->first; i; i = i->next)
		if (is_earlier(i, t))
			return i->error;
	return 0;
}
