/* SPDX-License-Identifier: MIT */
/* The dispatcher's inside, shared by its files: dispatcher.c has the control calls. */
#ifndef TOCSIN_DISPATCH_DISPATCHER_PARTS_H
#define TOCSIN_DISPATCH_DISPATCHER_PARTS_H

#include <pthread.h>
#include <semaphore.h>

#include "base/failure.h"
#include "journal/entry.h"
#include "journal/journal.h"
#include "spool/disk_thread.h"
#include "spool/outbox.h"
#include "page/page.h"
#include "post/pager.h"
#include "dispatch/dispatcher.h"
#include "spool/delivery_index.h"
#include "engine/running_file.h"
#include "picture/checkpoint.h"
#include "picture/picture.h"
#include "picture/rate_limit.h"
#include "engine/folders.h"
#include "engine/saved_picture.h"
#include "record/dead_runs.h"
#include "record/taken_notes.h"
#include "dispatch/rescue.h"
#include "base/text.h"
#include "codes/runbooks.h"

/* What a control call asks of the dispatcher's thread. */
enum request_kind { REQUEST_NONE, REQUEST_FLUSH, REQUEST_SNAPSHOT };

struct request {
	enum request_kind kind;
	uint32_t level;  /* of a flush */
	uint64_t target; /* position: everything before it must be applied */
	bool applied;    /* it is; the two below are then known */
	bool delivered;  /* a flush: its pages are */
	uint64_t journal_sequence, delivery_sequence;
	const char *waits_for; /* what is not done yet, for a person */
	bool done;
	int result;
	char *text; /* of a snapshot */
	size_t text_len;
};

/* A checkpoint that waits for its pages to be safe and its entries to be written. */
struct candidate {
	bool waiting;
	uint64_t position, journal_sequence, delivery_sequence, changes;
	struct checkpoint_buffer state;
};

/* What the pager last learnt of an endpoint; under `lock`. */
struct endpoint_health {
	bool well;       /* it has taken a page, and since then no attempt was in vain */
	bool broken;     /* only a person can mend it */
	bool unseen;     /* it was so since the last look, whatever it is now */
	char error[512]; /* never a secret; of the last failure */
};

/* Memory that the dispatcher's thread holds back for when there is none: see dispatcher_memory.c. A
 * piece is enough for a P1 and its page. The thread's own. */
#define MEMORY_PIECES 64
#define MEMORY_PIECE_SIZE ((size_t)32 * 1024)
struct memory_reserve {
	void *pieces[MEMORY_PIECES];
	size_t n;
	bool given_up; /* a stop had no time left: what is undone is for the next run */
	uint64_t told, told_ns;
};

/* What is to be done once nothing depends on what was recovered from any more. */
struct recovery {
	bool active;         /* changes are those of a dead run */
	atomic_bool refused; /* it could not be done: somebody else is at it, or time is over */
	bool claimed;        /* the outbox is ours */
	bool pending;        /* the files below wait for the first checkpoint */
	struct dead_runs runs;
	bool saved_picture, running_file; /* STATE/picture and STATE/running are of a dead run */
	uint64_t n_runs, n_told, events, torn; /* n_told: runs that have left something */
	/* Of the last run that the picture has in it: */
	uint8_t last_epoch[RECORDER_EPOCH_SIZE];
	uint64_t last_first_position;
};

/* Pages on their way from the disk thread to the dispatcher's, in their order. */
struct handed {
	struct page *page;
	char *endpoint;
	struct handed *next;
};
struct handed_list {
	struct handed *first, *last;
};

/* Reading the outbox on. Between asked and done the cursor, what is found and the error are the
 * disk thread's. */
struct outbox_reading {
	bool asked;
	atomic_bool done;
	struct outbox_cursor cursor;
	struct handed_list found;
	int error;
	uint64_t again_ns; /* the last try has failed, the next one is due; else 0 */
};

/*
 * A record that the reader waits for because its producer is held between taking its slots and
 * stamping them, and what waits behind it.
 */
