"""How good a classifier is without labelled texts, and how well a label without rows is told beside others.

    python benchmarks/no_labels.py --banking77 FOLDER
    python benchmarks/no_labels.py --banking77 FOLDER --embedder fastembed:sentence-transformers/all-MiniLM-L6-v2

FOLDER is that of quality.py. The tickets have descriptions, those of datasets/support_tickets_labels.csv; Banking77 has
only the names of its labels.
"""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from quality import DATASETS
from scipy.stats import t

import embedclf
from embedclf.data.corpus import read_corpus
from embedclf.data.label_file import read_label_file
from embedclf.stats.metrics import expected_calibration_error
from embedclf.training.label_names import texts_of
from embedclf.training.nearest_labels import NearestLabels

ROWS_A_LABEL = (1, 2, 4, 8)
TEMPERATURES = (0.05, 0.07, 0.09, 0.11, 0.13)
N_LEFT_OUT = 5


class Rows:
    """The rows of a file, embedded."""

    def __init__(self, path: Path, embedder) -> None:
        corpus = read_corpus(path)
        self.texts, self.labels = np.array(corpus.texts), np.array(corpus.labels)
        self.vectors = embedder.embed(corpus.texts)

    def of(self, rows):
        """The arguments for training on some rows."""
        return {"texts": self.texts[rows], "labels": self.labels[rows], "vectors": self.vectors[rows]}

    def judged(self, classifier) -> tuple[np.ndarray, np.ndarray]:
        """Whether each row is right, and its confidence."""
        probabilities = classifier.probabilities(self.vectors, self.texts)
        return np.array(classifier.classes)[probabilities.argmax(axis=1)] == self.labels, probabilities.max(axis=1)


def accuracy_of(right: np.ndarray, confidence: np.ndarray) -> str:
    return f"{right.mean():.3f} (ECE {expected_calibration_error(right, confidence):.3f})"


def without_rows(name: str, test: Rows, described, embedder, texts: Sequence[str]) -> None:
    """Each way to place labels, and embedclf's own."""
    print(f"{name}, without rows:")
    said = texts_of(sorted(described), described)
    vectors = embedder.embed([one.text for one in said])
    labels = np.array([one.label for one in said])
    own = NearestLabels.of(said, vectors)
    raw = (test.vectors @ vectors.T).argmax(axis=1)
    print(f"  nearest by cosine          {(labels[raw] == test.labels).mean():.3f}")
    print(f"  centred (train --labels)   {accuracy_of(*judged_by(own, test))}")
    seen = NearestLabels.of(said, vectors, mean_text=embedder.embed(list(texts)).mean(axis=0))
    print(f"  and by unlabelled texts    {accuracy_of(*judged_by(seen, test))}")
    scaled = own.weights * own.temperature, own.bias * own.temperature
    spread = own.temperature / 0.09
    figures = []
    for temperature in TEMPERATURES:
        model = embedclf.LinearModel(*(part / (temperature * spread) for part in scaled), own.labels)
        probabilities = model.probabilities(test.vectors)
        right = np.array(own.labels)[probabilities.argmax(axis=1)] == test.labels
        figures.append(f"{temperature:g}: {expected_calibration_error(right, probabilities.max(axis=1)):.3f}")
    print(f"  ECE by temperature         {', '.join(figures)}", flush=True)


def judged_by(nearest: NearestLabels, test: Rows) -> tuple[np.ndarray, np.ndarray]:
    probabilities = nearest.model().probabilities(test.vectors)
    return np.array(nearest.labels)[probabilities.argmax(axis=1)] == test.labels, probabilities.max(axis=1)


def with_few_rows(train: Rows, test: Rows, described, embedder, n_draws: int) -> None:
    """Descriptions as training texts, against names and nothing."""
    print("support tickets, with few rows a label:  nothing, names, names and descriptions (gain over names)")
    for n in ROWS_A_LABEL:
        found = []
        for seed in range(n_draws):
            rng = np.random.default_rng(seed)
            rows = [rng.choice(np.flatnonzero(train.labels == name), n, replace=False) for name in sorted(described)]
            few = {**train.of(np.concatenate(rows)), "embedder": embedder, "holdout": 0}
            asked = ({"label_names": False}, {"name_vectors": named(described, embedder)}, {"label_texts": described})
            found.append([test.judged(embedclf.train(**few, **one))[0].mean() for one in asked])
        nothing, names, both = np.mean(found, axis=0)
        gains = np.array(found)[:, 2] - np.array(found)[:, 1]
        reach = t.ppf(0.975, n_draws - 1) * gains.std(ddof=1) / np.sqrt(n_draws)
        print(f"  {n}: {nothing:.3f}, {names:.3f}, {both:.3f} ({gains.mean():+.3f} ± {reach:.3f})", flush=True)


def named(described, embedder) -> np.ndarray:
    return embedder.embed(embedclf.label_name_texts(sorted(described)))


def beside_rows(train: Rows, test: Rows, embedder, n_draws: int) -> None:
    """Labels of Banking77 whose rows are all left out, told by their names."""
    print(f"Banking77, {N_LEFT_OUT} of 77 labels without rows: their recall, the recall of the others, and accuracy")
    classes = np.unique(train.labels)
    for seed in range(n_draws):
        left_out = np.random.default_rng(seed).choice(classes, N_LEFT_OUT, replace=False)
        kept, is_new = ~np.isin(train.labels, left_out), np.isin(test.labels, left_out)
        how = {"embedder": embedder, "C": 10, "features": "both"}
        names = list(left_out)
        as_rows = {
            "texts": [*train.texts[kept], *embedclf.label_name_texts(names)],
            "labels": [*train.labels[kept], *names],
            "vectors": np.vstack([train.vectors[kept], embedder.embed(embedclf.label_name_texts(names))]),
        }
        for way, classifier in (
            ("left out", embedclf.train(**train.of(kept), **how)),
            ("its name as a row", embedclf.train(**as_rows, **how)),
            ("--labels", embedclf.train(**train.of(kept), **how, label_texts=list(classes))),
        ):
            right, _ = test.judged(classifier)
            figures = right[is_new].mean(), right[~is_new].mean(), right.mean()
            print(f"  draw {seed}, {way:<18} {'  '.join(f'{one:.3f}' for one in figures)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--banking77", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--embedder", default="wordllama", metavar="PROVIDER:MODEL")
    parser.add_argument("--draws", type=int, default=5)
    args = parser.parse_args()
    logging.getLogger("embedclf").setLevel(logging.ERROR)
    embedder = embedclf.open_embedder(args.embedder, cache=True)
    tickets, tickets_test = (Rows(DATASETS / f"support_tickets{part}.csv", embedder) for part in ("", "_test"))
    banking, banking_test = (Rows(args.banking77 / f"banking77_{part}.csv", embedder) for part in ("train", "test"))
    described = read_label_file(DATASETS / "support_tickets_labels.csv")
    names = dict.fromkeys(described, ())
    # No row is trained on, so all of the tickets can be judged.
    without_rows("support tickets, names", tickets, names, embedder, tickets_test.texts)
    without_rows("support tickets, names and descriptions", tickets, described, embedder, tickets_test.texts)
    of_banking = {str(label): () for label in np.unique(banking.labels)}
    without_rows("Banking77, names", banking_test, of_banking, embedder, banking.texts)
    with_few_rows(tickets, tickets_test, described, embedder, args.draws)
    beside_rows(banking, banking_test, embedder, args.draws)


if __name__ == "__main__":
    main()
