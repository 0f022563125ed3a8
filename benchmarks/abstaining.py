"""What should decide whether to abstain, and how well it rejects what is out of scope.

    python benchmarks/abstaining.py --banking77 FOLDER

FOLDER is that of quality.py. Of Banking77's 77 labels, 25 are drawn to be out of scope: near to the others, as they are
of the same bank. The support tickets are far from them; of their own 12 labels, 4 are drawn. The examples of what to
reject are 100 rows of half of these labels: the rows of the other half are of a kind never seen. All vectors are
WordLlama's; the figures are means over draws.
"""

import argparse
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from quality import DATASETS, EMBEDDER, Rows, read
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from embedclf.arrays import Floats, Mask
from embedclf.classifier.linear import LinearModel, softmax, softmax_in_scope
from embedclf.classifier.scope import ScopeRule
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.features.vocabulary import count_ngrams
from embedclf.stats.metrics import auroc, expected_calibration_error
from embedclf.training.checks import check_examples
from embedclf.training.recipe import Recipe
from embedclf.training.scope import LEAST_SHARE
from embedclf.training.settings import Settings, choose_settings, fit_all
from embedclf.training.training_set import make_training_set

OUTSIDE = "out of scope"
N_EXAMPLES = 100
FEATURES = ("embedding", "auto", "words")
SHARES = (0.0, 0.1, LEAST_SHARE, 0.3)
COMBINATIONS = (
    ("largest probability",),
    ("energy",),
    ("largest probability", "energy"),
    ("entropy", "energy"),
    ("margin", "energy"),
)
MIXED_SHARE = 0.18
"""The share of out-of-scope texts among those that thresholds are measured on, which is that of CLINC150."""


