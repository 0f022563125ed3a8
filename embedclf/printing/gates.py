"""Requirements and whether they are met: as lines of text, Markdown, and JUnit's XML."""

import re
from html import escape
from typing import TYPE_CHECKING, Literal, TypeAlias

from embedclf.evaluation.model_diff import FEW_PER_LABEL
from embedclf.formatting import shown_interval
from embedclf.printing.diffs import points, shown_points, signed_points
from embedclf.printing.lines import HEADING, RIGHT, WARNING, WRONG, Line, Piece, heading
from embedclf.printing.markdown import markdown_of, markdown_table
from embedclf.printing.tables import in_one_line, table

if TYPE_CHECKING:
    from embedclf.evaluation.gate import Gate, Judged

CannotTell: TypeAlias = Literal["pass", "fail"] | None
"""How an inconclusive requirement counts; None leaves it inconclusive."""

_STYLES = {"passes": RIGHT, "fails": WRONG, "cannot tell": WARNING}
_HEADER = ["requirement", "floor", "measured (95 %)", "result"]
# What XML 1.0 cannot hold, not even escaped, and lone surrogates.
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def sentence_of(gate: "Gate", cannot_tell: CannotTell) -> str:
    """Return the outcome of all requirements as a sentence."""
    if gate.outcome != "cannot tell":
        return f"The gate {gate.outcome}."
    if cannot_tell is None:
        return "The gate cannot tell (exit code 4): use more rows, or --cannot-tell pass or fail."
    outcome = "passes" if cannot_tell == "pass" else "fails"
    return f"The gate cannot tell, and {outcome} (--cannot-tell {cannot_tell})."


def gate_lines(gate: "Gate", cannot_tell: CannotTell) -> list[Line]:
    """Return the requirements as a table, and the outcome below it."""
    rows: list[list[str | Piece]] = [
        [in_one_line(one.name), *_figures(one), (one.outcome, _STYLES[one.outcome])] for one in gate.judged
    ]
    reasons: list[Line] = [reason_of(one) for one in gate.judged if one.outcome == "cannot tell"]
    return [
        "",
        heading("Gate:"),
        *table(_HEADER, rows, left=(0, 3)),
        *reasons,
        [(sentence_of(gate, cannot_tell), HEADING)],
    ]


def _figures(one: "Judged") -> list[str]:
    if one.value is None or one.interval is None:
        return [_floor(one), "–"]
    return [_floor(one), f"{one.value:z.3f} ({one.interval.low:z.3f} to {one.interval.high:z.3f})"]


def _floor(one: "Judged") -> str:
    return f"{one.floor:z.3f}" if len(f"{one.floor:g}") <= len("-0.000") else f"{one.floor:g}"


def reason_of(one: "Judged") -> str:
    """Return in a sentence what was measured, and why it passes, fails, or is inconclusive."""
    name = in_one_line(one.name)
    name = f"{name[:1].upper()}{name[1:]}"
    if one.value is None or one.interval is None:
        return f"{name}: there are no rows to measure it on."
    if one.is_difference:
        measured = f"{name}: {signed_points(one.value)} ({shown_points(one.interval)})"
        may_be = f"worse by more than {points(-one.floor)}"
        said = {"passes": f"not {may_be}", "fails": "worse", "cannot tell": f"which may or may not be {may_be}"}
    else:
        measured = f"{name}: {one.value:.3f} (95 % interval {shown_interval(one.interval)})"
        said = {
            "passes": f"at or above {one.floor:g}",
            "fails": f"below {one.floor:g}",
            "cannot tell": f"which may or may not be below {one.floor:g}"
            if one.interval.low < one.floor <= one.interval.high
            else f"but with fewer than {FEW_PER_LABEL} rows per label, the interval is too narrow to rely on",
        }
    needed = (
        ""
        if one.rows_needed is None
        else f" Roughly {one.rows_needed:,} rows would be enough, instead of {one.n_examples:,}."
    )
    return f"{measured}, {said[one.outcome]}.{needed}"


def gate_markdown(gate: "Gate", title: str, cannot_tell: CannotTell) -> str:
    """Return the requirements as a table in Markdown."""
    rows = [[one.name, *_figures(one), one.outcome] for one in gate.judged]
    parts = [f"### {markdown_of(title)}", f"**{markdown_of(sentence_of(gate, cannot_tell))}**"]
    parts.append("\n".join(markdown_table(_HEADER, rows, left=(0, 3))))
    parts += [markdown_of(reason_of(one)) for one in gate.judged if one.outcome != "passes"]
    return "\n\n".join(parts) + "\n\n"


def gate_junit(gate: "Gate", title: str, cannot_tell: CannotTell) -> str:
    """Return the requirements as a report of JUnit, a test case each, as Jenkins, GitLab and others read it.

    An inconclusive one is an error, is skipped, or is a failure, depending on `cannot_tell`. There are no times, so the
    same run writes the same file.
    """
    kinds = [_element_of(one, cannot_tell) for one in gate.judged]
    counts = {
        "tests": len(kinds),
        "failures": kinds.count("failure"),
        "errors": kinds.count("error"),
        "skipped": kinds.count("skipped"),
    }
    shown = " ".join(f'{name}="{n}"' for name, n in counts.items())
    cases = []
    for one, kind in zip(gate.judged, kinds, strict=True):
        names = f'classname="embedclf.evaluate" name={_attribute(one.name)}'
        reason = reason_of(one)
        if kind is None:
            inner = f"<system-out>{_text(reason)}</system-out>"
        elif kind == "skipped":
            inner = f"<skipped message={_attribute(reason)}/>"
        else:
            inner = f'<{kind} message={_attribute(reason)} type="{one.outcome}">{_text(reason)}</{kind}>'
        cases.append(f"    <testcase {names}>{inner}</testcase>\n")
    of_all = shown.rpartition(" ")[0]  # the outer element has no count of those skipped
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<testsuites {of_all}>\n"
        f"  <testsuite name={_attribute(title)} {shown}>\n{''.join(cases)}  </testsuite>\n"
        "</testsuites>\n"
    )


def _element_of(one: "Judged", cannot_tell: CannotTell) -> Literal["failure", "error", "skipped"] | None:
    if one.outcome == "passes":
        return None
    if one.outcome == "fails" or cannot_tell == "fail":
        return "failure"
    return "skipped" if cannot_tell == "pass" else "error"


def _attribute(value: str) -> str:
    return f'"{_text(value)}"'


def _text(value: str) -> str:
    return escape(_NOT_IN_XML.sub("\ufffd", in_one_line(value)))
