"""The `mien` commands of a training; all are run in the queue's home, without a shell."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from training_queue.home import QueueError
from training_queue.listing import DataSet, Training, data_folder, fill, run_folder


def mien(python: str, *words: str) -> list[str]:
    """A `mien` command; -P keeps Python from importing folders of the home."""
    return [python, "-P", "-m", "mien", *words]


def train(python: str, training: Training, worktree: Path, environ: Mapping[str, str]) -> list[str]:
    """The training itself, which goes on where it stopped."""
    recipe = str(worktree / training.recipe) if training.recipe.endswith(".toml") else training.recipe
    words = ["train", "--recipe", recipe, "--data", data_folder(training.data), "--run", run_folder(training.name)]
    drop_rows = path_in(environ, training.drop_rows, may_be_empty=True) if training.drop_rows else None
    if drop_rows:
        words += ["--drop-rows", str(drop_rows)]
    for setting in training.settings:
        words += ["--set", fill(setting, training)]
    return mien(python, *words, "--resume")


def import_data(python: str, name: str, data_set: DataSet, environ: Mapping[str, str]) -> list[str]:
    """The import of a data set."""
    words = ["data", "import", str(path_in(environ, data_set.csv)), data_folder(name)]
    if data_set.ferplus:
        words += ["--ferplus", str(path_in(environ, data_set.ferplus))]
    return mien(python, *words)


def after(python: str, training: Training) -> Iterable[list[str]]:
    """What follows a training."""
    return (mien(python, *(fill(word, training) for word in words)) for words in training.after)


def path_in(environ: Mapping[str, str], variable: str, *, may_be_empty: bool = False) -> Path | None:
    """The path that an environment variable names, absolute; None when it is set to nothing and may be.

    Raises:
        QueueError: not set, or nothing is there.
    """
    text = environ.get(variable)
    if text is None or not (text or may_be_empty):
        emptied = f", or {variable}= for none" if may_be_empty else ""
        raise QueueError(f"{variable} is not set: export {variable}=FILE{emptied}; the list of trainings names it")
    if not text:
        return None
    path = Path(text).absolute()
    if not path.exists():
        raise QueueError(f"{variable} is {text}: no such file")
    return path