@dataclass
class Split:
    """Rows to train on, examples of what to reject, and rows to test with."""

    inside: Rows
    examples: Rows
    test: Rows
    is_inside: Mask
    is_seen: Mask

    @classmethod
    def draw(cls, train: Rows, test: Rows, n_outside: int, seed: int) -> "Split":
        rng = np.random.default_rng(seed)
        outside = rng.choice(sorted(set(train.labels)), n_outside, replace=False)
        seen = outside[: n_outside // 2]
        rows = rng.permutation(np.flatnonzero(np.isin(train.labels, seen)))[:N_EXAMPLES]
        return cls(
            train[~np.isin(train.labels, outside)],
            replace(train[rows], labels=np.full(len(rows), OUTSIDE)),
            test,
            ~np.isin(test.labels, outside),
            np.isin(test.labels, seen),
        )


@dataclass
class Trained:
    """A model, and the settings and out-of-fold scores that it was fitted with."""

    model: LinearModel
    settings: Settings

    @classmethod
    def on(cls, rows: Rows, features: str) -> "Trained":
        recipe = Recipe(features=features)
        texts, labels = list(rows.texts), list(rows.labels)
        outside = OUTSIDE if OUTSIDE in labels else None
        classes, y = check_examples(texts, labels, outside)
        embedded = EmbeddedTexts(texts, labels, embedder=EMBEDDER, vectors=rows.vectors)
        examples = make_training_set(recipe, embedded, classes, y)
        settings = choose_settings(recipe, examples, seed=0)
        model = fit_all(recipe, settings, examples).model(settings.temperature, classes, scope=settings.scope)
        return cls(model, settings)

    def scores(self, rows: Rows) -> Floats:
        words = self.model.words
        return self.model.scores(rows.vectors, None if words is None else words.vocabulary.terms(list(rows.texts)))

    def correct(self, rows: Rows) -> Mask:
        return np.array(self.model.classes)[self.scores(rows).argmax(axis=1)] == rows.labels


def risk_coverage(correct: Mask, confidence: Floats) -> float:
    """Area under the risk-coverage curve: the mean share of wrong answers among the surest 1, 2, … of all."""
    wrong = ~correct[np.argsort(-confidence, kind="stable")]
    return float(np.mean(np.cumsum(wrong) / np.arange(1, len(wrong) + 1)))


def energy(scores: Floats) -> Floats:
    return np.log(np.exp(scores - scores.max(axis=1, keepdims=True)).sum(axis=1)) + scores.max(axis=1)


def of_scores(scores: Floats, temperature: float) -> dict[str, Floats]:
    """Return the measures that need the scores alone."""
    probabilities = softmax(scores).astype(np.float64)
    first, second = np.sort(probabilities, axis=1)[:, :-3:-1].T
    return {
        "largest probability": np.log(first) - np.log1p(1e-9 - first),
        "margin": first - second,
        "entropy": (probabilities * np.log(probabilities + 1e-12)).sum(axis=1),
        "largest score": scores.max(axis=1) * temperature,
        "energy": energy(scores * temperature),
    }


def of_texts(trained: Trained, inside: Rows, rows: Rows) -> dict[str, Floats]:
    """Return the measures of all kinds."""
    centroids = np.array([inside.vectors[inside.labels == name].mean(axis=0) for name in trained.model.classes])
    found = of_scores(trained.scores(rows), trained.settings.temperature) | {
        "nearest class mean": (2 * rows.vectors @ centroids.T - (centroids**2).sum(axis=1)).max(axis=1),
        "nearest training text": (rows.vectors @ inside.vectors.T).max(axis=1),
    }
    if (words := trained.model.words) is not None:
        counts = [
            np.bincount(count_ngrams(list(rows.texts), known).texts, minlength=len(rows.texts))
            for known in (words.vocabulary.hashes, None)
        ]
        found["known n-grams"] = counts[0] / np.maximum(counts[1], 1)
    return found


def without_examples(name: str, train: Rows, test: Rows, far: Rows | None, n_outside: int, draws: int) -> None:
    for features in FEATURES:
        figures = defaultdict(list)
        for seed in range(draws):
            split = Split.draw(train, test, n_outside, seed)
            trained, inside = Trained.on(split.inside, features), split.is_inside
            correct = trained.correct(test)[inside]
            of_far = {} if far is None else of_texts(trained, split.inside, far)
            for measure, value in of_texts(trained, split.inside, test).items():
                figures[measure].append(
                    (
                        risk_coverage(correct, value[inside]),
                        auroc(correct, value[inside]),
                        auroc(inside, value),
                        against(value[inside], of_far[measure]) if of_far else np.nan,
                    )
                )
        print(f"{name}, {features}, no examples: risk-coverage area; AUROC of right answers, near, far")
        show(figures)


Confidence = Callable[[Rows], Floats]


def not_fitted(trained: Trained, examples: Rows) -> dict[str, Confidence]:
    """Return confidences by a model without the examples, alone and by logistic regression that has seen them."""
    temperature = trained.settings.temperature
    inside, outside = (
        of_scores(scores, temperature) for scores in (trained.settings.out_of_fold.scores, trained.scores(examples))
    )
    y = np.arange(len(inside["energy"]) + len(examples.texts)) < len(inside["energy"])
    found: dict[str, Confidence] = {}
    for names in COMBINATIONS:
        columns = [np.concatenate([inside[name], outside[name]]) for name in names]
        fit = make_pipeline(StandardScaler(), LogisticRegression()).fit(np.column_stack(columns), y)

        def confidence(rows: Rows, names=names, fit=fit) -> Floats:
            of_rows = of_scores(trained.scores(rows), temperature)
            return fit.decision_function(np.column_stack([of_rows[name] for name in names]))

        found[" + ".join(names)] = confidence
    return found


def as_if(rule: ScopeRule, n_inside: int, n_outside: int, share: float) -> ScopeRule:
    """Return the rule as if that share of texts were out of scope, or the share of the examples if that is more."""
    of_examples = n_outside / (n_inside + n_outside)
    assumed, wanted = max(LEAST_SHARE, of_examples), max(share, of_examples)
    shift = np.log((1 - wanted) / wanted) - np.log((1 - assumed) / assumed)
    return replace(rule, intercept=rule.intercept + float(shift))


def fitted(trained: Trained, n_inside: int, n_outside: int) -> dict[str, Confidence]:
    """Return confidences by a model that is fitted on the examples as one more class."""
    rule = trained.settings.scope
    found: dict[str, Confidence] = {
        "fitted: largest probability": lambda rows: softmax(trained.scores(rows)).max(axis=1),
        "fitted: log-odds": lambda rows: energy(trained.scores(rows)),
        "fitted: P(in scope)": lambda rows: rule.probability(trained.scores(rows)),
    }
    for share in SHARES:
        one = as_if(rule, n_inside, n_outside, share)
        found[f"fitted: P(in scope) x largest, {share:g} or more outside"] = lambda rows, one=one: softmax_in_scope(
            trained.scores(rows), one
        ).max(axis=1)
    return found


def with_examples(name: str, train: Rows, test: Rows, far: Rows | None, n_outside: int, draws: int) -> None:
    for features in FEATURES:
        figures, chosen, accuracy = defaultdict(list), defaultdict(list), []
        for seed in range(draws):
            split = Split.draw(train, test, n_outside, seed)
            n_inside, n_examples = len(split.inside.texts), len(split.examples.texts)
            without = Trained.on(split.inside, features)
            model = Trained.on(split.inside.joined(split.examples), features)
            inside, other = split.is_inside, ~split.is_inside & ~split.is_seen
            accuracy.append([one.correct(test)[inside].mean() for one in (without, model)])
            for trained, methods in (
                (without, not_fitted(without, split.examples)),
                (model, fitted(model, n_inside, n_examples)),
            ):
                correct = trained.correct(test)[inside]
                for method, confidence in methods.items():
                    value = confidence(test)
                    figures[method].append(
                        (
                            auroc(correct, value[inside]),
                            against(value[inside], value[split.is_seen]),
                            against(value[inside], value[other]),
                            np.nan if far is None else against(value[inside], confidence(far)),
                        )
                    )
            for how, values in thresholds(split, without, model, seed).items():
                chosen[how].append(values)
        print(f"{name}, {features}, {N_EXAMPLES} examples: AUROC of right answers; of labels seen, of others, far")
        show(figures)
        print("  accuracy in scope without and with the examples {:.3f} {:.3f}".format(*np.mean(accuracy, axis=0)))
        print(
            f"{name}, {features}, {MIXED_SHARE:.0%} out of scope: F1, precision, recall of rejecting; in-scope rows "
            "answered correctly, accuracy of answers in scope; calibration error in scope, of all"
        )
        show(chosen)


def thresholds(split: Split, without: Trained, model: Trained, seed: int) -> dict[str, tuple[float, ...]]:
    """Measure thresholds by several criteria on as many texts out of scope as usual."""
    test, inside = split.test, split.is_inside
    n = round(inside.sum() * MIXED_SHARE / (1 - MIXED_SHARE))
    outside = np.flatnonzero(~inside)
    drawn = np.random.default_rng(seed).choice(outside, min(n, len(outside)), replace=False)
    rows = np.concatenate([np.flatnonzero(inside), drawn])
    known = without.settings.out_of_fold
    scores = np.concatenate([known.scores, without.scores(split.examples)])
    y = np.concatenate([known.y, np.full(len(split.examples.texts), known.scores.shape[1])])
    largest = (without, None, scores, y)
    judged = model.settings.out_of_fold
    found = {}
    for share in (None, *SHARES):
        if share is None:
            trained, rule, scores, y = largest
        else:
            counts = len(split.inside.texts), len(split.examples.texts)
            trained, rule, scores, y = model, as_if(model.settings.scope, *counts, share), judged.scores, judged.y
        confidence = softmax_in_scope(scores, rule).max(axis=1)
        in_scope, right = y < scores.shape[1], scores.argmax(axis=1) == y
        of_test = softmax_in_scope(trained.scores(test[rows]), rule).max(axis=1)
        correct, is_inside = trained.correct(test[rows]) & inside[rows], inside[rows]
        errors = (
            expected_calibration_error(correct[is_inside], of_test[is_inside]),
            expected_calibration_error(correct, of_test),
        )
        name = "largest probability" if share is None else f"P(in scope) x largest, {share:g} or more outside"
        for criterion, assumed in (("J", 0.5), ("F1", 0.1), ("F1", 0.2), ("F1", 0.3), ("accuracy", 0.2)):
            threshold = choose(criterion, assumed, confidence, in_scope, right)
            rejected, answered = of_test < threshold, of_test >= threshold
            n_rightly = (rejected & ~is_inside).sum()
            found[f"{name}, {criterion}" + (f" at {assumed:g}" if criterion != "J" else "")] = (
                2 * n_rightly / (rejected.sum() + (~is_inside).sum()),
                n_rightly / max(rejected.sum(), 1),
                n_rightly / (~is_inside).sum(),
                (correct & answered).sum() / is_inside.sum(),
                correct[answered & is_inside].mean(),
                *errors,
            )
    return found


def choose(criterion: str, share: float, confidence: Floats, in_scope: Mask, right: Mask) -> float:
    """Choose the threshold by a criterion, as if that share of texts were out of scope."""
    order = np.argsort(confidence, kind="stable")
    share = max(share, 1 - in_scope.mean())
    weights = np.where(in_scope, (1 - share) / in_scope.sum(), share / (~in_scope).sum())

    def rejected(rows: Mask) -> Floats:
        return np.concatenate([[0], np.cumsum((weights * rows)[order])])

    outside, inside = rejected(~in_scope), rejected(in_scope)
    value = {
        "J": outside / share - inside / (1 - share),
        "F1": 2 * outside / (outside + inside + share),
        "accuracy": outside - rejected(right),
    }[criterion]
    return float(np.append(confidence[order], 1.0)[value.argmax()])


def against(inside: Floats, outside: Floats) -> float:
    return auroc(np.arange(len(inside) + len(outside)) < len(inside), np.concatenate([inside, outside]))


def show(figures: dict[str, list[tuple[float, ...]]]) -> None:
    for name, values in figures.items():
        print(f"  {name:<58}", *(f"{value:.3f}" for value in np.mean(values, axis=0)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--banking77", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--draws", type=int, default=4)
    args = parser.parse_args()

    tickets, tickets_test = (read(DATASETS / f"support_tickets{part}.csv") for part in ("", "_test"))
    banking, banking_test = (read(args.banking77 / f"banking77_{part}.csv") for part in ("train", "test"))
    for measure in (without_examples, with_examples):
        measure("Banking77", banking, banking_test, tickets, 25, args.draws)
        measure("tickets", tickets, tickets_test, None, 4, args.draws)


if __name__ == "__main__":
    main()
