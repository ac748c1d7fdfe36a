"""``index.html``: a page for a person about a run, which needs no network and runs no script.

First come the referable eyes, the likeliest first, then those that a person should look at, too,
each with its picture. A photograph is in one list only.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from heapq import nsmallest
from html import escape
from typing import Final
from urllib.parse import quote

from fundoscope.batch.ledger.record import Facts
from fundoscope.batch.ledger.tally import Tally
from fundoscope.batch.outcome import NOT_GRADED, READ, REFUSED
from fundoscope.quoting import printable, shortened
from fundoscope.report.wording import DISCLAIMER, grade_in_words

AllFacts = Callable[[], Iterable[tuple[int, Facts]]]

MOST_SHOWN: Final = 500
"""Photographs in one list of the page; a browser holds some thousand pictures."""
SUMMARY: Final = "summary.csv"
"""The table that lists all."""
FAMILIAR: Final = "unlike the photographs that the grader learnt from"
STYLE: Final = """
body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:0 auto;padding:1rem;color:#1a1a1a;
background:#fff}
table{border-collapse:collapse;margin:.5rem 0}
th,td{border:1px solid #777;padding:.2rem .6rem;text-align:left}
td.n{text-align:right}
.stopped{border:3px solid #a00000;padding:.5rem 1rem;font-weight:bold}
ul.eyes{list-style:none;padding:0;display:grid;gap:1rem;
grid-template-columns:repeat(auto-fill,minmax(16rem,1fr))}
ul.eyes li{border:1px solid #777;padding:.5rem;overflow-wrap:anywhere}
ul.eyes img{width:100%;height:auto}
"""


def lines(tally: Tally, facts: AllFacts) -> Iterator[str]:
    """The page, part by part.

    Args:
        tally: of the run.
        facts: gives the number and the facts of each photograph, from the first one at each call.
    """
    yield from _head(tally)
    yield from _counts(tally)
    counters = _counted(facts)
    for title, counter in counters.items():
        if counter:
            yield _table(title, counter.items())
    likeliest = "Referable, the likeliest first"
    yield from _list(likeliest, "referable", facts, _referable, key=_likeliest)
    yield from _list("A person should look at these, too", "attention", facts, _uncertain)
    yield from _list("Not graded", "not-graded", facts, lambda each: each.status == NOT_GRADED)
    yield from _list("Refused", "refused", facts, lambda each: each.status == REFUSED)
    yield f"<footer><p>{escape(DISCLAIMER)}</p></footer>\n</main>\n</body>\n</html>\n"


def _referable(facts: Facts) -> bool:
    return facts.status == READ and facts.positive


def _uncertain(facts: Facts) -> bool:
    """Whether a person should look although the eye is not referable."""
    return facts.status == READ and not facts.positive and bool(facts.attention)


def _in_order(photograph: tuple[int, Facts]) -> float:
    return photograph[0]


def _likeliest(photograph: tuple[int, Facts]) -> float:
    return -(photograph[1].probability or 0.0)


def _head(tally: Tally) -> Iterator[str]:
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src 'self'; style-src 'sha256-{digest}'"
    # A page that is opened as a file has no origin that 'self' could name.
    policy = policy.replace("'self'", "'self' file:")
    yield (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Readings of fundoscope</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        "<h1>Readings</h1>\n"
    )
    if tally.interrupted:
        yield (
            f'<p class="stopped">Incomplete: the run was stopped after {tally.done:,} of'
            f" {tally.photographs:,} photographs. The same command resumes it.</p>\n"
        )


def _counts(tally: Tally) -> Iterator[str]:
    counts = tally.counts()
    words = {
        "Photographs": counts["photographs"],
        "Graded": counts[READ],
        "Referable, of these": counts["referable"],
        "Not graded": counts[NOT_GRADED],
        "Refused": counts[REFUSED],
        "The same file as an earlier one": tally.equal_files,
    }
    if tally.unfamiliar:
        words[f"{FAMILIAR[0].upper()}{FAMILIAR[1:]}"] = tally.unfamiliar
    yield _table("Counts", words.items())
    yield f'<p>Every photograph is in <a href="{SUMMARY}">{SUMMARY}</a>.</p>\n'


def _counted(facts: AllFacts) -> dict[str, Counter[str]]:
    """The tables of the page by their titles."""
    grades: Counter[str] = Counter()
    quality: Counter[str] = Counter()
    ungraded: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for _, each in facts():
        if each.icdr is not None:
            grades[grade_in_words(each.icdr)] += 1
        quality.update(each.quality)
        if each.status == NOT_GRADED:
            ungraded[each.code] += 1
        elif each.status == REFUSED:
            refused[each.code] += 1
    return {
        "Grades": Counter(dict(sorted(grades.items()))),
        "Not graded, by reason": ungraded,
        "Not gradable, by reason": quality,
        "Refused, by reason": refused,
    }


def _table(title: str, rows: Iterable[tuple[str, int]]) -> str:
    body = "".join(
        f'<tr><th scope="row">{escape(name.replace("_", " "))}</th>'
        f'<td class="n">{count:,}</td></tr>\n'
        for name, count in rows
    )
    return f"<h2>{escape(title)}</h2>\n<table>\n{body}</table>\n"


def _list(
    title: str,
    name: str,
    facts: AllFacts,
    wanted: Callable[[Facts], bool],
    key: Callable[[tuple[int, Facts]], float] = _in_order,
) -> Iterator[str]:
    """A list of the wanted photographs, lowest ``key`` first; nothing if there are none."""
    shown = nsmallest(MOST_SHOWN, (each for each in facts() if wanted(each[1])), key=key)
    if not shown:
        return
    others = sum(wanted(each) for _, each in facts()) - len(shown)
    yield f'<h2 id="{name}">{escape(title)} ({len(shown) + others:,})</h2>\n<ul class="eyes">\n'
    for number, each in shown:
        yield _item(number, each)
    yield "</ul>\n"
    if others:
        yield f"<p>and {others:,} more: see {SUMMARY}.</p>\n"


def _item(number: int, facts: Facts) -> str:
    image = escape(shortened(printable(facts.image)))
    who = ", ".join(printable(text) for text in (facts.patient, facts.eye) if text)
    parts = [] if facts.icdr is None else [grade_in_words(facts.icdr)]
    parts += [FAMILIAR] if facts.familiar is False else []
    parts += [f"the photograph {facts.reason}", facts.remedy] if facts.reason else []
    parts += facts.attention
    picture = ""
    if facts.picture:
        address = escape(quote(facts.picture), quote=True)
        picture = (
            f'<a href="{address}"><img loading="lazy" src="{address}" alt="Picture of photograph'
            f' No. {number}"></a>'
        )
    words = escape("; ".join(dict.fromkeys(printable(each) for each in parts)))
    return (
        f"<li>{picture}<p><b>No. {number}: {image}</b>{escape(f' ({who})') if who else ''}</p>"
        f"<p>{words}</p></li>\n"
    )
