/* SPDX-License-Identifier: MIT */
/* What faults-engine asks of the library that is preloaded into it. */
#ifndef TOCSIN_TESTS_FAULT_SHIM_H
#define TOCSIN_TESTS_FAULT_SHIM_H

enum fault_kind { FAULT_NONE, FAULT_MEMORY, FAULT_SYSTEM };

/* From now on the nth call of that kind fails, once. 0: none does, they are counted. */
typedef void fault_arm_function(int kind, unsigned long n);
fault_arm_function fault_arm;
/* How many there were, and which one failed: "malloc tocsin.so+0x1234", or "none". */
typedef unsigned long fault_calls_function(const char **ret_report);
fault_calls_function fault_calls;

#endif
