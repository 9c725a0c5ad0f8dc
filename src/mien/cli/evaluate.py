"""`mien evaluate`: every figure of one model on one part of a data set."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mien.choices import ALL_ROWS, AnswerClasses, ChartFormat, EvaluatedUsage, Targets, TtaMode
from mien.cli.by_trait import TraitFile, print_by_trait, table_by_trait
from mien.cli.messages import say_written, tracked
from mien.cli.options import AsJson, Charts, ClassMaps, Column, NoTitles, RunAnywhere, TableAs, Threads
from mien.cli.robustness import report_corruptions
from mien.cli.table_formats import formatted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.table import Table

    from mien.chart_style import ChartStyle
    from mien.data.store import FaceStore
    from mien.evaluation.classifier import Classifier
    from mien.evaluation.evaluated import Evaluation
    from mien.model.card import ModelCard


def evaluate(  # noqa: PLR0913, PLR0917 - the options of the command
    model: Annotated[
        str,
        typer.Argument(help="ONNX file (of another tool: with a TOML beside it), embedded model, or run folder."),
    ],
    data: Annotated[Path, typer.Option(help="Data set made by `mien data import`, or a folder of pictures per class.")],
    usage: Annotated[
        EvaluatedUsage | None,
        typer.Option(
            help="Which rows: Training, PublicTest (to choose), PrivateTest (once, at the end), or held-out: the "
            "Training rows that the model's training set aside; all. A folder of pictures is taken whole."
        ),
    ] = None,
    tta: Annotated[TtaMode, typer.Option(help="Test-time augmentation: average over 1, 2 or 10 views.")] = "none",
    targets: Annotated[
        Targets | None,
        typer.Option(
            help="Ground truth: the labels of the data set, or the majority of FER+'s votes where there is one, by "
            "default of a data set of FER+'s eight classes."
        ),
    ] = None,
    classes: Annotated[
        AnswerClasses,
        typer.Option(help="What the model may answer: all its classes, or those present among the rows."),
    ] = "all",
    drop_seen: Annotated[
        bool, typer.Option("--drop-seen", help="Also report figures without the rows duplicated in Training (leakage).")
    ] = False,
    corruptions: Annotated[
        bool,
        typer.Option("--corruptions", help="Measure robustness instead: image corruptions at five severities."),
    ] = False,
    groups: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="csv with traits of the faces (age band, light, site), by row or file_name."),
    ] = None,
    by: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of --groups: also every figure by its values.")
    ] = None,
    names: ClassMaps = None,
    device: RunAnywhere = "cpu",
    threads: Threads = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for report.json, predictions.csv and charts; with --corruptions for "
            "corruptions.json, .csv, .md and .png."
        ),
    ] = None,
    table: TableAs = None,
    charts: Charts = "png",
    column: Column = False,
    no_titles: NoTitles = False,
    as_json: AsJson = False,
) -> None:
    """Evaluate a model: accuracy, macro F1, calibration, per-class figures, confusion matrix."""
    from rich.console import Console

    from mien.data.reading.class_maps import class_map
    from mien.errors import UsageError
    from mien.evaluation import report
    from mien.evaluation.classifier import open_classifier
    from mien.evaluation.report_folder import ReportFolder, json_report
    from mien.evaluation.robustness_report import RobustnessFolder

    messages, traits = Console(stderr=True), TraitFile(groups, by)
    if as_json + (table is not None) + corruptions > 1 and table:
        raise UsageError("--table goes neither with --json nor with --corruptions; leave one of them out")
    if corruptions:
        if drop_seen or classes != "all" or traits:
            raise UsageError("--drop-seen, --classes and --groups do not go with --corruptions; leave them out")
        spoilt = RobustnessFolder(out, chart_style(charts, column=column, titles=not no_titles)) if out else None
        classifier = open_classifier(model, device, threads)
        store, part = open_data(data, usage, names or [], messages, classifier.card)
        asked, truth = [answering(classifier, store, names or [])], targets or default_targets(store)
        report_corruptions(asked, store, part, spoilt, tta=tta, targets=truth, as_json=as_json)
        return
    folder = ReportFolder(out, chart_style(charts, column=column, titles=not no_titles)) if out else None
    classifier = open_classifier(model, device, threads)
    store, part = open_data(data, usage, names or [], messages, classifier.card)
    trait = traits.read(store, part, classifier.card, data, class_map(names or [])) if traits else None
    result = report.evaluate(
        answering(classifier, store, names or []),
        store,
        part,
        tta,
        drop_seen=drop_seen,
        targets=targets or default_targets(store),
        classes=classes,
        track=partial(tracked, messages, "evaluating"),
    )
    by_trait = trait.of(result) if trait else None
    try:  # files first: a reader of standard output may stop early, a full disk must not take the figures away
        written = list(folder.write(result, by_trait)) if folder else []
    finally:
        if as_json:
            typer.echo(json_report(result, by_trait))
        elif table:
            typer.echo(formatted(*(table_by_trait(by_trait) if by_trait else _row(result)), table), nl=False)
        else:
            _print(result, Console())
            if by_trait:
                print_by_trait(by_trait, Console())
    say_written(written)


def chart_style(charts: ChartFormat, *, column: bool, titles: bool) -> "ChartStyle":
    """How the charts of a report are written.

    Raises:
        MissingExtraError: matplotlib, which draws them, is not installed.
    """
    from mien.errors import MissingExtraError

    try:
        from mien.chart_style import ChartStyle
    except ModuleNotFoundError:
        raise MissingExtraError("drawing the charts of a report", "train") from None
    return ChartStyle(charts, column, titles)


def _row(result: "Evaluation") -> tuple[list[str], list[list[str]]]:
    """Header and row of `--table`: the figures of one model."""
    values = result.to_dict()
    low, high = values["accuracy_interval"]
    cells = {
        "model": result.model,
        "data": result.where,
        "faces": str(len(result)),
        "accuracy, %": f"{100 * values['accuracy']:.2f}",
        "standard error": f"{100 * values['standard_error']:.2f}",
        "95 % low": f"{100 * low:.2f}",
        "95 % high": f"{100 * high:.2f}",
        "balanced accuracy, %": f"{100 * values['balanced_accuracy']:.2f}",
        "macro F1": f"{values['macro_f1_present']:.3f}",
        "ECE": f"{values['ece']:.3f}",
        "NLL": f"{values['nll']:.3f}",
    }
    return list(cells), [list(cells.values())]


def answering(classifier: "Classifier", store: "FaceStore", names: list[str]) -> "Classifier":
    """The model, its classes mapped onto those of a data set where they differ or a map asks for it."""
    from mien.data.reading.class_maps import class_map
    from mien.evaluation.mapped import mapped

    return mapped(classifier, store.classes, class_map(names))


def default_targets(store: "FaceStore") -> Targets:
    """The truth that figures on a data set are given by."""
    from mien.labels import FERPLUS_EMOTIONS

    return "ferplus" if store.classes == FERPLUS_EMOTIONS and store.votes is not None else "fer2013"


def open_data(
    data: Path,
    usage: EvaluatedUsage | None,
    names: list[str],
    messages: "Console",
    card: "ModelCard | None" = None,
) -> "tuple[FaceStore, str]":
    """The data set, and the usage (rows) to evaluate on; pictures become faces as the card's model was trained on."""
    from mien.data.reading.class_maps import class_map
    from mien.data.reading.importing import faces_by_class
    from mien.data.reading.pictures import FaceKind
    from mien.data.store import FaceStore, is_store
    from mien.errors import UsageError

    if data.is_dir() and not is_store(data):
        kind = FaceKind() if card is None else FaceKind(card.preprocess.face_size, card.preprocess.channels)
        store, skipped = faces_by_class(data, class_map(names), kind=kind)
        for name, count in skipped.items():
            messages.print(f"skipped {name}: {count:,} pictures", style="dim", markup=False, highlight=False)
        if usage not in (None, ALL_ROWS):
            raise UsageError(f"--usage is for a data set of `mien data import`, and {data} is a folder of pictures")
        return store, ALL_ROWS
    store = FaceStore.open(data)
    if usage is None:
        raise UsageError("--usage is missing: choose on PublicTest; look at PrivateTest once, at the end")
    return store, usage


