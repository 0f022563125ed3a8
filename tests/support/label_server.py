"""The page of labelling in a process of its own, and a session whose learner knows what it will say."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from corpus import LABELS, TEXTS
from embedclf.data.label_sets import LabelSet
from embedclf.labelling.answers import AnswersFile
from embedclf.labelling.orders import FileOrder
from embedclf.labelling.questions import Guess, Point
from embedclf.labelling.server import serve
from embedclf.labelling.session import Session
from embedclf.stats.intervals import Interval
from running import PATIENCE

NAMES = sorted(set(LABELS))


class Learned:
    """A learner that has learned: it is sure of the label that a text of the small corpus has."""

    test = Point(12, 0.75, Interval(0.5, 0.9))
    advice = "The last 10 labels changed the accuracy by +0.4 points (−1.1 to +1.9)."
    is_learning = False

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts, self._n = texts, 0

    def learn(self, labels: dict[int, LabelSet], test: dict[int, LabelSet]) -> None:
        self._n = len(labels)

    def guesses(self, row: int) -> tuple[Guess, ...]:
        label = dict(zip(TEXTS, LABELS, strict=True)).get(self._texts[row].partition(" #")[0], NAMES[0])
        others = [name for name in NAMES if name != label]
        return (Guess(label, 0.839), Guess(others[0], 0.12), Guess(others[1], 0.004))

    @property
    def curve(self) -> tuple[Point, ...]:
        return tuple(Point(n, 1 - 2 / n, Interval(1 - 4 / n, 1 - 1 / n)) for n in range(10, self._n + 1, 10))


class EveryFourth(FileOrder):
    """The order of the file, in which every fourth text is for the test set."""

    def next(self, is_open: Callable[[int], bool]) -> tuple[int, bool] | None:
        found = super().next(is_open)
        return None if found is None else (found[0], found[0] % 4 == 3)


def texts_of(n: int) -> list[str]:
    """Different texts."""
    return [f"{TEXTS[row % len(TEXTS)]} #{row}" for row in range(n)]


def session_of(
    file: AnswersFile,
    texts: Sequence[str],
    *,
    labels: Sequence[Sequence[str] | None] | None = None,
    is_learned: bool = False,
    has_test: bool = False,
    several: bool = False,
    known: Sequence[str] = NAMES,
) -> Session:
    order = EveryFourth(len(texts)) if has_test else FileOrder(len(texts))
    return Session(
        texts,
        [None if one is None else tuple(one) for one in labels or [None] * len(texts)],
        file,
        order,
        Learned(texts) if is_learned else None,
        several=several,
        known=known,
        places=[f"inbox.csv:{row + 2}" for row in range(len(texts))],
        asks_labelled=labels is not None,
    )


def answers_in(output: Path) -> list[dict[str, Any]]:
    """The answers in the file of an output."""
    lines = Path(f"{output}.answers").read_text(encoding="utf-8").splitlines()
    return [record for line in lines if "row" in (record := json.loads(line))]


class Labelling:
    """A page of labelling in a process of its own.

    Attributes
    ----------
    address : str
        With the token.
    """

    def __init__(self, command: Sequence[object], given: str = "") -> None:
        self._process = subprocess.Popen(
            [sys.executable, *map(str, command)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ,
        )
        self._process.stdin.write(given)
        self._process.stdin.close()
        said = ""
        while (found := re.search(r"http://127\.0\.0\.1:(\d+)/\?token=[\w-]+", said)) is None:
            line = self._process.stdout.readline()
            assert line, said
            said += line
        self.address, self.port = found[0], int(found[1])

    def __enter__(self) -> "Labelling":
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill()

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """Wait for its end; gives the exit code and what it said at last."""
        said = self._process.stdout.read()
        return self._process.wait(PATIENCE), said

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


def label_command(*args: object) -> Labelling:
    """Run ``embedclf label``."""
    return Labelling(["-m", "embedclf", "label", *args, "--no-browser"])


def labelling(output: Path, texts: Sequence[str], *, said: str = "", **settings: Any) -> Labelling:
    """Serve the page of `session_of`; `said` is what it shows at the end."""
    return Labelling([__file__], json.dumps([str(output), texts, said, settings]))


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _main() -> None:
    output, texts, said, settings = json.load(sys.stdin)
    with session_of(AnswersFile(output), texts, **settings) as session:
        serve(session, on_ready=_tell, ended=lambda: said)
    _tell("it returned")


if __name__ == "__main__":
    _main()
