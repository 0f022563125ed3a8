"""Labels in a tree: what is answered, how the threshold is chosen, and what is measured."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import embedclf
from corpus import LABELS, QUICK, QUICKLY, TEXTS, write_csv
from embedclf.classifier.decisions import NOTHING, Decision, MultiLabelDecision, OwnThresholds
from embedclf.classifier.hierarchy import changes, hierarchy_of
from embedclf.data.label_sets import LabelSet
from embedclf.evaluation.multilabel_levels import LevelsOfLabels
from embedclf.training.calibration import OutOfFoldScores
from embedclf.training.targets import judge
from embedclf.training.thresholds import choose_threshold
from running import Cli

CLASSES = ("a", "a/x", "a/y/1", "a/y/2", "a-b/z", "c/1", "c/2")
IN_TREE = {"delivery": "order/delivery", "password": "account", "refund": "order/refund"}


@pytest.fixture
def in_tree(tmp_path: Path) -> Path:
    rows = [(f'"{text}"', IN_TREE[label]) for text, label in zip(TEXTS, LABELS, strict=True)]
    return write_csv(tmp_path / "tree.csv", rows)


@pytest.fixture(scope="module")
def of_tree() -> embedclf.TextClassifier:
    labels = [IN_TREE[label] for label in LABELS]
    return embedclf.train(TEXTS, labels, embedder="wordllama", label_hierarchy="/", min_confidence=0.8, **QUICK)


def _answer(probabilities: list[float], threshold: float | None) -> tuple[str | None, float]:
    decision = Decision(CLASSES, threshold, hierarchy_of(CLASSES, "/"))
    (answer,) = decision.answers(decision.decide(np.array([probabilities], dtype=np.float32)))
    return answer.label, pytest.approx(answer.confidence)


@pytest.mark.parametrize(
    ("probabilities", "threshold", "answer"),
    [
        ((0.05, 0.05, 0.60, 0.1, 0.1, 0.05, 0.05), 0.6, ("a/y/1", 0.6)),
        ((0.05, 0.05, 0.40, 0.3, 0.1, 0.05, 0.05), 0.6, ("a/y", 0.7)),
        ((0.05, 0.25, 0.30, 0.2, 0.1, 0.05, 0.05), 0.6, ("a", 0.8)),
        # The most likely leaf is elsewhere, and still the text is surely about `a`.
        ((0.15, 0.15, 0.15, 0.15, 0.4, 0, 0), 0.6, ("a", 0.6)),
        ((0.05, 0.05, 0.2, 0.2, 0.25, 0.2, 0.05), 0.6, (None, 0.25)),
        # A class that others are below is answered with the probability of them all.
        ((0.55, 0.1, 0.05, 0.05, 0.1, 0.1, 0.05), None, ("a", 0.75)),
        ((0.55, 0.1, 0.05, 0.05, 0.1, 0.1, 0.05), 0.7, ("a", 0.75)),
        # Several reach a low threshold: the most likely leaf if it does, else the deepest, then the likeliest.
        ((0.05, 0.05, 0.15, 0.15, 0.35, 0.15, 0.1), 0.3, ("a-b/z", 0.35)),
        ((0.05, 0.05, 0.16, 0.14, 0.25, 0.20, 0.15), 0.29, ("a/y", 0.3)),
        ((0.15, 0.25, 0.05, 0.05, 0.10, 0.20, 0.20), 0.4, ("a", 0.5)),
        ((0.04, 0.05, 0.15, 0.14, 0.22, 0.2, 0.2), None, ("a-b/z", 0.22)),
    ],
)
def test_the_answer_is_the_deepest_label_that_reaches_the_threshold(probabilities, threshold, answer):
    assert _answer(probabilities, threshold) == answer


@pytest.mark.parametrize("weights", [None, np.array([1.0, 3, 1, 1, 1, 1, 5])])
def test_a_threshold_is_chosen_on_the_answers_that_are_given_at_it(weights):
    """What is found in one pass, the answers at every threshold, is what is answered at each."""
    rng = np.random.default_rng(0)
    tree = hierarchy_of(CLASSES, "/")
    scores = rng.normal(0, 2, (300, len(CLASSES))).astype(np.float32)
    y = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
    y[:20] = len(CLASSES)  # out of scope
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    covers = np.pad(tree.covers(CLASSES), ((0, 0), (0, 1)))
    plain = Decision(CLASSES, weights=weights)
    steps = tree.steps(probabilities, *plain.choose(probabilities))
    gained = changes(steps, covers[steps.nodes, y[steps.rows]])
    found = {}
    for threshold in np.arange(1, 100) / 100:
        _, chosen, confidence, _ = Decision(CLASSES, threshold, tree, weights).decide(probabilities)
        given = steps.confidence >= threshold
        assert (confidence[chosen != NOTHING] >= threshold).all()
        assert steps.begins[given].sum() == (chosen != NOTHING).sum()
        right = covers[chosen, y] & (chosen != NOTHING)
        assert gained[given].sum() == right.sum()
        found[threshold] = right.sum() / max((chosen != NOTHING).sum(), 1)
    out_of_fold = OutOfFoldScores(scores, y)
    chosen = choose_threshold(out_of_fold.judged_in(tree, plain), 0.7)
    flat = choose_threshold(judge(out_of_fold, plain), 0.7)
    answered = Decision(CLASSES, chosen, tree, weights).decide(probabilities).chosen != NOTHING
    assert answered.mean() > (plain.choose(probabilities)[1] >= flat).mean() + 0.1
    assert found[np.ceil(100 * chosen) / 100] >= 0.7


@pytest.mark.parametrize("preferred", [None, 0.2])
def test_labels_with_targets_have_thresholds_of_their_own(preferred):
    """Where one misses its own, the answer is a label above it by the common threshold, or by its own without one."""
    rng = np.random.default_rng(1)
    tree = hierarchy_of(CLASSES, "/")
    scores = rng.normal(0, 2, (300, len(CLASSES))).astype(np.float32)
    y = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
    own = OwnThresholds((None, None, 0.7, None, None, 0.3, None), (None, None, None, None, None, preferred, None))
    plain = Decision(CLASSES, own=own)
    out_of_fold = OutOfFoldScores(scores, y)
    judged, probabilities = out_of_fold.judged_in(tree, plain), out_of_fold.probabilities
    leaf, sure = plain.choose(probabilities)
    for threshold in (0.25, 0.5, 0.75):
        chosen = replace(plain, threshold=threshold, tree=tree).decide(probabilities).chosen
        assert ((chosen == 2) <= ((leaf == 2) & (sure >= 0.7))).all()
        assert (chosen[(leaf == 5) & (sure >= 0.3)] == 5).all()
        given = judged.confidence >= threshold
        assert judged.first[given].sum() == (chosen != NOTHING).sum()
        assert judged.correct[given].sum() == (tree.covers(CLASSES)[chosen, y] & (chosen != NOTHING)).sum()
    of_own = replace(plain, tree=tree).decide(probabilities)
    backed_off = (leaf == 2) & (sure < 0.7) & (of_own.chosen != NOTHING)
    assert backed_off.any()
    assert (of_own.confidence[backed_off] >= 0.7).all()
    assert (of_own.chosen[(leaf != 2) & (leaf != 5)] == leaf[(leaf != 2) & (leaf != 5)]).all()


def test_targets_of_labels_in_a_tree(in_tree: Path, cli: Cli):
    """However they are written; a label that is only above others has none."""
    args = ("train", in_tree, "--label-hierarchy", "/", *QUICKLY[:4], "-o", "m.safetensors", "--min-confidence", 0.5)
    trained = cli(*args, "--target-precision", "order / refund=0.8", "--target-recall", "account=0.7")
    assert trained.exit_code == 0, trained.stderr
    assert "Target: precision of order/refund 0.8: " in trained.stdout
    classifier = embedclf.load("m.safetensors")
    assert [(one.label, one.figure) for one in classifier.card.targets] == [
        ("order/refund", "precision"),
        ("account", "recall"),
    ]
    report = cli("evaluate", in_tree, "-m", "m.safetensors").stdout
    assert "target             precision of order/refund 0.8: " in report
    assert "answered at level" in report
    labels = [*(IN_TREE[label] for label in LABELS), "order / change"]
    again = embedclf.retrain("m.safetensors", [*TEXTS, "Please change my order"], labels).classifier
    assert len(again.card.targets) == 2
    above = cli(*args, "--target-precision", "order=0.8")
    assert "has the label 'order', which stands only above others: give targets to these, such as" in above.stderr


def test_a_model_keeps_its_tree(of_tree: embedclf.TextClassifier, cli: Cli):
    """Files, screen, JSON and Python give the same answer: the parent, with the sum of its children's probabilities."""
    of_tree.save("tree.safetensors")
    text = "I want my package and my money"
    (one,) = embedclf.load("tree.safetensors").classify([text], top_k=3)
    own = {likely.label: likely.confidence for likely in one.top}
    assert set(own) == set(IN_TREE.values())
    assert (one.label, one.confidence) == ("order", pytest.approx(own["order/delivery"] + own["order/refund"]))
    assert of_tree.predict([text]) == ["order"]
    assert of_tree.with_min_confidence(None).predict([text]) == [one.top[0].label]
    assert of_tree.with_min_confidence(1).predict([text]) == [None]

    args = ("predict", "-m", "tree.safetensors")
    shown = cli(*args, text).stdout.split()
    assert (shown[0], float(shown[1])) == ("order", pytest.approx(one.confidence, abs=1e-4))
    assert cli(*args, "--top-k", 2, text).stdout.split()[2::2] == [likely.label for likely in one.top[:2]]
    record = json.loads(cli(*args, "--json", "--explain", text).stdout)
    assert (record["label"], record["likeliest"]) == ("order", one.top[0].label)
    Path("in.csv").write_text(f"text\n{text}\n")
    assert cli(*args, "--input", "in.csv", "-o", "out.csv", "--top-k", 2).exit_code == 0
    (row,) = csv.DictReader(Path("out.csv").read_text().splitlines())
    assert [row["predicted_label"], row["top_1_label"]] == ["order", one.top[0].label]
    assert float(row["confidence"]) == float(shown[1])


