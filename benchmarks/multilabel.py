"""Several labels a text: how often they are right, with thresholds of their own, at 0.5, and beside scikit-learn.

    python benchmarks/multilabel.py --banking77 FOLDER

FOLDER is that of quality.py. One or more messages of Banking77 (1, 2 or 3 in 50, 35 and 15 % of cases) are put together
to a text that has the labels of all: 8,000 texts to train on and 2,000 to test with. The other side is TF-IDF of words
and pairs of words with one logistic regression per label, C = 1 or the best of 1, 10, 100 by micro-F1 on the test set.

With `--few-rows`, it compares ways to choose thresholds instead, several times each: on such texts with 8, 20 and 77
labels, and on the hotel reviews divided anew.
"""

import argparse
import csv
import random
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from quality import DATASETS
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, label_ranking_average_precision_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MultiLabelBinarizer

import embedclf
from embedclf.classifier.decisions import MultiLabelDecision
from embedclf.data.corpus import read_corpus
from embedclf.data.label_sets import listed_labels, split_labels
from embedclf.stats import multilabel
from embedclf.training import label_calibration, settings
from embedclf.training.label_calibration import LabelCalibration

Texts = tuple[list[str], list[tuple[str, ...]]]
N_TRAIN, N_TEST = 8_000, 2_000
# How many of Banking77's labels, and how many subsets of each size.
SUBSETS = ((8, 10), (20, 8), (77, 5))
SIZES = (32, 64, 128, 256, 512, 1_000)
N_DIVISIONS = 30


def reviews(name: str) -> Texts:
    with (DATASETS / name).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    cells = [row["labels"] for row in rows]
    sets = [split_labels(cell, "|") if (listed := listed_labels(cell)) is None else listed for cell in cells]
    return [row["text"] for row in rows], sets


def put_together(path: Path, n: int, seed: int = 1, labels_of: int = 77) -> Texts:
    corpus = read_corpus(path)
    kept = set(random.Random(f"{labels_of} {seed}").sample(sorted(set(corpus.labels)), labels_of))
    texts, labels = zip(*(row for row in zip(corpus.texts, corpus.labels, strict=True) if row[1] in kept), strict=True)
    rng, out, sets = random.Random(seed), [], []
    for _ in range(n):
        rows = rng.sample(range(len(texts)), rng.choices([1, 2, 3], [0.5, 0.35, 0.15])[0])
        out.append(" ".join(texts[row] for row in rows))
        sets.append(tuple(sorted({labels[row] for row in rows})))
    return out, sets


def figures(given: Any, predicted: Any, scores: Any) -> list[float]:
    return [
        f1_score(given, predicted, average="micro"),
        f1_score(given, predicted, average="macro", zero_division=0),
        float((given == predicted).all(axis=1).mean()),
        label_ranking_average_precision_score(given, scores),
    ]


def compare(name: str, train: Texts, test: Texts) -> None:
    binarizer = MultiLabelBinarizer().fit(train[1])
    given = binarizer.transform(test[1])
    print(f"\n{name}: {len(train[0]):,} and {len(test[0]):,} texts, {len(binarizer.classes_)} labels")
    print(f"{'':<30} micro-F1  macro-F1  exact match   LRAP")

    def show(what: str, predicted: Any, scores: Any) -> None:
        micro, macro, exact, ranked = figures(given, predicted, scores)
        print(f"{what:<30} {micro:8.3f}  {macro:8.3f}  {exact:11.3f}  {ranked:5.3f}")

    for features in ("words", "auto"):
        classifier = embedclf.train(*train, embedder="wordllama", features=features, holdout=0)
        scores = classifier.predict_proba(test[0])
        show(f"embedclf, {features}", binarizer.transform(classifier.predict(test[0])), scores)
        show(f"embedclf, {features}, at 0.5", (scores >= 0.5).astype(int), scores)
    of_peers = []
    for C in (1, 10, 100):
        tfidf = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
        peer = make_pipeline(tfidf, OneVsRestClassifier(LogisticRegression(C=C, max_iter=1000)))
        peer.fit(train[0], binarizer.transform(train[1]))
        scores = peer.predict_proba(test[0])
        of_peers.append((C, (scores >= 0.5).astype(int), scores))
    best = max(of_peers, key=lambda one: figures(given, *one[1:])[0])
    for C, predicted, scores in of_peers[:1] if best is of_peers[0] else [of_peers[0], best]:
        show(f"TF-IDF, one-vs-rest, C = {C}", predicted, scores)


