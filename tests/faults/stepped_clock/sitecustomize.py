"""Sets the wall clock of a process, and of all it starts, ahead by the seconds that stand in the file STEPPED_CLOCK."""

import ctypes
import gc
import os
import time
from datetime import datetime, timedelta
from pathlib import Path

_time, _time_ns, _now = time.time, time.time_ns, datetime.now


def _ahead_s():
    file = Path(os.environ["STEPPED_CLOCK"])
    return int((file.read_text() if file.is_file() else "") or 0)


time.time = lambda: _time() + _ahead_s()
time.time_ns = lambda: _time_ns() + _ahead_s() * 1_000_000_000
(_attributes,) = gc.get_referents(datetime.__dict__)  # a class of C takes no new attributes in any other way
_attributes["now"] = classmethod(lambda _, tz=None: _now(tz) + timedelta(seconds=_ahead_s()))
ctypes.pythonapi.PyType_Modified(ctypes.py_object(datetime))
