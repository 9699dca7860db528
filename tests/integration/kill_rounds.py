# SPDX-License-Identifier: MIT
"""kill_rounds.py [--rounds N] [--seed N] [--campaign N] [--log stderr|journal]
               [--no-rescue] [--keep]

Kills an engine at random moments, N times, while its receiver takes pages, fails, hangs, resets, is
away or loses its own answers, and shows that no P1 is lost. Pages that were taken and come again
after the end of a process are counted, and must stay far fewer than without notes. A campaign of
rounds ends with a run that has a good receiver; then what was promised must have come. The seed
draws what is done, and is printed; when the kernel runs whom is not ours to draw.
"""

import argparse
import random
import re
import sys
import time

sys.dont_write_bytecode = True
import kill_lab as lab  # noqa: E402

REPEATS_MOST = 100


class Totals:
    def __init__(self):
        self.rounds = self.kills = self.early = self.stopping = self.clean = 0
        self.rescues = self.rescues_killed = self.races = 0
        self.promised = self.resolved = self.pages = self.posts = 0
        self.duplicates = self.unanswered = self.lost = self.unlogged = 0
        self.calm_kills = self.calm_duplicates = 0
        self.logged_again = self.downs = self.torn = 0

    def print(self, seconds):
        print(f"{self.rounds} rounds in {seconds:.0f} s: {self.kills} kills ({self.early} before "
              f"start returned, {self.stopping} while stopping), {self.clean} clean stops, "
              f"{self.rescues} rescues ({self.rescues_killed} killed, {self.races} racing a start)")
        print(f"accepted: {self.promised} P1s, {self.resolved} clears; pages: {self.pages} in "
              f"{self.posts} posts")
        print(f"lost {self.lost}, not in the log {self.unlogged}")
        loop_kills = self.kills - self.calm_kills
        loop_duplicates = self.duplicates - self.calm_duplicates
        print(f"duplicate posts: {self.duplicates}; a kill: {self.calm_duplicates / max(1, self.calm_kills):.2f} where "
              f"each death was recovered before the next, "
              f"{loop_duplicates / max(1, loop_kills):.2f} in crash loops; besides, "
              f"{self.unanswered} after answers that never came")
        print(f"ENGINE_DOWN {self.downs}, torn records told {self.torn}, entries logged again "
              f"{self.logged_again}")


