/* SPDX-License-Identifier: MIT */
/*
 * When a process exits, its exit handlers run while other threads go on. OpenSSL's handler frees
 * what a thread inside TLS is using, and the engine's own free what its log function needs. So
 * each thread of ours goes through this gate before it enters libcurl or the engine's functions,
 * and the exit shuts the gate: it waits for those inside, EXIT_GATE_WAIT_NS at most. What is in a
 * system call or in the resolver is not inside, and stays there.
 *
 * Exit handlers run in the reverse order of their registration. So exit_gate_arm must come after
 * OpenSSL has been initialised, which is when it registers its own.
 */
#ifndef TOCSIN_BASE_EXIT_GATE_H
#define TOCSIN_BASE_EXIT_GATE_H

#include <stdbool.h>

#define EXIT_GATE_WAIT_NS (100 * NS_PER_MS)

/* Makes the exit of this process shut the gate. Any number of times; -ENOMEM: it could not. */
int exit_gate_arm(void);

/* False: the process exits. Else exit_gate_leave must follow. */
bool exit_gate_enter(void);
void exit_gate_leave(void);
bool exit_gate_is_shut(void);

#endif
