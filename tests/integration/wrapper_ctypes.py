# SPDX-License-Identifier: MIT
"""An engine whose wrapper is ctypes: it raises, and ends without stop and without destroy.

    wrapper_ctypes.py keep|close STATUS DELAY_MS SESSION SECTION.KEY=VALUE...

close: the library's handle is closed before the last alert. TOCSIN_PLUGIN names the plugin.
"""

import _ctypes
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
from fork_engine import Engine  # noqa: E402

way, end_status, delay_ms, session = sys.argv[1:5]
engine = Engine(sys.argv[5:])
engine.alert(session)
if way == "close":
    _ctypes.dlclose(engine.library._handle)
    engine.alert(session + "-closed")
time.sleep(int(delay_ms) / 1000)
sys.exit(int(end_status))
