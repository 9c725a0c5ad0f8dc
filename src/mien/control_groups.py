"""The control groups of Linux that this process is in, version 1 and 2: where their limits are written."""

from collections.abc import Iterator
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
