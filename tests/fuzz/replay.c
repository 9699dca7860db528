/* SPDX-License-Identifier: MIT */
/*
 * Stands in for libFuzzer where there is none: runs a target over files, one TAP line each. Without
 * arguments replay-NAME takes those of corpus/NAME beside this source, and an empty input.
 */
#include "config.h"
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>

static unsigned n_run;

/* Nothing is changed here. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max)
{
	(void)data;
	(void)max;
	return size;
}

static void run(const char *shown, const void *bytes, size_t len)
{
	void *input = exact_copy(bytes, len);

	/* Told before it runs: of a crash the log's last line tells the input. */
	printf("# %s\n", shown);
	fflush(stdout);
	LLVMFuzzerTestOneInput(input, len);
	free(input);
	printf("ok %u - %s\n", ++n_run, shown);
}

static void run_file(const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "rbe");
	_cleanup_(text_buffer_done) struct text_buffer bytes = { 0 };
	const char *slash = strrchr(path, '/');
	char piece[4096];
	size_t n;

	if (!f) {
		printf("Bail out! %s: %s\n", path, strerror(errno));
		exit(1);
	}
	while ((n = fread(piece, 1, sizeof piece, f)) > 0)
		text_buffer_add(&bytes, (tocsin_str){ piece, n });
	run(slash ? slash + 1 : path, bytes.ptr, bytes.len);
}

static int is_input(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static void run_folder(const char *path)
{
	struct dirent **found = NULL;
	int n = scandir(path, &found, is_input, alphasort);

	if (n <= 0) {
		printf("Bail out! %s: no inputs\n", path);
		exit(1);
	}
	for (int i = 0; i < n; i++) {
		_cleanup_(text_buffer_done) struct text_buffer file = { 0 };

		text_buffer_printf(&file, "%s/%s", path, found[i]->d_name);
		run_file(file.ptr);
		free(found[i]);
	}
	free(found);
}

int main(int argc, char **argv)
{
	_cleanup_(text_buffer_done) struct text_buffer corpus = { 0 };
	const char *source = getenv("top_srcdir");
	const char *name = strchr(program_invocation_short_name, '-');

	if (argc == 1 && name) {
		text_buffer_printf(&corpus, "%s/tests/fuzz/corpus/%s", source ? source : ".",
				   name + 1);
		run("an empty input", NULL, 0);
		run_folder(corpus.ptr);
	}
	for (int i = 1; i < argc; i++)
		run_file(argv[i]);
	printf("1..%u\n", n_run);
	return 0;
}
