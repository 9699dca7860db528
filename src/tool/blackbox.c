/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/blackbox.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "base/files.h"
#include "base/lockfile.h"
#include "base/moment.h"
#include "base/owner.h"
#include "base/text.h"
#include "record/recorder.h"
#include "tool/tool.h"
#include "tool/verbs.h"

/* A living recorder may change between two looks at it: how often it is looked at again. */
#define OPEN_TRIES 5

static const char help[] =
	"usage: tocsin blackbox [OPTION]... FILE\n"
	"\n"
	"Prints the last events of an engine from its recorder, ring-... in its runtime folder,\n"
	"whether it lives or has died: as lines that tocsin play takes, oldest first. What is "
	"known\n"
	"of the run goes to the standard error.\n"
	"\n"
	"      --last N    the last N events\n"
	"      --json      what is known of the run is the first line of the output, as JSON\n"
	"      --utc       times of the run in UTC instead of local time\n"
	"  -h, --help      this text\n";

DEFINE_CLEANUP(struct recorder_image *, recorder_image_free, cleanup_image)

/* A recorder being read. */
struct box {
	const struct blackbox_options *options;
	struct recorder_image *image;
	struct recorder_image_facts facts;
	bool alive;
	uint64_t from; /* position of the first event that is printed */
	uint64_t events, printed, torn, unreadable;
};

static uint64_t wall_of(const struct box *b, const struct record *r)
{
	int64_t offset = b->facts.wall_offset_ns;

	if (r->wall_ns > 0)
		return r->wall_ns;
	if (offset < 0 && r->mono_ns < (uint64_t)-offset)
		return 0;
	return r->mono_ns + (uint64_t)offset;
}

/*
 * The next event that can be read. Slots between events are torn, but those that the reader had
 * released: they are what newer events have left of older ones.
 */
static int box_next(struct box *b, uint64_t *position, struct record *ret, uint64_t *ret_position)
{
	const uint8_t *bytes;
	size_t len;
	uint64_t begun = *position, found, skipped = 0;

	while (recorder_image_next(b->image, position, &bytes, &len, &found, &skipped) > 0) {
		uint64_t counted = b->facts.damaged ? begun : b->facts.released;

		if (begun > counted)
			counted = begun;
		if (found > counted && skipped > 0)
			b->torn += found - counted < skipped ? found - counted : skipped;
		skipped = 0;
		begun = *position;
		if (record_decode(bytes, len, ret) == 0) {
			*ret_position = found;
			return 1;
		}
		b->unreadable++;
	}
	b->torn += skipped;
	return 0;
}

/* The last ones' positions go round in `kept`. */
static int box_count(struct box *b)
{
	uint64_t size = b->options->last < b->facts.slots ? b->options->last : b->facts.slots;
	_cleanup_free_ uint64_t *kept = calloc(size > 0 ? size : 1, sizeof(*kept));
	uint64_t position = 0, at;
	struct record r;

	if (!kept)
		return -ENOMEM;
	while (box_next(b, &position, &r, &at) > 0) {
		if (size > 0)
			kept[b->events % size] = at;
		b->events++;
	}
	if (size > 0 && b->events > size)
		b->from = kept[b->events % size];
	return 0;
}

static int box_print(struct box *b, FILE *out)
{
	uint64_t position = b->from, at;
	struct box reading = *b;
	struct record r;
	int status;

	while (box_next(&reading, &position, &r, &at) > 0) {
		status = blackbox_line_write(out, &r, wall_of(b, &r));
		if (status < 0)
			return status;
		b->printed += (uint64_t)status;
	}
	return fflush(out) == 0 ? 0 : -EIO;
}

static void epoch_text(const struct box *b, char ret[static 2 * RECORDER_EPOCH_SIZE + 1])
{
	for (size_t i = 0; i < RECORDER_EPOCH_SIZE; i++)
		snprintf(ret + 2 * i, 3, "%02x", b->facts.epoch[i]);
}

static const char *state_of(const struct box *b)
{
	return b->alive ? "running" : b->facts.stopped_wall_ns > 0 ? "stopped" : "dead";
}

