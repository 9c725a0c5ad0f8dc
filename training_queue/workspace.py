"""The pinned code and the Python that runs it: a git worktree for each commit, an environment for its dependencies.

Code and environment are two: commits with the same dependencies share an environment, and the code is found through
PYTHONPATH, so that an environment made by hand (``--python``) serves as well.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from training_queue.home import Home, QueueError

_COMPLETE: Final = ".complete"


def repository_of(path: Path) -> Path:
    """Root of the git repository that holds a file.

    Raises:
        QueueError: there is none.
    """
    return Path(_git(path.absolute().parent, "rev-parse", "--show-toplevel"))


def require_commit(root: Path, commit: str) -> None:
    """Raises QueueError when the repository does not hold a commit."""
    try:
        _git(root, "cat-file", "-e", f"{commit}^{{commit}}")
    except QueueError:
        raise QueueError(f"{root}: has no commit {commit}; fetch the branch that holds it, or pin another") from None


def checkout(root: Path, home: Home, commit: str) -> Path:
    """A worktree at a commit; one that is damaged, or that a kill left half made, is made anew.

    Raises:
        QueueError: git cannot make it.
    """
    path = home.path / "worktrees" / commit[:12]
    if not _is_clean(path, commit):
        shutil.rmtree(path, ignore_errors=True)
        # Twice forced: git still knows the folder, and locks it while it makes it, which a kill leaves behind.
        _git(root, "worktree", "add", "--force", "--force", "--detach", str(path), commit)
    return path


def _is_clean(path: Path, commit: str) -> bool:
    if not (path / ".git").exists():
        return False
    try:
        return _git(path, "rev-parse", "HEAD") == commit and not _git(path, "status", "--porcelain")
    except QueueError:
        return False


def _git(folder: Path, *words: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise QueueError("git is not installed: the queue checks out the pinned code with it") from None
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise QueueError(f"{folder}: git {' '.join(words[:2])}: {reason}")
    return done.stdout.strip()


def environment_of(home: Home, worktree: Path) -> Path:
    """Folder of the environment for a worktree: one for each set of dependencies and each Python."""
    parts = [(worktree / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")]
    key = hashlib.sha256(b"\0".join([*parts, sys.version.encode()])).hexdigest()
    return home.path / "environments" / key[:12]


def python_of(environment: Path) -> str:
    """The interpreter of an environment."""
    return str(environment / "bin" / "python")


def is_complete(environment: Path) -> bool:
    """Whether `building` came to its end."""
    return (environment / _COMPLETE).exists()


def building(environment: Path, worktree: Path) -> Iterator[list[str]]:
    """The commands that make an environment; it counts as complete when the last of them has been run."""
    yield [sys.executable, "-m", "venv", "--clear", str(environment)]
    install = [python_of(environment), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    yield [*install, "-c", str(worktree / "constraints.txt"), f"{worktree}[train]"]
    (environment / _COMPLETE).touch()


def variables(worktree: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment variables of a process that runs a worktree's code.

    Waiting threads sleep (OMP_WAIT_POLICY): one that spins holds up everything else on a busy core.
    """
    return {"OMP_WAIT_POLICY": "PASSIVE", **environ, "PYTHONPATH": str(worktree / "src")}