def _print(result: "Evaluation", console: "Console") -> None:
    values = result.to_dict()
    (low, high), (least, most) = values["accuracy_interval"], values["ece_band"]
    drawn = f", over {values['groups']:,} groups" if values["groups"] else ""
    what = f"{result.model} on {result.where}, {len(result):,} faces, tta {result.tta}"
    console.print(what, style="bold", markup=False, highlight=False)
    if "target_rule" in values:
        console.print(
            f"truth      {values['target_rule']}; {values['without_target']:,} faces without one left out",
            highlight=False,
        )
    if trained_on := values["trained_on"]:
        _print_trained_on(**trained_on, n=len(result), console=console)
    console.print(
        f"accuracy   {values['accuracy']:.2%} ± {values['standard_error']:.2%} (95 %: {low:.2%} .. {high:.2%}{drawn})\n"
        f"top-2      {values['top2_accuracy']:.2%}\n"
        f"macro F1   {_macro_f1(result, values)}\n"
        f"ECE        {values['ece']:.4f} with temperature {values['temperature']:.4g}, "
        f"{values['ece_uncalibrated']:.4f} without; NLL {values['nll']:.4f}\n"
        f"           of a perfectly calibrated model: {least:.4f} .. {most:.4f} (90 % of simulations)",
        highlight=False,
    )
    if "eight_classes" in values:
        console.print(_eight_classes(**values["eight_classes"]), highlight=False)
    if "seen" in values:
        console.print(_without_seen(values["seen"], values["without_seen"]), highlight=False)
    for name, quarters in values["by_quality"].items():
        console.print(_by_quality(name, quarters), highlight=False)
    console.print(_class_table(values["per_class"]), _confusion_table(values["confusion"], result.classes))


