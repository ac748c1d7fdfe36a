"""A report as one HTML file that needs nothing else: pictures and style are inside."""

from __future__ import annotations

import base64
from importlib import resources
from typing import Final
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element, SubElement

from fundoscope.report.languages import Language
from fundoscope.report.paper.content import Eye, Report, Row
from fundoscope.report.paper.picture import sample

STYLE: Final = "paper.css"
POLICY: Final = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""The file loads nothing and runs nothing, whatever a name in it holds."""
DOCTYPE: Final = "<!doctype html>\n"
SAMPLE_PIXELS: Final = 28
HUNDRED: Final = 100


def render(report: Report) -> str:
    """Write a report as an HTML page, to be saved in UTF-8.

    Args:
        report: what it says.
    """
    words = report.language
    page = Element("html", lang=words.code)
    head, body = SubElement(page, "head"), SubElement(page, "body")
    SubElement(head, "meta", charset="utf-8")
    SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": POLICY})
    SubElement(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    _text(head, "title", words.say("paper.title"))
    _text(head, "style", (resources.files(__package__) / STYLE).read_text(encoding="utf-8"))
    main = SubElement(body, "main")
    _head(main, report)
    eyes = SubElement(main, "div", {"class": "eyes"})
    for eye in report.eyes:
        _eye(eyes, eye, words)
    _tail(main, report)
    return DOCTYPE + ET.tostring(page, encoding="unicode", method="html")


def _text(parent: Element, tag: str, text: str, class_: str = "") -> Element:
    element = SubElement(parent, tag, {"class": class_} if class_ else {})
    element.text = text
    return element


def _rows(parent: Element, rows: tuple[Row, ...], class_: str = "") -> None:
    """A list of names and texts."""
    if rows:
        listed = SubElement(parent, "dl", {"class": class_} if class_ else {})
        for row in rows:
            pair = SubElement(listed, "div")
            _text(pair, "dt", row.name)
            _text(pair, "dd", row.text)


def _head(main: Element, report: Report) -> None:
    words, advice = report.language, report.advice
    _text(main, "h1", words.say("paper.title"))
    _text(main, "p", words.say("paper.subtitle"), "quiet")
    _rows(main, report.identity, "identity")
    box = SubElement(main, "section", {"class": "advice"})
    _text(box, "h2", f"{words.say('paper.next')}: {advice.title}")
    for line in advice.lines:
        _text(box, "p", line)
    for line in advice.interval:
        _text(box, "p", line, "quiet")


def _eye(parent: Element, eye: Eye, words: Language) -> None:
    section = SubElement(parent, "section", {"class": "eye"})
    _text(section, "h2", eye.title)
    verdict = f" · {eye.verdict}" if eye.verdict else ""
    _text(section, "p", f"{eye.grade}{verdict}", "grade")
    if eye.picture is not None:
        figure = SubElement(section, "figure")
        size = {"width": str(eye.picture.width), "height": str(eye.picture.height)}
        address = _data("image/jpeg", eye.picture.jpeg)
        SubElement(figure, "img", {"src": address, "alt": eye.picture_in_words, **size})
        _text(figure, "figcaption", eye.source, "quiet")
    _bars(section, eye, words)
    _rows(section, eye.rows)
    _findings(section, eye, words)
    if eye.missing:
        _rows(section, (Row(words.say("paper.not_assessed"), eye.missing),), "quiet")
    if eye.notes:
        _rows(section, (Row(words.say("paper.notes"), "; ".join(eye.notes)),), "quiet")


def _bars(section: Element, eye: Eye, words: Language) -> None:
    if not eye.bars:
        return
    table = SubElement(section, "table", {"class": "bars"})
    _text(table, "caption", words.say("paper.probabilities"))
    for bar in eye.bars:
        line = SubElement(table, "tr", {"class": "given"} if bar.given else {})
        _text(line, "th", bar.name).set("scope", "row")
        cell = SubElement(line, "td")
        width = f"width:{bar.share * HUNDRED:.1f}%"
        SubElement(cell, "span", {"class": "bar", "style": width})
        _text(line, "td", bar.text)


def _findings(section: Element, eye: Eye, words: Language) -> None:
    if not eye.findings:
        return
    _text(section, "h3", words.say("paper.lesions"))
    listed = SubElement(section, "ul", {"class": "findings"})
    for finding in eye.findings:
        entry = SubElement(listed, "li")
        address = _data("image/png", sample(finding.kind, SAMPLE_PIXELS))
        SubElement(entry, "img", {"src": address, "alt": "", "class": "sample"})
        _text(entry, "span", finding.text)


def _tail(main: Element, report: Report) -> None:
    words = report.language
    _text(main, "p", words.say("paper.also"), "quiet")
    _rows(main, report.models, "quiet")
    section = SubElement(main, "section", {"class": "signature"})
    _text(section, "h2", words.say("paper.signature"))
    fields = SubElement(section, "div", {"class": "fields"})
    for key in ("paper.reader", "paper.own_grade", "paper.own_step", "paper.signed"):
        _text(fields, "div", words.say(key))
    _text(main, "p", words.say("disclaimer"), "disclaimer")


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
