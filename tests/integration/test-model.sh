#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Every state of the recorder's model is looked at, and no claim of its is broken; and the model is
# worth it: with one store out of its place each, it finds the fault.
#
# From the environment: PUSHES, by each of the two producers (default 2; 3 takes minutes and memory).
. "$top_srcdir/tests/integration/common.sh"
begin
[ -z "${SANITIZERS:-}" ] || { echo "skipped: the model is the same in every build"; exit 77; }
command -v spin >/dev/null || { echo "skipped: there is no spin (Debian's package spin)"; exit 77; }
model=$top_srcdir/tests/model/recorder.pml
pushes=${PUSHES:-2}

# explore MODEL: prints spin's account.
explore() {
	(
		cd "$work/tmp" && rm -f pan* ./*.trail &&
			spin -a "$1" >spin.out 2>&1 &&
			${CC:-cc} -O2 -w -DSAFETY -DNOREDUCE -DCOLLAPSE -DMEMLIM=8000 -o pan pan.c &&
			./pan -E -m1000000
	) || fail "the model cannot be run"
}

sed "s/^#define PUSHES .*/#define PUSHES $pushes/" "$model" >"$work/whole.pml"
explore "$work/whole.pml" >"$work/out"
tells out "errors: 0"
grep -q "Search not completed" "$work/out" && fail "not all states were looked at"
sed -n 's/^ *\([0-9]*\) states, stored$/\1 states, no claim broken/p' "$work/out"

# The same with a producer that sleeps and one that never wakes.
sed "s/^#define HELD .*/#define HELD 1/" "$work/whole.pml" >"$work/held.pml"
explore "$work/held.pml" >"$work/out"
tells out "errors: 0"
grep -q "Search not completed" "$work/out" && fail "not all states were looked at"
sed -n 's/^ *\([0-9]*\) states, stored$/\1 states with held producers, no claim broken/p' "$work/out"

# broken NAME SED-SCRIPT [MODEL]: the model with that fault is found out.
broken() {
	sed "$2" "$work/${3:-whole}.pml" >"$work/broken.pml"
	cmp -s "$work/${3:-whole}.pml" "$work/broken.pml" && fail "the fault was not put in: $1"
	explore "$work/broken.pml" >"$work/out"
	tells out "assertion violated"
	echo "found out: $1"
}

# first_stamp SED-REPLACEMENT: the first slot's stamp is stored there, and not at the end.
first_stamp() {
	echo "/^\t\t\tstamp\[SLOT(seen_head)\] = seen_head;\$/d
		s/^\t\t\tfill(seen_head, 0, n);\$/\t\t\t$1/"
}
broken "the stamp before the payload" \
	"$(first_stamp 'stamp[SLOT(seen_head)] = seen_head; fill(seen_head, 0, n);')"
broken "the first slot's stamp before the second slot" \
	"$(first_stamp 'fill(seen_head, 0, n); stamp[SLOT(seen_head)] = seen_head;')"
broken "slots released before the checkpoint is valid" '/^inline checkpoint_write/,/^}/{
	s/^\tmark\[area\] = 0;/\treleased = reader_next; mark[area] = 0;/
	s/^\tmark\[area\] = m;/\tmark[area] = m/
	/^\treleased = reader_next$/d
}'
broken "a checkpoint called valid before it is written" '/^inline checkpoint_write/,/^}/{
	s/^\tsum\[area\] = 255;/\tmark[area] = m;/
	s/^\tposition\[area\] = reader_next;/\tsum[area] = reader_next;/
	s/^\tsum\[area\] = reader_next;/\tposition[area] = reader_next;/
	/^\tmark\[area\] = m;$/!b
}; s/sum\[\([01]\)\] == position\[[01]\]/true/'
broken "no look at what is released" 's/seen_head - seen_released + n > SLOTS/false/'
broken "a swap that is a plain store" 's/:: head == seen_head -> head = head + n/:: true -> head = seen_head + n/'
broken "a look behind that takes what is not written" \
	's/seen = stamp\[SLOT(at)\] == at \&\& /seen = /' held
broken "an announcement that outlives what it tells of" 's/^\t\tannounced = 0;$/\t\tskip;/' held
broken "a reader that steps over what it waits for" \
	'/^\t   announced != reader_next/s/-> look_behind()/-> reader_next++/' held
