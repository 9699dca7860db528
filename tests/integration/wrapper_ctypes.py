# SPDX-License-Identifier: MIT
"""An engine whose wrapper is ctypes: it raises, and ends without stop and without destroy.

    wrapper_ctypes.py keep|close STATUS DELAY_MS SESSION SECTION.KEY=VALUE...

close: the library's handle is closed before the last alert. TOCSIN_PLUGIN names the plugin.

The engine initialises OpenSSL before it loads the plugin, as each one does that imports ssl. So
OpenSSL's own exit handler runs. Further pages wait while the engine exits. One page is delivered
before them: libcurl has then read its certificates, and a handshake takes less time than the exit
waits, on a busy machine too.
"""

import _ctypes
import os
import ssl  # noqa: F401
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
from fork_engine import DELIVERED, FOR_EVER, Engine  # noqa: E402

way, end_status, delay_ms, session = sys.argv[1:5]
engine = Engine(sys.argv[5:])
engine.alert(session + "-first")
engine.plugin.flush(engine.instance, DELIVERED, FOR_EVER)
for n in range(20):
    engine.alert("%s-more-%d" % (session, n))
engine.alert(session)
if way == "close":
    _ctypes.dlclose(engine.library._handle)
    engine.alert(session + "-closed")
time.sleep(int(delay_ms) / 1000)
sys.exit(int(end_status))
