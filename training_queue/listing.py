"""The list of trainings, a TOML file::

    commit = "55db92aa1b380249ea20e13da70c886674c3d91a"   # the code that trains
    data = "fer2013"
    drop_rows = "MIEN_DROP_ROWS"                           # environment variable that names the file

    [data_sets.fer2013]
    csv = "MIEN_FER2013"                                   # environment variables too
    ferplus = "MIEN_FERPLUS"

    [[trainings]]
    name = "pupil"
    recipe = "mien_s"
    seeds = [1, 2]                                         # trainings "pupil-1" and "pupil-2"
    set = ['loss.teachers=["{run:teacher-1}"]']
    after = [["evaluate", "{run}", "--data", "{data}", "--usage", "PublicTest"]]

``commit``, ``data``, ``drop_rows`` and ``after`` above the first section hold for every training that does not say
otherwise. In ``set`` and ``after``, ``{run}`` and ``{data}`` are the training's own folders and ``{run:NAME}`` is the
run of an earlier training, which is waited for; ``{code}`` is the repository at the pinned commit, for checkpoints that
are committed. ``depends`` names others to wait for. A training may only wait for one
above it.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from mien.errors import ConfigError, nearest
from mien.toml_json import converted, parse_toml, refuse_unknown

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]*")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLACEHOLDER: Final = re.compile(r"\{([a-z]+)(?::([^{}]*))?\}")
_SHARED: Final[tuple[str, ...]] = ("commit", "data", "drop_rows", "after")
_TOP: Final = {*_SHARED, "data_sets", "trainings"}
_TRAINING: Final = {*_SHARED, "name", "recipe", "seeds", "set", "depends"}
_DATA_SET: Final = {"csv", "ferplus"}


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set to import; both values are names of environment variables that hold paths.

    Args:
        csv: of fer2013.csv, or whatever `mien data import` takes.
        ferplus: of FER+'s votes, "" without.
    """

    csv: str
    ferplus: str = ""


