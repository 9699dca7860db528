# SPDX-License-Identifier: MIT
"""An engine whose wrapper is cffi: it raises, and ends without stop and without destroy.

    wrapper_cffi.py keep|close STATUS DELAY_MS SESSION SECTION.KEY=VALUE...

close: the library's handle is closed before the last alert. TOCSIN_PLUGIN names the plugin,
TOCSIN_DECLARATIONS the plugin's header without its directives.
"""

import os
import sys
import time

from cffi import FFI

way, end_status, delay_ms, session = sys.argv[1:5]
ffi = FFI()
with open(os.environ["TOCSIN_DECLARATIONS"], encoding="utf-8") as declarations:
    ffi.cdef(declarations.read())
library = ffi.dlopen(os.environ["TOCSIN_PLUGIN"])
kept = []


def text(value):
    data = value.encode()
    kept.append(ffi.new("char[]", data))
    return {"ptr": kept[-1], "len": len(data)}


def check(rc, call):
    if rc != library.TOCSIN_OK:
        sys.exit("%s: %d" % (call, rc))


def alert(about):
    e = ffi.new("tocsin_alert_event *")
    e.head.size = ffi.sizeof("tocsin_alert_event")
    e.head.kind = 1
    e.priority = 1
    e.code = text("DATA_FEED_DOWN")
    e.message = text("gone")
    e.session_id = text(about)
    return plugin.on_alert(instance[0], e, ffi.NULL)


wanted = ffi.new("tocsin_negotiation *", {"size": ffi.sizeof("tocsin_negotiation")})
check(library.tocsin_plugin_v1(wanted), "tocsin_plugin_v1")
plugin = wanted.plugin
host = ffi.new("tocsin_host *", {"size": ffi.sizeof("tocsin_host")})
pairs = [a.split("=", 1) for a in ["config="] + sys.argv[5:]]
options = ffi.new("tocsin_kv[]", [{"key": text(k), "value": text(v)} for k, v in pairs])
error = ffi.new("char[512]")
instance = ffi.new("tocsin_instance **")
rc = plugin.create(host, options, len(pairs), error, 512, instance)
check(rc, "create: " + ffi.string(error).decode())
check(plugin.start(instance[0]), "start")
check(alert(session), "on_alert")
if way == "close":
    ffi.dlclose(library)
    if alert(session + "-closed") != 0:
        sys.exit("on_alert, without the library's handle")
time.sleep(int(delay_ms) / 1000)
sys.exit(int(end_status))
