import csv
import io

from mien.cli.table_formats import formatted

HEADER, ROWS = ["name", "accuracy, %"], [["a_b", "68.9"], ['c,"d"|e & f', "70.0 ± 0.8"]]


def test_csv_is_read_back():
    assert list(csv.reader(io.StringIO(formatted(HEADER, ROWS, "csv")))) == [HEADER, *ROWS]


def test_markdown_keeps_its_columns():
    lines = formatted(HEADER, ROWS, "md").splitlines()
    assert lines[:3] == ["| name | accuracy, % |", "| --- | ---: |", "| a_b | 68.9 |"]
    assert lines[3] == r'| c,"d"\|e & f | 70.0 ± 0.8 |'


def test_latex_escapes_what_it_would_read():
    assert formatted(HEADER, ROWS, "tex").splitlines() == [
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"name & accuracy, \% \\",
        r"\midrule",
        r"a\_b & 68.9 \\",
        r'c,"d"|e \& f & 70.0 $\pm$ 0.8 \\',
        r"\bottomrule",
        r"\end{tabular}",
    ]
