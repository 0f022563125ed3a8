"""Use embeddings in scikit-learn: a pipeline with another classifier, and a grid search over ours.

python examples/with_scikit_learn.py datasets/product_reviews.csv
"""

import csv
import sys
from pathlib import Path

from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from embedclf import EmbeddingClassifier, EmbeddingTransformer


def main(path: str) -> None:
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    texts, labels = [row["text"] for row in rows], [row["label"] for row in rows]

    svm = make_pipeline(EmbeddingTransformer("wordllama"), LinearSVC())
    print(f"LinearSVC on embeddings: accuracy {cross_val_score(svm, texts, labels, cv=3).mean():.3f}")

    search = GridSearchCV(EmbeddingClassifier("wordllama"), {"features": ["embedding", "words"]}, cv=3)
    search.fit(texts, labels)
    print(f"embedclf: {search.best_params_}, accuracy {search.best_score_:.3f}")

    # The estimator becomes a model file that needs no scikit-learn.
    search.best_estimator_.to_text_classifier().save("reviews.safetensors")


if __name__ == "__main__":
    main(*sys.argv[1:])