def test_a_tree_has_no_costs(of_tree: embedclf.TextClassifier):
    """Neither in training nor afterwards."""
    with pytest.raises(embedclf.ArgumentError, match=r"^--costs .* train without --label-hierarchy"):
        embedclf.evaluate(of_tree, TEXTS, [IN_TREE[label] for label in LABELS], costs={("account", "*"): 2})


def test_described_labels_are_written_as_the_others():
    """So that a label with rows is not taken for one without."""
    labels = [IN_TREE[label] for label in LABELS]
    said = {"order / refund": "money back", "order/ kittens": "small cats"}
    model = embedclf.train(TEXTS, labels, embedder="wordllama", label_hierarchy="/", label_texts=said, **QUICK)
    assert model.classes == ("account", "order/delivery", "order/kittens", "order/refund")
    assert model.predict(["small cats"]) == ["order/kittens"]


def test_each_level_is_measured(of_tree: embedclf.TextClassifier):
    """An answer is right if it is the true label or one above it, whether or not the model knows the label."""
    texts = [*TEXTS, "When do I get my money back?"]
    report = embedclf.evaluate(of_tree, texts, [*(IN_TREE[label] for label in LABELS), "order/ money back"])
    labels = [IN_TREE[label] for label in LABELS] + ["order/money back"]
    answers = of_tree.predict(texts)
    tree = report.hierarchy
    assert [(one.level, one.n_labels) for one in tree.levels] == [(1, 2), (2, 4)]
    assert tree.levels[1].accuracy == report.accuracy < tree.levels[0].accuracy
    given = [(answer, label) for answer, label in zip(answers, labels, strict=True) if answer is not None]
    right = [label == answer or label.startswith(f"{answer}/") for answer, label in given]
    assert report.answered.coverage == pytest.approx(len(given) / 31)
    assert report.answered.accuracy == pytest.approx(np.mean(right))
    (at,) = [point for point in report.coverage if point.threshold == 0.8]
    assert (at.coverage, at.accuracy) == pytest.approx(report.answered[::2])
    depths = [1 + answer.count("/") for answer, _ in given]
    assert [one.n_answered for one in tree.answered] == [depths.count(1), depths.count(2)]
    assert tree.mean_depth == pytest.approx(np.mean(depths))
    assert json.loads(json.dumps(report.to_dict()))["hierarchy"]["levels"][0]["n_labels"] == 2
    assert "answered at level  coverage  rows" in str(report)
    report.to_html("report.html")
    assert ">Levels<" in Path("report.html").read_text()


