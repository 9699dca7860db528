# SPDX-License-Identifier: MIT
"""An engine in Python whose workers are forked, as multiprocessing does it.

    fork_engine.py work SECTION.KEY=VALUE...    raises, has workers try, raises, stops
    fork_engine.py linger SECTION.KEY=VALUE...  raises, has a worker, prints both ids and waits
    fork_engine.py again SECTION.KEY=VALUE...   starts, delivers what there is, stops

TOCSIN_PLUGIN names the plugin.
"""

import ctypes
import multiprocessing
import os
import signal
import sys

WORKERS = 4
OK, E_STATE = 0, -3
RAISE, DELIVERED, FOR_EVER = 1, 2, 2**64 - 1
HEARTBEAT, CREATED = 2, 1


class Str(ctypes.Structure):
    _fields_ = [("ptr", ctypes.c_char_p), ("len", ctypes.c_size_t)]

    def __init__(self, text=None):
        data = text.encode() if text is not None else None
        super().__init__(data, len(data) if data is not None else 0)


class Kv(ctypes.Structure):
    _fields_ = [("key", Str), ("value", Str)]


class Head(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_uint32),
        ("kind", ctypes.c_uint32),
        ("wall_ns", ctypes.c_uint64),
    ]


def event(name, *members):
    fields = [("head", Head), *members, ("kv", ctypes.POINTER(Kv)), ("n_kv", ctypes.c_size_t)]
    return type(name, (ctypes.Structure,), {"_fields_": fields})


Session = event("Session", ("session_id", Str), ("status", Str))
Health = event(
    "Health",
    ("source", Str),
    ("session_id", Str),
    ("value", ctypes.c_double),
    ("limit", ctypes.c_double),
)
Alert = event(
    "Alert",
    ("priority", ctypes.c_uint32),
    ("reserved0", ctypes.c_uint32),
    ("code", Str),
    ("message", Str),
    ("session_id", Str),
    ("instance", Str),
)


class Host(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_uint32),
        ("abi", ctypes.c_uint32),
        ("data", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("version", ctypes.c_char_p),
        ("log", ctypes.c_void_p),
        ("extension", ctypes.c_void_p),
    ]


class Stats(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint32), ("reserved0", ctypes.c_uint32)] + [
        ("figure%d" % n, ctypes.c_uint64) for n in range(14)
    ]


VOID = ctypes.c_void_p
INT = ctypes.c_int32


def slot(name, *arguments, result=INT):
    return name, ctypes.CFUNCTYPE(result, *arguments)


class Plugin(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_uint32),
        ("abi", ctypes.c_uint32),
        ("name", ctypes.c_char_p),
        ("version", ctypes.c_char_p),
        ("config_help", ctypes.c_char_p),
        slot("create", VOID, VOID, ctypes.c_size_t, VOID, ctypes.c_size_t, VOID),
        slot("start", VOID),
        slot("on_session", VOID, VOID),
        slot("on_health", VOID, VOID),
        slot("on_alert", VOID, VOID, VOID),
        slot("flush", VOID, ctypes.c_uint32, ctypes.c_uint64),
        slot("snapshot", VOID, VOID, ctypes.c_size_t, VOID),
        slot("stats", VOID, VOID),
        slot("stop", VOID, ctypes.c_uint64),
        slot("destroy", VOID, result=None),
        slot("extension", VOID, VOID, result=VOID),
    ]


class Negotiation(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_uint32),
        ("abi_min", ctypes.c_uint32),
        ("abi_max", ctypes.c_uint32),
        ("abi", ctypes.c_uint32),
        ("plugin", ctypes.POINTER(Plugin)),
    ]


class Engine:
    def __init__(self, settings):
        self.library = ctypes.CDLL(os.environ["TOCSIN_PLUGIN"])
        wanted = Negotiation(ctypes.sizeof(Negotiation), 0, 0, 0, None)
        check(self.library.tocsin_plugin_v1(ctypes.byref(wanted)), "tocsin_plugin_v1")
        self.plugin = wanted.plugin.contents
        self.host = Host(ctypes.sizeof(Host), wanted.abi, None, b"python", b"1", None, None)
        pairs = [("config", "")] + [s.split("=", 1) for s in settings]
        options = (Kv * len(pairs))(*[Kv(Str(k), Str(v)) for k, v in pairs])
        error = ctypes.create_string_buffer(512)
        self.instance = VOID()
        rc = self.plugin.create(
            ctypes.addressof(self.host),
            ctypes.addressof(options),
            len(pairs),
            ctypes.addressof(error),
            len(error),
            ctypes.addressof(self.instance),
        )
        check(rc, "create: " + error.value.decode())
        check(self.plugin.start(self.instance), "start")

    def alert(self, session):
        e = Alert(
            Head(ctypes.sizeof(Alert), RAISE, 0),
            1,
            0,
            Str("RISK_LIMIT_BREACH"),
            Str("drawdown"),
            Str(session),
        )
        return self.plugin.on_alert(self.instance, ctypes.addressof(e), None)

    def everything(self):
        """What each call but destroy returns."""
        health = Health(Head(ctypes.sizeof(Health), HEARTBEAT, 0))
        session = Session(Head(ctypes.sizeof(Session), CREATED, 0), Str("worker"), Str())
        stats, length = Stats(ctypes.sizeof(Stats)), ctypes.c_size_t()
        p, i = self.plugin, self.instance
        return [
            self.alert("worker"),
            p.on_health(i, ctypes.addressof(health)),
            p.on_session(i, ctypes.addressof(session)),
            p.flush(i, DELIVERED, FOR_EVER),
            p.snapshot(i, None, 0, ctypes.addressof(length)),
            p.stats(i, ctypes.addressof(stats)),
            p.start(i),
            p.stop(i, FOR_EVER),
        ]

    def end(self):
        check(self.plugin.flush(self.instance, DELIVERED, FOR_EVER), "flush")
        check(self.plugin.stop(self.instance, FOR_EVER), "stop")
        self.plugin.destroy(self.instance)


engine = None


def check(rc, what):
    if rc != OK:
        sys.exit("fork_engine: %s: %d" % (what, rc))


def worker(number):
    del number
    answers = engine.everything()
    engine.plugin.destroy(engine.instance)
    return answers + engine.everything()


def work():
    context = multiprocessing.get_context("fork")
    for round_number in range(3):
        check(engine.alert("before %d" % round_number), "on_alert")
        with context.Pool(WORKERS) as pool:
            for answers in pool.map(worker, range(4 * WORKERS)):
                if set(answers) != {E_STATE}:
                    sys.exit("fork_engine: a worker's calls returned %s" % answers)
        check(engine.alert("after %d" % round_number), "on_alert")
    engine.end()


def outlive():
    signal.alarm(120)  # should nobody end it
    signal.pause()


def linger():
    context = multiprocessing.get_context("fork")
    child = context.Process(target=outlive)
    child.start()
    check(engine.alert("killed"), "on_alert")
    print(os.getpid(), child.pid, flush=True)
    signal.pause()


def main():
    global engine
    engine = Engine(sys.argv[2:])
    {"work": work, "linger": linger, "again": lambda: engine.end()}[sys.argv[1]]()


if __name__ == "__main__":
    main()
