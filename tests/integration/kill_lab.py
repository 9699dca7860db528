# SPDX-License-Identifier: MIT
"""What the kill tests share: a receiver that misbehaves, an engine that is killed, and the book in
which what the engine was promised is held against what came.

From the environment: top_builddir, and TOCSIN, TOCSIN_PLUGIN where they differ.
"""

import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

BUILD = os.environ.get("top_builddir", ".")
TOCSIN = os.environ.get("TOCSIN") or BUILD + "/tocsin"
os.environ.setdefault("TOCSIN_PLUGIN", BUILD + "/plugin/.libs/tocsin.so")
PROGRAMS = BUILD + "/tests/integration"
ENGINE = "killed"
SKIP = 77


def promises(token):
    """The message of that alert, as kill-engine.c has it."""
    return "A promise was made. " * (70 if token[-1] in "0369" else 1)


class Page:
    """All posts of one webhook-id."""

    def __init__(self, identity):
        self.identity = identity
        self.posts = 0
        self.taken = 0  # posts that the receiver has taken
        self.answered = 0  # of those, with an answer that got away
        self.again = 0  # taken once more after such an answer
        self.term = None  # of whom that answer went to


class Book:
    """What was promised, what came, and what is wrong."""

    def __init__(self):
        self.lock = threading.Lock()
        self.wrong = []
        self.pages = {}  # by webhook-id
        self.tried = {}  # token: kind of incident, for each raise that was begun
        self.raised = {}  # token: number or None, for each raise that returned OK
        self.cleared = set()  # tokens whose clear returned OK
        self.numbers = 0  # the highest so far
        self.alerts = {}  # token: alert_id
        self.tokens = set()  # all that came
        # Who delivers: a term ends when a process does. A page may be repeated when an answer had
        # come and could not be noted any more: at most one in a term. An engine waits for a
        # rescue that still delivers, but only so long; then it does not know what the rescue notes
        # after that. So of terms with two processes the repeats are counted and not judged.
        self.term = 0
        self.living = 0
        self.shared = set()  # terms in which two processes delivered
        self.repeated = {}  # term: ids of pages that were answered in it and taken again

    def complain(self, text):
        with self.lock:
            self.wrong.append(text)

    # --- who delivers

    def process_began(self):
        with self.lock:
            self.living += 1
            if self.living > 1:
                self.shared.add(self.term)

    def process_ended(self):
        with self.lock:
            self.living -= 1
            self.term += 1
            if self.living > 0:
                self.shared.add(self.term)

    def judge_repeats(self):
        with self.lock:
            for term, ids in sorted(self.repeated.items()):
                if len(ids) > 1 and term not in self.shared:
                    self.wrong.append(f"{len(ids)} pages that were taken came again after the end "
                                      f"of one process: {ids[:3]}")

    # --- the engine's side

    def told(self, line):
        word, *rest = line.split()
        if word not in ("try", "ok", "no"):
            return
        what, kind, token = rest[:3]
        if what == "raise" and word == "try":
            self.tried[token] = kind
        elif what == "raise" and word == "ok":
            self.raised[token] = int(rest[3]) if len(rest) > 3 else None
        elif what == "raise" and word == "no":
            self.tried.pop(token)
        elif what == "clear" and word == "ok":
            self.cleared.add(token)

    def run_ended(self, first_token_prefix):
        """Numbers of a run lie above those of all runs before it."""
        numbers = [
            n
            for token, n in self.raised.items()
            if n is not None and token.startswith(first_token_prefix)
        ]
        if not numbers:
            return
        if len(set(numbers)) < len(numbers) or min(numbers) <= self.numbers:
            self.complain(f"numbers of {first_token_prefix} are not above {self.numbers}")
        self.numbers = max(numbers)

    def open(self):
        """Incidents that may be open: (kind, token)."""
        return [(k, t) for t, k in self.tried.items() if t not in self.cleared]

    # --- the receiver's side

    def posted(self, headers, body, taken, term):
        """Returns the page; called with what came, before it is answered. `term`: in which the
        connection was made."""
        page_id = headers.get("webhook-id", "")
        try:
            message = json.loads(body)
            data = message["data"]
            alert_id, _, kind = page_id.rpartition(".")
            identity = (alert_id, kind, data["code"], data["instance"], data["source"],
                        data["number"], message["type"])
        except (ValueError, KeyError, TypeError) as e:
            self.complain(f"page {page_id!r} cannot be read: {e!r}: {body[:200]!r}")
            return Page(None)
        token = data["metadata"].get("token")
        with self.lock:
            page = self.pages.setdefault(page_id, Page(identity))
            page.token = token
            page.message = data["message"]
            self._judge(page, page_id, identity, alert_id, kind, token, data)
            page.posts += 1
            if taken:
                page.taken += 1
                if page.answered > 0:
                    page.again += 1
                    # Who posts it again himself has not heard the answer in time.
                    if page.term != term:
                        self.repeated.setdefault(page.term, []).append(page_id)
                page.term = term
        return page

    def _judge(self, page, page_id, identity, alert_id, kind, token, data):
        if page.identity != identity:
            self.wrong.append(f"page {page_id} was {page.identity} and is {identity}")
        if data["alert_id"] != alert_id:
            self.wrong.append(f"page {page_id} has alert_id {data['alert_id']}")
        if not re.fullmatch(r"raised|resolved|repeat-\d+", kind):
            self.wrong.append(f"what kind is page {page_id}?")
        if kind != "raised":
            first = self.pages.get(alert_id + ".raised")
            if not first or first.taken == 0:
                self.wrong.append(f"page {page_id} was posted before its raising was taken")
        if token is None:
            return
        self.tokens.add(token)
        if self.alerts.setdefault(token, alert_id) != alert_id:
            self.wrong.append(f"{token} is {self.alerts[token]} and {alert_id}")
        number = self.raised.get(token)
        if kind == "raised" and number is not None and data["number"] != number:
            self.wrong.append(f"{token} had number {number}, its page says {data['number']}")
        if kind == "raised" and data["code"] == "KILL_TEST" and data["message"] != promises(token):
            self.wrong.append(f"{token} has the message {data['message']!r}")

    # --- in the end

    def taken(self, token, kind):
        page = self.pages.get(f"{self.alerts.get(token)}.{kind}")
        return page is not None and page.taken > 0

    def unknown(self):
        """Tokens that came and that nobody began to raise: to be asked when all is told."""
        return self.tokens - self.tried.keys()

    def lost(self):
        lost = [(t, "raised") for t in self.raised if not self.taken(t, "raised")]
        for token in self.cleared:
            if self.taken(token, "raised") and not self.taken(token, "resolved"):
                lost.append((token, "resolved"))
        return lost

    def duplicates(self):
        return sum(p.again for p in self.pages.values())

    def unlogged(self, entries):
        """entries: (token, state, ...) of the log's alerts."""
        logged = {e[:2] for e in entries}
        missing = [(t, "firing") for t in self.raised if (t, "firing") not in logged]
        for token in self.cleared & self.raised.keys():
            if (token, "resolved") not in logged:
                missing.append((token, "resolved"))
        return missing