@pytest.mark.parametrize(
    ("probabilities", "at_least_one", "labels"),
    [
        # Any number of leaves; no label above one that is given.
        ((0, 0, 0.7, 0.6, 0, 0.2, 0.5), False, {"a/y/1": 0.7, "a/y/2": 0.6, "c/2": 0.5}),
        # None below reaches its threshold, one of them probably does: 1 - 0.6 * 0.7; the deepest, not `a` as well.
        ((0, 0, 0.4, 0.3, 0, 0.2, 0.6), False, {"a/y": 0.58, "c/2": 0.6}),
        # `a` is a class as well; it is given with the probability of all at or below it.
        ((0.2, 0.2, 0.2, 0.1, 0, 0, 0), False, {"a": 1 - 0.8**3 * 0.9}),
        # The highest of the thresholds below decides: 0.8 for `c/1`.
        ((0, 0, 0, 0, 0, 0.4, 0.4), False, {}),
        ((0, 0, 0, 0, 0, 0.7, 0.4), False, {"c": 0.82}),
        # At least one label: the nearest class only where no label above reaches a threshold.
        ((0, 0, 0.4, 0.3, 0, 0.2, 0), True, {"a/y": 0.58}),
        ((0, 0, 0.2, 0.1, 0, 0.1, 0), True, {"a/y/1": 0.2}),
    ],
)
def test_of_several_labels_one_above_is_given_where_none_below_is_sure(probabilities, at_least_one, labels):
    thresholds = np.array([0.5, 0.5, 0.5, 0.5, 0.5, 0.8, 0.5])
    decision = MultiLabelDecision(CLASSES, thresholds, at_least_one, hierarchy_of(CLASSES, "/"))
    (answer,) = decision.answers(decision.decide(np.array([probabilities], dtype=np.float32)))
    assert dict(answer.labels) == pytest.approx(labels)
    assert [name for name, _ in answer.labels] == sorted(labels, key=lambda name: -labels[name])


