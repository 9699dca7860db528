/* SPDX-License-Identifier: MIT */
/*
 * Fills the journal that listens here: ALERTS of tocsin's spread evenly among OTHERS that are not,
 * straight through sd_journal_sendv.
 *
 *	bench-fill OTHERS ALERTS
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-journal.h>

#include "base/moment.h"
#include "base/text.h"
#include "journal/entry.h"
#include "picture/picture.h"

static int send_other(unsigned n)
{
	char message[64];
	struct iovec fields[] = {
		{ message, 0 },
		{ (void *)(uintptr_t) "PRIORITY=6", 10 },
		{ (void *)(uintptr_t) "SYSLOG_IDENTIFIER=other", 23 },
	};

	fields[0].iov_len =
		(size_t)snprintf(message, sizeof message, "MESSAGE=another entry %u", n % 1000);
	return sd_journal_sendv(fields, sizeof fields / sizeof *fields);
}

/* Every second one resolves the one before. */
static int send_alert(unsigned n)
{
	static const struct entry_context context = { .engine = "bench",
						      .runbooks_base_url = "https://r.example" };
	char code[] = "DATA_FEED_DOWN", message[] = "no data from okx:ETH-USD for 5.0 s",
	     source[] = "okx:ETH-USD", key[] = "DATA_FEED_DOWN source=okx:ETH-USD";
	uint64_t now_ns = clock_realtime_ns();
	struct incident i = {
		.key = key,
		.code = code,
		.message = message,
		.source = source,
		.open = n % 2 == 0,
		.by_rule = true,
		.priority = 1,
		.number = n / 2 + 1,
		.count = 1,
	};
	struct change change = { .kind = CHANGE_ALERT, .at = { now_ns, now_ns }, .incident = &i };
	struct entry *e;
	int r;

	snprintf(i.id, sizeof i.id, "0123456789abcdef0123456789abcdef-%u-feed", n / 2 + 1);
	e = entry_of_change(&context, &change);
	if (!e)
		return -1;
	r = sd_journal_sendv(e->fields, (int)e->n_fields);
	entry_free(e);
	return r;
}

int main(int argc, char **argv)
{
	unsigned others = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000000;
	unsigned alerts = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1000;
	unsigned every = alerts > 0 && others >= alerts ? others / alerts : 1, sent = 0;

	for (unsigned i = 0; i < others; i++) {
		if (send_other(i) < 0)
			return 1;
		if (i % every == 0 && sent < alerts && send_alert(sent++) < 0)
			return 1;
	}
	return 0;
}
