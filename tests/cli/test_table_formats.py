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
        r"c,''d''\textbar{}e \& f & 70.0 $\pm$ 0.8 \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_latex_reads_no_name_as_a_command_and_no_hyphen_as_a_minus():
    table = formatted(["name", "difference"], [["[a]", "-1.54"], ["*b\nc", "+0.10"], ["d-1", "-"]], "tex")
    assert table.splitlines()[4:7] == [r"{}[a] & $-$1.54 \\", r"{}*b c & +0.10 \\", r"d-1 & - \\"]
    assert formatted(["name"], [["two\nlines"]], "md").splitlines()[2] == "| two lines |"
