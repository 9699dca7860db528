/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "codes/code.h"

bool code_is_usable(tocsin_str code)
{
	if (code.len == 0 || code.len > TOCSIN_CODE_MAX)
		return false;
	for (size_t i = 0; i < code.len; i++) {
		char c = code.ptr[i];
		bool letter = c >= 'A' && c <= 'Z';

		if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '_')))
			return false;
	}
	return true;
}
