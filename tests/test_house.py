"""The shape of the package, which CONTRIBUTING promises: short files, short functions, few parameters."""

import ast
from pathlib import Path

import mien

SOURCE = Path(mien.__file__).parent
TABLES = {SOURCE / "data" / "reading" / "layouts.py"}
"""Files that are one table: longer, and clearer in one piece."""


def functions():
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path, node


def lines(function):
    """Of a function without its docstring."""
    first = function.body[0]
    said = ast.get_docstring(function) is not None
    return function.end_lineno - function.lineno + 1 - (first.end_lineno - first.lineno + 1 if said else 0)


def parameters(function):
    names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")])


def test_no_file_is_longer_than_300_lines_but_tables():
    counted = {path: path.read_text(encoding="utf-8").count("\n") for path in SOURCE.rglob("*.py")}
    assert {
        str(path.relative_to(SOURCE)) for path, count in counted.items() if count > 300 and path not in TABLES
    } == set()


def test_functions_are_short():
    lengths = sorted(lines(function) for _, function in functions())
    assert lengths[len(lengths) // 2] <= 8
    assert lengths[len(lengths) * 9 // 10] <= 20


def test_few_functions_take_more_than_six_parameters():
    """Options of commands, and calls that other packages have laid down, are not counted."""
    many = [
        f"{path.stem}.{node.name}"
        for path, node in functions()
        if parameters(node) > 6 and not {"cli", "compat"} & set(path.parts)
    ]
    assert len(many) <= 8, many


def test_benchmarks_start_as_scripts_from_anywhere():
    scripts = list((SOURCE.parents[1] / "benchmarks").glob("*.py"))
    imports = {
        (path.name, node.module)
        for path in scripts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
    }
    assert ("fuzz.py", "attacks") in imports
    assert {(name, module) for name, module in imports if (module or "").startswith("benchmarks")} == set()
