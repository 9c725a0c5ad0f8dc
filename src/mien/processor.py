"""The processor, as the system describes it."""

import platform
import re
from pathlib import Path
from typing import Final

from mien.control_groups import read_text

_CPUINFO: Final = Path("/proc/cpuinfo")


def cpuinfo() -> str:
    """What Linux says of its processors; nothing on other systems."""
    return read_text(_CPUINFO)


def processor_name() -> str | None:
    """The processor as the system calls it; None where it tells no name."""
    found = re.search(r"^model name\s*:\s*(.*)$", cpuinfo(), re.MULTILINE)
    return found[1].strip() if found else platform.processor() or None
