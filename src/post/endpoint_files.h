/* SPDX-License-Identifier: MIT */
/*
 * Whether the files that an endpoint's settings name can be used: secrets, tokens, certificates,
 * keys.
 */
#ifndef TOCSIN_POST_ENDPOINT_FILES_H
#define TOCSIN_POST_ENDPOINT_FILES_H

#include "base/text.h"
#include "settings/settings.h"

/* A settings_files_check. */
int endpoint_files_check(const struct settings_endpoint *e, const char **ret_key,
			 struct text_buffer *why);

#endif
