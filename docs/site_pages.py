"""A Sphinx extension: pages that are written elsewhere or follow from the program, and links that hold in both places.

A page reads on its own in the repository and as a part of the site. Links from it to other pages become links of the
site, links to files outside `docs` downloads, and links to folders their names alone, since a site has no folders.
"""

import re
from pathlib import Path
from typing import Any

import typer
import typer.main
from sphinx.application import Sphinx

DOCS = Path(__file__).parent
ROOT = DOCS.parent
GENERATED = DOCS / "generated"
WEIGHTS = ROOT / "src/mien/model/weights"

ELSEWHERE = {
    ROOT / "CHANGELOG.md": "changelog",
    ROOT / "CONTRIBUTING.md": "contributing",
    ROOT / "SECURITY.md": "security",
    **{path: f"cards/{path.stem}" for path in sorted(WEIGHTS.glob("*.md"))},
}
"""Pages of the site that lie outside `docs`, and their place in docs/generated."""

README = {ROOT / "README.md": "/index.md"}

_TYPES = {
    "<path>": "PATH",
    "<str>": "TEXT",
    "<list[str]>": "TEXT",
    "<int>": "N",
    "<int range>": "N",
    "<float>": "NUMBER",
    "<float range>": "NUMBER",
}
"""What Typer calls types, and what they are called here."""

_LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!https?:|mailto:|#)([^)\s]+)\)")


def on_the_site(text: str, page: Path) -> str:
    """The text of a page, its links turned into those of the site."""
    return _LINK.sub(lambda found: _link(found[1], found[2], page), text)


def _link(words: str, target: str, page: Path) -> str:
    path, _, anchor = target.partition("#")
    if path.startswith("/"):  # one of the site already
        return f"[{words}]({target})"
    there = (page.parent / path).resolve()
    if there.is_dir():
        return words
    if there in README:
        return f"[{words}]({README[there]})"
    place = f"/generated/{ELSEWHERE[there]}.md" if there in ELSEWHERE else _within(there)
    return f"[{words}]({place}{'#' + anchor if anchor else ''})"


def _within(there: Path) -> str:
    """The path of a file as seen from `docs`; files outside it are downloads."""
    return f"/{there.relative_to(DOCS)}" if there.is_relative_to(DOCS) else f"/../{there.relative_to(ROOT)}"


def _source_read(app: Sphinx, name: str, source: list[str]) -> None:
    page = Path(app.env.doc2path(name))
    if page.suffix == ".md" and not page.is_relative_to(GENERATED):
        source[0] = on_the_site(source[0], page)


def _write_pages(app: Sphinx) -> None:
    for origin, name in ELSEWHERE.items():
        _write(name, on_the_site(origin.read_text(encoding="utf-8"), origin))
    _write("commands", commands())


def _write(name: str, text: str) -> None:
    path = GENERATED / f"{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:  # else Sphinx reads every page anew
        path.write_text(text, encoding="utf-8")


def commands() -> str:
    """The command reference, from the program itself, in Markdown."""
    from mien.cli.main import app

    top = typer.main.get_command(app)
    parts = ["# Commands", "What `mien COMMAND --help` shows, in one page."]
    for name, command in top.commands.items():
        parts += _command(f"mien {name}", command)
    return "\n\n".join(parts) + "\n"


def _command(name: str, command: Any) -> list[str]:
    parts = [f"## {name}", command.help or ""]
    if hasattr(command, "commands"):
        return parts + [part for verb, sub in command.commands.items() for part in _command(f"{name} {verb}", sub)]
    named = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    usage = " ".join([name, *(_placeholder(parameter) for parameter in named), "[OPTIONS]" if options else ""])
    parts.append(f"```text\n{usage.rstrip()}\n```")
    return [*parts, _list(command, [*named, *options])] if command.params else parts


def _placeholder(argument: Any) -> str:
    name = argument.name.upper() + ("..." if argument.nargs != 1 else "")
    return name if argument.required else f"[{name}]"


def _list(command: Any, parameters: list[Any]) -> str:
    context = typer.Context(command)
    return "\n\n".join(
        _entry(parameter, context) for parameter in parameters if not getattr(parameter, "hidden", False)
    )


def _entry(parameter: Any, context: Any) -> str:
    shown, what = parameter.get_help_record(context) or ("", parameter.help or "")
    if parameter.param_type_name == "argument":
        return f"`{_placeholder(parameter)}`\n: {_escaped(what)}"
    value = "" if parameter.is_flag or " " not in shown else " " + _value(shown.split(" ", 1)[1].strip())
    names = ", ".join(f"`{name}{value}`" for name in [*parameter.opts, *parameter.secondary_opts])
    return f"{names}\n: {_escaped(what)}"


def _value(shown: str) -> str:
    """The placeholder of an option's value, or what it may be."""
    return _TYPES.get(shown, shown.strip("<>"))


def _escaped(text: str) -> str:
    return re.sub(r"([<*_\[])", r"\\\1", " ".join(text.split()))


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    app.connect("builder-inited", _write_pages)
    app.connect("source-read", _source_read)
    return {"parallel_read_safe": True}
