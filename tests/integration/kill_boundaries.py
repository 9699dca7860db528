# SPDX-License-Identifier: MIT
"""kill_boundaries.py SCENARIO [--every N] [--from N] [--seconds S] [--threads PREFIX] [--keep]

Kills whoever delivers at each boundary of a system call of its threads, one after the other, and
shows each time that the next run delivers an alert's page and then its resolution, and that both
are in the log. With --every, at each N-th, beginning with one that is drawn unless --from says it.
With --seconds, N is chosen so that it takes about so long.

    engine    an engine that raises an alert, clears it and waits for both pages
    recover   an engine that starts over what one left that was killed while its receiver was away
    rescue    `tocsin rescue` that finishes what such a one left
    stop      an engine that leaves an alert open at a clean stop: the next run still knows it
"""

import argparse
import random
import sys
import time

sys.dont_write_bytecode = True
import kill_lab as lab  # noqa: E402

# Recoveries of one engine's folders; every death leaves an open ENGINE_DOWN.
LAB_RUNS = 100
KILLED, ENDED = 0, 3
# How often a run must have ended before the boundary: their number is not always the same.
ENDS = 3


class Scenario:
    def __init__(self, name, threads):
        self.name = name
        self.threads = threads
        self.lab = None
        self.runs = 0
        self.failed = 0

    def open(self):
        if self.lab and self.runs % LAB_RUNS == 0:
            self.lab.close()
            self.lab = None
        self.lab = self.lab or lab.Lab()
        self.runs += 1

    def deliverer(self, n):
        """Starts who is to be killed at the boundary n."""
        before = (lab.PROGRAMS + "/kill-at", str(n), self.threads)
        if self.name == "engine":
            return self.lab.engine("pair", before=before, flush=10000, stop=2000)
        if self.name == "stop":
            return self.lab.engine("left", before=before, flush=10000, stop=2000)
        self.lab.receiver.set("away")
        dead = self.lab.engine("pair", flush=1)
        dead.pump(20, until="flushed")
        dead.kill()
        self.lab.receiver.set("take")
        if self.name == "rescue":
            return self.lab.rescue(before=before)
        return self.lab.engine("quiet", before=before, flush=10000, stop=2000)

    def kill_at(self, n):
        """Returns whether it ended before boundary n; and how many there were till then."""
        self.open()
        run = self.deliverer(n)
        status = run.end()
        if status == lab.SKIP:
            lab.skip("no process may be traced here")
        if status not in (KILLED, ENDED):
            self.lab.book.complain(f"kill-at ended with {status}")
        self.lab.last_run(20)
        self.judge(n)
        return status == ENDED, int((run.out.split() or [0])[-1])

    def judge(self, n):
        book = self.lab.book
        for token, kind in book.lost():
            book.complain(f"LOST: {kind} of {token}")
        for token, state in book.unlogged(self.lab.entries()):
            book.complain(f"not in the log: {state} of {token}")
        book.judge_repeats()
        if not book.wrong:
            return
        self.failed += 1
        print(f"{self.name}, killed at boundary {n}:", flush=True)
        for line in book.wrong[:6]:
            print("  " + line)
        self.lab.close(keep=self.keep)
        self.lab = None


def main():
    p = argparse.ArgumentParser()
    p.add_argument("scenario", choices=("engine", "recover", "rescue", "stop"))
    p.add_argument("--every", type=int, default=1)
    p.add_argument("--from", type=int, default=0, dest="first")
    p.add_argument("--seconds", type=float, default=0)
    p.add_argument("--threads", default="tocsin-")
    p.add_argument("--keep", action="store_true")
    p.add_argument("--failures", type=int, default=5, help="how many to see before giving up")
    arguments = p.parse_args()
    if arguments.scenario == "rescue" and not lab.can("rescue"):
        lab.skip("there is no rescue yet")
    scenario = Scenario(arguments.scenario, arguments.threads)
    scenario.keep = arguments.keep
    began = time.monotonic()
    _, boundaries = scenario.kill_at(1000000000)
    if arguments.seconds:
        scenario.kill_at(max(1, boundaries // 2))
        each = (time.monotonic() - began) / 2
        arguments.every = max(1, round(boundaries * each / arguments.seconds))
    n = arguments.first or random.randrange(arguments.every) + 1
    print(f"{scenario.name}: about {boundaries} boundaries, each {arguments.every}. from {n} on",
          flush=True)
    ends = kills = 0
    while ends < ENDS and scenario.failed < arguments.failures:
        ended, _ = scenario.kill_at(n)
        ends += ended
        kills += not ended
        n += arguments.every
    if scenario.lab:
        scenario.lab.close()
    print(f"{scenario.name}: killed at {kills} boundaries in {time.monotonic() - began:.0f} s, "
          f"{scenario.failed} times something was lost or wrong")
    return 1 if scenario.failed else 0


if __name__ == "__main__":
    sys.exit(main())
