"""What a model file keeps of the answers to held-out texts, and how later answers are compared with it."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import ks_2samp

import embedclf
from corpus import DATASETS, LABELS, QUICK, TEXTS
from embedclf.classifier.decisions import Decision
from embedclf.classifier.linear import logistic, softmax
from embedclf.classifier.model_file import model_bytes
from embedclf.classifier.reference import LEVELS, AnswerReference, Measures
from embedclf.classifier.reference_shift import AnswerTally, ReferenceShift
from embedclf.data.corpus import read_corpus

CLASSES = ("a", "b", "c")


def scores_of(n: int, seed: int, spread: float = 3.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, spread, (n, 3)).astype(np.float32)


def reference_of(scores: np.ndarray, threshold: float | None = None) -> AnswerReference:
    reference = AnswerReference.of(scores, softmax(scores), Decision(CLASSES, threshold))
    assert reference is not None
    return reference


def shift_of(scores: np.ndarray, reference: AnswerReference, parts: int = 1) -> ReferenceShift:
    tally = AnswerTally(reference)
    for part in np.array_split(scores, parts):
        tally.add(Measures.of(part, softmax(part), several=False), len(part))
    shift = tally.shift()
    assert shift is not None
    return shift


@pytest.fixture(scope="module")
def tickets() -> tuple[list[str], list[str]]:
    corpus = read_corpus(DATASETS / "support_tickets.csv")
    return corpus.texts[:200], corpus.labels[:200]


class TestWhatIsKept:
    def test_quantiles_counts_and_the_share_abstained(self):
        """A quantile is the least value that the share does not exceed."""
        scores = scores_of(1_000, 0)
        reference, confidence = reference_of(scores, 0.6), np.sort(softmax(scores).max(axis=1))
        assert reference.n_examples == 1_000
        assert reference.confidence[LEVELS.index(0.5)] == pytest.approx(confidence[499], abs=5e-5)
        energy = np.sort(-logsumexp(scores, axis=1))
        assert reference.energy[0] == pytest.approx(energy[9], abs=1e-4)
        assert reference.abstained == pytest.approx((confidence < 0.6).mean())
        assert reference.labels == tuple(np.bincount(scores.argmax(axis=1)).tolist())
        assert AnswerReference.from_dict(json.loads(json.dumps(reference.to_dict())), 3) == reference

    def test_where_several_labels_may_be_given_the_energies_of_all_add_up(self):
        """And the confidence is that of the likeliest."""
        scores = scores_of(10, 0)
        measures = Measures.of(scores, logistic(scores), several=True)
        assert measures.energy == pytest.approx(-np.log1p(np.exp(scores)).sum(axis=1), abs=1e-4)
        assert measures.confidence == pytest.approx(logistic(scores).max(axis=1), abs=1e-4)

    def test_few_texts_are_not_kept(self):
        assert AnswerReference.of(scores_of(49, 0), softmax(scores_of(49, 0)), Decision(CLASSES)) is None

    @pytest.mark.parametrize("holdout", [0, 0.3])
    def test_training_keeps_it_and_the_file_has_it(self, tickets: tuple[list[str], list[str]], holdout: float):
        """Every row is judged once, by a fit without it: held out, or out of fold. It takes less than 1 kB."""
        trained = embedclf.train(*tickets, **QUICK | {"holdout": holdout})
        reference = trained.card.reference
        assert reference.n_examples == sum(reference.labels) == 200
        assert reference.abstained == 0
        trained.save("model.safetensors")
        assert embedclf.load("model.safetensors").card.reference == reference
        without = replace(trained.card, reference=None)
        assert len(model_bytes(trained.model, trained.card)) - len(model_bytes(trained.model, without)) < 1_000
        assert "reference" not in trained.to_dict()

    def test_other_heads_and_several_labels(self, tickets: tuple[list[str], list[str]]):
        texts, labels = tickets
        assert embedclf.train(texts, labels, head="centroid", **QUICK | {"regularization": "auto"}).card.reference
        sets = [[] if label == labels[0] else [label] for label in labels]
        several = embedclf.train(texts, sets, **QUICK)
        reference = several.card.reference
        assert 0 < reference.abstained < 0.7
        assert 200 * (1 - reference.abstained) <= sum(reference.labels) < 300
        assert several.with_min_confidence(0.9).card.reference.labels is None

    def test_out_of_scope_texts_are_among_them(self, tickets: tuple[list[str], list[str]]):
        """As they will be among those that come."""
        texts, labels = tickets
        outside = labels[0]
        reference = embedclf.train(texts, labels, out_of_scope_label=outside, **QUICK).card.reference
        assert reference.n_examples == pytest.approx(200, abs=1)
        assert reference.abstained > 0

    def test_labels_without_rows_and_few_rows_have_none(self):
        assert embedclf.train(TEXTS, LABELS, **QUICK).card.reference is None
        assert embedclf.train(label_texts=["refund", "delivery"]).card.reference is None

    def test_other_thresholds_keep_what_is_still_known(self, tickets: tuple[list[str], list[str]]):
        """The share abstained follows from the confidences, unless costs decide."""
        trained = embedclf.train(*tickets, **QUICK)
        reference, higher = trained.card.reference, trained.with_min_confidence(0.5).card.reference
        assert 0 < higher.abstained < 1
        assert replace(higher, abstained=0.0) == reference
        assert trained.with_min_confidence(0.5).with_min_confidence(None).card.reference == reference
        costly = trained.with_costs({("*", None): 1, ("*", "*"): 3}).card.reference
        assert (costly.abstained, costly.labels) == (None, reference.labels)

    def test_a_share_below_lies_between_those_of_the_quantiles(self):
        reference = reference_of(scores_of(5_000, 0))
        confidence = softmax(scores_of(5_000, 0)).max(axis=1)
        for least in (0.0, 0.34, 0.5, 0.77, 0.99, 1.0):
            assert reference.share_below(least) == pytest.approx((confidence < least).mean(), abs=0.01)


class TestComparing:
    def test_the_distance_is_that_of_kolmogorov_and_smirnov(self):
        """As far as the quantiles tell, and whatever the parts in which texts come."""
        before, after = scores_of(2_000, 0), scores_of(1_500, 1, spread=1.5)
        shift = shift_of(after, reference_of(before))
        of_confidence = ks_2samp(softmax(before).max(axis=1), softmax(after).max(axis=1)).statistic
        of_energy = ks_2samp(logsumexp(before, axis=1), logsumexp(after, axis=1)).statistic
        assert shift.confidence_distance == pytest.approx(of_confidence, abs=0.03)
        assert shift.energy_distance == pytest.approx(of_energy, abs=0.03)
        assert shift_of(after, reference_of(before), parts=7) == shift

    def test_equal_answers_are_not_far_from_themselves(self):
        """As those to texts without a known word are, for a classifier by words."""
        scores = np.repeat(scores_of(2, 0), [700, 300], axis=0)
        shift = shift_of(scores, reference_of(scores))
        assert (shift.confidence_distance, shift.energy_distance) == (0, 0)

    def test_texts_like_the_old_ones_are_rarely_far(self):
        """At the most one file of a hundred, however many rows there are."""
        far = [
            shift_of(scores_of(n, seed), reference_of(scores_of(m, 10_000 + seed))).is_far
            for n in (50, 100, 1_000)
            for m in (50, 1_000)
            for seed in range(100)
        ]
        assert np.mean(far) <= 0.01

    def test_surer_answers_are_not_far(self):
        """As those to the training texts are, which someone may well label again."""
        shift = shift_of(scores_of(1_000, 1, spread=10), reference_of(scores_of(1_000, 0)))
        assert shift.confidence_distance > 0.3
        assert not shift.is_far
        assert shift.remark is None

    def test_a_few_texts_are_never_far(self):
        reference = reference_of(scores_of(1_000, 0, spread=10))
        assert not shift_of(scores_of(49, 1, spread=0.1), reference).is_far
        assert shift_of(scores_of(50, 1, spread=0.1), reference).is_far
        assert AnswerTally(reference).shift() is None

    def test_what_is_said(self):
        """By the medians, or where these are near, by the share below a confidence, or by the scores."""
        usual = ReferenceShift(1_000, 2_000, 0, 0, 0.8, 0.87, 0.38, 0.91, 0.3, 0.05, 0.5234, 0.05, 0.05)
        unlike = "These texts are unlike the training texts: "
        assert usual.remark == (
            f"{unlike}the median confidence is 0.80 (0.87 at training), and 38 % of them are answered (91 %). "
            "See embedclf drift."
        )
        assert replace(usual, median_confidence=0.86, answered=1, usual_answered=1).remark == (
            f"{unlike}30 % of them have a confidence below 0.52 (5 % at training). See embedclf drift."
        )
        assert replace(usual, less_sure=0.05, less_familiar=0.6, usual_answered=None).remark == (
            f"{unlike}60 % of them score as low as 5 % did at training. See embedclf drift."
        )
        assert replace(usual, less_sure=0.05).remark is None