def test_the_levels_of_several_labels_are_measured():
    """A label above the classes counts at its own level; one that is given is right if the text has one below it."""
    tree = hierarchy_of(("a/x", "a/y", "b"), "/")
    labels: list[LabelSet] = [("a/x", "b"), ("a/y",), ("a/z",), ()]
    given = [{"a", "b"}, {"a/x"}, {"a"}, {"b"}]
    predicted = np.array([[name in one for name in tree.names] for one in given])
    found = LevelsOfLabels.of(tree, labels, predicted, np.arange(4))
    first, second = found.levels
    assert (first.n_labels, first.micro_f1, first.exact_match) == (2, pytest.approx(8 / 9), 0.75)
    assert (second.n_labels, second.micro_f1, second.exact_match) == (4, pytest.approx(2 / 7), 0.0)
    assert [(one.depth, one.n_given, one.precision) for one in found.given] == [(1, 4, 0.75), (2, 1, 0.0)]
    assert found.mean_depth == pytest.approx(6 / 5)
    none = LevelsOfLabels.of(tree, [(), ()], np.zeros((2, 4), dtype=bool), np.arange(2))
    assert (none.mean_depth, none.given[0].precision, none.levels[0].exact_match) == (None, None, 1.0)


def test_several_labels_in_a_tree(tmp_path: Path, cli: Cli):
    """Trained on the leaves; white space around separators does not matter, in the file to evaluate on either."""
    cells = [IN_TREE[label] + " | shop / visit" * (n % 3 == 0) for n, label in enumerate(LABELS)]
    path = write_csv(tmp_path / "d.csv", [(f'"{text}"', cell) for text, cell in zip(TEXTS, cells, strict=True)])
    args = (path, "--label-separator", "|", "--label-hierarchy", "/", "--features", "words", *QUICKLY[2:4])
    assert cli("train", *args, "-o", "m.safetensors").exit_code == 0
    card = embedclf.load("m.safetensors").to_dict()
    assert card["classes"] == ["account", "order/delivery", "order/refund", "shop/visit"]
    assert card["hierarchy"] == "/"
    measured = json.loads(cli("evaluate", path, "-m", "m.safetensors", "--json").stdout)
    assert measured["unknown_labels"] == {}
    classifier = embedclf.load("m.safetensors")
    given = classifier.predict(TEXTS)
    unsure = classifier.with_min_confidence(0.9).predict(["Where is my refund for the delivery?"])
    assert {label for labels in given + unsure for label in labels} <= {*card["classes"], "order", "shop"}
    assert cli("predict", path, "-m", "m.safetensors", "-o", "p.csv").exit_code == 0
    with Path("p.csv").open(newline="") as file:
        assert [row["predicted_labels"].split("|") for row in csv.DictReader(file)] == given
    figures = measured["hierarchy"]
    assert [(one["level"], one["n_labels"]) for one in figures["levels"]] == [(1, 3), (2, 4)]
    assert sum(one["n_given"] for one in figures["given"]) == sum(map(len, given))
    assert cli("cross-validate", *args, "--folds", 2).exit_code == 0
    above = write_csv(tmp_path / "a.csv", [("Where is my parcel?", "order"), ("I want my money back", "account")])
    shown = cli("evaluate", above, "-m", "m.safetensors", "--report", "r.html")
    assert "the model knows only labels below 'order': 1 row counted as wrong, except in" in shown.stderr
    assert "level  labels  micro-F1" in shown.stdout
    assert "given at level  labels " in shown.stdout
    assert "<h2>Depth of labels" in Path("r.html").read_text()
    empty = write_csv(tmp_path / "e.csv", [('"a b"', "x/y|z"), ('"c d"', "x/|z")])
    failed = cli("train", empty, *args[1:])
    assert "has an empty part (separator '/')" in failed.stderr


