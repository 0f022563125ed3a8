"""``embedclf.label``: a page to label texts from Python."""

import asyncio
import json
import threading
import urllib.request
from collections.abc import Callable
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import embedclf
from corpus import LABELS, QUICK, TEXTS
from embedclf.data.corpus import read_corpus

pytest.importorskip("fastapi")


class Person:
    """Labels what the page asks with the labels of the corpus, and finishes: in a thread, as a browser would."""

    def __init__(self, n: int, labels: Callable[[str], list[str]]) -> None:
        self._n, self._labels = n, labels
        self._thread: threading.Thread | None = None
        self.said = ""

    def open(self, address: str) -> None:
        self._thread = threading.Thread(target=self._work, args=(address,))
        self._thread.start()

    def join(self) -> None:
        assert self._thread is not None
        self._thread.join()

    def _work(self, address: str) -> None:
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        opener.open(address).read()
        base = address.partition("?")[0]

        def ask(path: str, **body: Any) -> Any:
            headers = {"content-type": "application/json"}
            request = urllib.request.Request(base + path, json.dumps(body).encode(), headers)
            return json.load(opener.open(request))

        shown = ask("ask", window="w")["question"]
        for _ in range(self._n):
            asked = {"row": shown["row"], "revision": shown["revision"], "note": f"of {shown['row']}"}
            shown = ask("answer", window="w", labels=self._labels(shown["text"]), **asked)["question"]
            if shown is None:
                break
        self.said = ask("finish")["said"]


def one_label(text: str) -> list[str]:
    return [LABELS[TEXTS.index(text)]]


def test_texts_are_labelled_and_trained_on():
    """The call returns when the page is finished; the same call goes on."""
    person = Person(20, one_label)
    found = embedclf.label(TEXTS, "labelled.csv", test_share=0.2, open_browser=False, on_ready=person.open)
    person.join()
    assert person.said == "Wrote labelled.csv\nWrote labelled_test.csv"
    assert repr(found) == "<Labelled: 20 of 30 texts, 4 for the test>"
    assert found.texts == TEXTS
    assert all(label in (None, known) for label, known in zip(found.labels, LABELS, strict=True))
    assert len(found.training[0]) == 16
    assert len(found.test[0]) == 4
    classifier = embedclf.train(*found.training, **QUICK)
    assert embedclf.evaluate(classifier, *found.test).accuracy >= 0
    frame = found.to_frame()
    assert list(frame.columns) == ["text", "label", "note", "is_test"]
    assert frame.is_test.sum() == 4
    row = found.labels.index(LABELS[0])
    assert found.notes[row] == f"of {row}"
    again = Person(99, one_label)
    found = embedclf.label(TEXTS, "labelled.csv", test_share=0.2, open_browser=False, on_ready=again.open)
    again.join()
    assert found.labels == LABELS
    assert found.to_dict()["labels"] == LABELS


def test_a_data_frame_keeps_its_columns_and_labels():
    frame = pd.DataFrame({"id": range(4), "words": TEXTS[:4], "kind": ["delivery", None, "refund", None]})
    person = Person(9, lambda text: ["delivery", "other"])
    found = embedclf.label(
        frame,
        "out.jsonl",
        text="words",
        label="kind",
        order="file",
        several=True,
        test_share=0,
        open_browser=False,
        on_ready=person.open,
    )
    person.join()
    assert found.labels == [("delivery",), ("delivery", "other"), ("refund",), ("delivery", "other")]
    assert found.test == ([], [])
    written = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [one["id"] for one in written] == [0, 1, 2, 3]


def test_in_a_notebook(capsys: pytest.CaptureFixture[str]):
    """Where an event loop runs already, as it does in a notebook."""
    person = Person(3, one_label)

    async def cell() -> Any:
        return embedclf.label(
            TEXTS, "labelled.csv", order="file", test_share=0, open_browser=False, on_ready=person.open
        )

    found = asyncio.run(cell())
    person.join()
    assert found.labels[:4] == [*LABELS[:3], None]
    assert read_corpus("labelled.csv", labels="optional").labels[:3] == LABELS[:3]
