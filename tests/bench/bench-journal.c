/* SPDX-License-Identifier: MIT */
/*
 * Entries a second through the journal writer, against a bare sd_journal_sendv loop with the same
 * fields, in turns in one run. Run it where a journald listens that may be filled.
 *
 *	bench-journal [ENTRIES]
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-journal.h>
#include <time.h>

#include "base/moment.h"
#include "journal/entry.h"
#include "journal/journal.h"

#define ROUNDS 5

static struct entry *make_entry(const struct entry_context *c, unsigned n)
{
	char text[64];

	snprintf(text, sizeof text, "bench entry %u", n);
	return entry_of_note(c, ENTRY_KIND_TROUBLE, 6, clock_realtime_ns(), text);
}

static double bare(const struct entry_context *c, unsigned n)
{
	struct entry **entries = calloc(n, sizeof(struct entry *));
	uint64_t from;

	if (!entries)
		return 0;
	for (unsigned i = 0; i < n; i++)
		entries[i] = make_entry(c, i);
	from = clock_monotonic_ns();
	for (unsigned i = 0; i < n; i++)
		sd_journal_sendv(entries[i]->fields, (int)entries[i]->n_fields);
	double seconds = (double)(clock_monotonic_ns() - from) / 1e9;
	for (unsigned i = 0; i < n; i++)
		entry_free(entries[i]);
	free(entries);
	return n / seconds;
}

static double written(const struct entry_context *c, unsigned n)
{
	struct journal_options o = { .state = -1, .target = LOG_TARGET_JOURNAL, .context = c };
	struct entry **entries = calloc(n, sizeof(struct entry *));
	struct journal *j;
	uint64_t last = 0;

	if (!entries || journal_new(&o, &j) < 0)
		return 0;
	for (unsigned i = 0; i < n; i++)
		entries[i] = make_entry(c, i);
	uint64_t from = clock_monotonic_ns();
	for (unsigned i = 0; i < n; i++)
		last = journal_submit(j, entries[i]);
	while (journal_settled(j) < last)
		nanosleep(&(struct timespec){ 0, 100000 }, NULL);
	double seconds = (double)(clock_monotonic_ns() - from) / 1e9;
	if (journal_lost(j) > 0)
		fprintf(stderr, "bench-journal: %llu entries were shed\n",
			(unsigned long long)journal_lost(j));
	if (journal_stop(j, 5 * NS_PER_S) == 0)
		journal_free(j);
	free(entries);
	return n / seconds;
}

static int ascending(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int main(int argc, char **argv)
{
	struct entry_context c = { .engine = "bench", .replay = true, .runbooks_base_url = "" };
	unsigned n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 10000;
	double a[ROUNDS], b[ROUNDS], ratio[ROUNDS];

	bare(&c, n / 10 + 1);
	for (unsigned i = 0; i < ROUNDS; i++) {
		a[i] = bare(&c, n);
		b[i] = written(&c, n);
		ratio[i] = b[i] / a[i];
	}
	qsort(a, ROUNDS, sizeof *a, ascending);
	qsort(b, ROUNDS, sizeof *b, ascending);
	qsort(ratio, ROUNDS, sizeof *ratio, ascending);
	printf("%-44s %7.0f entries/s\n", "bare sd_journal_sendv", a[ROUNDS / 2]);
	printf("%-44s %7.0f entries/s  (median ratio %.2f)\n", "the journal writer", b[ROUNDS / 2],
	       ratio[ROUNDS / 2]);
	return 0;
}
