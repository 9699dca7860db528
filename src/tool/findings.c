/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/findings.h"

#include <stdarg.h>
#include <stdio.h>
#include "base/cleanup.h"
#include "tool/tool.h"

void findings_tell(struct findings *f, enum verdict verdict, const char *what, const char *format,
		   ...)
{
	static const struct {
		const char *word;
		int colour;
	} verdicts[] = { { "ok", 32 }, { "warning", 33 }, { "FAILED", 31 } };
	struct text_buffer b = { 0 }, *lines = &f->lines[verdict];
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	text_buffer_printf(&b, "%s: %s", what, text);
	_cleanup_free_ char *line = text_to_line((tocsin_str){ b.ptr, b.len });
	text_buffer_done(&b);
	if (tool_colours(stdout))
		text_buffer_printf(lines, "\033[%dm%-7s\033[0m  ", verdicts[verdict].colour,
				   verdicts[verdict].word);
	else
		text_buffer_printf(lines, "%-7s  ", verdicts[verdict].word);
	text_buffer_printf(lines, "%s\n", line ? line : "no memory");
	if (verdict == VERDICT_FAILED)
		f->failed = true;
}

void findings_print(const struct findings *f)
{
	for (int verdict = VERDICT_FAILED; verdict >= VERDICT_OK; verdict--)
		if (f->lines[verdict].ptr)
			fputs(f->lines[verdict].ptr, stdout);
}

void findings_done(struct findings *f)
{
	for (int verdict = VERDICT_OK; verdict < VERDICTS; verdict++)
		text_buffer_done(&f->lines[verdict]);
}
