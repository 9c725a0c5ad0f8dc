"""Pinned code and its environment: real git, and the commands that would install."""

import shutil
import subprocess

import pytest
from training_queue.home import Home, QueueError
from training_queue.workspace import (
    building,
    checkout,
    environment_of,
    is_complete,
    python_of,
    repository_of,
    require_commit,
    variables,
)


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "home")
    home.make()
    return home


def head(folder):
    words = ["git", "-C", folder, "rev-parse", "HEAD"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def test_pinned_code_stays_when_the_repository_moves_on(repository, write_list, home):
    commit = head(repository)
    worktree = checkout(repository, home, commit)
    (repository / "constraints.txt").write_text("numpy==0\n")
    write_list("")
    assert head(repository) != commit == head(worktree)
    assert "numpy==0" not in (worktree / "constraints.txt").read_text()
    assert checkout(repository, home, commit) == worktree
    assert repository_of(repository / "constraints.txt") == repository


@pytest.mark.parametrize("damage", ["changed", "half made", "removed", "locked"])
def test_a_damaged_worktree_is_made_anew(repository, home, damage):
    commit = head(repository)
    worktree = checkout(repository, home, commit)
    match damage:
        case "changed":
            (worktree / "constraints.txt").write_text("numpy==0\n")
        case "half made":
            (worktree / ".git").unlink()
        case "removed":
            shutil.rmtree(worktree)
        case "locked":
            subprocess.run(["git", "-C", repository, "worktree", "lock", worktree], check=True)
            shutil.rmtree(worktree)
    assert checkout(repository, home, commit) == worktree
    assert (worktree / "constraints.txt").read_bytes() == (repository / "constraints.txt").read_bytes()
    assert head(worktree) == commit


def test_what_git_refuses_is_said(repository, home, tmp_path):
    with pytest.raises(QueueError, match=f"has no commit {'0' * 40}; fetch the branch"):
        require_commit(repository, "0" * 40)
    with pytest.raises(QueueError, match="git worktree add"):
        checkout(repository, home, "0" * 40)
    with pytest.raises(QueueError, match="git rev-parse"):
        repository_of(tmp_path / "list.toml")


def test_an_environment_is_complete_once_all_commands_were_run(repository, home):
    environment = environment_of(home, repository)
    commands = building(environment, repository)
    make = next(commands)
    assert make[1:] == ["-m", "venv", "--clear", str(environment)]
    environment.mkdir()
    install = next(commands)
    assert install[0] == python_of(environment)
    assert install[-3:] == ["-c", str(repository / "constraints.txt"), f"{repository}[train]"]
    assert not is_complete(environment)
    assert list(commands) == []
    assert is_complete(environment)


def test_an_environment_serves_as_long_as_dependencies_stay(repository, home):
    before = environment_of(home, repository)
    (repository / "src" / "mien" / "__init__.py").write_text("")
    assert environment_of(home, repository) == before
    (repository / "constraints.txt").write_text("numpy==0\n")
    assert environment_of(home, repository) != before


def test_processes_find_the_pinned_code(repository):
    found = variables(repository, {"PYTHONPATH": "/elsewhere", "PATH": "/bin"})
    assert found == {"OMP_WAIT_POLICY": "PASSIVE", "PYTHONPATH": str(repository / "src"), "PATH": "/bin"}
    assert variables(repository, {"OMP_WAIT_POLICY": "ACTIVE"})["OMP_WAIT_POLICY"] == "ACTIVE"