#define BLOCKAGE_GAPS_MAX 64    /* slots behind it that are not written either; then no further */
#define BLOCKAGE_QUOTES_MAX 256 /* P1s that wait to be quoted; those past it are counted alone */
struct blockage {
	uint64_t position; /* of that record; 0: the reader waits for none */
	uint64_t since_wall_ns, waited_ns;
	uint64_t turn_ns, looked_ns; /* the last turn, the last look behind it */
	bool told;
	unsigned n_pages;        /* that have announced it */
	uint64_t paged_ns;       /* the last of them */
	uint64_t cursor;         /* how far it was looked, but for the gaps */
	uint64_t waiting, p1;    /* events found behind it, and how many raise a P1 */
	uint64_t behind_wall_ns; /* of the first one found */
	uint64_t gaps[BLOCKAGE_GAPS_MAX], unquoted[BLOCKAGE_QUOTES_MAX]; /* positions */
	uint32_t seen[BLOCKAGE_QUOTES_MAX]; /* hashes of what was or will be quoted */
	size_t n_gaps, n_unquoted, n_seen;
};

struct dispatcher {
	const struct settings *settings;
	const struct rescue_options *rescue; /* NULL: there is an engine */
	struct host_log *host_log;
	struct refusals *refusals;
	struct tick_clock *clock; /* kept by the thread; NULL: none */
	struct folders folders;
	char host_name[256];
	struct runbooks *runbooks; /* NULL: the built-in ones */

	struct recorder *recorder;
	struct journal *journal;
	struct outbox *outbox;
	struct disk_thread *disk_thread;
	struct pager *pager;
	struct taken_notes *taken; /* NULL: none; what it notes is the pager's thread's */
	struct entry_context entry_context, recovered_context;
	struct page_context page_context;
	const char *endpoint_names[SETTINGS_ENDPOINTS_MAX];
	struct lockfile *engine_lock; /* held by the thread: the engine of this name lives */

	/* The thread's own. */
	struct entry_meta_names meta_names; /* of this run, with those of a run it recovers */
	bool meta_names_told;
	struct picture *picture; /* NULL until there is a time: see dispatcher_loop.c */
	struct delivery_index delivery_index;
	uint64_t unread; /* files of the outbox that nobody has read yet */
	size_t n_held;   /* deliveries of the delivery index that the pager was not given yet */
	struct outbox_reading reading;
	struct candidate candidate;
	struct memory_reserve memory;
	uint64_t next; /* position after the last record applied */
	uint64_t checkpoint_position, checkpoint_at_ns;
	int64_t wall_offset_ns;    /* CLOCK_REALTIME - CLOCK_MONOTONIC */
	uint64_t journal_sequence; /* of the last entry submitted by this thread */
	uint64_t losses_told, losses_told_ns;
	struct blockage blockage;
	uint64_t first_position;            /* of this run */
	uint64_t recorder_seen_ns;          /* the last look whether its file is still there */
	bool lost, lost_told, unseen_told;  /* it is not; it cannot be seen */
	uint64_t last_loss_ns, lossless_ns; /* noted, and when none had come since */
	uint32_t refusals_told;
	bool damage_told;
	uint64_t changes; /* of the picture, by events, deadlines and ourselves */
	uint64_t changes_shared, changes_kept; /* those that snapshot.json, the checkpoint has */
	uint64_t shared_at_ns;
	uint64_t alive_at_ns; /* of the last sign of life, or of the first turn */
	struct recovery recovery;
	uint64_t last_event_wall_ns;
	uint64_t latest_ns; /* when the clock was read last to date an event */
	struct endpoint_health watched[SETTINGS_ENDPOINTS_MAX]; /* a copy of `health` */
	bool degraded[SETTINGS_ENDPOINTS_MAX];
	uint32_t degradations; /* so far: parts of their alert_ids */
	uint32_t health_seen;
	uint64_t failover_looked_ns;
	bool marked; /* STATE/running is ours */
	uint64_t running_file_sum, running_file_at_ns, changes_marked;
	/* Paged incidents that opened or ended, and those of them that STATE/picture has. */
	uint64_t page_changes, page_changes_saved, saved_at_ns;
	bool listed; /* in STATE/pages.json */
	uint64_t listed_sum, control_at_ns;
	uint64_t started_wall_ns;
	int64_t started_offset_ns; /* wall_offset_ns then */
	uint64_t owing_since_ns;

