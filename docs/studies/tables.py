"""The tables of the studies, from the figures and answers that lie beside them.

    python docs/studies/tables.py                # rewrites every table between its two marks
    python docs/studies/tables.py --check        # ends with 1 where a table is not what it would write

`claims/claims.json` has what others claim and which run answers it; `claims/answers/` has a file for each run, which
`keep.py` writes. `schedules/comparison.json`, `filters/comparison.json` and `leakage/leakage.json` are what the
commands of those studies wrote; which faces those runs classify correctly was not kept.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mien.evaluation.significance import paired_seeds

HERE = Path(__file__).parent


def read(name: str) -> Any:
    """A JSON file below this folder."""
    return json.loads((HERE / name).read_text(encoding="utf-8"))


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows))


def spread(entry: Mapping[str, Any]) -> str:
    """Mean and deviation over seeds."""
    values = 100 * np.array(entry["accuracies"])
    return f"{values.mean():.2f} % ± {values.std(ddof=1):.2f}"


def against(entry: Mapping[str, Any], first: Mapping[str, Any]) -> str:
    """The difference to the first one, paired by seed: mean, 95 % interval of Student's t, and p."""
    found = paired_seeds(entry["accuracies"], first["accuracies"])
    if found is None:
        return f"{100 * (np.mean(entry['accuracies']) - np.mean(first['accuracies'])):+.2f} points with every seed"
    low, high = 100 * found.low, 100 * found.high
    return f"{100 * found.share:+.2f} points, {low:+.2f} .. {high:+.2f} (p = {found.p_value:.2g})"


def over_faces(entry: Mapping[str, Any]) -> str:
    """The interval over faces that was written with the runs."""
    low, high = (100 * end for end in entry["interval"])
    return f"{low:+.2f} .. {high:+.2f}"


def comparison(study: str, names: Mapping[str, str], what: str) -> str:
    """The table of a sweep: a line for each variant."""
    entries = read(f"{study}/comparison.json")
    header = [what, "seeds", "PublicTest, mean and deviation over seeds", "by seed, %"]
    header.append(f"difference to {names[entries[0]['name']]}, paired by seed (95 %)")
    header.append("the same networks on other faces (95 %)")
    rows = []
    for entry in entries:
        by_seed = " ".join(f"{100 * value:.1f}" for value in entry["accuracies"])
        last = ["", ""] if entry is entries[0] else [against(entry, entries[0]), over_faces(entry)]
        rows.append([names[entry["name"]], str(len(entry["seeds"])), spread(entry), by_seed, *last])
    return markdown(header, rows)


def schedules() -> str:
    """Of the learning rate."""
    names = {"cosine": "`cosine`", "step": "`step`, `multistep`", "plateau": "`plateau`", "rate_0_1": "`rate_0_1`"}
    return comparison("schedules", names, "schedule")


def filters() -> str:
    """Of every face."""
    names = {
        "plain": "as it is",
        "equalized": "equalised (`preprocess.equalize=histogram`)",
        "blurred": "blurred (`preprocess.blur=true`)",
    }
    return comparison("filters", names, "every face is")


def leakage() -> str:
    """Accuracy by faces and views of both trainings."""
    found = read("leakage/leakage.json")
    trainings, views = ("honest", "leaking"), ("as they are", "mirrored", "upside down")
    header = ["accuracy on", *(f"{training}: {view}" for training in trainings for view in views)]
    rows = []
    for group in found["honest"]:
        cells = [f"{100 * found[training][group][view]['accuracy']:.1f} %" for training in trainings for view in views]
        rows.append([group, *cells])
    return markdown(header, rows)


def answers() -> dict[str, Any]:
    """What runs came to, by run."""
    return {path.stem: read(f"claims/answers/{path.name}") for path in sorted((HERE / "claims" / "answers").iterdir())}


def claimed(section: str) -> str:
    """Claims of a system, their protocol, and what its recipe came to here."""
    kept, rows = answers(), []
    for entry in read("claims/claims.json")[section]:
        epochs, figure = entry.get("epochs", "-"), entry.get("figure", "-")
        if "run" in entry:
            epochs, figure = reached(kept[entry["run"]])
            epochs += f" (whole: {entry['hours']})" if "hours" in entry else ""
        recipe = ", ".join(f"`{word}`" for word in entry["training"]) if "training" in entry else entry["recipe"]
        rows.append([entry["claim"], entry["protocol"], recipe, epochs, figure])
    return markdown(("claim", "protocol of the claim", "recipe", "epochs here", "PublicTest here"), rows)


def reached(answer: Mapping[str, Any]) -> tuple[str, str]:
    """The epochs that runs have done, of how many, and the accuracy that they came to."""
    values = 100 * np.array(answer["accuracies"])
    epochs, figure = f"{answer['epochs']} of {answer['whole']}", f"{values.mean():.1f} %"
    if len(values) > 1:
        epochs, figure = f"{epochs}, {len(values)} seeds", f"{figure} ± {values.std(ddof=1):.1f} over seeds"
    figure += f": {answer['note']}" if "note" in answer else ""
    figure += f" (other settings: {'; '.join(answer['differs'])})" if answer["differs"] else ""
    return epochs, figure


def measured() -> str:
    """The runs behind the tables of claims: when, where, and what was kept of them."""
    header = ("run", "date", "precision", "machine", "minutes an epoch", "rows held out", "what is kept")
    rows = []
    for name, answer in answers().items():
        held_out = f"{100 * np.mean(answer['held_out']):.1f} %" if "held_out" in answer else ""
        minutes = f"{answer['minutes']:.1f}" if "minutes" in answer else "not kept"
        kept = "accuracy and the faces classified correctly" if "right" in answer else "accuracy alone"
        machine = answer.get("machine", "not kept")
        rows.append([f"`{name}`", answer["date"], answer["precision"], machine, minutes, held_out, kept])
    return markdown(header, rows)


TABLES: dict[str, tuple[str, Callable[[], str]]] = {
    "schedules": ("studies/schedules.md", schedules),
    "filters": ("studies/filters.md", filters),
    "leakage": ("studies/leakage.md", leakage),
    **{name: ("claims.md", lambda name=name: claimed(name)) for name in ("S0", "S1", "S2", "S3", "S4", "others")},
    "runs": ("claims.md", measured),
}
"""By name: the page, below docs, and what writes the table."""


def replaced(text: str, name: str, table: str) -> str:
    """A page with a table between its marks."""
    begin, end = f"<!-- table {name}: python docs/studies/tables.py -->", f"<!-- end of table {name} -->"
    before, after = text.partition(begin)[0], text.partition(end)[2]
    return f"{before}{begin}\n{table}\n{end}{after}"


def pages() -> dict[Path, str]:
    """Every page with its tables as they should be."""
    found: dict[Path, str] = {}
    for name, (page, write) in TABLES.items():
        path = HERE.parent / page
        found[path] = replaced(found.get(path) or path.read_text(encoding="utf-8"), name, write())
    return found


def main() -> int:
    """Write the tables, or check them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    changed = [path for path, text in pages().items() if text != path.read_text(encoding="utf-8")]
    if options.check:
        print(*changed, sep="\n")
        return int(bool(changed))
    write()
    print(f"{len(changed)} pages changed")
    return 0


def write() -> None:
    """Every table into its page."""
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
