"""Comparing two classifiers in Python: labels that one does not know, texts out of scope, trees, costs, and copies."""

import pandas as pd
import pytest

import embedclf
from corpus import LABELS, QUICK, TEXTS
from embedclf.errors import ArgumentError

QUICKEST = {"embedder": "wordllama", **QUICK}


@pytest.fixture(scope="module")
def new() -> embedclf.TextClassifier:
    return embedclf.train(TEXTS, LABELS, **QUICKEST)


@pytest.fixture(scope="module")
def old() -> embedclf.TextClassifier:
    """Knows no passwords, but the label "gift", which no text here has."""
    rows = [(text, label) for text, label in zip(TEXTS, LABELS, strict=True) if label != "password"]
    rows += [("A present for my wife", "gift"), ("Wrap it as a present", "gift"), ("It is a birthday present", "gift")]
    return embedclf.train(*zip(*rows, strict=True), **QUICKEST)


def figures_of(result: embedclf.ModelDiff) -> dict[str, tuple[float | None, float]]:
    return {one.name: (one.before, one.after) for one in result.figures}


def test_the_figures_are_those_of_the_evaluations(old: embedclf.TextClassifier, new: embedclf.TextClassifier):
    result, reports = (
        embedclf.diff(old, new, TEXTS, LABELS),
        [embedclf.evaluate(one, TEXTS, LABELS) for one in (old, new)],
    )
    assert figures_of(result) == {
        "accuracy": tuple(one.accuracy for one in reports),
        "macro-F1": tuple(pytest.approx(one.macro_f1) for one in reports),
    }
    recalls = {one.name: (one.before, one.after) for one in result.by_label}
    assert recalls["delivery"] == tuple(one.per_class["delivery"].recall for one in reports)
    assert recalls["password"] == (None, 1.0)
    assert "gift" not in recalls
    assert repr(result) == "<ModelDiff: 30 rows, better>"


def test_a_frame_brings_its_labels(old: embedclf.TextClassifier, new: embedclf.TextClassifier):
    frame = pd.DataFrame({"text": TEXTS, "label": LABELS})
    assert embedclf.diff(old, new, frame) == embedclf.diff(old, new, TEXTS, LABELS)
    shown = embedclf.diff(old, new, frame).to_frame()
    assert list(shown["label"]) == ["delivery", "password", "refund"]


def test_copies_say_nothing_new(old: embedclf.TextClassifier, new: embedclf.TextClassifier):
    """Ten copies of each text do not make the interval shorter."""
    once, often = embedclf.diff(old, new, TEXTS, LABELS), embedclf.diff(old, new, 10 * TEXTS, 10 * LABELS)
    assert (often.n_examples, often.n_distinct) == (300, 30)
    assert often.main.difference_interval == pytest.approx(once.main.difference_interval, abs=0.03)


def test_texts_out_of_scope(new: embedclf.TextClassifier):
    """They count only as rejected or not; for a model that has no such label, abstaining is right as well."""
    texts, labels = [*TEXTS, "What is the weather?", "Sing a song"], [*LABELS, "other", "other"]
    knows = embedclf.train(texts, labels, out_of_scope_label="other", min_confidence=0.6, **QUICKEST)
    result = embedclf.diff(new, knows, texts, labels)
    assert figures_of(result)["accuracy"] == (1.0, pytest.approx(1.0, abs=0.1))
    rejected = next(one for one in result.figures if one.name == "rejected")
    assert (rejected.n_held_out, rejected.before) == (2, 0.0)
    assert "other" not in {one.name for one in result.by_label}
    for one in result.changed:
        if one.label == "other":
            assert (one.new, one.change) == (None, "better")


def test_labels_in_a_tree():
    """Whether or not both models know that it is a tree."""
    labels = [f"shop / {label}" if label != "password" else "account / password" for label in LABELS]
    plain = embedclf.train(TEXTS, labels, **QUICKEST)
    tree = embedclf.train(TEXTS, labels, label_hierarchy=" / ", **QUICKEST)
    result = embedclf.diff(plain, tree, TEXTS, labels)
    assert (result.unknown_to_old, result.unknown_to_new) == ({}, {})
    assert figures_of(result)["accuracy"] == (1.0, 1.0)


def test_costs_are_those_of_the_new_model(old: embedclf.TextClassifier, new: embedclf.TextClassifier):
    """Or those passed, by which both answer then; labels that a model does not know are left out for it."""
    costs = {("password", "*"): 5, ("refund", None): 0.5}
    result = embedclf.diff(old, new.with_costs(costs), TEXTS, LABELS)
    assert figures_of(result)["mean cost"] == (pytest.approx(50 / 30), pytest.approx(0, abs=0.2))
    assert "mean cost" in figures_of(embedclf.diff(old, new, TEXTS, LABELS, costs=costs))
    assert "mean cost" not in figures_of(embedclf.diff(old, new, TEXTS, LABELS))


def test_few_rows_a_label_are_too_few_for_macro_f1(old: embedclf.TextClassifier, new: embedclf.TextClassifier):
    """With under ten on average, it is never called clear."""
    result = embedclf.diff(old, new, TEXTS, LABELS)
    assert result.is_clear(result.figures[1])
    kept = [row for row in range(30) if row % 5]
    few = embedclf.diff(old, new, [TEXTS[row] for row in kept], [LABELS[row] for row in kept])
    assert few.figures[1].is_clear
    assert not few.is_clear(few.figures[1])
    assert "With fewer than 10 rows per label, the interval of macro-F1 is too narrow to rely on." in str(few)


def test_what_cannot_be_compared(old: embedclf.TextClassifier, new: embedclf.TextClassifier):
    for margin in (-0.01, 1.0, float("nan")):
        with pytest.raises(ArgumentError, match="margin must be at least 0 and less than 1"):
            embedclf.diff(old, new, TEXTS, LABELS, margin=margin)
    with pytest.raises(ArgumentError, match="nothing to compare on"):
        embedclf.diff(old, new, [], [])
    several = embedclf.train(TEXTS, [[label] for label in LABELS], **QUICKEST)
    with pytest.raises(ArgumentError, match="the old model gives several labels per text and the new one gives one"):
        embedclf.diff(several, new, TEXTS, LABELS)


def test_without_a_margin_no_difference_can_be_ruled_out(new: embedclf.TextClassifier):
    other = embedclf.train(TEXTS, LABELS, **{**QUICKEST, "regularization": 2.0})
    result = embedclf.diff(new, other, TEXTS, LABELS, margin=0.0)
    assert (result.verdict, result.rows_needed) == ("cannot tell", None)
    assert str(result).endswith("(95 % interval −11.6 to +11.6).")