	/* Numbers reserved: what may be released without using one twice. */
	_Atomic uint64_t reserved;
	atomic_bool reserving;

	_Atomic uint64_t applied;                        /* events, for the stats */
	_Atomic uint64_t passed_over[RECORDER_N_LOSSES]; /* events, for want of memory */
	_Atomic uint64_t behind; /* likewise: pages that are unread or held */
	atomic_bool unkept_told, unshared_told, unmarked_told, unsaved_told, reopened_told;
	_Atomic(json_t *) to_share; /* owned; what the disk thread is to write next, or NULL */
	_Atomic(struct running_file *) to_mark;  /* likewise */
	_Atomic(struct saved_picture *) to_save; /* likewise */
	atomic_int outbox_claim;     /* what the disk thread's last try gave; CLAIM_ASKED before */
	_Atomic uint64_t owed_asked; /* entries up to there are to be kept on disk */
	atomic_bool owing, owe_failed; /* the disk thread is at it; its last try was in vain */
	atomic_uint health_changes;
	_Atomic(struct page_listing *) to_list; /* owned; what pages.json is to show, or NULL */
	_Atomic uint64_t dead_discarded;        /* dead pages that operators have discarded */
	atomic_bool looking;                    /* the disk thread is at control/ and pages.json */
	struct control *control;                /* the disk thread's */
	/* While STATE/running or STATE/picture is written or removed. */
	pthread_mutex_t mark_lock;
	struct running_file_copy mark_file; /* under it */

	/* Between control calls and the thread. */
	pthread_mutex_t lock;
	pthread_cond_t answered;
	sem_t asked; /* posted by control calls: the thread looks at once */
	struct request request;
	struct endpoint_health health[SETTINGS_ENDPOINTS_MAX];
	struct handed_list revived; /* dead pages to be posted again */
	struct handed_list buried;  /* pages that have just died, for the backups */
	struct orphan *orphans;     /* pages of the outbox for endpoints that are not configured */
	uint64_t orphan_changes;
	bool stopping;
	uint64_t stop_by_ns; /* CLOCK_MONOTONIC: how long it may wait for pages to be safe */
	bool clean;          /* everything was safe when the thread ended */
	bool stopped_lossy;  /* the stop's own: it left what it should have read or kept */
	bool recorder_stays; /* for the next start: not all of it is elsewhere */
	/* Of a start, in this order: the thread has looked for the engine's name (name_error); it
	 * may go on (proceed); it holds the recorder's lock (hold_error). */
	bool named, proceed, held;
	int name_error, hold_error;
	struct settings *to_name; /* whose name and folders it may number; by_number: it has */
	bool by_number;
	bool plain, placed;     /* how the threads run: see thread.h */
	struct failure failure; /* of a start */
	int unwiped_error;

	pthread_t thread;
	bool thread_runs, pager_runs, disk_thread_runs, journal_runs;
};

/* dispatcher_start.c: makes all the parts and starts their threads. -errno: some may run already.
 */
int dispatcher_begin(struct dispatcher *d, struct settings *settings);

/* On the thread, once nothing of the start can fail any more. */
void dispatcher_tell_started(struct dispatcher *d);
/* Says why the start failed, to the host and to the log; some parts may run, or none. */
void dispatcher_tell_failure(struct dispatcher *d, int error);
/* The same where there is no log thread, or no dispatcher at all. */
void dispatcher_tell_failure_alone(const struct settings *s, struct host_log *host_log, bool rescue,
				   const char *why);
