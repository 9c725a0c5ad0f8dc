"""The findings of an audit as one self-contained HTML page: no script, no font, no external resource."""

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.data.audit.findings import Audit, usage_of
from mien.data.audit.leaks import Leak, Rows

_SHOWN: Final = 48
"""Entries on a contact sheet: more would make the page slow and tell nothing new."""

_SHOWN_OF_GROUP: Final = 8

_STYLE: Final = """
:root { color-scheme: light dark; --back: #fff; --text: #1c2024; --dim: #5b6570; --line: #d8dde2; --tile: #f3f5f7;
  --bar: #3b6ea8; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --back: #14171a; --text: #e6e9ec; --dim: #9aa4ae; --line: #333a41;
  --tile: #1e2327; --bar: #6f9fd4; --bad: #f2877f; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1200px; padding: 1.5rem 1rem 4rem; background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; } h2 { font-size: 1.2rem; margin: 2.5rem 0 .25rem; }
p { margin: .25rem 0 .75rem; max-width: 46rem; } .dim, figcaption { color: var(--dim); }
code { overflow-wrap: anywhere; }
.warning { border-left: 4px solid var(--bad); padding: .5rem .75rem; background: var(--tile); max-width: none; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; }
td, th { padding: .35rem .6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
td.count { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.sheet { display: grid; gap: .6rem; grid-template-columns: repeat(auto-fill, minmax(110px, 1fr)); }
.sheet.wide { grid-template-columns: repeat(auto-fill, minmax(min(100%, 225px), 1fr)); }
.entry { background: var(--tile); border-radius: 6px; padding: .5rem; }
.entry .faces { display: flex; flex-wrap: wrap; gap: .5rem; }
figure { margin: 0; width: 96px; } figure img { display: block; width: 96px; height: 96px; }
figcaption { font-size: .75rem; line-height: 1.3; margin-top: .2rem; } figcaption b { color: var(--text); }
.entry > p { font-size: .8rem; margin: .35rem 0 0; }
.bars { display: grid; grid-template-columns: max-content 1fr max-content; gap: .2rem .6rem; align-items: center;
  max-width: 40rem; }
.bars span:nth-child(3n) { text-align: right; font-variant-numeric: tabular-nums; }
.bars i { display: block; height: .9rem; background: var(--bar); border-radius: 2px; min-width: 1px; }
@media (max-width: 500px) { figure, figure img { width: 72px; } figure img { height: 72px; }
  .sheet { grid-template-columns: repeat(auto-fill, minmax(88px, 1fr)); }
  .sheet.wide { grid-template-columns: 1fr 1fr; } }
"""


def audit_page(audit: Audit) -> str:
    """The page as HTML text; faces are inside it as PNG pictures."""
    meta = audit.store.meta
    parts = [
        f"<h1>Audit of {escape(meta.source)}</h1>",
        f'<p class="dim">{meta.rows:,} rows; SHA-256 of the source <code>{escape(meta.source_sha256)}</code></p>',
        '<p class="warning">This page shows faces of the data set. Do not publish it or pass it on unless the data set '
        "itself may be: the pictures are of people, and their rights do not end at a report.</p>",
        *(f"<p><strong>{escape(leak.verdict)}.</strong></p>" for leak in audit.leaks),
        _summary_table(audit),
        _balance(audit),
        *(_leak_section(audit, leak) for leak in audit.leaks),
        _groups("Identical faces with different labels", "", audit, audit.conflicting),
        _groups("Identical faces", "The largest groups first.", audit, _largest_first(audit.groups)),
        _near_section(audit),
        _groups(
            "Nearly identical faces with different labels",
            "Groups of faces linked by near duplicates; the largest first.",
            audit,
            _largest_first(audit.near_conflicting),
        ),
        _rows_section("Constant and nearly constant", "", audit, np.union1d(audit.constant, audit.nearly_constant)),
    ]
    if audit.no_face is not None:
        text = "No view of the row showed the detector a face: no face at all, or one that is covered or turned away."
        parts.append(_rows_section("No face found", text, audit, audit.no_face))
    parts.append(_mislabelled_section(audit))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Audit of {escape(meta.source)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(filter(None, parts))
        + "\n</body></html>\n"
    )


def _summary_table(audit: Audit) -> str:
    rows = (
        f'<tr><th scope="row">{escape(name)}</th><td class="count">{count:,}</td><td>{escape(meaning)}</td></tr>'
        for name, count, meaning in audit.summary()
    )
    return f"<h2>Findings</h2><table><tbody>{''.join(rows)}</tbody></table>"


