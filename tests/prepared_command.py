"""``synthprobe`` as a shell finds it in these tests: asks a prepared Python to go on in its place, with its streams.

It is started without site-packages and loads little. Where nobody is prepared, the command begins afresh.
"""

import array
import json
import os
import socket
import struct
import sys


def main() -> None:
    order = {"command": ["synthprobe", *sys.argv[1:]], "cwd": os.getcwd(), "environ": dict(os.environ)}
    text = json.dumps({**order, "new_session": False}).encode()
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(os.environ["SYNTHPROBE_TESTS_PREPARED"])
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))]
            line.sendmsg([struct.pack("!I", len(text))], rights)
            line.sendall(text)
            (code,) = struct.unpack("!i", line.recv(4, socket.MSG_WAITALL))
    except (OSError, KeyError, struct.error):
        code = -1
    if code < 0:
        os.execv(sys.executable, [sys.executable, "-m", "synthprobe", *sys.argv[1:]])
    os._exit(code)


if __name__ == "__main__":
    main()