static uint64_t losses_of(const struct box *b)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < RECORDER_N_LOSSES; i++)
		sum += b->facts.losses[i];
	return sum;
}

static void tell_facts(const struct box *b, FILE *f)
{
	const struct recorder_image_facts *facts = &b->facts;
	char epoch[2 * RECORDER_EPOCH_SIZE + 1], time[TIME_TEXT_SIZE];

	epoch_text(b, epoch);
	fputs("engine ", f);
	tool_print_text(f, facts->engine[0] ? str(facts->engine) : STR("(unknown)"));
	fprintf(f, ", process %" PRIu32 ", %s, run %s\n", facts->pid, state_of(b), epoch);
	if (facts->started_wall_ns > 0)
		fprintf(f, "started %s\n",
			time_to_local(facts->started_wall_ns, b->options->utc, time));
	if (facts->stopped_wall_ns > 0)
		fprintf(f, "stopped %s\n",
			time_to_local(facts->stopped_wall_ns, b->options->utc, time));
	if (facts->checkpoint_position > 0)
		fprintf(f, "checkpoint at %" PRIu64 ", next position %" PRIu64 "\n",
			facts->checkpoint_position, facts->head);
	else
		fprintf(f, "no checkpoint, next position %" PRIu64 "\n", facts->head);
	if (losses_of(b) > 0)
		fprintf(f,
			"refused, the ring being full: %" PRIu64 " P1, %" PRIu64 " P2, %" PRIu64
			" P3, %" PRIu64 " others\n",
			facts->losses[RECORDER_LOSS_P1], facts->losses[RECORDER_LOSS_P2],
			facts->losses[RECORDER_LOSS_P3], facts->losses[RECORDER_LOSS_OTHER]);
	fprintf(f, "%" PRIu64 " events", b->events);
	if (b->torn > 0)
		fprintf(f, ", %" PRIu64 " slots %s", b->torn,
			b->alive ? "being written" : "reserved and never written");
	if (b->unreadable > 0)
		fprintf(f, ", %" PRIu64 " that cannot be read", b->unreadable);
	fputs(facts->damaged ? "; the file is damaged, this is what is left\n" : "\n", f);
}

static json_t *time_or_null(uint64_t wall_ns)
{
	char text[TIME_TEXT_SIZE];

	return wall_ns > 0 ? json_string(time_to_rfc3339(wall_ns, text)) : json_null();
}

static int print_facts(const struct box *b, FILE *out)
{
	const struct recorder_image_facts *f = &b->facts;
	size_t len;
	_cleanup_free_ char *engine = text_to_utf8(str(f->engine), &len);
	char epoch[2 * RECORDER_EPOCH_SIZE + 1];

	epoch_text(b, epoch);
	json_t *json = json_pack(
		"{s:s*, s:s, s:I, s:s, s:o, s:o, s:I, s:I, s:{s:I, s:I, s:I, s:I}, s:I, s:I, s:I, "
		"s:b}",
		"engine", engine, "epoch", epoch, "pid", (json_int_t)f->pid, "state", state_of(b),
		"started_at", time_or_null(f->started_wall_ns), "stopped_at",
		time_or_null(f->stopped_wall_ns), "checkpoint", (json_int_t)f->checkpoint_position,
		"next", (json_int_t)f->head, "refused", "P1",
		(json_int_t)f->losses[RECORDER_LOSS_P1], "P2",
		(json_int_t)f->losses[RECORDER_LOSS_P2], "P3",
		(json_int_t)f->losses[RECORDER_LOSS_P3], "other",
		(json_int_t)f->losses[RECORDER_LOSS_OTHER], "events", (json_int_t)b->events, "torn",
		(json_int_t)b->torn, "unreadable", (json_int_t)b->unreadable, "damaged",
		f->damaged);
	int r = json ? json_dumpf(json, out, JSON_COMPACT | JSON_ENSURE_ASCII) : -1;

	if (!json)
		return -ENOMEM;
	json_decref(json);
	return r < 0 || fputc('\n', out) == EOF ? -EIO : 0;
}