class Campaign:
    def __init__(self, seed, arguments, totals):
        self.random = random.Random(seed)
        self.lab = lab.Lab(arguments.log, ("rules.feed_stale_after=100ms",
                                           "webhook.timeout=1s"))
        self.book = self.lab.book
        self.totals = totals
        # Half of the campaigns are crash loops.
        self.calm = self.random.random() < 0.5
        self.must_be_down = set()  # epochs of runs killed between start's return and stop
        self.may_be_down = set()  # of those killed while either was under way
        self.clean = set()
        self.kills = 0
        self.seen = set()

    def pause(self, run, most):
        """Lets a run go on for a while, the receiver changing its mind."""
        left = self.random.uniform(0, most)
        while left > 0:
            step = min(left, self.random.expovariate(20))
            run.pump(step)
            left -= step
            if self.random.random() < 0.3:
                self.lab.receiver.set(self.random.choice(lab.Receiver.MODES))

    def epochs(self):
        new = self.lab.rings() - self.seen
        self.seen |= new
        return new

    def round(self, rescue):
        self.totals.rounds += 1
        self.lab.receiver.set(self.random.choice(lab.Receiver.MODES + ("take",) * 3))
        racing = None
        if rescue and self.random.random() < 0.25:
            racing = self.lab.rescue()
            self.totals.rescues += 1
            self.totals.races += 1
        self.engine_round()
        if racing:
            racing.end() if self.random.random() < 0.5 else racing.kill()
        if rescue and self.random.random() < 0.25:
            self.rescue_round()
        if self.calm:
            self.recover()

    def engine_round(self):
        self.epochs()
        how = self.random.choices(("early", "running", "stopping", "clean"), (15, 65, 12, 8))[0]
        run = self.lab.engine(
            "random", clear=self.book.open(), seed=self.random.getrandbits(32),
            calls=1000000 if how == "running" else self.random.randrange(60),
            stop=self.random.choice((0, 5, 50, 200)), noise=int(self.random.random() < 0.5))
        prefix = self.lab.name + "-"
        if how == "early":
            run.pump(self.random.uniform(0, 0.012))
        else:
            run.pump(20, until="started")
            epochs = self.epochs()
            if how == "running":
                # Most die while they still recover what was left to them, some later.
                self.pause(run, self.random.choice((0.02, 0.08, 0.3, 0.6)))
            else:
                run.pump(20, until="stopping")
                self.pause(run, 0.02 if how == "stopping" else 0)
        if how == "clean":
            status = run.end()
        else:
            status = run.kill()
        self.count_end(run, status, epochs if how != "early" else set())
        self.book.run_ended(prefix)

    def recover(self):
        """Lets all that was left be taken over and delivered; then the engine dies in idleness."""
        self.epochs()
        self.lab.receiver.set("take")
        run = self.lab.engine("quiet", flush=30000)
        run.pump(30, until="stopping")
        if not run.told("flushed 0"):
            self.book.complain(f"nothing is recovered: {run.lines[-3:]}")
        self.count_end(run, run.kill(), self.epochs())

    def count_end(self, run, status, epochs):
        words = run.words()
        epochs |= self.epochs()
        gone = "stopping" in words and not epochs & self.lab.rings()
        if status >= 0:
            self.totals.clean += 1
            if "stopped" not in words:
                self.book.complain(f"a run ended with {status}: {run.lines[-3:]}")
            (self.clean if gone else self.may_be_down).update(epochs)
            return
        self.totals.kills += 1
        self.kills += 1
        self.totals.early += "started" not in words
        self.totals.stopping += "stopping" in words
        sure = "started" in words and "stopping" not in words and len(epochs) == 1
        (self.must_be_down if sure else self.may_be_down).update(epochs)

    def rescue_round(self):
        run = self.lab.rescue()
        self.totals.rescues += 1
        if self.random.random() < 0.5:
            run.pump(self.random.uniform(0, 0.03))
            if run.kill() < 0:
                self.totals.rescues_killed += 1
        else:
            self.pause(run, 0.05)
            self.lab.receiver.set("take")
            run.end()

    # --- what came of it

    def judge(self):
        book = self.book
        lost = book.lost()
        entries = self.lab.entries()
        unlogged = book.unlogged(entries)
        for token, kind in lost[:5]:
            book.complain(f"LOST: {kind} of {token} ({book.alerts.get(token, 'no alert id')})")
        for token, state in unlogged[:5]:
            book.complain(f"not in the log: {state} of {token}")
        self.judge_downs()
        self.judge_repeats()
        self.count(lost, unlogged, entries)

    def judge_repeats(self):
        """A kill repeats the page under way; here, where processes overlap and die in quick
        succession, sometimes a dozen. A process that noted nothing would repeat all that it had
        sent since its last checkpoint: hundreds. kill_boundaries.py is strict."""
        for term, ids in sorted(self.book.repeated.items()):
            if len(ids) > 1:
                print(f"note: {len(ids)} pages came again after the end of one process")
            if len(ids) > REPEATS_MOST:
                self.book.complain(f"{len(ids)} pages that were taken came again after the end of "
                                   f"one process: {ids[:3]}")

    def judge_downs(self):
        told = {}
        for page_id, page in self.book.pages.items():
            alert_id, kind, code, instance = page.identity[:4]
            if code == "ENGINE_DOWN" and kind == "raised":
                told.setdefault(instance, set()).add(alert_id)
                self.totals.downs += 1
                torn = re.search(r"(\d+) torn", page.message)
                self.totals.torn += int(torn[1]) if torn else 0
        for epoch in self.must_be_down:
            n = len(told.get(epoch[:8], ()))
            if n != 1:
                self.book.complain(f"the death of {epoch} was told {n} times")
        for epoch in self.may_be_down:
            n = len(told.get(epoch[:8], ()))
            if n > 1:
                self.book.complain(f"the death of {epoch} was told {n} times")
        for epoch in self.clean:
            if epoch[:8] in told:
                self.book.complain(f"{epoch} stopped in order and was told as dead")
        known = {e[:8] for e in self.seen}
        for instance in set(told) - known:
            print(f"note: ENGINE_DOWN of {instance}, whose recorder was never seen")

    def count(self, lost, unlogged, entries):
        t, book = self.totals, self.book
        t.promised += len(book.raised)
        t.resolved += len(book.cleared & book.raised.keys())
        t.pages += len(book.pages)
        t.posts += sum(p.posts for p in book.pages.values())
        t.duplicates += book.duplicates()
        t.calm_duplicates += book.duplicates() if self.calm else 0
        t.calm_kills += self.kills if self.calm else 0
        t.unanswered += sum(max(0, p.taken - 1) - p.again for p in book.pages.values())
        t.lost += len(lost)
        t.unlogged += len(unlogged)
        t.logged_again += len(entries) - len(set(entries))


def campaign(seed, rounds, arguments, totals):
    """Returns whether all was well."""
    c = Campaign(seed, arguments, totals)
    rescue = not arguments.no_rescue and lab.can("rescue")
    for _ in range(rounds):
        c.round(rescue)
    c.lab.last_run()
    c.judge()
    wrong = c.book.wrong
    if wrong:
        print(f"seed {seed}, {rounds} rounds: {len(wrong)} things are wrong")
        for line in wrong[:20]:
            print("  " + line)
    c.lab.close(keep=bool(wrong) and arguments.keep)
    return not wrong


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--rounds", type=int, default=50)
    p.add_argument("--campaign", type=int, default=50)
    p.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(31))
    p.add_argument("--log", choices=("stderr", "journal"), default="stderr")
    p.add_argument("--no-rescue", action="store_true")
    p.add_argument("--keep", action="store_true", help="keep the folders of a failed campaign")
    arguments = p.parse_args()
    totals, failed, began = Totals(), 0, time.monotonic()
    print(f"seed {arguments.seed}", flush=True)
    left, seed = arguments.rounds, arguments.seed
    while left > 0:
        failed += not campaign(seed, min(left, arguments.campaign), arguments, totals)
        left -= arguments.campaign
        seed += 1
        if arguments.rounds > arguments.campaign and (seed - arguments.seed) % 10 == 0:
            print(f"{totals.rounds} rounds, {totals.promised} P1s, lost {totals.lost}, "
                  f"{failed} campaigns failed", flush=True)
    totals.print(time.monotonic() - began)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
