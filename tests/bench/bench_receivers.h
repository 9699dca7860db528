/* SPDX-License-Identifier: MIT */
/* Receivers on loopback, each on a port of its own, which last as long as the program. */
#ifndef TOCSIN_BENCH_RECEIVERS_H
#define TOCSIN_BENCH_RECEIVERS_H

#define RECEIVER_URL_SIZE 64

/* Each fills the url, or returns -1. */
int receiver_answers(char url[static RECEIVER_URL_SIZE]);
/* Takes connections and never says a word. */
int receiver_hangs(char url[static RECEIVER_URL_SIZE]);
/* Nobody listens. */
int receiver_is_away(char url[static RECEIVER_URL_SIZE]);

#endif
