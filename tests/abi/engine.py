# SPDX-License-Identifier: MIT
"""An engine in Python that plays one session to the plugin, and trades without it where there is
none.

    engine.py PLUGIN SECTION.KEY=VALUE...
"""

import ctypes
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../integration"))
sys.dont_write_bytecode = True
from fork_engine import (  # noqa: E402
    Alert,
    Head,
    Health,
    Host,
    Kv,
    Negotiation,
    Session,
    Stats,
    Str,
)

CREATED, STATUS = 1, 2
START, FEED_UP, RISK = 1, 3, 8
RAISE = 1
DELIVERED, FOR_EVER = 2, 2**64 - 1
E_ARG = -1

# A foreign thread calls it: ctypes takes the interpreter's lock for it.
Log = ctypes.CFUNCTYPE(
    None, ctypes.POINTER(Host), ctypes.c_uint32, ctypes.POINTER(ctypes.c_char), ctypes.c_size_t
)


class Missing(Exception):
    pass


def check(rc, call):
    if rc != 0:
        sys.exit("%s: %d" % (call, rc))


class Notifier:
    def __init__(self, path, settings):
        try:
            entry = ctypes.CDLL(path, mode=os.RTLD_NOW | os.RTLD_LOCAL).tocsin_plugin_v1
        except (OSError, AttributeError) as why:
            raise Missing(why) from why
        wish = Negotiation(ctypes.sizeof(Negotiation), 0, 0, 0, None)
        if entry(ctypes.byref(wish)) != 0:
            raise Missing("it speaks minor %d only" % wish.abi)
        self.plugin = wish.plugin.contents
        self.log = Log(self.told)
        self.host = Host(
            ctypes.sizeof(Host),
            wish.abi,
            None,
            b"engine.py",
            b"1",
            ctypes.cast(self.log, ctypes.c_void_p),
            None,
        )
        self.instance = ctypes.c_void_p()
        self.create([("config", "")] + [tuple(s.split("=", 1)) for s in settings])

    def create(self, settings):
        options = (Kv * len(settings))(*[Kv(Str(k), Str(v)) for k, v in settings])
        error = ctypes.create_string_buffer(256)
        rc = self.plugin.create(
            ctypes.addressof(self.host),
            ctypes.addressof(options),
            len(settings),
            ctypes.addressof(error),
            len(error),
            ctypes.addressof(self.instance),
        )
        if rc != 0:
            raise Missing(error.value.decode())
        check(self.plugin.start(self.instance), "start")

    @staticmethod
    def told(_host, level, text, length):
        line = ctypes.string_at(text, length).decode()
        print("notifier <%d> %s" % (level, line), file=sys.stderr, flush=True)

    def session(self, kind, session_id, status):
        kv = (Kv * 1)(Kv(Str("strategy"), Str("ma_cross")))
        head = Head(ctypes.sizeof(Session), kind, 0)
        e = Session(head, Str(session_id), Str(status), kv, 1)
        check(self.plugin.on_session(self.instance, ctypes.addressof(e)), "on_session")

    def health(self, kind, source, value=0.0, limit=float("nan")):
        head = Head(ctypes.sizeof(Health), kind, 0)
        e = Health(head, Str(source), Str(), value, limit)
        check(self.plugin.on_health(self.instance, ctypes.addressof(e)), "on_health")

    def alert(self, code, message, session_id):
        head = Head(ctypes.sizeof(Alert), RAISE, 0)
        e = Alert(head, 0, 0, Str(code), Str(message), Str(session_id))
        number = ctypes.c_uint64()
        rc = self.plugin.on_alert(
            self.instance, ctypes.addressof(e), ctypes.addressof(number)
        )
        check(rc, "on_alert")
        return number.value

    def snapshot(self):
        length, room = ctypes.c_size_t(), 0
        while True:
            text = ctypes.create_string_buffer(room + 1)
            rc = self.plugin.snapshot(
                self.instance, ctypes.addressof(text), room, ctypes.addressof(length)
            )
            if rc != E_ARG or length.value <= room:
                check(rc, "snapshot")
                return text.raw[: length.value].decode()
            room = length.value

    def stats(self):
        s = Stats(ctypes.sizeof(Stats))
        check(self.plugin.stats(self.instance, ctypes.addressof(s)), "stats")
        return s

    def end(self):
        check(self.plugin.stop(self.instance, FOR_EVER), "stop")
        self.plugin.destroy(self.instance)


def play(n):
    n.session(CREATED, "live_py", "")
    n.health(START, "")
    n.health(FEED_UP, "okx:ETH-USD")
    n.health(RISK, "drawdown", 0.02, 0.05)
    n.session(STATUS, "live_py", "running")
    print("raised", n.alert("RISK_LIMIT_BREACH", "drawdown 6 %, limit 5 %", "live_py"))
    n.session(STATUS, "live_py", "completed")
    n.session(STATUS, "nobody", "running")
    check(n.plugin.flush(n.instance, DELIVERED, FOR_EVER), "flush")
    print(n.snapshot())
    s = n.stats()
    # As tocsin_stats has them: accepted, refused, ..., pages_delivered the tenth.
    print("accepted", s.figure0, "refused", s.figure1, "delivered", s.figure9)
    n.end()


def main():
    n = None
    try:
        n = Notifier(sys.argv[1], sys.argv[2:])
    except Missing as why:
        print("going on without %s: %s" % (sys.argv[1], why), file=sys.stderr)
    print("trading")
    if n:
        play(n)


main()
