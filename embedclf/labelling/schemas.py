"""What the page sends, and what it gets back."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from embedclf.labelling.questions import Point, Progress, Question

MOST_IN_LABEL = 200
"""Characters of a label that the page may send."""
MOST_IN_NOTE = 2_000
_MOST_LABELS = 1_000
_MOST_POINTS = 60


class Asked(BaseModel):
    """A request of a window: for its current text, to undo, or to leave."""

    model_config = ConfigDict(extra="forbid", strict=True)

    window: str = Field(pattern="^[0-9A-Za-z-]{1,64}$")


class Skipped(Asked):
    """A text that is skipped."""

    row: int = Field(ge=0)
    revision: int = Field(ge=0)
    note: str = Field(default="", max_length=MOST_IN_NOTE)


class Answered(Skipped):
    """A text with its labels."""

    labels: list[Annotated[str, Field(max_length=MOST_IN_LABEL)]] = Field(max_length=_MOST_LABELS)


class Finished(BaseModel):
    """That the work is done."""

    model_config = ConfigDict(extra="forbid", strict=True)


def shown_question(question: Question | None) -> dict[str, Any] | None:
    """Return a question as the page gets it; see `Question`."""
    if question is None:
        return None
    return {
        "row": question.row,
        "place": question.place,
        "text": question.text,
        "guesses": [[guess.label, guess.confidence] for guess in question.guesses],
        "labels": question.labels,
        "note": question.note,
        "is_test": question.is_test,
        "revision": question.revision,
    }


def shown_progress(progress: Progress) -> dict[str, Any]:
    """Return the progress as the page gets it, with as many points as a small chart can show; see `Progress`."""
    return {
        "n_texts": progress.n_texts,
        "n_labelled": progress.n_labelled,
        "n_skipped": progress.n_skipped,
        "n_test": progress.n_test,
        "of_labels": [*progress.of_labels.items()],
        "curve": [_shown_point(point) for point in _thinned(progress.curve)],
        "test": None if progress.test is None else _shown_point(progress.test),
        "advice": progress.advice,
        "is_learning": progress.is_learning,
    }


def _shown_point(point: Point) -> dict[str, Any]:
    return {"n_labels": point.n_labels, "accuracy": point.accuracy, "low": point.interval[0], "high": point.interval[1]}


def _thinned(curve: Sequence[Point]) -> list[Point]:
    """Return points at about equal distances, the first and the last among them."""
    if len(curve) <= _MOST_POINTS:
        return [*curve]
    last = len(curve) - 1
    return [curve[round(place * last / (_MOST_POINTS - 1))] for place in range(_MOST_POINTS)]