static int box_open(struct box *b, int folder, const char *name)
{
	char lock[64];

	snprintf(lock, sizeof(lock), "lock-%.40s", name + (strncmp(name, "ring-", 5) == 0 ? 5 : 0));
	for (int tries = 0;; tries++) {
		int r = recorder_image_open(folder, name, &b->image);

		if (r < 0)
			return r;
		recorder_image_facts(b->image, &b->facts);
		b->alive = lockfile_is_held(folder, lock) == 1;
		if (!b->alive || !b->facts.damaged || tries == OPEN_TRIES)
			return 0;
		recorder_image_free(b->image);
	}
}

int blackbox_print(int folder, const char *name, const struct blackbox_options *o, FILE *out,
		   FILE *facts)
{
	struct box b = { .options = o };
	int r = box_open(&b, folder, name);
	_cleanup_(cleanup_image) struct recorder_image *image = r < 0 ? NULL : b.image;

	if (r < 0)
		return r;
	r = box_count(&b);
	if (r < 0)
		return r;
	if (!o->json)
		tell_facts(&b, facts);
	else
		r = print_facts(&b, out);
	return r < 0 ? r : box_print(&b, out);
}

/* -1: go on; else the exit status. */
static int parse_arguments(struct blackbox_options *o, const char **ret_file, int argc, char **argv)
{
	static const struct option options[] = {
		{ "last", required_argument, NULL, 'l' },
		{ "json", no_argument, NULL, 'j' },
		{ "utc", no_argument, NULL, 'u' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option == 'j')
			o->json = true;
		else if (option == 'u')
			o->utc = true;
		else if (option == 'l' && tool_parse_number(optarg, 1, UINT32_MAX, &o->last) == 0)
			continue;
		else if (option == 'h') {
			fputs(help, stdout);
			return TOOL_FINE;
		} else if (option == 'l') {
			return tool_wrong_use("blackbox", "--last %s: expected a number from 1 on",
					      optarg);
		} else {
			return tool_wrong_use("blackbox", "unknown option");
		}
	}
	if (optind + 1 != argc)
		return tool_wrong_use("blackbox", "expected one FILE, ring-... of an engine");
	*ret_file = argv[optind];
	return -1;
}

static const char *trouble(int error)
{
	switch (error) {
	case -EBADMSG:
		return "this is no recorder";
	case -EPROTONOSUPPORT:
		return "a later version of tocsin has written it";
	default:
		return strerror(-error);
	}
}

/* The folder that the recorder is in and its name there. A link of another user's is not followed;
 * root's and one's own are. The caller closes and frees. */
static int locate(const char *file, int *ret_folder, char **ret_name)
{
	_cleanup_free_ char *path = NULL;
	struct stat st;

	if (lstat(file, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode) && st.st_uid != 0 && st.st_uid != geteuid())
		return -ELOOP;
	path = realpath(file, NULL);
	char *slash = path ? strrchr(path, '/') : NULL;
	if (!slash)
		return -errno;
	*slash = 0;
	char *name = strdup(slash + 1);
	int r = name ? folder_open(path[0] ? path : "/", false, ret_folder) : -ENOMEM;
	if (r < 0)
		free(name);
	else
		*ret_name = name;
	return r;
}

int blackbox_main(int argc, char **argv)
{
	struct blackbox_options o = { 0 };
	struct owner_rights rights = { 0 };
	const char *file = NULL;
	_cleanup_free_ char *name = NULL;
	_cleanup_close_ int folder = -1;
	int r = parse_arguments(&o, &file, argc, argv);

	if (r >= 0 || !file)
		return r;
	r = locate(file, &folder, &name);
	if (r == 0)
		r = owner_enter(folder, &rights);
	if (r == 0)
		r = blackbox_print(folder, name, &o, stdout, stderr);
	owner_leave(&rights);
	return r < 0 ? tool_failed("blackbox", "%s: %s", file, trouble(r)) : TOOL_FINE;
}
