"""The control groups of Linux that this process is in, version 1 and 2: where their limits are written."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath


def control_groups(controller: str, root: Path = Path("/")) -> Iterator[Path]:
    """Folders of the control groups above this process, from the nearest on.

    Args:
        controller: of version 1, such as ``cpu`` or ``memory``; groups of version 2 have all of them.
        root: below it lie ``proc`` and ``sys``.
    """
    for line in read_text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        yield from _folders(root / "sys/fs/cgroup", controller, controllers, path)


def memory_at_hand(root: Path = Path("/")) -> int | None:
    """Bytes that this process may use: the machine's, and the limits of its control groups (version 1 and 2).

    Args:
        root: below it lie ``proc`` and ``sys``.
    """
    written = (
        read_text(folder / name).strip()
        for folder in control_groups("memory", root)
        for name in ("memory.max", "memory.limit_in_bytes")
    )
    limits = [int(number) for number in written if number.isdecimal()]
    with suppress(AttributeError, ValueError, OSError):  # Windows
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(limits, default=None)


def read_text(path: Path) -> str:
    """The content of a small file of the system; nothing where there is none."""
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def _folders(mount: Path, controller: str, controllers: str, path: str) -> Iterator[Path]:
    """Where the control groups of a line of /proc/self/cgroup may lie: those of version 2 name no controllers.

    In a container the path may be the host's; the group itself is then mounted at the top.
    """
    if controllers and controller not in controllers.split(","):
        return
    tops = (mount / controllers, mount / controller) if controllers else (mount, mount / "unified")
    inner = PurePosixPath(*(part for part in PurePosixPath(path).parts if part not in ("/", "..")))
    for top in tops:
        yield from (top / folder for folder in (inner, *inner.parents))
