/* SPDX-License-Identifier: MIT */
/*
 * The recorder's protocol, as src/record/recorder_push.c, recorder.c and recorder_image.c have it:
 * two producers, the reader with its checkpoints, a kill between any two steps of anybody, and the
 * recovery. With HELD the producers may be held between taking their slots and writing there: one
 * until the reader has announced that it waits for it, the other for ever. The reader then looks at
 * what is written behind (src/dispatch/dispatcher_blocked.c).
 *
 * Claimed: no record whose push returned is lost, none is accepted torn, none is applied twice, and
 * no producer writes into a slot that is still in use. What the reader sees behind a slot that is
 * not written is whole, it misses nothing there that was written before it looked, and it announces
 * only that for which it waits.
 *
 * Bounds: SLOTS slots, PUSHES pushes by each of PRODUCERS producers of one or two parts each (with
 * HELD, of one), any interleaving. Each store is a step, and stores become visible in the order in
 * which a thread makes them: what release stores give to whoever loads with acquire, and what a kill
 * leaves in the shared mapping. Positions are small and do not wrap; the recorder's are 64 bits wide.
 */
#define HELD 0
#define PRODUCERS 2
#define PUSHES 2
#define SLOTS 4
#define FIRST SLOTS                                 /* the first position; no slot has this stamp */
#define POSITIONS (FIRST + PRODUCERS * PUSHES * 2) /* all that can be used, and one more */

/* A slot. Payload is written in two steps, so that a half-written one can be seen; both halves hold
 * the position they belong to. */
byte stamp[SLOTS];
byte part[SLOTS], parts[SLOTS];
byte first_half[SLOTS], second_half[SLOTS];

byte head = FIRST, released = FIRST;

/* Two checkpoint areas. The sum is right when it is the position's own. */
byte mark[2], position[2], sum[2];

bool alive = true;
bool told[POSITIONS];    /* a push of a record that begins here has returned */
bool written[POSITIONS]; /* this position's slot is being or has been filled */
bool applied[POSITIONS]; /* by the reader; a checkpoint at p says: all before p */
byte reader_next = FIRST;
byte announced; /* the position that the reader has announced it waits for; 0: none */

#define WAKES 0 /* what may become of a producer */
#define SLEEPS 1
#define NEVER_WAKES 2

#define SLOT(p) ((p) % SLOTS)

inline fill(p, i, n)
{
	/* In use: released has not passed it, so the reader, or a recovery, may still want it. */
	assert(p - released < SLOTS || !alive);
	if
	:: i > 0 -> stamp[SLOT(p)] = 0 /* it goes over with the rest of a long record */
	:: else
	fi;
	part[SLOT(p)] = i;
	parts[SLOT(p)] = n;
	first_half[SLOT(p)] = p;
	second_half[SLOT(p)] = p
}

proctype producer(byte fate) provided (alive)
{
	byte seen_head, seen_released, n, pushes;

	do
	:: pushes == PUSHES -> break
	:: else ->
		if
		:: n = 1
		:: !HELD -> n = 2
		fi;
		seen_head = head;
again:
		seen_released = released;
		if
		/* A stale head behind a fresh released: read again. */
		:: seen_head < seen_released -> seen_head = head; goto again
		:: seen_head >= seen_released && seen_head - seen_released + n > SLOTS -> skip /* refused */
		:: else ->
			/* Compare and swap. */
			atomic {
				if
				:: head == seen_head -> head = head + n
				:: else -> seen_head = head; goto again
				fi
			}
			if
			:: true
			:: fate == SLEEPS -> announced == seen_head
			:: fate == NEVER_WAKES -> break
			fi;
			fill(seen_head, 0, n);
			if
			:: n == 2 ->
				fill(seen_head + 1, 1, n);
				stamp[SLOT(seen_head + 1)] = seen_head + 1
			:: else
			fi;
			stamp[SLOT(seen_head)] = seen_head;
			told[seen_head] = true
		fi;
		pushes++
	od
}

