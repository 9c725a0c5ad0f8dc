"""What `mien compare` takes, read: folders of runs, reports of `mien evaluate`, and models that are asked now."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mien.choices import HELD_OUT
from mien.data.columns import lines_of_text
from mien.errors import ConfigError, DataError, UsageError
from mien.evaluation.comparison import Run
from mien.evaluation.evaluated import Evaluation
from mien.evaluation.pooled import pooled
from mien.evaluation.report_folder import PREDICTIONS_FILE, REPORT_FILE
from mien.runs import ANSWERS_FILES, CONFIG_FILE, RunFiles, read_run_files
from mien.toml_json import parse_json

Ask = Callable[[str], Evaluation]
"""Evaluates the model of a name on the rows that are compared."""


def read_contenders(names: Sequence[str], usage: str | None = None, ask: Ask | None = None) -> list[Run]:
    """Runs, reports and models in any mix, with their answers to the same rows; the folds of a run are one (`pooled`),
    where its first fold is named.

    Args:
        names: run folders of `mien train`, folders of `mien evaluate --out` or their report.json, and with ``ask`` any
            model.
        usage: of runs without ``ask``, see `read_runs`.
        ask: evaluates whatever is no report; None takes what runs have answered already.

    Raises:
        DataError: a run or report is damaged, or a name is neither.
        UsageError: runs have no usage in common, or one is named twice.
    """
    kept = [name for name in names if not _is_report(Path(name))]
    _refuse_twice(names)
    if ask is None:
        for name in kept:
            if not (Path(name) / CONFIG_FILE).exists():
                raise DataError(f"{name}: no run and no report; to compare models name --data and --usage")
        found = dict(zip(kept, _read_each(kept, usage) if kept else [], strict=True))
    else:
        found = {name: _asked(name, ask(name)) for name in kept}
    return pooled(_told_apart(names, [found[name] if name in found else read_report(Path(name)) for name in names]))


def _told_apart(given: Sequence[str], runs: Sequence[Run]) -> list[Run]:
    """The same, a model or report that is called like another by its file (``s3.onnx``) or as it was given.

    Runs of one name stay seeds of one variant.
    """
    names = [run.name for run in runs]
    for other in (lambda name: name if _is_report(Path(name)) else Path(name).name, str):
        count = Counter(names)
        names = [
            name if run.config or count[name] == 1 else other(called)
            for name, called, run in zip(names, given, runs, strict=True)
        ]
    return [replace(run, name=name) for run, name in zip(runs, names, strict=True)]


def _refuse_twice(names: Sequence[str]) -> None:
    seen: dict[Path, str] = {}
    for name in names:
        if (path := Path(name).absolute()) in seen:
            raise UsageError(f"{name} is named twice: expected things to compare")
        seen[path] = name


def _is_report(path: Path) -> bool:
    return path.name == REPORT_FILE or (path / REPORT_FILE).exists()


def read_report(path: Path) -> Run:
    """The report in a folder of `mien evaluate --out`, named like the folder.

    Raises:
        DataError: damaged, or without its predictions.
    """
    folder = path.parent if path.name == REPORT_FILE else path
    try:
        report = parse_json((folder / REPORT_FILE).read_text(encoding="utf-8"))
        table = _predictions(folder / PREDICTIONS_FILE)
        lines = [(int(line["row"]), line["label"], line["predicted"]) for line in table]
        rows, labels, predictions = zip(*lines, strict=True)
        groups = np.array([line["group"] for line in table], np.str_) if "group" in table[0] else None
        number = list(report["labels"]).index
        true, answered = (np.array(list(map(number, column)), np.intp) for column in (labels, predictions))
        rows_of = np.array(rows, np.intp), str(report["data"]["sha256"])
        return Run(
            folder.absolute().name,
            0,
            (),
            true,
            answered,
            {},
            str(report["usage"]),
            rows_of,
            groups,
            source=str(report["data"]["source"]),
            classes=tuple(map(str, report["labels"])),
            tta=str(report["tta"]),
        )
    except FileNotFoundError as error:
        raise DataError(
            f"{folder}: no {Path(error.filename).name}; expected a folder of `mien evaluate --out`"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, ConfigError) as error:
        raise DataError(f"{folder}: damaged report ({error})") from None


def _predictions(path: Path) -> list[dict[str, str]]:
    def columns(header: Sequence[str]) -> Sequence[str]:
        if missing := [name for name in ("row", "label", "predicted") if header.count(name) != 1]:
            raise DataError(f"{path}: not one column {missing[0]}: expected row, label and predicted once")
        return header

    table = [line for _, line in lines_of_text(path.read_text(encoding="utf-8-sig"), path, columns)]
    if not table:
        raise DataError(f"{path}: no rows after the header; evaluate again")
    return table


def _asked(name: str, result: Evaluation) -> Run:
    """A model that was asked; one of a run keeps the run's curves, seed and settings."""
    folder, rows = Path(name), (result.rows, result.source_sha256)
    answers = result.labels.astype(np.intp), result.predictions
    if (folder / CONFIG_FILE).exists():
        files = read_run_files(folder)
        return Run(
            _run_name(folder),
            int(files.config["seed"]),
            files.history,
            *answers,
            files.config,
            result.usage,
            rows,
            result.groups,
            source=result.source,
            classes=result.classes,
        )
    asked = Run(folder.stem, 0, (), *answers, {}, result.usage, rows, result.groups, source=result.source)
    return replace(asked, classes=result.classes)


