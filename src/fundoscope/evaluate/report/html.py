"""Write a report as one HTML file that needs nothing else: no network, no script but its own."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from itertools import groupby
from typing import Final

from fundoscope.evaluate.report import prevalence
from fundoscope.evaluate.report.document import (
    Block,
    Calculator,
    Paragraph,
    Picture,
    Report,
    Section,
    Table,
)

STYLE: Final = "page.css"
SCRIPT: Final = "calculator.js"


def render(report: Report) -> str:
    """Write the whole page."""
    style, script = (_file(name) for name in (STYLE, SCRIPT))
    needs_script = any(isinstance(b, Calculator) for s in report.sections for b in s.blocks)
    numbered = list(enumerate(report.sections, start=1))
    links = "".join(f'<li><a href="#s{n}">{escape(s.title)}</a></li>' for n, s in numbered)
    body = "".join(_section(n, section) for n, section in numbered)
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}';"
        f" script-src '{_digest(script)}'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(report.title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f"<header><h1>{escape(report.title)}</h1></header>\n"
        f'<nav aria-label="Sections"><ul>{links}</ul></nav>\n<main>\n{body}</main>\n'
        + (f"<script>{script}</script>\n" if needs_script else "")
        + "</body>\n</html>\n"
    )


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """The hash by which the page's policy allows its own style and script, and no other."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _section(number: int, section: Section) -> str:
    # Pictures that follow one another stand side by side where the screen has room.
    parts = []
    for are_pictures, group in groupby(section.blocks, lambda b: isinstance(b, Picture)):
        blocks = "".join(_block(f"s{number}", block) for block in group)
        parts.append(f'<div class="pictures">{blocks}</div>\n' if are_pictures else blocks)
    heading = f'<h2 id="s{number}">{escape(section.title)}</h2>'
    return f'<section aria-labelledby="s{number}">\n{heading}\n{"".join(parts)}</section>\n'


def _block(prefix: str, block: Block) -> str:
    match block:
        case Paragraph(text):
            return f"<p>{escape(text)}</p>\n"
        case Table():
            return _table(block)
        case Picture(caption, alt, media, data):
            source = f"data:{media};base64,{base64.b64encode(data).decode()}"
            return (
                f'<figure><img alt="{escape(alt)}" src="{source}">'
                f"<figcaption>{escape(caption)}</figcaption></figure>\n"
            )
        case Calculator():
            return _calculator(prefix, block)


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.columns)
    body = "".join(_row(row) for row in table.rows)
    # A wide table scrolls on its own; the keyboard reaches it by its tab stop.
    return (
        f'<div class="table" tabindex="0" role="region" aria-label="{escape(table.caption)}">'
        f"<table><caption>{escape(table.caption)}</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>\n"
    )


def _row(cells: Sequence[str]) -> str:
    first, *others = cells
    rest = "".join(f"<td>{escape(cell)}</td>" for cell in others)
    return f'<tr><th scope="row">{escape(first)}</th>{rest}</tr>\n'


def _calculator(prefix: str, calculator: Calculator) -> str:
    slider = f"{prefix}-{hashlib.sha256(calculator.name.encode()).hexdigest()[:8]}"
    start = prevalence.expected(calculator.sensitivity, calculator.specificity, prevalence.FIRST)
    first = f"{prevalence.FIRST * 100:.0f}"

    def value(name: str, text: str) -> str:
        return f'<strong data-value="{name}">{text}</strong>'

    return (
        f"{_table(prevalence.table(calculator))}"
        f'<fieldset data-sensitivity="{calculator.sensitivity}"'
        f' data-specificity="{calculator.specificity}">'
        f"<legend>{escape(calculator.name)} at a prevalence that you set</legend>"
        f'<label for="{slider}">Prevalence of referable retinopathy:'
        f" {value('prevalence', f'{first} %')}</label>"
        f'<input type="range" id="{slider}" min="0.5" max="60" step="0.5" value="{first}">'
        f'<p aria-live="polite">PPV {value("ppv", prevalence.percent(start.ppv))},'
        f" NPV {value('npv', prevalence.percent(start.npv))}."
        f" Of {prevalence.EYES:,} eyes {value('referred', f'{start.referred:.0f}')} are referred,"
        f" and {value('missed', f'{start.missed:.1f}')} that need it are missed.</p></fieldset>\n"
    )
