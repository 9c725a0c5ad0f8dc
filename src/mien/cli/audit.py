"""`mien data audit`: what is wrong with a data set."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.choices import CLEANING_RULES
from mien.cli.messages import say_written, tracked
from mien.cli.options import AsJson, DataSet
from mien.defaults import DEFAULT_RULES
from mien.files import made_folder, writing_into

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from rich.console import Console
    from rich.table import Table

    from mien.data.audit.findings import Audit
    from mien.data.store import FaceStore
    from mien.evaluation.out_of_sample import Evidence


def audit(
    data: DataSet,
    as_json: AsJson = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for audit.json and audit.html (a report page with faces)."),
    ] = None,
    faces: Annotated[
        bool, typer.Option("--faces", help="Also find crops in which the detector finds no face.")
    ] = False,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODEL[=ROWS]",
            help="Also find label errors (confident learning): a model as in `mien evaluate`, with the file of rows "
            "held out of its training; or a .npy file of out-of-fold probabilities (N, 7). Repeatable, one per fold.",
        ),
    ] = None,
    write_clean: Annotated[
        Path | None,
        typer.Option(
            metavar="OUT", help="Write a cleaned data set (see --remove), with OUT.removed.csv and OUT.removed.txt."
        ),
    ] = None,
    remove: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RULE",
            help=f"Training rows to remove: {', '.join(CLEANING_RULES)}. Repeatable; without it "
            f"{', '.join(DEFAULT_RULES)}.",
        ),
    ] = None,
) -> None:
    """Find duplicates, leakage between usages, contradictory labels, label errors and blank pictures."""
    from rich.console import Console

    from mien.data.audit.findings import audit as find
    from mien.data.store import FaceStore

    messages = Console(stderr=True)
    rules = _checked_rules(remove, write_clean, faces=faces, labels=bool(labels))
    folder = made_folder(out) if out else None
    store = FaceStore.open(data)
    evidence = _evidence(labels, store, messages) if labels else None
    messages.print("comparing faces", style="dim")
    findings = find(
        store,
        has_face=_face_finder() if faces else None,
        probabilities=(evidence.probabilities, evidence.note) if evidence else None,
        track=partial(tracked, messages, "searching faces"),
    )
    try:  # files first: a reader of standard output may stop early, a full disk must not take the findings away
        written = _write(findings, folder) if folder else []
        written += _clean(findings, rules, write_clean) if write_clean else []
    finally:
        _print(findings, as_json=as_json)
    say_written(written)


def _checked_rules(remove: "Sequence[str] | None", out: Path | None, *, faces: bool, labels: bool) -> "Sequence[str]":
    """The removal rules, validated before anything is computed."""
    from mien.data.audit.cleaning import check_rules
    from mien.errors import UsageError
    from mien.files import refuse_existing

    if remove and out is None:
        raise UsageError("--remove says what --write-clean leaves out: name a folder with --write-clean OUT")
    rules = remove or DEFAULT_RULES
    check_rules(rules)
    for rule, option, given in (("no-face", "--faces", faces), ("mislabelled", "--labels MODEL", labels)):
        if rule in rules and not given:
            raise UsageError(f"the rule {rule} needs {option}")
    if out is not None:
        refuse_existing(out)
    return rules


def _evidence(labels: "Sequence[str]", store: "FaceStore", messages: "Console") -> "Evidence":
    from mien.evaluation.classifier import open_classifier
    from mien.evaluation.out_of_sample import combined, model_evidence, read_probabilities

    found = []
    for source in labels:
        name, _, dropped = source.rpartition("=") if "=" in source else (source, "", "")
        if name.endswith(".npy"):
            found.append(read_probabilities(Path(name), len(store), len(store.classes)))
            continue
        track = partial(tracked, messages, f"asking {name}")
        rows = Path(dropped) if dropped else None
        found.append(model_evidence(open_classifier(name), store, rows, track=track))
    return combined(found)


def _face_finder() -> "Callable[[NDArray[np.uint8]], bool]":
    from mien.faces.presence import FacePresence
    from mien.faces.yunet import YuNetDetector

    return FacePresence(YuNetDetector())


def _write(findings: "Audit", folder: Path) -> list[Path]:
    import json

    from mien.data.audit.page import audit_page

    document, page = folder / "audit.json", folder / "audit.html"
    with writing_into(folder):
        document.write_text(json.dumps(findings.to_dict(), indent=1) + "\n", encoding="utf-8")
        page.write_text(audit_page(findings), encoding="utf-8")
    return [document, page]


def _clean(findings: "Audit", rules: "Sequence[str]", out: Path) -> list[Path]:
    from mien.data.audit.cleaning import removals, write_clean

    return write_clean(findings.store, removals(findings, rules), out)


def _print(findings: "Audit", *, as_json: bool) -> None:
    import json

    from mien.cli.tables import print_table

    if as_json:
        typer.echo(json.dumps(findings.to_dict()))
        return
    meta = findings.store.meta
    typer.echo(f"{meta.rows:,} rows of {meta.source}, SHA-256 {meta.source_sha256}")
    for leak in findings.leaks:
        typer.echo(f"leak: {leak.verdict}")
    print_table(_findings_table(findings))
    if findings.mislabelled:
        typer.echo(f"labels judged by {findings.mislabelled.note}")


def _findings_table(findings: "Audit") -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table("finding", "", "what it means")
    table.columns[1].justify = "right"
    for name, count, meaning in findings.summary():
        table.add_row(name, f"{count:,}", Text(meaning))
    return table
