"""`mien evaluate`: every figure of one model on one part of a data set."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.choices import ALL_ROWS, HELD_OUT, AnswerClasses, ChartFormat, EvaluatedUsage, Targets, TtaMode
from mien.cli.by_trait import TraitFile, print_by_trait, table_by_trait
from mien.cli.evaluate_features import FeatureFiles
from mien.cli.evaluate_tables import print_evaluation, row_of
from mien.cli.messages import log, say_written, tracked
from mien.cli.options import AsJson, Charts, ClassMaps, Column, NoTitles, RunAnywhere, TableAs, Threads
from mien.cli.robustness import report_corruptions
from mien.cli.table_formats import formatted

if TYPE_CHECKING:
    from rich.console import Console

    from mien.chart_style import ChartStyle
    from mien.data.store import FaceStore
    from mien.evaluation.classifier import Classifier
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
    features: Annotated[
        Path | None,
        typer.Option(metavar="FILE.parquet", help="Also write what the model's last layer reads, and a chart of it."),
    ] = None,
    trust: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.trust.npz",
            help="Also write what `mien predict --sets` and --out-of-place need: half of the rows, never seen by "
            "training, calibrate them. Beside model.onnx it is found as model.trust.npz.",
        ),
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
    if table and (as_json or corruptions):
        raise UsageError("--table goes neither with --json nor with --corruptions; leave one of them out")
    if corruptions:
        if drop_seen or classes != "all" or traits or features or trust:
            raise UsageError(
                "--drop-seen, --classes, --groups, --features and --trust do not go with --corruptions; leave them out"
            )
        spoilt = RobustnessFolder(out, chart_style(charts, column=column, titles=not no_titles)) if out else None
        classifier = open_classifier(model, device, threads)
        store, part = open_data(data, usage, names or [], messages, classifier.card)
        asked, truth = answering(classifier, store, names or []), targets or default_targets(store)
        report_corruptions([asked], store, part, spoilt, tta=tta, targets=truth, as_json=as_json)
        return
    style = chart_style(charts, column=column, titles=not no_titles) if out or features else None
    folder = ReportFolder(out, style) if out else None
    more = FeatureFiles(features, trust, style)
    classifier = open_classifier(model, device, threads)
    store, part = open_data(data, usage, names or [], messages, classifier.card)
    trait = traits.read(store, part, classifier.card, data, class_map(names or [])) if traits else None
    asked = answering(classifier, store, names or [])
    more.check(classifier, store, part, mapped=asked is not classifier, restricted=classes != "all", tta=tta)
    result = report.evaluate(
        asked,
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
        written += more.write(classifier, store, result, messages)
    finally:
        if as_json:
            typer.echo(json_report(result, by_trait), nl=False)
        elif table:
            typer.echo(formatted(*(table_by_trait(by_trait) if by_trait else row_of(result)), table), nl=False)
        else:
            print_evaluation(result, Console())
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


def answering(classifier: "Classifier", store: "FaceStore", names: list[str], *, advise: bool = True) -> "Classifier":
    """The model, its classes mapped onto those of a data set where they differ or a map asks for it.

    ``advise`` as `mien.evaluation.mapped.mapped` takes it.
    """
    from mien.data.reading.class_maps import class_map
    from mien.evaluation.mapped import mapped

    return mapped(classifier, store.classes, class_map(names), advise=advise)


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
    from mien.data.reading.class_maps import class_map, unused
    from mien.data.reading.importing import faces_by_class
    from mien.data.reading.pictures import FaceKind
    from mien.data.store import FaceStore, is_store
    from mien.errors import UsageError

    pictures = data.is_dir() and not is_store(data)
    known = [*(card.labels if card else ()), *(path.name for path in (data.iterdir() if pictures and names else ()))]
    for option in unused(names, known):
        log.warning("--map %s: no class %s is called so", option, "of model and data" if pictures else "of the model")
    if pictures:
        kind = FaceKind() if card is None else FaceKind(card.preprocess.face_size, card.preprocess.channels)
        labels = () if card is None else card.labels
        store, skipped = faces_by_class(data, class_map(names), kind=kind, model=labels)
        for name, count in skipped.items():
            messages.print(f"skipped {name}: {count:,} pictures", style="dim", markup=False, highlight=False)
        if usage not in (None, ALL_ROWS):
            raise UsageError(f"--usage is for a data set of `mien data import`, and {data} is a folder of pictures")
        return store, ALL_ROWS
    store = FaceStore.open(data)
    if usage is None:
        tests = len(store.rows_of("PublicTest")) > 0
        advice = "choose on PublicTest; look at PrivateTest once, at the end" if tests else f"{HELD_OUT}, or {ALL_ROWS}"
        raise UsageError(f"--usage is missing: {advice}")
    return store, usage
