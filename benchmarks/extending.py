"""Whether it is worth starting from the weights of an older classifier when rows or a label are added.

    python benchmarks/extending.py --banking77 FOLDER

FOLDER holds banking77_train.csv with the columns text and label (Casanueva et al., "Efficient Intent Detection with
Dual Sentence Encoders", 2020; 10,003 rows). Of 10,000 rows, some are old: 9,000, 9,900, or all but those of one label.
An older classifier is trained on these, and then all rows are trained on, from scratch and from its weights in turn, as
CPU time on one thread with WordLlama's vectors. Choosing the settings, and the fit that is measured, are the same in
both: only the final fit starts from the older weights, and only if the same settings are chosen again.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import embedclf
from embedclf.data.corpus import read_corpus
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.training.heads import Start
from embedclf.training.recipe import check_recipe
from embedclf.training.trainer import train_on

HOW: dict[str, Any] = {
    "holdout": 0.2,
    "seed": 0,
    "target_accuracy": None,
    "min_confidence": None,
    "out_of_scope_label": None,
    "sample_weight": None,
    "class_weight": None,
    "name_vectors": None,
}


def trained(examples: EmbeddedTexts, start: Start | None = None) -> tuple[embedclf.TextClassifier, float]:
    """Return a classifier, and the CPU seconds of its training."""
    began = time.process_time()
    classifier, _ = train_on(examples, check_recipe("logistic"), start=start, **HOW)
    return classifier, time.process_time() - began


def compare(name: str, examples: EmbeddedTexts, old: np.ndarray[Any, Any], repeats: int) -> None:
    """Print what starting from a classifier of the old rows changes."""
    vectors, labels = examples.vectors, examples.known_labels
    before, _ = trained(chosen(examples, vectors, np.flatnonzero(old)))
    start = Start.of(before.model, before.card, sorted(set(labels)))
    seconds: dict[str, list[float]] = {"scratch": [], "start": []}
    for _ in range(repeats):
        scratch, of_scratch = trained(examples)
        started, of_start = trained(examples, start)
        seconds["scratch"].append(of_scratch)
        seconds["start"].append(of_start)
    ratio = median(one / other for one, other in zip(seconds["start"], seconds["scratch"], strict=True))
    sample = np.random.default_rng(0).choice(len(labels), 1_000, replace=False)
    texts = [examples.texts[row] for row in sample.tolist()]
    off = np.abs(np.subtract(*(one.probabilities(vectors[sample], texts) for one in (scratch, started)))).max()
    same = (before.card.regularization, before.card.word_scale) == (
        scratch.card.regularization,
        scratch.card.word_scale,
    )
    of_scratch, of_start = median(seconds["scratch"]), median(seconds["start"])
    print(
        f"{name}: from scratch {of_scratch:.1f} s, from the old weights {of_start:.1f} s ({ratio:.2f} times);", end=" "
    )
    print(f"settings as before: {'yes' if same else 'no'}; probabilities differ by at most {off:.1e}", flush=True)


def chosen(examples: EmbeddedTexts, vectors: Any, rows: Any) -> EmbeddedTexts:
    """Return some of the rows."""
    texts, labels = ([each[row] for row in rows] for each in (examples.texts, examples.known_labels))
    return EmbeddedTexts(texts, labels, embedder=examples.embedder, vectors=vectors[rows])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--banking77", type=Path, metavar="FOLDER", required=True)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args(arguments)
    corpus = read_corpus(asked.banking77 / "banking77_train.csv")
    rows = np.random.default_rng(0).permutation(len(corpus.texts))[:10_000]
    every = EmbeddedTexts(corpus.texts, corpus.labels, embedder=embedclf.open_embedder("wordllama"))
    examples = chosen(every, every.vectors, rows)
    place = np.arange(len(rows))
    label = examples.known_labels[0]
    with threadpool_limits(1):
        compare("1,000 new rows of 10,000", examples, place < 9_000, asked.repeats)
        compare("100 new rows of 10,000", examples, place < 9_900, asked.repeats)
        compare(f"a new label, {label}", examples, np.array(examples.known_labels) != label, asked.repeats)


if __name__ == "__main__":
    main()