def _macro_f1(result: "Evaluation", values: dict[str, Any]) -> str:
    """The figure, and over which classes it is where some have no faces."""
    if not result.absent:
        return f"{values['macro_f1']:.4f}"
    over, present = len(values["macro_f1_over"]), len(result.classes) - len(result.absent)
    text = f"{values['macro_f1_present']:.4f} over the {present} classes that have faces"
    if over > present:
        text += f"; {values['macro_f1']:.4f} over {over}, those counted that are predicted all the same"
    return f"{text} (none shows {', '.join(result.absent)})"


def _print_trained_on(rows: int, exact: bool, n: int, console: "Console") -> None:
    if rows:
        most = "" if exact else "at most "
        console.print(
            f"trained on {most}{rows:,} of these {n:,} faces: the figures say what it remembers",
            style="yellow",
            highlight=False,
        )


def _eight_classes(accuracy: float, contempt: int, n: int) -> str:
    return f"8 classes  {accuracy:.2%} on {n:,} faces; {contempt:,} of them show contempt and count as wrong"


def _without_seen(seen: int, figures: dict[str, float]) -> str:
    return (
        f"unseen     {figures['accuracy']:.2%}, macro F1 {figures['macro_f1']:.4f} on {figures['n']:,} faces; "
        f"{seen:,} stand in Training"
    )


def _by_quality(name: str, quarters: list[dict[str, float]]) -> str:
    return f"{name:<10} " + ", ".join(f"{quarter['accuracy']:.1%}" for quarter in quarters) + " from least to most"


def _class_table(per_class: dict[str, dict[str, float]]) -> "Table":
    from rich.table import Table

    table = Table("emotion", title="per class", title_justify="left")
    for name in ("precision", "recall", "F1", "faces"):
        table.add_column(name, justify="right")
    for emotion, scores in per_class.items():
        shares = (f"{scores[name]:.3f}" for name in ("precision", "recall", "f1"))
        table.add_row(emotion, *shares, f"{scores['support']:,}")
    return table


def _confusion_table(confusion: list[list[int]], classes: "Sequence[str]") -> "Table":
    from rich.table import Table

    table = Table("true \\ predicted", title="confusion: faces", title_justify="left")
    for name in classes:
        table.add_column(name, justify="right")
    for name, counts in zip(classes, confusion, strict=True):
        table.add_row(name, *map(str, counts))
    return table
