"""What a page says first: how good, compared with what, how good where it is sure, and where it is weak."""

import numpy as np
import pytest

from embedclf.evaluation.measuring import report_on
from embedclf.evaluation.report import Report
from embedclf.pages.reports import evaluation_page
from embedclf.pages.verdict import percent, verdict


def report(threshold: float | None = None) -> Report:
    """Ten texts: the sure ones are right; of the unsure, half are."""
    labels = ["a"] * 6 + ["b"] * 4
    sure, unsure, wrong = [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]
    rows = [sure, sure, sure, unsure, wrong, wrong, sure[::-1], sure[::-1], unsure, wrong]
    texts = [f"text {number}" for number in range(10)]
    return report_on(texts, labels, ["a", "b"], np.array(rows, dtype=np.float32), threshold=threshold)


def test_three_sentences():
    one = report()
    assert verdict(one, ["b", "a"], one.accuracy, one.accuracy_interval) == [
        "70 % of 10 texts get the right label (35 to 93 %); always guessing the commonest label would get 60 %.",
        "Answering only the surer half, 100 % are right.",
        "Weakest: b (F1 0.67), a (F1 0.73); most confused: a predicted as b (2 rows), b predicted as a (1 row).",
    ]


def test_with_a_threshold_it_is_spoken_of():
    one = report(threshold=0.7)
    said = verdict(one, ["b", "a"], one.accuracy, one.accuracy_interval)
    assert said[1] == "At its threshold 0.7000, it answers 50 % of them, and 100 % of these answers are right."
    one = report(threshold=0.95)
    assert (
        verdict(one, ["b", "a"], 0.7, one.accuracy_interval)[1] == "At its threshold 0.9500, it answers none of them."
    )


def test_without_mistakes():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8]], dtype=np.float32)
    one = report_on(["x", "y"], ["a", "b"], ["a", "b"], probabilities)
    assert verdict(one, ["a", "b"], one.accuracy, one.accuracy_interval)[-1] == "None is misclassified."


@pytest.mark.parametrize(
    ("share", "shown"), [(0, "0 %"), (0.704, "70 %"), (0.997, "99.7 %"), (0.003, "0.3 %"), (1, "100 %")]
)
def test_a_share_is_whole_unless_that_would_be_all_or_none(share: float, shown: str):
    assert percent(share) == shown


def test_a_page_of_250_rows_is_small_enough_to_send():
    """With every fifth row wrong, and texts of a usual length."""
    rng = np.random.default_rng(0)
    classes = [f"label_{number:02}" for number in range(12)]
    labels = [classes[number] for number in rng.integers(0, 12, 250)]
    probabilities = np.full((250, 12), 0.02, dtype=np.float32)
    for row, label in enumerate(labels):
        probabilities[row, (classes.index(label) + (row % 5 == 0)) % 12] = 0.78
    texts = [f"row {number}: " + "some words of a usual length " * 6 for number in range(250)]
    page = evaluation_page(report_on(texts, labels, classes, probabilities), "small")
    assert len(page.encode()) < 70_000
