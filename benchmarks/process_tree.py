"""What descends from a process, for benchmarks and tests. Any process may end at any moment."""

import psutil


def below(pid):
    """All processes that a process started, and that these started, as psutil's; none when it is gone."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
