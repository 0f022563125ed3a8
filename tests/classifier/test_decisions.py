"""Thresholds and examples out of scope: set, chosen, kept to, and measured."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as sk

import embedclf
from corpus import DATASETS, LABELS, TEXTS, write_csv
from embedclf.data.corpus import read_corpus
from embedclf.training.calibration import Judged
from embedclf.training.thresholds import choose_threshold
from running import Cli

STRANGE = [
    "What is the capital of Norway?",
    "Will it rain tomorrow?",
    "Tell me a joke about penguins",
    "How do I boil an egg?",
    "Who won the match last night?",
    "Translate good morning into French",
    "Play some quiet jazz",
    "How tall is the Eiffel tower?",
    "What rhymes with orange?",
    "Is there life on Mars?",
    "Recommend a film for tonight",
    "How old is the universe?",
]


@pytest.fixture
def mixed(dataset: Path) -> Path:
    """The small corpus with twelve texts of which none belongs to a class."""
    with dataset.open("a") as file:
        file.writelines(f'"{text}",other\n' for text in STRANGE)
    return dataset


@pytest.fixture(scope="module")
def reviews():
    corpus = read_corpus(DATASETS / "product_reviews.csv")
    return corpus.texts, corpus.labels, embedclf.open_embedder("wordllama").embed(corpus.texts)


class TestUsing:
    """A classifier with a threshold."""

    def test_what_is_shown_as_less_than_the_threshold_is_abstained_from(self, cli: Cli, model: Path):
        """Plain, `-`; with --json, null; the confidence is shown all the same."""
        for threshold in ("0", "0.5", "0.9", "0.95", "0.99", "1"):
            args = ["predict", "-m", model, "--min-confidence", threshold, *TEXTS]
            plain = [line.split("\t") for line in cli(*args).stdout.splitlines()]
            records = [json.loads(line) for line in cli(*args, "--json").stdout.splitlines()]
            assert len(plain) == len(records) == 30
            for (label, shown), record in zip(plain, records, strict=True):
                assert (label == "-") == (float(shown) < float(threshold)) == (record["label"] is None)
                assert record["confidence"] == pytest.approx(float(shown), abs=1e-4)

    def test_in_files_the_label_is_empty(self, cli: Cli, model: Path):
        """And the confidence is there; in JSON lines it is null."""
        Path("in.csv").write_text("text\nwhere is my parcel\nso so\n")
        for name in ("out.csv", "out.jsonl"):
            result = cli("predict", "-m", model, "--min-confidence", 1, "--input", "in.csv", "--output", name)
            assert result.exit_code == 0
        with Path("out.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert [row["predicted_label"] for row in rows] == ["", ""]
        assert all(0 < float(row["confidence"]) < 1 and row["error"] == "" for row in rows)
        records = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
        assert [record["predicted_label"] for record in records] == [None, None]

    def test_just_below_is_not_shown_as_the_threshold(self, cli: Cli, model: Path, trained: embedclf.TextClassifier):
        """A confidence is rounded down: with the threshold a hair above it, it is shown below."""
        (confidence,) = map(float, trained.predict_proba(["so so"]).max(axis=1))
        above = np.ceil(confidence * 10_000) / 10_000
        label, shown = cli("predict", "-m", model, "--min-confidence", above, "so so").stdout.split()
        assert (label, float(shown)) == ("-", pytest.approx(above - 0.0001))

    def test_from_python_it_is_none(self, trained: embedclf.TextClassifier):
        """with_min_confidence gives another classifier, and leaves the first as it was."""
        strict = trained.with_min_confidence(1.0)
        assert strict.predict(["Where is my refund?"]) == [None]
        assert trained.predict(["Where is my refund?"]) == ["refund"]
        assert strict.with_min_confidence(None).card == trained.card
        strict.save("strict.safetensors")
        assert embedclf.load("strict.safetensors").predict(["Where is my refund?"]) == [None]

    @pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
    def test_a_threshold_is_a_confidence(self, trained: embedclf.TextClassifier, threshold: float):
        """From 0 to 1."""
        with pytest.raises(embedclf.EmbedclfError, match="min_confidence must be between 0 and 1"):
            trained.with_min_confidence(threshold)
        with pytest.raises(embedclf.EmbedclfError, match="min_confidence must be between 0 and 1"):
            embedclf.train(TEXTS, LABELS, min_confidence=threshold)


class TestTraining:
    """Setting and choosing a threshold."""

    def test_min_confidence_is_kept_and_measured(self, cli: Cli, dataset: Path):
        """It stands in the file and in the summary; predict keeps to it, unless told another."""
        lines = cli("train", dataset, "--min-confidence", "0.9999").stdout.splitlines()
        assert lines[1] == "At confidence ≥ 0.9999: answers 0.0 %"
        assert lines[2].endswith(", threshold 0.9999)")
        assert embedclf.load("models/small.safetensors").card.threshold == 0.9999
        assert cli("predict", "my parcel").stdout.startswith("-\t0.9")
        assert cli("predict", "my parcel", "--min-confidence", 0).stdout.startswith("delivery\t0.9")

    @pytest.mark.slow
    def test_a_target_is_met_on_unseen_rows(self, reviews):
        """Within five points, on the half of 189 rows that is answered."""
        test = read_corpus(DATASETS / "product_reviews_test.csv")
        texts, labels, vectors = reviews
        classifier = embedclf.train(texts, labels, target_accuracy=0.8, vectors=vectors)
        answers = list(zip(classifier.predict(test.texts), test.labels, strict=True))
        answered = [given == true for given, true in answers if given is not None]
        assert 0.5 < len(answered) / len(answers) < 0.95
        assert np.mean(answered) > 0.75
        figures = classifier.card.held_out
        assert 0.5 < figures.coverage < 0.95
        assert figures.answered_accuracy > figures.accuracy

    @pytest.mark.slow
    def test_what_was_chosen_is_told(self, cli: Cli):
        """The threshold, how much it answers, and how well; the last two on rows held out, too."""
        result = cli("train", DATASETS / "product_reviews.csv", "--target-accuracy", 0.8)
        card = embedclf.load("models/product_reviews.safetensors").card
        assert f"Selected threshold {card.threshold:g} (630 cross-validated rows): answers 8" in result.stderr
        assert result.stdout.splitlines()[1] == (
            f"At confidence ≥ {card.threshold:g}: answers {100 * card.held_out.coverage:.1f} %, accuracy "
            f"{card.held_out.answered_accuracy:.3f}"
        )

    @pytest.mark.slow
    def test_a_target_out_of_reach_names_the_best(self, cli: Cli):
        """Which can be asked for at once."""
        result = cli("train", DATASETS / "product_reviews.csv", "--target-accuracy", 0.99)
        assert result.exit_code == 1
        error = result.stderr.splitlines()[-1]
        assert error.startswith("Error: no threshold reliably reaches 0.99: the best is 0.9")
        assert error.endswith(
            " of texts (630 cross-validated rows). Lower --target-accuracy (target_accuracy=…) or add data."
        )
        assert not Path("models/product_reviews.safetensors").exists()
        best = error.split("the best is ")[1].split(",")[0]
        assert cli("train", DATASETS / "product_reviews.csv", "--target-accuracy", best).exit_code == 0

    @pytest.mark.slow
    def test_a_target_that_all_answers_reach_needs_no_abstaining(self, reviews):
        """The threshold is 0."""
        texts, labels, vectors = reviews
        classifier = embedclf.train(texts, labels, target_accuracy=0.5, vectors=vectors)
        assert (classifier.card.threshold, classifier.card.held_out.coverage) == (0.0, 1.0)

    @pytest.mark.slow
    def test_a_threshold_changes_nothing_else(self, reviews):
        """Weights, settings and figures are those without one."""
        texts, labels, vectors = reviews
        without = embedclf.train(texts, labels, vectors=vectors)
        chosen = embedclf.train(texts, labels, vectors=vectors, target_accuracy=0.8)
        assert (chosen.model.weights == without.model.weights).all()
        assert chosen.card.held_out.accuracy == without.card.held_out.accuracy

    def test_too_few_rows_to_choose_on(self):
        """An error says what else there is."""
        with pytest.raises(embedclf.TrainingError, match="too few examples to choose a threshold: add more, or set"):
            embedclf.train(["yes", "no"], ["a", "b"], target_accuracy=0.9)

    def test_both_is_a_usage_error(self, cli: Cli, dataset: Path):
        """One chooses, the other sets."""
        result = cli("train", dataset, "--target-accuracy", 0.9, "--min-confidence", 0.5)
        assert result.exit_code == 2
        assert (
            "--target-accuracy chooses the threshold and --min-confidence sets it: use only one of them."
            in result.stderr
        )
        with pytest.raises(embedclf.ArgumentError, match="use only one of them"):
            embedclf.train(TEXTS, LABELS, target_accuracy=0.9, min_confidence=0.5)
        with pytest.raises(embedclf.ArgumentError, match="target_accuracy must be between 0 and 1, got 1"):
            embedclf.train(TEXTS, LABELS, target_accuracy=1)


class TestOutOfScope:
    """Examples of what to reject."""

    @pytest.mark.parametrize("head", ["logistic", "centroid"])
    def test_it_is_no_class(self, mixed: Path, cli: Cli, head: str):
        """The held-out figures and the number of examples are of the others, and probabilities sum to less than 1."""
        only = ("--features", "embedding", "--no-label-names")
        result = cli("train", mixed, "--out-of-scope-label", "other", "--head", head, *only)
        assert result.exit_code == 0, result.stderr
        classifier = embedclf.load("models/small.safetensors")
        assert classifier.classes == ("delivery", "password", "refund")
        assert classifier.card.out_of_scope_label == "other"
        assert classifier.card.n_examples == 30
        assert "Trained on all 30 rows in scope (" in result.stdout
        assert "Held-out test (6 rows)" in result.stdout
        assert "of 12 out-of-scope rows.\n" in result.stderr
        assert "Warning: only 12 out-of-scope rows to choose the threshold on: it may be far off\n" in result.stderr
        assert "\nRecognizes out-of-scope texts by " in result.stderr
        assert " (42 cross-validated rows), assumed share 28.6 %.\n" in result.stderr
        in_scope = classifier.predict_proba([*TEXTS, *STRANGE]).sum(axis=1)
        assert in_scope[:30].min() > in_scope[30:].max()
        assert in_scope.max() < 1
        assert sk.accuracy_score(LABELS, classifier.with_min_confidence(0).predict(TEXTS)) == 1

    def test_it_is_measured_on_rows_that_chose_nothing(self, mixed: Path, cli: Cli):
        """What is held out is neither fitted on nor chosen by, in scope and out of scope alike."""
        result = cli("train", mixed, "--out-of-scope-label", "other")
        recall = embedclf.load("models/small.safetensors").card.held_out.out_of_scope_recall
        assert recall in (0.0, 0.5, 1.0)  # of the two that are held out
        assert f"Held-out out-of-scope rows rejected: {100 * recall:.1f} %\n" in result.stdout
        cli("train", mixed, "--out-of-scope-label", "other", "--min-confidence", 1)
        assert embedclf.load("models/small.safetensors").card.held_out.out_of_scope_recall == 1.0
        cli("train", mixed, "--out-of-scope-label", "other", "--holdout", 0)
        assert embedclf.load("models/small.safetensors").card.held_out is None

    def test_evaluate_reports_it_and_keeps_it_out_of_the_rest(self, mixed: Path, cli: Cli):
        """Recall, AUROC and the accuracy with abstaining are as scikit-learn has them."""
        cli("train", mixed, "--out-of-scope-label", "other")
        classifier = embedclf.load("models/small.safetensors")
        result = cli("evaluate", mixed, "--json")
        report = json.loads(result.stdout)
        assert "does not know" not in result.stderr
        assert report["n_examples"] == 30
        assert report["unknown_labels"] == {}
        assert "other" not in report["per_class"]
        answers = classifier.predict([*TEXTS, *STRANGE])
        confidence = classifier.predict_proba([*TEXTS, *STRANGE]).max(axis=1)
        truth = [True] * 30 + [False] * 12
        rejected = [answer is None for answer in answers]
        assert report["out_of_scope"] == {
            "in_scope_accuracy": pytest.approx(np.mean(np.array(answers[:30]) == LABELS)),
            "recall": pytest.approx(answers[30:].count(None) / 12),
            "auroc": pytest.approx(sk.roc_auc_score(truth, confidence)),
            "n_examples": 12,
            "n_answered": sum(answer is not None for answer in answers[30:]),
            "precision": pytest.approx(sk.precision_score(np.logical_not(truth), rejected)),
            "f1": pytest.approx(sk.f1_score(np.logical_not(truth), rejected)),
            "ece": pytest.approx(np.mean(np.abs([1] * 30 + [0] * 12 - confidence)), abs=0.05),
            "in_scope_accuracy_interval": [pytest.approx(0.884, abs=1e-3), 1.0],
        }
        assert report["out_of_scope"]["auroc"] > 0.8
        assert "out of scope       12 rows" in cli("evaluate", mixed).stdout.splitlines()
        never = json.loads(cli("evaluate", mixed, "--json", "--min-confidence", 0).stdout)
        assert never["out_of_scope"]["recall"] == never["out_of_scope"]["f1"] == 0
        assert never["out_of_scope"]["precision"] is None
        assert never["out_of_scope"]["in_scope_accuracy"] == never["accuracy"] == report["accuracy"]

    def test_a_file_of_nothing_but_these_is_told_so(self, cli: Cli, mixed: Path, tmp_path: Path):
        """The model knows their label: what is missing are rows in scope."""
        cli("train", mixed, "--out-of-scope-label", "other")
        result = cli("evaluate", write_csv(tmp_path / "strange.csv", [(text, "other") for text in STRANGE]))
        assert result.exit_code == 1
        assert result.stderr.endswith(
            "Error: all rows have the out-of-scope label 'other': add in-scope rows to measure accuracy on\n"
        )

    def test_those_answered_are_wrong_rows(self, cli: Cli, mixed: Path):
        """Marked by their label, among the others by confidence; without a threshold, none is."""
        cli("train", mixed, "--out-of-scope-label", "other")
        classifier = embedclf.load("models/small.safetensors")
        sure = classifier.predict_proba(STRANGE).max(axis=1).astype(float)
        threshold = float(np.sort(sure)[6])  # answered just at it
        texts, labels = [*TEXTS, *STRANGE], [*LABELS[1:], "delivery", *["other"] * 12]
        in_scope = {one.row for one in embedclf.evaluate(classifier.with_min_confidence(None), texts, labels).wrong}
        assert in_scope
        assert in_scope < set(range(30))
        report = embedclf.evaluate(classifier.with_min_confidence(threshold), texts, labels, train_set=(TEXTS, LABELS))
        outside = [one for one in report.wrong if one.row >= 30]
        assert {one.row for one in report.wrong} == in_scope | {30 + place for place in np.argsort(sure)[6:]}
        assert [one.confidence for one in report.wrong] == sorted(
            (one.confidence for one in report.wrong), reverse=True
        )
        assert {one.label for one in outside} == {"other"}
        assert report.out_of_scope.n_answered == len(outside) == 6
        assert report.out_of_scope.recall == 0.5
        assert all(len(one.neighbours) == 3 and one.neighbours[0].text in TEXTS for one in report.wrong)
        assert report.n_examples == 30
        assert report.accuracy == pytest.approx(1 - len(in_scope) / 30)

    @pytest.mark.slow
    def test_those_answered_are_listed(self, cli: Cli, mixed: Path):
        """In the text, in --errors, and in the page."""
        cli("train", mixed, "--out-of-scope-label", "other")
        result = cli("evaluate", mixed, "--min-confidence", 0, "--errors", "wrong.csv", "--report", "report.html")
        assert result.exit_code == 0
        lines = result.stdout.splitlines()
        heading = (
            f"12 misclassified rows in {mixed}, 12 of them out of scope. Most confident first; check these labels:"
        )
        assert heading in lines
        assert sum("  labelled other, predicted " in line for line in lines) == 5
        rows = list(csv.DictReader(Path("wrong.csv").read_text().splitlines()))
        assert {row["text"] for row in rows} == set(STRANGE)
        assert {row["label"] for row in rows} == {"other"}
        page = Path("report.html").read_text()
        assert "<dd>30</dd>" in page
        assert "0 misclassified, 12 out-of-scope answered" in page

    @pytest.mark.slow
    def test_with_a_target_those_answered_are_wrong(self, reviews):
        """So the threshold is higher than without them."""
        texts, labels, vectors = reviews
        both = np.array(labels) != "neutral"
        without = embedclf.train(
            np.array(texts)[both], np.array(labels)[both], vectors=vectors[both], target_accuracy=0.8
        )
        counted = embedclf.train(texts, labels, vectors=vectors, target_accuracy=0.8, out_of_scope_label="neutral")
        assert counted.card.threshold > without.card.threshold + 0.05

    @pytest.mark.parametrize(
        ("labels", "name", "message"),
        [
            (["a", "a", "b", "b"], "c", r"no row has the label 'c' \(--out-of-scope-label\)"),
            (["a", "a", "b", "c"], "c", "the out-of-scope label 'c' has only one text"),
            (["a", "a", "c", "c"], "c", "only one class, 'a'"),
        ],
    )
    def test_what_cannot_be_trained_on(self, labels, name, message):
        """Said before anything is embedded."""
        with pytest.raises(embedclf.TrainingError, match=message):
            embedclf.train(["one", "two", "three", "four"], labels, out_of_scope_label=name)

    @pytest.mark.parametrize("n", [19, 20])
    def test_few_rows_to_choose_by_are_said(self, n: int, caplog: pytest.LogCaptureFixture):
        """As few as make figures uncertain, and no more."""
        texts = [f"{text} {number}" for number in range(2) for text in STRANGE][:n]
        embedclf.train([*TEXTS, *texts], [*LABELS, *["other"] * n], out_of_scope_label="other")
        assert ("out-of-scope rows to choose the threshold on: it may be far off" in caplog.text) == (n < 20)

    def test_a_threshold_by_hand_stays(self):
        """The examples are then only left out."""
        classifier = embedclf.train(
            [*TEXTS, *STRANGE], [*LABELS, *["other"] * 12], out_of_scope_label="other", min_confidence=0.25
        )
        assert classifier.card.threshold == 0.25


class TestChoosing:
    """The choice itself, by hand."""

    def judged(self, confidence, correct, in_scope=None) -> Judged:
        scope = np.ones(len(confidence), dtype=bool) if in_scope is None else np.array(in_scope, dtype=bool)
        return Judged(np.array(confidence), np.array(correct, dtype=bool), scope)

    def test_it_answers_most_of_what_reaches_the_target(self):
        """Of 100 right answers above 20 wrong ones, all the right ones; Wilson's lower end of 100 of 100 is 100/101."""
        judged = self.judged([0.9] * 100 + [0.4] * 20, [1] * 100 + [0] * 20)
        assert choose_threshold(judged, 0.985) == 0.9
        assert choose_threshold(judged, 0.79) == 0.0
        with pytest.raises(embedclf.TrainingError, match=r"the best is 0\.99, answering 83\.3 % of texts"):
            choose_threshold(judged, 0.991)

    def test_few_answers_do_not_vouch_for_much(self):
        """Seven right answers, and no wrong one, reach 7/8 and no more."""
        judged = self.judged([0.9] * 7, [1] * 7)
        assert choose_threshold(judged, 0.874) == 0.0
        with pytest.raises(embedclf.TrainingError, match=r"the best is 0\.875, answering 100\.0 % of texts"):
            choose_threshold(judged, 0.876)

    def test_it_parts_in_scope_from_out_of_scope(self):
        """At the largest F1 of rejecting, as scikit-learn has it."""
        rng = np.random.default_rng(0)
        confidence = np.concatenate([rng.beta(5, 2, 300), rng.beta(2, 3, 200)]).round(4)
        in_scope = np.arange(500) < 300
        chosen = choose_threshold(self.judged(confidence, in_scope, in_scope), None)
        f1 = [sk.f1_score(~in_scope, confidence < threshold) for threshold in np.unique(confidence)]
        assert chosen == np.unique(confidence)[np.argmax(f1)]

    def test_few_out_of_scope_count_as_a_fifth(self):
        """So that the threshold does not depend on how many were collected."""
        rng = np.random.default_rng(0)
        confidence = np.concatenate([rng.beta(5, 2, 400), rng.beta(2, 3, 100)]).round(4)
        in_scope = np.arange(500) < 400
        fifth = choose_threshold(self.judged(confidence, in_scope, in_scope), None)
        many = np.concatenate([np.tile(confidence[:400], 9), confidence[400:]])
        in_scope = np.arange(3700) < 3600
        assert choose_threshold(self.judged(many, in_scope, in_scope), None) == fifth