def if_more_than_noise(given: Any, scores: Any, found: LabelCalibration, at_least_one: bool) -> Any:
    """Return 0.5, or the thresholds if they gain more than a standard error of out-of-fold micro-F1 over it."""
    half = np.full_like(found.thresholds, 0.5)
    probabilities = 1 / (1 + np.exp(-(scores * found.factors + found.shifts)))
    parts = []
    for thresholds in (found.thresholds, half):
        decision = MultiLabelDecision(tuple(map(str, range(given.shape[1]))), thresholds, at_least_one)
        parts += [part.sum(axis=1) for part in multilabel.f1_parts(given, decision.given(probabilities))]
    of_rows, rng = np.column_stack(parts), np.random.default_rng(0)
    sums = np.array([of_rows[rng.integers(0, len(given), len(given))].sum(axis=0) for _ in range(100)])
    gains = sums[:, 0] / np.maximum(sums[:, 1], 1) - sums[:, 2] / np.maximum(sums[:, 3], 1)
    return found.thresholds if gains.mean() > gains.std() else half


def with_few_rows(train: Texts, test: Texts) -> dict[str, tuple[float, float]] | None:
    """Return micro- and macro-F1 for each way to choose thresholds; None where nothing can be trained."""
    seen: list[Any] = []

    def calibrate(scores: Any, given: Any, weights: Any) -> Any:
        seen[:] = [scores, given]
        return label_calibration.calibrate_labels(scores, given, weights)

    with mock.patch.object(settings, "calibrate_labels", calibrate):
        try:
            classifier = embedclf.train(*train, embedder="wordllama", holdout=0)
        except embedclf.TrainingError:
            return None
    if not seen:
        return None
    scores, given = seen
    found, rules = label_calibration.calibrate_labels(scores, given), classifier.card.multilabel
    with mock.patch.object(label_calibration, "_ROWS_EXPECTED", 1e-9):
        observed = label_calibration.calibrate_labels(scores, given)
    ways: dict[str, Any] = {
        "as embedclf does": found.thresholds,
        "by observed F1 alone": observed.thresholds,
        "0.5": np.full_like(found.thresholds, 0.5),
        "0.5 unless more than noise": if_more_than_noise(given, scores, observed, rules.at_least_one),
    }
    n = given.sum()
    ways["drawn to 0.5 (100 labels)"] = observed.thresholds ** (n / (n + 100)) * 0.5 ** (100 / (n + 100))
    binarizer = MultiLabelBinarizer(classes=sorted({*classifier.classes, *(one for own in test[1] for one in own)}))
    has = binarizer.fit_transform(test[1])
    columns = [list(binarizer.classes_).index(name) for name in classifier.classes]
    probabilities, out = classifier.predict_proba(test[0]), {}
    for name, thresholds in ways.items():
        gets = np.zeros_like(has)
        gets[:, columns] = MultiLabelDecision(classifier.classes, thresholds, rules.at_least_one).given(probabilities)
        out[name] = multilabel.micro_f1(has > 0, gets > 0), multilabel.macro_f1(has > 0, gets > 0)
    return out


def divided(seed: int, n: int) -> tuple[Texts, Texts]:
    (texts, sets), (others, theirs) = reviews("hotel_reviews.csv"), reviews("hotel_reviews_test.csv")
    rows = [*zip(texts + others, sets + theirs, strict=True)]
    random.Random(seed).shuffle(rows)
    return tuple(tuple(map(list, zip(*part, strict=True))) for part in (rows[:n], rows[n:]))


def few_rows(folder: Path) -> None:
    print(f"{'':<38} micro-F1, macro-F1; means of the draws, and gain over 0.5")
    for n in (32, 64):
        show_means(f"Hotel reviews, {n} rows", [divided(seed, n) for seed in range(N_DIVISIONS)])
    for n_labels, n_draws in SUBSETS:
        for n in SIZES:
            draws = [
                (
                    put_together(folder / "banking77_train.csv", n, seed, n_labels),
                    put_together(folder / "banking77_test.csv", 1_000, seed, n_labels),
                )
                for seed in range(n_draws)
            ]
            show_means(f"{n_labels} labels, {n} rows", draws)


def show_means(name: str, draws: list[tuple[Texts, Texts]]) -> None:
    found = [one for draw in draws if (one := with_few_rows(*draw)) is not None]
    print(f"\n{name} ({len(found)} draws)")
    for way in found[0]:
        of_all = np.array([one[way] for one in found])
        gains = of_all - [one["0.5"] for one in found]
        (micro, macro), (of_micro, of_macro) = of_all.mean(axis=0), gains.mean(axis=0)
        error = gains[:, 0].std() / max(1, len(found)) ** 0.5
        print(f"  {way:<36} {micro:.3f} ({of_micro:+.3f} ± {error:.3f})  {macro:.3f} ({of_macro:+.3f})", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--banking77", metavar="FOLDER", type=Path, required=True)
    parser.add_argument("--few-rows", action="store_true")
    args = parser.parse_args()
    folder = args.banking77
    if args.few_rows:
        few_rows(folder)
        return
    compare("Hotel reviews", reviews("hotel_reviews.csv"), reviews("hotel_reviews_test.csv"))
    train = put_together(folder / "banking77_train.csv", N_TRAIN)
    compare("Banking77, put together", train, put_together(folder / "banking77_test.csv", N_TEST))


if __name__ == "__main__":
    main()
