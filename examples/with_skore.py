"""Report on a classifier with skore: its metrics beside those of TF-IDF, on the same held-out rows.

pip install embedclf skore
python examples/with_skore.py datasets/product_reviews.csv
"""

import csv
import sys
from pathlib import Path

import skore
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import embedclf


def main(path: str) -> None:
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    texts, labels = [row["text"] for row in rows], [row["label"] for row in rows]
    half = {"X_train": texts[::2], "y_train": labels[::2], "X_test": texts[1::2], "y_test": labels[1::2]}

    ours = skore.EstimatorReport(embedclf.EmbeddingClassifier("wordllama"), **half)
    words = skore.EstimatorReport(make_pipeline(TfidfVectorizer(), LogisticRegression()), **half)
    print(ours.metrics.summarize().frame())
    print(f"TF-IDF: accuracy {words.metrics.accuracy():.3f}, log loss {words.metrics.log_loss():.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