@dataclass(frozen=True, slots=True)
class Training:
    """One training of the list.

    Args:
        name: of the training and of its run folder.
        recipe: name of a recipe, or a TOML file of the repository.
        settings: ``key=value`` overrides.
        data: name of a data set of the list.
        drop_rows: environment variable that names the file of rows to leave out, "" without.
        commit: full hash of the code that trains.
        depends: names of trainings above that must be done first.
        after: `mien` commands, each a tuple of words, that follow the training.
    """

    name: str
    recipe: str
    settings: tuple[str, ...]
    data: str
    drop_rows: str
    commit: str
    depends: tuple[str, ...]
    after: tuple[tuple[str, ...], ...]

    def fingerprint(self) -> str:
        """Changes when anything about the training does."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class TrainingList:
    """A list, validated."""

    data_sets: Mapping[str, DataSet]
    trainings: tuple[Training, ...]

    def variables(self, trainings: Sequence[Training]) -> dict[str, str]:
        """Environment variables that some trainings need, each with the first training that needs it."""
        needed: dict[str, str] = {}
        for training in trainings:
            source = self.data_sets[training.data]
            for variable in filter(None, (source.csv, source.ferplus, training.drop_rows)):
                needed.setdefault(variable, training.name)
        return needed


def load_list(path: Path) -> TrainingList:
    """Read and validate a list.

    Raises:
        ConfigError: missing, not TOML, an unknown or missing key, a wrong type, or a reference to what is not there.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: the list cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not a TOML file ({error})") from None
    try:
        return parse_list(text)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def parse_list(text: str) -> TrainingList:
    """A list in TOML text; raises as `load_list` does."""
    values = parse_toml(text)
    refuse_unknown(values, _TOP)
    data_sets = {name: _data_set(name, value) for name, value in _section(values, "data_sets").items()}
    shared = {key: values[key] for key in _SHARED if key in values}
    entries = values.get("trainings", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigError("trainings: expected sections of the form [[trainings]]")
    trainings: list[Training] = []
    for entry in entries:
        for seeded in _seeded({**shared, **entry}):
            trainings.append(_training(seeded, data_sets, [known.name for known in trainings]))
    return TrainingList(data_sets, tuple(trainings))


def _seeded(values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """An entry once for each of its seeds, named after it; an entry without seeds as it is."""
    rest = {key: value for key, value in values.items() if key != "seeds"}
    if "seeds" not in values:
        yield rest
        return
    name, seeds = _required(values, "name", "trainings"), values["seeds"]
    if not isinstance(seeds, list) or not seeds or not all(type(seed) is int and seed >= 0 for seed in seeds):
        raise ConfigError(f"{name}.seeds is {seeds!r}: expected whole numbers, for example [0, 1]")
    settings = _texts(f"{name}.set", values.get("set", []))
    for seed in seeds:
        yield {**rest, "name": f"{name}-{seed}", "set": [*settings, f"seed={seed}"]}


def _section(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    section = values.get(key, {})
    if not isinstance(section, dict):
        raise ConfigError(f"{key} is {section!r}: expected a section of keys")
    return section


def _data_set(name: str, value: Any) -> DataSet:
    where = f"data_sets.{name}"
    _match(where, name, _NAME, "small letters, digits, '.', '_' and '-'")
    if not isinstance(value, dict):
        raise ConfigError(f"{where} is {value!r}: expected a section of keys")
    refuse_unknown(value, _DATA_SET, f"{where}.")
    for key in value:
        _match(f"{where}.{key}", value[key], _VARIABLE, "the name of an environment variable that holds a path")
    return DataSet(**{"csv": _required(value, "csv", where), **value})


def _training(values: Mapping[str, Any], data_sets: Mapping[str, DataSet], above: Sequence[str]) -> Training:
    name = _match("trainings.name", _required(values, "name", "trainings"), _NAME, "small letters, digits, '.', '_-'")
    if name in above:
        raise ConfigError(f"{name}: stands in the list twice; name one of them differently")
    refuse_unknown(values, _TRAINING, f"{name}.")
    settings = _texts(f"{name}.set", values.get("set", []))
    after = values.get("after", [])
    if not isinstance(after, list):
        raise ConfigError(f"{name}.after is {after!r}: expected lists of words")
    steps = tuple(_texts(f"{name}.after", words) for words in after)
    _known(f"{name}.data", _required(values, "data", name), data_sets)
    referenced = _referenced(name, [*settings, *(word for words in steps for word in words)])
    depends = tuple(dict.fromkeys([*_texts(f"{name}.depends", values.get("depends", [])), *referenced]))
    for other in depends:
        _known(f"{name} depends on a training, which", other, above)
    drop_rows = values.get("drop_rows", "")
    if drop_rows:
        _match(f"{name}.drop_rows", drop_rows, _VARIABLE, "the name of an environment variable that holds a path")
    commit = _match(f"{name}.commit", _required(values, "commit", name), _COMMIT, "the 40 digits of a commit")
    recipe = _required(values, "recipe", name)
    return Training(name, recipe, settings, values["data"], drop_rows, commit, depends, steps)


def _required(values: Mapping[str, Any], key: str, where: str) -> str:
    value = values.get(key)
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{where}.{key} is {value!r}: expected text" if key in values else f"{where} has no {key}")
    return value


def _match(where: str, value: Any, pattern: re.Pattern[str], wanted: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ConfigError(f"{where} is {value!r}: expected {wanted}")
    return value


def _texts(where: str, value: Any) -> tuple[str, ...]:
    return tuple(converted(tuple[str, ...], value, where))


def _known(where: str, name: str, known: Sequence[str] | Mapping[str, Any]) -> None:
    if name not in known:
        raise ConfigError(f"{where} is {name!r}{nearest(name, known)}: expected one of {', '.join(known) or 'none'}")


def _referenced(name: str, texts: Sequence[str]) -> Iterator[str]:
    for text in texts:
        for match in _PLACEHOLDER.finditer(text):
            kind, other = match.groups()
            if kind == "run" and other:
                yield other
            elif other is not None or kind not in ("run", "data", "code"):
                raise ConfigError(
                    f"{name}: {match[0]} in {text!r}: expected {{run}}, {{data}}, {{code}} or {{run:NAME}}"
                )


def fill(text: str, training: Training) -> str:
    """A word of ``set`` or ``after`` with its placeholders replaced by folders, as seen from the queue's home."""

    def folder(match: re.Match[str]) -> str:
        if match[1] == "code":
            return code_folder(training.commit)
        return data_folder(training.data) if match[1] == "data" else run_folder(match[2] or training.name)

    return _PLACEHOLDER.sub(folder, text)


def run_folder(name: str) -> str:
    """A run's folder, as seen from the queue's home: relative, since a configuration that names it travels."""
    return f"runs/{name}"


def code_folder(commit: str) -> str:
    """The folder of a commit's worktree, as seen from the queue's home."""
    return f"worktrees/{commit[:12]}"


def data_folder(name: str) -> str:
    """A data set's folder, as seen from the queue's home."""
    return f"data/{name}"
