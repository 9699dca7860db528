/* SPDX-License-Identifier: MIT */
/*
 * All that the tool prints goes through one cleaner: whoever wrote a text that is shown, a name in
 * a snapshot, a field of the journal, a page, it cannot act on the terminal. Control characters
 * become escapes as text_to_line makes them; line ends, tabs and the tool's own colours pass.
 */
#ifndef TOCSIN_TOOL_CLEAN_OUTPUT_H
#define TOCSIN_TOOL_CLEAN_OUTPUT_H

/* Puts the cleaner in front of stdout and stderr, once, before anything is printed. Without memory
 * they stay as they are. */
void clean_output_begin(void);

#endif