class Receiver:
    """Takes pages into a book, on loopback, in one of the modes."""

    MODES = ("take", "fail", "hang", "reset", "lose", "slow", "away")

    def __init__(self, book):
        self.book = book
        self.mode = "take"
        self.changed = threading.Event()
        self.lock = threading.Lock()
        self.connections = set()
        self.arrivals = []  # when pages were taken, by the monotonic clock
        self.listener = self._bind(0)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self._listen()

    @staticmethod
    def _bind(port):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", port))
        return s

    def _listen(self):
        self.listener.listen(64)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def _accept(self, listener):
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            with self.lock:
                self.connections.add(connection)
            threading.Thread(target=self._serve, args=(connection, self.book.term),
                             daemon=True).start()

    def set(self, mode):
        was, self.mode = self.mode, mode
        self.changed.set()
        self.changed = threading.Event()
        if mode == "away" and was != "away":
            # A listener that was shut down keeps its port, and refuses.
            self.listener.shutdown(socket.SHUT_RDWR)
            with self.lock:
                gone = list(self.connections)
            for connection in gone:
                self._drop(connection)
        elif mode != "away" and was == "away":
            self.listener.close()
            self.listener = self._bind(self.port)
            self._listen()

    def close(self):
        self.set("away")
        self.listener.close()

    @staticmethod
    def _drop(connection):
        """Ends it with a reset."""
        try:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def _serve(self, connection, term):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        rest = b""
        try:
            while True:
                request, rest = self._request(connection, rest)
                if request is None or not self._answer(connection, term, *request):
                    break
        except OSError:
            pass
        with self.lock:
            self.connections.discard(connection)
        self._drop(connection)
        connection.close()

    @staticmethod
    def _request(connection, have):
        """The next request, (headers, body), and what came after it; None at the end."""
        while b"\r\n\r\n" not in have:
            more = connection.recv(65536)
            if not more:
                return None, b""
            have += more
        head, _, body = have.partition(b"\r\n\r\n")
        headers = {}
        for line in head.decode("latin-1").split("\r\n")[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        size = int(headers.get("content-length", 0))
        while len(body) < size:
            more = connection.recv(65536)
            if not more:
                return None, b""
            body += more
        return (headers, body[:size]), body[size:]

    def _answer(self, connection, term, headers, body):
        mode, changed = self.mode, self.changed
        taken = mode in ("take", "slow", "lose")
        page = self.book.posted(headers, body, taken, term)
        if taken:
            self.arrivals.append(time.monotonic())
        if mode == "slow":
            changed.wait(0.005)
        elif mode == "hang":
            changed.wait()
        if mode in ("hang", "reset", "lose", "away"):
            return False
        status = b"200 OK" if taken else b"503 Service Unavailable"
        # Counted first: once sent it may be acted upon before we come to it.
        page.answered += taken
        try:
            connection.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
        except OSError:
            page.answered -= taken
            return False
        return True


class Run:
    """A process and what it tells through a pipe."""

    def __init__(self, command, book, log):
        ours, theirs = os.pipe()
        command = [str(theirs) if word == "{tell}" else word for word in command]
        self.process = subprocess.Popen(
            command, pass_fds=(theirs,), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=log)
        os.close(theirs)
        self.pipe = ours
        self.book = book
        book.process_began()
        self.rest = b""
        self.lines = []
        self.at_end = False

    def pump(self, seconds, until=None):
        """Takes what is told, for so long or until that word stood first in a line."""
        end = time.monotonic() + seconds
        while not self.at_end:
            left = end - time.monotonic()
            if left <= 0 or (until and until in self.words()):
                break
            if select.select([self.pipe], [], [], left)[0]:
                self._take()

    def words(self):
        return {line.split()[0] for line in self.lines[-400:] + self.lines[:4]}

    def _take(self):
        more = os.read(self.pipe, 65536)
        self.at_end = not more
        *lines, self.rest = (self.rest + more).split(b"\n")
        for line in lines:
            self.lines.append(line.decode())
            self.book.told(self.lines[-1])

    def kill(self):
        try:
            self.process.send_signal(signal.SIGKILL)
        except ProcessLookupError:
            pass
        return self.end()

    def end(self, seconds=60):
        """Waits until it is gone; returns its exit status."""
        self.pump(seconds)
        if not self.at_end:
            self.process.send_signal(signal.SIGKILL)
            self.pump(10)
            self.book.complain(f"a process hangs: {self.process.args}")
        status = self.process.wait()
        self.book.process_ended()
        self.out = self.process.stdout.read().decode()
        self.process.stdout.close()
        os.close(self.pipe)
        return status

    def told(self, line):
        return line in self.lines


class Lab:
    """Folders of an engine, its settings, and its log."""

    def __init__(self, target="stderr", options=()):
        self.folder = tempfile.mkdtemp(prefix="tocsin-kill-")
        shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.root = tempfile.mkdtemp(prefix="tocsin-kill-", dir=shm)
        self.runtime = self.root + "/" + ENGINE
        self.state = self.folder + "/state"
        self.target = target
        self.book = Book()
        self.receiver = Receiver(self.book)
        self.logs = self.folder + "/logs"
        os.mkdir(self.logs)
        self.runs = self.processes = 0
        self.settings = [
            "config=", f"engine.name={ENGINE}", f"log.target={target}",
            f"paths.runtime_dir={self.runtime}", f"paths.state_dir={self.state}",
            f"webhook.url={self.receiver.url}", "pages.page_after=0",
            "pages.max_pages_per_minute=0", *options]

    def engine(self, plan, before=(), clear=(), **options):
        """Starts a run; `before` is what stands before it on the command line."""
        self.runs += 1
        self.name = f"r{self.runs}"
        command = [*before, PROGRAMS + "/kill-engine", "--tell", "{tell}", "--plan", plan,
                   "--name", self.name]
        for setting in self.settings:
            command += ["-o", setting]
        for name, value in options.items():
            command += ["--" + name, str(value)]
        if clear:
            path = self.folder + "/clear"
            with open(path, "w") as file:
                file.writelines(f"{kind} {token}\n" for kind, token in clear)
            command += ["--clear", path]
        return self.run(self.name, command)

    def run(self, name, command):
        """A process with a log of its own, named in the order of their starts."""
        self.processes += 1
        with open(f"{self.logs}/{self.processes:04}-{name}", "wb") as log:
            return Run(command, self.book, log)

    def rescue(self, before=()):
        command = [*before, TOCSIN, "rescue", "-o", "paths.runtime_dir=" + self.runtime,
                   "-o", "paths.state_dir=" + self.state, "--drain", "1s"]
        return self.run("rescue", command)

    def sentinel(self):
        return self.run("sentinel", [TOCSIN, "sentinel", "--runtime-root", self.root])

    def rings(self):
        """Epochs of the recorders that lie there, of dead runs or living ones."""
        return {m[1] for name in self.runtime_files()
                if (m := re.fullmatch(r"ring-([0-9a-f]{32})", name))}

    def runtime_files(self):
        try:
            return os.listdir(self.runtime)
        except FileNotFoundError:
            return []

    def waiting(self):
        try:
            return [n for n in os.listdir(self.state + "/outbox") if "@" in n]
        except FileNotFoundError:
            return []

    def entries(self):
        """(token, state, alert_id, count) of each alert in the log."""
        if self.target == "journal":
            return self._journal_entries()
        entries = []
        for name in os.listdir(self.logs):
            with open(f"{self.logs}/{name}", errors="replace") as file:
                entries += [self._line_entry(line) for line in file if ' event="alert" ' in line]
        return entries

    @staticmethod
    def _line_entry(line):
        fields = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', line))
        return tuple(fields.get(n) for n in ("meta_token", "state", "alert_id", "count"))

    @staticmethod
    def _journal_entries():
        subprocess.run(["journalctl", "--sync"], check=True)
        out = subprocess.run(
            ["journalctl", "-q", "-o", "json", "-t", "tocsin", "TOCSIN_EVENT=alert"],
            stdout=subprocess.PIPE, check=True).stdout
        entries = [json.loads(line) for line in out.splitlines()]
        names = ("TOCSIN_META_TOKEN", "TOCSIN_STATE", "TOCSIN_ALERT_ID", "TOCSIN_COUNT")
        return [tuple(e.get(n) for n in names) for e in entries]

    def last_run(self, seconds=60):
        """A good receiver, all open incidents cleared, everything drained, a clean stop."""
        self.receiver.set("take")
        run = self.engine("quiet", clear=self.book.open(), flush=seconds * 1000,
                          stop=seconds * 1000)
        status = run.end(2 * seconds + 20)
        for line in ("flushed 0", "stopped 0"):
            if not run.told(line):
                self.book.complain(f"the last run did not tell \"{line}\": {run.lines[-3:]}")
        if status != 0:
            self.book.complain(f"the last run ended with {status}")
        if self.waiting():
            self.book.complain(f"in the outbox in the end: {self.waiting()[:5]}")
        if self.book.unknown():
            self.book.complain(f"pages of what nobody raised: {sorted(self.book.unknown())[:5]}")
        litter = set(self.runtime_files()) - {"lock-engine", "settings.json"}
        if litter:
            self.book.complain(f"in the runtime folder in the end: {sorted(litter)[:6]}")
        if os.path.exists(self.state + ".2"):
            self.book.complain("an engine ran as NAME.2 while no other lived")
        return run

    def close(self, keep=False):
        self.receiver.close()
        if keep:
            print(f"kept: {self.folder} {self.root}")
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.root, ignore_errors=True)


def can(verb):
    return subprocess.run([TOCSIN, verb, "--help"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIP)