inline checkpoint_write(area, m)
{
	mark[area] = 0;
	sum[area] = 255;
	position[area] = reader_next;
	sum[area] = reader_next;
	mark[area] = m;
	released = reader_next
}

/* Looks at each position behind the one it waits for. Nothing of it is released meanwhile. */
inline look_behind()
{
	d_step {
		at = reader_next + 1;
		do
		:: at >= head -> break
		:: else ->
			seen = stamp[SLOT(at)] == at && part[SLOT(at)] == 0;
			assert(!told[at] || seen);
			if
			:: seen ->
				assert(first_half[SLOT(at)] == at && second_half[SLOT(at)] == at);
				assert(parts[SLOT(at)] == 1 ||
				       (stamp[SLOT(at + 1)] == at + 1 &&
					second_half[SLOT(at + 1)] == at + 1));
				at = at + parts[SLOT(at)]
			:: else -> at++
			fi
		od;
		announced = reader_next;
		at = 0;
		seen = false
	}
}

proctype reader() provided (alive)
{
	byte last_mark, at;
	bool seen;

	do
	:: HELD && stamp[SLOT(reader_next)] != reader_next && reader_next < head &&
	   announced != reader_next -> look_behind()
	:: stamp[SLOT(reader_next)] == reader_next ->
		assert(part[SLOT(reader_next)] == 0);
		assert(first_half[SLOT(reader_next)] == reader_next);
		assert(second_half[SLOT(reader_next)] == reader_next);
		if
		:: parts[SLOT(reader_next)] == 2 ->
			assert(stamp[SLOT(reader_next + 1)] == reader_next + 1);
			assert(second_half[SLOT(reader_next + 1)] == reader_next + 1)
		:: else
		fi;
		assert(!applied[reader_next]);
		applied[reader_next] = true;
		assert(announced == 0 || announced == reader_next);
		announced = 0;
		reader_next = reader_next + parts[SLOT(reader_next)]
	:: released != reader_next ->
		last_mark++;
		checkpoint_write(last_mark % 2, last_mark)
	od
}

/* A kill at any moment, and what the next run then does with the file. Nobody else is left to do
 * anything between the two, nor during the recovery: one step. */
proctype death()
{
	byte from = FIRST, at, best, n;
	bool ok;

	d_step {
	alive = false;
	if
	:: mark[0] > 0 && sum[0] == position[0] -> from = position[0]; best = mark[0]
	:: else
	fi;
	if
	:: mark[1] > best && sum[1] == position[1] -> from = position[1]
	:: else
	fi;
	/* The checkpoint says of all before it that it was applied; the dead reader's own picture,
	 * which may have been further, is gone. */
	at = FIRST;
	do
	:: at == POSITIONS -> break
	:: at < POSITIONS ->
		assert(at >= from || !told[at] || applied[at]);
		applied[at] = applied[at] && at < from;
		at++
	od;
	at = from;
	do
	:: at >= head -> break
	:: else ->
		n = parts[SLOT(at)];
		ok = stamp[SLOT(at)] == at && part[SLOT(at)] == 0 && n <= head - at;
		if
		:: ok && n == 2 ->
			ok = stamp[SLOT(at + 1)] == at + 1 && part[SLOT(at + 1)] == 1
		:: else
		fi;
		if
		:: ok ->
			assert(first_half[SLOT(at)] == at && second_half[SLOT(at)] == at);
			assert(n == 1 || (first_half[SLOT(at + 1)] == at + 1 &&
					  second_half[SLOT(at + 1)] == at + 1));
			assert(!applied[at]);
			applied[at] = true;
			at = at + n
		:: else -> at++ /* torn: counted and stepped over */
		fi
	od;
	at = FIRST;
	do
	:: at == POSITIONS -> break
	:: else -> assert(!told[at] || applied[at]); at++
	od
	}
}

init {
	atomic {
		if
		:: HELD -> run producer(SLEEPS); run producer(NEVER_WAKES)
		:: else -> run producer(WAKES); run producer(WAKES)
		fi;
		run reader();
		run death()
	}
}