def _run_name(folder: Path) -> str:
    place = folder.absolute()
    for part in ("fold-", "seed-"):
        if place.name.startswith(part):
            place = place.parent
    return place.name


def read_runs(paths: Sequence[str | Path], usage: str | None = None) -> list[Run]:
    """Runs in folders that `mien train` made, with their answers to one usage; the folds of a run are one (`pooled`).

    Args:
        paths: the folders, at least one.
        usage: a key of `mien.runs.ANSWERS_FILES`; None takes the first that all of them have, and held-out rows of runs
            that held out several folds.

    Raises:
        DataError: no run there, or a damaged one.
        UsageError: they have no such usage in common.
    """
    return pooled(_read_each(paths, usage))


def _read_each(paths: Sequence[str | Path], usage: str | None) -> list[Run]:
    files = {Path(path): read_run_files(Path(path)) for path in paths}
    folds = {content.config.get("fold", 0) for content in files.values()}
    usage = _common_usage(files, HELD_OUT if usage is None and len(folds) > 1 else usage)
    return [_run(folder, content, usage) for folder, content in files.items()]


def _common_usage(files: Mapping[Path, RunFiles], usage: str | None) -> str:
    wanted = [usage] if usage else list(ANSWERS_FILES)
    for name in wanted:
        if all(name in content.answers for content in files.values()):
            return name
    if usage:
        lacking = next(folder for folder, content in files.items() if usage not in content.answers)
        raise UsageError(f"{lacking}: has no answers to {usage}; expected one of {_usages(files[lacking])}")
    told = "; ".join(f"{folder}: {_usages(content)}" for folder, content in files.items())
    raise UsageError(f"the runs have no rows in common that all were measured on ({told}); compare them apart")


def _usages(content: RunFiles) -> str:
    return ", ".join(content.answers)


def _run(folder: Path, files: RunFiles, usage: str) -> Run:
    answers = files.answers[usage]
    try:
        labels, predictions = (np.array(answers[key], np.intp) for key in ("labels", "predictions"))
        rows = (np.array(answers["rows"], np.intp), str(answers["source_sha256"])) if "rows" in answers else None
        groups = np.array(answers["groups"], np.str_) if "groups" in answers else None
        run = Run(
            _run_name(folder),
            int(files.config["seed"]),
            files.history,
            labels,
            predictions,
            files.config,
            usage,
            rows,
            groups,
            source=str(answers.get("source", "")),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder}: damaged run ({error})") from None
    if labels.ndim != 1 or labels.shape != predictions.shape or not len(labels):
        raise DataError(
            f"{folder}: damaged run ({ANSWERS_FILES[usage]} has {labels.size} labels and {predictions.size} "
            "predictions: expected as many of each)"
        )
    return run
