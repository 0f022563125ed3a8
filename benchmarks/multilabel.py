"""Several labels a text: how often they are right, with thresholds of their own, at 0.5, and beside scikit-learn.

    python benchmarks/multilabel.py --banking77 FOLDER

FOLDER is that of quality.py. One or more messages of Banking77 (1, 2 or 3 in 50, 35 and 15 % of cases) are put together
to a text that has the labels of all: 8,000 texts to train on and 2,000 to test with. The other side is TF-IDF of words
and pairs of words with one logistic regression per label, C = 1 or the best of 1, 10, 100 by micro-F1 on the test set.
"""

import argparse
import csv
import random
from pathlib import Path
from typing import Any

from quality import DATASETS
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, label_ranking_average_precision_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MultiLabelBinarizer

import embedclf
from embedclf.data.corpus import read_corpus
from embedclf.data.label_sets import listed_labels, split_labels

Texts = tuple[list[str], list[tuple[str, ...]]]
N_TRAIN, N_TEST = 8_000, 2_000


def reviews(name: str) -> Texts:
    with (DATASETS / name).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    cells = [row["labels"] for row in rows]
    sets = [split_labels(cell, "|") if (listed := listed_labels(cell)) is None else listed for cell in cells]
    return [row["text"] for row in rows], sets


def put_together(path: Path, n: int) -> Texts:
    corpus = read_corpus(path)
    texts, labels = corpus.texts, corpus.labels
    rng, out, sets = random.Random(1), [], []
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--banking77", metavar="FOLDER", type=Path, required=True)
    folder = parser.parse_args().banking77
    compare("Hotel reviews", reviews("hotel_reviews.csv"), reviews("hotel_reviews_test.csv"))
    train = put_together(folder / "banking77_train.csv", N_TRAIN)
    compare("Banking77, put together", train, put_together(folder / "banking77_test.csv", N_TEST))


if __name__ == "__main__":
    main()
