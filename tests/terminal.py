"""A terminal for a command, so that tests see what people see."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

from waiting import HANG


def shown(*arguments, columns=80, **environment):
    """What `mien` with some arguments shows in a terminal of so many columns, escape sequences included."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "NO_COLOR", "CI", "TERM"}}
    process = subprocess.Popen(
        [sys.executable, "-m", "mien", *map(str, arguments)],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=kept | {"TERM": "xterm-256color"} | environment,
    )
    os.close(terminal)
    seen = b""
    try:
        while part := os.read(controller, 1 << 16):
            seen += part
    except OSError:  # what Linux says when the other side is closed
        pass
    finally:
        os.close(controller)
        process.wait(timeout=HANG)
    return seen.decode().replace("\r\n", "\n")
