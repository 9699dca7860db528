/* SPDX-License-Identifier: MIT */
/* An entry of the log for tests: pairs of name and value, ended by NULL. */
#ifndef TOCSIN_TESTS_UNIT_LOG_ENTRY_H
#define TOCSIN_TESTS_UNIT_LOG_ENTRY_H

#include <string.h>
#include "base/text.h"

#define LOG_ENTRY(...) ((const char *[]){ __VA_ARGS__, NULL })

__attribute__((unused)) static tocsin_str log_entry_field(void *entry, const char *name)
{
	for (const char *const *pair = entry; pair[0]; pair += 2)
		if (strcmp(pair[0], name) == 0)
			return str(pair[1]);
	return (tocsin_str){ 0 };
}

#endif
