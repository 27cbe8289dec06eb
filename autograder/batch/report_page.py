"""The report of a class as one page of HTML: no scripts, no other files, to be read on a phone too.

Every chart is a list of bars with its numbers beside them, so that nothing is said by length or colour alone; to a
screen reader each chart is a picture with a sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from statistics import mean, median, quantiles
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autograder.batch.report import Check, Found, Report

__all__ = ["render"]

_STYLE = """
:root { color-scheme: light dark; --bar: #2f6fb0; --track: #8884; }
@media (prefers-color-scheme: dark) { :root { --bar: #7db4ea; } }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 50rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
ul, ol { padding-left: 1.2rem; } li { margin: .5rem 0; }
figure { margin: 0; } svg { display: block; width: 100%; max-width: 26rem; height: auto; }
svg text { fill: currentColor; font: 13px system-ui, sans-serif; }
.bar { fill: var(--bar); } .track { fill: var(--track); }
code { font-size: .95em; } details { margin: .3rem 0; }
"""

WIDTH = 320
ROW = 24


def render(report: Report) -> str:
    """The page."""
    body = [
        f"<h1>{escape(report.lesson)}</h1>",
        f"<p>{escape(report.lead())}</p>",
        _marks(report),
        _section("Exercises", [_check(each) for each in report.checks], "ul"),
        _section("Most frequent mistakes", [_mistake(each, report) for each in report.mistakes], "ol"),
        _section(
            "Submissions that need a person",
            [f"<strong>{escape(student)}</strong>: {escape(said)}" for student, said in report.people.items()],
            "ul",
        ),
        _folded("Marks of all", [f"{student}: {mark:g}" for student, mark in sorted(report.marks.items())]),
        _folded("No submission", report.missing),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(report.lesson)}: how the class did</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{''.join(body)}\n</main>\n</body>\n</html>\n"
    )


def _section(title: str, items: Iterable[str], kind: str) -> str:
    """A heading and a list; nothing where the list is empty."""
    rows = "".join(f"<li>{item}</li>\n" for item in items)
    return f"<section>\n<h2>{escape(title)}</h2>\n<{kind}>\n{rows}</{kind}>\n</section>\n" if rows else ""


def _marks(report: Report) -> str:
    """Mean, quartiles and the distribution of the marks."""
    from autograder.batch.report import distribution

    marks = sorted(report.marks.values())
    low, middle, high = quantiles(marks, n=4, method="inclusive") if len(marks) > 1 else marks * 3
    rows = distribution(report)
    said = ", ".join(f"{count} with {edge} points" for edge, count in rows if count)
    return (
        "<section>\n<h2>Marks</h2>\n"
        f"<p>Mean {mean(marks):.3g} of {report.points:g} points, median {middle:.3g}; "
        f"the middle half has {low:.3g} to {high:.3g}.</p>\n"
        f"{_chart(rows, max(count for _, count in rows), f'Distribution of the marks: {said}.')}</section>\n"
    )


def _chart(rows: list[tuple[str, int]], most: int, sentence: str) -> str:
    """Horizontal bars, each with its name and its number."""
    height = ROW * len(rows)
    room = WIDTH - 150
    bars = []
    for number, (name, count) in enumerate(rows):
        top = ROW * number
        length = room * count / most if most else 0
        bars.append(
            f'<text x="0" y="{top + 16}">{escape(name)}</text>'
            f'<rect class="track" x="110" y="{top + 4}" width="{room}" height="14"/>'
            f'<rect class="bar" x="110" y="{top + 4}" width="{length:.1f}" height="14"/>'
            f'<text x="{WIDTH - 34}" y="{top + 16}">{count}</text>'
        )
    return (
        f'<figure><svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(sentence)}">'
        f"<title>{escape(sentence)}</title>{''.join(bars)}</svg></figure>\n"
    )


def _check(check: Check) -> str:
    """One exercise: success, verdicts, points, time."""
    tried, right = check.attempted, check.right
    share = f", {right / tried:.0%}" if tried else ""
    whom = "who tried" if check.is_ours else "submissions"
    verdicts = ", ".join(f"{count} {name}" for name, count in check.verdicts.most_common())
    sentence = f"{check.title}: {right} right of {tried} {whom}{share}."
    time = ""
    if check.seconds:
        time = f" Checking takes {median(check.seconds):.2g} s, {max(check.seconds):.2g} s at most."
    return (
        f"<strong>{escape(check.title)}</strong> <code>{escape(check.name)}</code><br>"
        f"{right} of {tried} {whom} have all points{share}; mean {mean(check.scores):.2g} of {check.points:g}."
        f"{_chart([('all points', right), ('some or none', tried - right)], max(tried, 1), sentence)}"
        f"<details><summary>Verdicts and time</summary><p>{escape(verdicts) or 'no verdicts'}.{time}</p></details>"
    )


def _mistake(found: Found, report: Report) -> str:
    """One mistake, what is said of it, and who made it."""
    tried = next((check.attempted for check in report.checks if check.name == found.check), 0)
    share = f" of {tried} who tried" if tried else ""
    return (
        f"<strong>{escape(found.name)}</strong> in <code>{escape(found.check)}</code>: "
        f"{len(found.students)}{share}.<br>{escape(found.explanation)}"
        f"<details><summary>Who</summary><p>{escape(', '.join(found.students))}</p></details>"
    )


def _folded(title: str, lines: Sequence[str]) -> str:
    """A list that is opened when it is wanted; nothing where it is empty."""
    if not lines:
        return ""
    rows = "".join(f"<li>{escape(line)}</li>\n" for line in lines)
    return f"<details>\n<summary>{escape(title)} ({len(lines)})</summary>\n<ul>\n{rows}</ul>\n</details>\n"