/*
 * On the thread: finds the folders of the first of NAME, NAME.2, NAME.3, ... that no living engine
 * has, and holds its lock from then on. Nobody comes in between, however many start at once. A
 * rescue only looks: -EBUSY where the engine lives.
 */
int dispatcher_name(struct dispatcher *d);

/* dispatcher_loop.c: the thread. */
void *dispatcher_main(void *arg);
/* The present; with the events' clock, the latest event's. */
struct moment dispatcher_now(const struct dispatcher *d);

/* A new picture that reports its changes to the dispatcher. -ENOMEM. */
int dispatcher_picture_new(struct dispatcher *d, const uint8_t epoch[static RECORDER_EPOCH_SIZE],
			   struct moment at, struct picture **ret);

/*
 * dispatcher_recover.c: on the thread, before its first turn: takes over the outbox and all files
 * of former runs. When a checkpoint contains it all, dispatcher_recovered releases these files.
 * False: it could not, and the next run has to apply this run's events too.
 */
bool dispatcher_recover(struct dispatcher *d);
void dispatcher_recovered(struct dispatcher *d);
/* A rescue that finds the engine started ends; the engine does not wait for one that hangs. */
#define ROOM_NS (3 * NS_PER_S)
#define ROOM_LOOK_NS (2 * NS_PER_MS)
/* A stop leaves time for the take-over; when that is over, the next run has to do it. */
bool dispatcher_is_over(struct dispatcher *d);
/* Sleeps at most that long; for code that has no other way to wait. */
void dispatcher_pause(struct dispatcher *d, uint64_t ns);

/* dispatcher_recover_run.c: what is known of the end of a run. */
#define SESSIONS_NAMED 8 /* by ENGINE_DOWN; the others are counted */
struct death {
	uint8_t epoch[RECORDER_EPOCH_SIZE];
	bool unclean;
	const char *how; /* a clause for a person, NULL: nothing is known */
	uint32_t pid;
	uint64_t position; /* after its last event */
	uint64_t started_wall_ns, last_event_wall_ns, last_heartbeat_wall_ns;
	uint64_t recovered, torn, refused;
	uint64_t sessions;              /* that ran */
	struct text_buffer session_ids; /* some of them, as text */
};
/*
 * From the clock of a former run, which had that wall offset and left that picture, to ours: 0,
 * unless the machine was booted since. The clock on the wall may have been set back in between:
 * what the picture saw last then counts as the present, since nothing comes from the future. Of the
 * events' clock there is but one.
 */
int64_t dispatcher_clock_shift(const struct dispatcher *d, bool other_boot, int64_t wall_offset_ns,
			       const uint8_t *state, size_t len);
/* Continues the picture from the run's checkpoint and reports its changes. -errno. */
int dispatcher_recover_run(struct dispatcher *d, struct dead_run *run, struct death *ret);
/* The moment at which what a former run has left counts as found. */
struct moment dispatcher_found_at(const struct dispatcher *d);
/* Raises ENGINE_DOWN. */
void dispatcher_tell_death(struct dispatcher *d, const struct death *death);
void death_done(struct death *death);

/*
 * dispatcher_blocked.c. Each turn: is the reader blocked at d->next? `hurry`: there will be no
 * other turn, so what waits is announced without patience.
 */
#define BLOCKED_CODE "EVENTS_BLOCKED"
#define LOST_CODE "RECORDER_LOST"
void dispatcher_watch_blockage(struct dispatcher *d, bool blocked, bool hurry, uint64_t now_ns);
/* Is what blocks the reader announced, with each P1 that was found behind it? */
bool dispatcher_blockage_is_told(const struct dispatcher *d);
/* Once the thread has ended: counts in d->blockage what it has not read. */
void dispatcher_count_unread(struct dispatcher *d);
/* Once a former run is taken over: ends what it said of its own recorder. */
void dispatcher_end_recorder_alerts(struct dispatcher *d);
/* Once a dead run's records are applied: the same, and draws again what it had announced. */
void dispatcher_end_blockages(struct dispatcher *d, const struct recorder_image_facts *facts);