def _balance(audit: Audit) -> str:
    parts = ["<h2>Class balance</h2>"]
    for usage, counts in audit.store.counts().items():
        most = max(counts.values())
        bars = "".join(
            f'<span>{escape(emotion)}</span><i style="width:{100 * count / most:.1f}%"></i><span>{count:,}</span>'
            for emotion, count in counts.items()
        )
        parts.append(f'<p class="dim">{usage}</p><div class="bars">{bars}</div>')
    return "".join(parts)


def _leak_section(audit: Audit, leak: Leak) -> str:
    training = audit.store.rows_of("Training")[::-1]
    row_of_face = dict(zip(audit.first[training].tolist(), training.tolist(), strict=True))
    entries = [
        _entry(audit, [row, row_of_face[int(audit.first[row])]]) for row in _spread(leak.identical, _SHOWN).tolist()
    ]
    text = f"{leak.usage} rows and the first identical Training row."
    return _section(f"{leak.usage} rows that stand in Training", text, entries, len(leak.identical), wide=True)


def _near_section(audit: Audit) -> str:
    near = audit.near
    entries = []
    for pair in np.argsort(near.correlation, kind="stable")[:_SHOWN]:
        how = "mirrored, " if near.mirrored[pair] else ""
        note = f"{how}shift {near.shifts[pair]} px, correlation {near.correlation[pair]:.3f}"
        entries.append(_entry(audit, [int(near.rows[pair]), int(near.others[pair])], note))
    text = "The least similar pairs first: what stands here decides whether the threshold suits this data set."
    return _section("Near duplicates", text, entries, len(near), wide=True)


def _mislabelled_section(audit: Audit) -> str:
    found = audit.mislabelled
    if found is None:
        return ""
    named = list(zip(found.rows.tolist(), found.suggested.tolist(), found.margins.tolist(), strict=True))
    entries = [
        _entry(audit, [row], f"suggested: {audit.store.classes[suggested]} (+{margin:.2f})")
        for row, suggested, margin in named
    ]
    text = f"The clearest first; the model may be wrong instead of the label. {found.note}."
    return _section("Likely mislabelled", text, entries[:_SHOWN], len(entries))


def _groups(title: str, text: str, audit: Audit, groups: Sequence[Rows]) -> str:
    entries = [_group_entry(audit, rows) for rows in groups[:_SHOWN]]
    return _section(title, text, entries, len(groups), wide=True)


def _group_entry(audit: Audit, rows: Rows) -> str:
    more = f"{len(rows) - _SHOWN_OF_GROUP:,} more rows" if len(rows) > _SHOWN_OF_GROUP else ""
    return _entry(audit, rows[:_SHOWN_OF_GROUP].tolist(), more)


def _rows_section(title: str, text: str, audit: Audit, rows: Rows) -> str:
    entries = [_entry(audit, [row]) for row in _spread(rows, _SHOWN).tolist()]
    return _section(title, text, entries, len(rows))


def _section(title: str, text: str, entries: Sequence[str], total: int, *, wide: bool = False) -> str:
    """A headline, what is shown, and a contact sheet; nothing where nothing was found."""
    if not total:
        return ""
    shown = f"{total:,}" if len(entries) == total else f"{len(entries):,} of {total:,} shown"
    kind = "sheet wide" if wide else "sheet"
    return (
        f'<h2>{escape(title)} <span class="dim">({shown})</span></h2><p class="dim">{escape(text)}</p>'
        f'<div class="{kind}">{"".join(entries)}</div>'
    )


def _entry(audit: Audit, rows: Iterable[int], note: str = "") -> str:
    figures = "".join(_figure(audit, row) for row in rows)
    return f'<div class="entry"><div class="faces">{figures}</div>{f"<p>{escape(note)}</p>" if note else ""}</div>'


def _figure(audit: Audit, row: int) -> str:
    label, usage = escape(audit.store.class_of(row)), usage_of(audit.store, row)
    file = "" if audit.store.files is None else f"<br>{escape(str(audit.store.files[row]))}"
    picture = _png(audit.store.faces[row])
    return (
        f'<figure><img src="data:image/png;base64,{picture}" alt="row {row}, {label}" loading="lazy">'
        f"<figcaption><b>{label}</b><br>{usage}<br>row {row}{file}</figcaption></figure>"
    )


def _png(face: NDArray[np.uint8]) -> str:
    buffer = io.BytesIO()
    Image.fromarray(face).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _spread(rows: Rows, count: int) -> Rows:
    """At most a number of the rows, evenly spaced."""
    return rows if len(rows) <= count else rows[np.linspace(0, len(rows) - 1, count).round().astype(np.intp)]


def _largest_first(groups: Iterable[Rows]) -> list[Rows]:
    return sorted(groups, key=len, reverse=True)
