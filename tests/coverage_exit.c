/* SPDX-License-Identifier: MIT */
/* In a build that counts lines: a child that ends at once tells first which ones it has run. */
#include <unistd.h>

void __gcov_dump(void);
void __real__exit(int status) __attribute__((noreturn));
void __wrap__exit(int status) __attribute__((noreturn));

void __wrap__exit(int status)
{
	__gcov_dump();
	__real__exit(status);
}