/*
 * dispatcher_memory.c, on the thread. May this event begin? False: it is passed over (and counted),
 * or a stop has no time left for it. dispatcher_memory_wait is asked after a step has found no
 * memory: true, try it again; false: a stop has no time left, and it stays undone.
 */
void dispatcher_memory_begin(struct dispatcher *d);
bool dispatcher_memory_ready(struct dispatcher *d, const struct record *r);
bool dispatcher_memory_wait(void *userdata);
/* Reports what was passed over. */
void dispatcher_memory_tell(struct dispatcher *d, uint64_t now_ns);
/* When the thread has ended. */
void dispatcher_memory_done(struct dispatcher *d);

/* dispatcher_lost.c. Each turn: is the recorder's file still there? RECORDER_LOST. */
void dispatcher_watch_recorder(struct dispatcher *d, uint64_t now_ns);
/* Opens its folder again where somebody has closed the descriptor. */
void dispatcher_reopen_recorder(struct dispatcher *d);
/* On the disk thread: reports once that somebody closed a folder's descriptor. The
 * state's. */
int dispatcher_folders_look(struct dispatcher *d);
/* At an orderly stop, when all is applied: nothing depends on the file any more. */
void dispatcher_end_lost(struct dispatcher *d);

/* dispatcher_pages.c */
void dispatcher_page(struct dispatcher *d, const struct change *change);
void dispatcher_page_summary(struct dispatcher *d, const struct change *change);
/* Each turn: gives the backups what nobody takes, and raises and clears PAGER_DEGRADED. */
void dispatcher_watch_endpoints(struct dispatcher *d, uint64_t now_ns);
/* After a recovery: which endpoints are degraded already. */
void dispatcher_learn_degraded(struct dispatcher *d);

/*
 * dispatcher_outbox.c. The claim is asked for on the disk thread; false: it is somebody
 * else's, and a rescue leaves it to him; or a stop has left no time.
 */
#define CLAIM_ASKED 2 /* no answer yet */
bool dispatcher_outbox_claim(struct dispatcher *d);
/* In a recovery: reads what waits, or the first part of it. */
void dispatcher_outbox_read(struct dispatcher *d);
/* Each turn: reads on, gives the pager what had to wait, lets go of what has ended. */
void dispatcher_look_at_outbox(struct dispatcher *d, uint64_t now_ns);
/* Takes a page that was found in the outbox, or is back in it, into the delivery index. */
void dispatcher_found(struct dispatcher *d, struct page *page, const char *endpoint);
/* Gives one of the delivery index's to the pager, now or when those before it have been given. */
void dispatcher_submit(struct dispatcher *d, struct delivery *p);
/* Likewise what a recovery has found and drawn. */
void dispatcher_submit_recovered(struct dispatcher *d);
/* On the disk thread: adds a page to the list; without memory that is told. */
void dispatcher_hand(struct dispatcher *d, struct handed_list *l, struct page *page,
		     const char *endpoint);
/* The first of the list, both for the caller to free; NULL: it is empty. */
struct page *dispatcher_handed(struct handed_list *l, char **ret_endpoint);
void handed_done(struct handed_list *l);

/*
 * dispatcher_taken.c: what receivers had taken when a former run died. On the thread: read once
 * nobody else posts, before the outbox is.
 */
void dispatcher_taken_read(struct dispatcher *d);
/* On the pager's thread: notes that it was taken. */
void dispatcher_note_taken(struct dispatcher *d, const struct delivery *p);
/* Is that so of this page? Then the log is told, and the page is not posted there again. */
bool dispatcher_was_taken(struct dispatcher *d, struct page *page, unsigned endpoint);
/* The same of one that was found in the outbox: its file goes too. */
bool dispatcher_found_taken(struct dispatcher *d, struct page *page, unsigned endpoint);