def test_on_the_command_line(in_tree: Path, cli: Cli):
    """Labels are trained on as they are usually written; evaluate takes the tree from the model."""
    args = ("--label-hierarchy", ">", "--embedder", "wordllama", *QUICKLY[:4])
    Path("spaced.csv").write_text(in_tree.read_text().replace("/", " > ").replace(" > refund", ">refund", 2))
    trained = cli("train", "spaced.csv", "-o", "m.safetensors", "--min-confidence", 0.6, *args)
    assert "Accuracy by level: 1: " in trained.stdout
    card = embedclf.load("m.safetensors").to_dict()
    assert (card["classes"], card["hierarchy"]) == (["account", "order > delivery", "order > refund"], " > ")
    assert len(card["held_out"]["level_accuracies"]) == 2
    shown = cli("evaluate", "spaced.csv", "-m", "m.safetensors").stdout
    assert "level  labels  macro-F1" in shown
    assert "order > refund      " in shown
    validated = json.loads(cli("cross-validate", "spaced.csv", "--folds", 2, "--json", *args).stdout)
    levels = validated["report"]["hierarchy"]["levels"]
    assert [one["n_labels"] for one in levels] == [2, 3]
    compared = cli("compare", "spaced.csv", *args[:4], *args[4:6], "--folds", 2, "--json")
    (best,) = json.loads(compared.stdout)["candidates"]
    assert best["level_accuracies"][-1] == best["accuracy"] <= best["level_accuracies"][0]


def test_a_learning_curve_of_a_tree(in_tree: Path, cli: Cli):
    """The levels above the labels have columns, on the screen and in the file."""
    Path("spaced.csv").write_text(in_tree.read_text().replace("/", " / ", 3))
    args = ("--label-hierarchy", "/", "--features", "words", "--head", "centroid")
    written = ("-o", "curve.csv", "--report", "r.html")
    shown = cli("learning-curve", "spaced.csv", *args, *written).stdout.splitlines()
    assert shown[1].split()[:8] == ["training", "rows", "accuracy", "95", "%", "interval", "level", "1"]
    with Path("curve.csv").open(newline="") as file:
        points = list(csv.DictReader(file))
    assert [list(points[0])[-2:], shown[2].split()[0]] == [["level_1_accuracy", "level_2_accuracy"], "3"]
    assert all(one["level_2_accuracy"] == one["accuracy"] <= one["level_1_accuracy"] for one in points)
    assert "hierarchy</span> /</" in Path("r.html").read_text()


def test_what_is_compared_in_a_tree():
    labels = [IN_TREE[label] for label in LABELS]
    settings = {"features": ["words"], "heads": ["centroid"], "folds": 2, "label_hierarchy": "/"}
    one = embedclf.compare(TEXTS, labels, **settings)
    assert one.to_frame()["level_2_accuracy"][0] == one.candidates[0].accuracy
    several = embedclf.compare(TEXTS, [[label, "other"] for label in labels], **settings)
    assert several.candidates[0].level_accuracies is None


def test_retraining_keeps_the_tree(of_tree: embedclf.TextClassifier):
    labels = [*(IN_TREE[label] for label in LABELS), "order / change"]
    result = embedclf.retrain(of_tree, [*TEXTS, "Please change my order"], labels)
    assert result.classifier.card.hierarchy == "/"
    assert "order/change" in result.classifier.classes


def test_what_is_out_of_scope_is_answered_by_no_label():
    labels = [IN_TREE[label] for label in LABELS]
    outside = ["Is there life on Mars?", "How do I boil an egg?", "Tell me a joke", "Will it rain tomorrow?"]
    settings = {**QUICK, "embedder": "wordllama", "label_hierarchy": "/", "out_of_scope_label": "other"}
    classifier = embedclf.train([*TEXTS, *outside], [*labels, *["other"] * 4], **settings)
    answers = classifier.predict([*TEXTS, *outside])
    found = embedclf.evaluate(classifier, [*TEXTS, *outside], [*labels, *["other"] * 4]).out_of_scope
    assert found.n_answered == sum(answer is not None for answer in answers[-4:])
    assert found.auroc > 0.9
