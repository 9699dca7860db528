/* SPDX-License-Identifier: MIT */
/* Receivers on loopback, each on a port of its own, which last as long as the program. */
#ifndef TOCSIN_BENCH_RECEIVERS_H
#define TOCSIN_BENCH_RECEIVERS_H

#define RECEIVER_URL_SIZE 64

/* Called by its thread. */
struct receiver_manners {
	void (*came)(void);       /* a request's head has come; NULL: nothing is done */
	unsigned (*status)(void); /* of the answer, when all has come; NULL: 204 */
};

/* Each fills the url, or returns -1. The manners must last as long. */
int receiver_answers(const struct receiver_manners *m, char url[static RECEIVER_URL_SIZE]);
/* Takes connections and never says a word. */
int receiver_hangs(char url[static RECEIVER_URL_SIZE]);
/* Nobody listens. */
int receiver_is_away(char url[static RECEIVER_URL_SIZE]);

#endif