/*
 * dispatcher_orphans.c: pages of the outbox for endpoints that are not configured. Adding and
 * reporting them is the dispatcher's thread's; listing and discarding are the disk thread's, and
 * what it has listed stays until it discards or the dispatcher is freed.
 */
bool dispatcher_has_endpoint(const struct dispatcher *d, const char *name);
void dispatcher_orphan_add(struct dispatcher *d, const struct page *page, const char *endpoint);
/* Reports those that were not reported yet, once for each endpoint. */
void dispatcher_orphans_tell(struct dispatcher *d);
/* Changes with the list. */
uint64_t dispatcher_orphans_sum(struct dispatcher *d);
struct page_row;
size_t dispatcher_orphans_list(struct dispatcher *d, struct page_row *rows, size_t max);
/* Of that endpoint, or of each that is not configured when endpoint is NULL; dead ones too. */
void dispatcher_orphans_discard(struct dispatcher *d, const char *page_id, const char *endpoint,
				const char *reason);
void dispatcher_orphans_done(struct dispatcher *d);

/* dispatcher_control.c: once a second, what operators ask, and what they are shown of pages. */
void dispatcher_look_at_control(struct dispatcher *d, uint64_t now_ns);
void dispatcher_control_done(struct dispatcher *d);

/* dispatcher_running_file.c: keeps STATE/running up to date; and removes it at a clean stop. */
void dispatcher_mark(struct dispatcher *d, uint64_t now_ns);
void dispatcher_unmark(struct dispatcher *d);

/* dispatcher_saved.c: keeps STATE/picture up to date; at a clean stop writes it a last time. False:
 * it could not, and the recorder has to stay for the next start to read open incidents from. */
void dispatcher_save(struct dispatcher *d, uint64_t now_ns);
bool dispatcher_save_last(struct dispatcher *d);
void dispatcher_saved_done(struct dispatcher *d);

/* dispatcher_checkpoint.c: moves the checkpoint on; once more, when the thread ends. */
void dispatcher_checkpoint(struct dispatcher *d, uint64_t now_ns);
void dispatcher_checkpoint_last(struct dispatcher *d);

/* dispatcher_snapshot.c: the picture as JSON, for the thread, or for others once it has ended. */
int dispatcher_render(struct dispatcher *d, char **ret, size_t *ret_len);
/* On the thread: lets the disk thread write snapshot.json when the picture has changed, at most
 * once a second; and a last time, when the thread ends. */
void dispatcher_share(struct dispatcher *d, uint64_t now_ns);
void dispatcher_share_last(struct dispatcher *d);

/*
 * dispatcher_run.c: what the log is told of the run as such. Its start and its stop; and each turn,
 * when it is time for one, a sign of life.
 */
void dispatcher_tell_run(struct dispatcher *d, enum entry_kind kind, int level, const char *format,
			 ...) __attribute__((format(printf, 4, 5)));
void dispatcher_tell_life(struct dispatcher *d, uint64_t now_ns);

/* dispatcher_change.c. dispatcher_note tells a trouble (level: syslog's) to the log and to the
 * host.
 */
void dispatcher_tell(void *userdata, const struct change *change);
/* Has a metadata key found no field of its own in the log since the last look? Then it is told. The
 * picture is there. */
void dispatcher_look_at_names(struct dispatcher *d, struct moment at);
void dispatcher_note(struct dispatcher *d, enum entry_kind kind, int level, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* The same on another thread than the dispatcher's. */
void dispatcher_note_from_afar(struct dispatcher *d, int level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same where there is no log thread: the log gets it at once or not at all. */
void dispatcher_note_alone(const struct settings *s, struct host_log *host_log, int level,
			   const char *text);
/* On the pager's and on the disk thread. */
void dispatcher_attempted(void *userdata, const struct attempt *a);
void dispatcher_endpoint_trouble(void *userdata, const char *endpoint, const char *text);
void dispatcher_discarded(void *userdata, struct delivery *p, const char *reason);
void dispatcher_kept(void *userdata, struct delivery *p, int error);

#endif
