"""The documents of the static folder that name others: page, service worker, headers, notices."""

import json
from collections.abc import Mapping, Sequence
from typing import Final

PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'"
)
"""Content security policy of the page: same-origin resources only, nothing evaluated."""

WORKER_POLICY: Final = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'"
"""Of the worker's response, which alone may compile WebAssembly; the service worker and ``_headers`` add it."""

_HEAD: Final = '<meta name="color-scheme" content="light dark">'
_DIALOG: Final = ('  <dialog id="token-dialog"', "</dialog>\n")
_MEANING: Final = '<p data-text="meaning"></p>'
_MINE: Final = ('href="icon.svg"', 'href="style.css"', 'src="app.js"')


def index_html(service_page: str, folder: str, modules: Sequence[str]) -> str:
    """The page of the service made that of the edition: without token, with a policy and its own scripts first.

    Args:
        service_page: ``index.html`` of the service.
        folder: where the page's modules lie.
        modules: paths of all modules, which are asked for at once instead of one after the other.
    """
    start, end = service_page.index(_DIALOG[0]), service_page.index(_DIALOG[1]) + len(_DIALOG[1])
    page = service_page[:start] + service_page[end:]
    for reference in _MINE:
        page = _replaced(page, reference, reference.replace('="', f'="{folder}/'))
    added = (
        f'<meta http-equiv="content-security-policy" content="{PAGE_POLICY}">',
        '<meta name="referrer" content="no-referrer">',
        '<link rel="manifest" href="manifest.webmanifest">',
        *(f'<link rel="modulepreload" href="{module}">' for module in modules),
        f'<script type="module" src="{folder}/edition.js"></script>',
    )
    page = _replaced(page, _HEAD, "\n  ".join((_HEAD, *added)))
    about = '<p id="about" role="status"></p>\n    <p id="altered" role="alert" hidden></p>'
    return _replaced(page, _MEANING, f"{_MEANING}\n    {about}")


def _replaced(page: str, old: str, new: str) -> str:
    before, found, after = page.partition(old)
    assert found, f"the service's page has no {old}"
    return before + new + after


def engine_module(named: Mapping[str, str]) -> str:
    """The page's module that knows where the engine's files lie.

    Args:
        named: their paths below the folder by role: ``library``, ``worker``, ``wasm``, ``detector``, ``model`` and
            ``card``.
    """
    addresses = "\n".join(
        f'  {role}: new URL("../{path}", import.meta.url).href,' for role, path in named.items() if role != "library"
    )
    return (
        "// Where the engine's files lie: written by `mien web`.\n\n"
        f'export {{ load }} from "../{named["library"]}";\n\nexport const FILES = {{\n{addresses}\n}};\n'
    )


def service_worker(template: str, build: str, files: Sequence[str], worker: str) -> str:
    """The service worker, which copies the files for offline use.

    Args:
        template: ``sw.js`` with places for the rest.
        build: what distinguishes this edition from others.
        files: paths of what is copied.
        worker: path of the engine's worker.
    """
    places = {'"{{build}}"': build, "{{files}}": list(files), '"{{worker}}"': worker, '"{{policy}}"': WORKER_POLICY}
    for place, value in places.items():
        template = _replaced(template, place, json.dumps(value))
    return template


def web_manifest(folder: str) -> str:
    """The manifest with which browsers install the page as an app."""
    icon = {"src": f"{folder}/icon.svg", "sizes": "any", "type": "image/svg+xml"}
    names = {"name": "mien", "short_name": "mien"}
    return json.dumps({**names, "start_url": "./", "display": "standalone", "icons": [icon]})


def headers_file(worker: str) -> str:
    """``_headers``, which Netlify and Cloudflare Pages read; other servers are told the same in their own way."""
    return f"""/*
  X-Content-Type-Options: nosniff
  Referrer-Policy: no-referrer
  Permissions-Policy: camera=(self), microphone=(), geolocation=(), display-capture=()
  Cross-Origin-Opener-Policy: same-origin
  Cross-Origin-Embedder-Policy: require-corp
/assets/*
  Cache-Control: public, max-age=31536000, immutable
/{worker}
  Content-Security-Policy: {WORKER_POLICY}
"""


def notice(model: str, licence: str, runtime: str) -> str:
    """What the folder is made of, and under which terms.

    Args:
        model: name of the model.
        licence: its terms.
        runtime: version of onnxruntime.
    """
    return f"""This folder was written by `mien web`. It is made of:

mien, Apache-2.0: mien-LICENSE.txt
the model {model}: {licence}
YuNet, the face detector, MIT: yunet-LICENSE.txt
onnxruntime-web {runtime}, MIT, and what it is made of: onnxruntime-NOTICES.txt
sample.jpg: Eileen Collins, portrait by NASA, public domain
"""
