"""Options of the commands that judge a classifier: requirements, the margin, and files for a code host."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from embedclf.cli import completers
from embedclf.cli.options import Share, collected
from embedclf.cli.screen import echo
from embedclf.errors import ArgumentError, OutputError

if TYPE_CHECKING:
    from embedclf.evaluation.gate import Requirement
    from embedclf.printing.gates import CannotTell
    from embedclf.stats.verdicts import Outcome

FAILS, CANNOT_TELL = 3, 4
"""Exit codes besides 0: a requirement is not met, or is inconclusive."""


def _as_share(ctx: click.Context, param: click.Parameter, value: float) -> float:
    return value / 100


margin_option = click.option(
    "--margin",
    metavar="POINTS",
    type=click.FloatRange(0, 100, max_open=True),
    default=1.0,
    show_default=True,
    callback=_as_share,
    help="Percentage points of accuracy (micro-F1 with several labels a text) that do not matter.",
)

summary_option = click.option(
    "--summary",
    metavar="FILE",
    help="Append a summary in Markdown to FILE, such as $GITHUB_STEP_SUMMARY.",
)


def _requirements(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> "tuple[Requirement, ...]":
    """Convert values such as ``recall.refund=0.8``; a label may contain dots and equals signs."""
    if not values:
        return ()
    from embedclf.evaluation.gate import requirement_of

    found: dict[str, Requirement] = {}
    for value in values:
        metric, equals, floor = value.rpartition("=")
        if not equals:
            message = f"must be METRIC=SHARE, such as accuracy=0.9 or recall.refund=80%, got {value!r}."
            raise click.BadParameter(message, ctx, param)
        share = Share(0, 1).convert(floor, param, ctx)
        try:
            one = requirement_of(metric, share)
        except ArgumentError as error:
            raise click.BadParameter(as_sentence(error), ctx, param) from None
        if one.name in found:
            raise click.BadParameter(f"{metric!r} was given twice.", ctx, param)
        found[one.name] = one
    return tuple(found.values())


def as_sentence(error: ArgumentError) -> str:
    """Return what an error says as a sentence, as usage errors are written."""
    return f"{error}." if not str(error).endswith("?") else str(error)


@dataclass(frozen=True)
class GateOptions:
    """What a classifier has to meet, and where to say whether it does."""

    fail_under: "tuple[Requirement, ...]"
    baseline: str | None
    margin: float
    cannot_tell: "CannotTell"
    junit: str | None
    summary: str | None

    def __post_init__(self) -> None:
        """Check that options about requirements are given with some.

        Raises
        ------
        click.UsageError
            If there are none.
        """
        if self.is_asked:
            return
        given = {"--junit": self.junit, "--summary": self.summary, "--cannot-tell": self.cannot_tell}
        if unused := next((name for name, value in given.items() if value is not None), None):
            raise click.UsageError(f"{unused} needs a requirement: --fail-under METRIC=SHARE or --baseline OLD.")

    @property
    def is_asked(self) -> bool:
        """Whether there are requirements."""
        return bool(self.fail_under) or self.baseline is not None

    def exit_code(self, outcome: "Outcome") -> int:
        """Return the exit code of an outcome."""
        if outcome == "cannot tell":
            return {None: CANNOT_TELL, "pass": 0, "fail": FAILS}[self.cannot_tell]
        return FAILS if outcome == "fails" else 0


gate_options = collected(
    "gate",
    GateOptions,
    {
        "fail_under": click.option(
            "--fail-under",
            metavar="METRIC=SHARE",
            multiple=True,
            callback=_requirements,
            help="Require a figure, e.g. accuracy=0.9, macro-f1=0.8 or recall.refund=80%; may be repeated. It passes "
            "if its whole 95 % interval is at or above that, fails (exit code 3) if all of it is below, and is "
            "inconclusive (4) otherwise.",
        ),
        "baseline": click.option(
            "--baseline",
            metavar="FILE",
            shell_complete=completers.models,
            help="Require that the model is not worse than this older one by more than --margin; see embedclf diff.",
        ),
        "margin": margin_option,
        "cannot_tell": click.option(
            "--cannot-tell",
            type=click.Choice(["pass", "fail"]),
            help="How to count a requirement that is inconclusive with so few rows.  [default: exit code 4]",
        ),
        "junit": click.option("--junit", metavar="FILE", help="Write the requirements as a JUnit report (XML)."),
        "summary": summary_option,
    },
)


def check_summary(path: str | None) -> None:
    """Check before the work starts that a summary can be written, if one is asked for.

    Raises
    ------
    OutputError
        If it cannot.
    """
    if path is not None:
        _append(path, "")


def add_summary(path: str, text: str) -> None:
    """Append a summary to a file, as other steps of a run may have written theirs before, and report it.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    _append(path, text)
    echo(f"Added a summary to {path}", err=True)


def _append(path: str, text: str) -> None:
    try:
        with Path(path).open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputError(f"cannot write {path}: {reason}", path=path) from error
