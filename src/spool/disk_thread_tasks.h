/* SPDX-License-Identifier: MIT */
/* What the disk thread is asked to do, in the order it was asked. disk_thread.c uses it. */
#ifndef TOCSIN_SPOOL_DISK_THREAD_TASKS_H
#define TOCSIN_SPOOL_DISK_THREAD_TASKS_H

#include <stdint.h>

#include "spool/delivery.h"

struct task_list {
	struct task *first, **end;
};

/* A copy with a reference of its own: in the delivery, unless that was asked the same before. NULL
 * without memory. */
struct task *task_new(const struct task *like);
/* Takes NULL. */
void task_free(struct task *t);

void task_list_init(struct task_list *l);
/* Takes the task. */
void task_list_append(struct task_list *l, struct task *t);
/* The first one, or NULL. */
struct task *task_list_take(struct task_list *l);
/* Moves what `from` has behind what `l` has. */
void task_list_join(struct task_list *l, struct task_list *from);
/* Does an earlier page of the same incident wait in the list to be written? What the disk said to
 * that; else 0. */
int task_list_earlier(const struct task_list *l, const struct task *t);

#endif
