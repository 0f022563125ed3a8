"""The words that support the labels that a classifier predicts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from embedclf.arrays import Vectors
from embedclf.classifier.explanation import by_word
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.evaluation.report import Report, WordOfLabel

_N_WORDS = 8
# Explaining a text takes several times as long as classifying it.
_MOST_EXPLAINED = 2_000
_MOST_CHARACTERS = 1 << 20


def with_words(report: Report, classifier: TextClassifier, texts: Sequence[str], vectors: Vectors) -> Report:
    """Return the report with the words that support the predictions of wrong rows and each label."""
    most = min(_MOST_EXPLAINED, 1 + _MOST_CHARACTERS * len(texts) // sum(map(len, texts)))
    wrong_rows = [one.row for one in report.wrong[:most]]
    # Evenly spaced, since files are often sorted by label.
    spread = np.linspace(0, len(texts) - 1, min(len(texts), most)).astype(np.intp).tolist()
    rows = sorted({*wrong_rows, *spread})
    why = dict(zip(rows, classifier.explain([texts[row] for row in rows], vectors=vectors[rows]), strict=True))
    wrong = [
        # An explanation is about the most likely label, which need not be the one that is answered.
        one._replace(spans=why[one.row].spans) if place < most and why[one.row].label == one.predicted else one
        for place, one in enumerate(report.wrong)
    ]
    found: dict[str, list[dict[str, float]]] = {}
    for row in spread:
        found.setdefault(why[row].label, []).append(by_word(texts[row], why[row].spans))
    by_label = {label: strongest_words(found[label]) for label in sorted(found)}
    return replace(report, wrong=tuple(wrong), words_by_label=by_label)


def strongest_words(of_texts: Sequence[dict[str, float]]) -> tuple[WordOfLabel, ...]:
    """Return the words that most support the predicted label of some texts."""
    n_texts = Counter(word for words in of_texts for word in words)
    sums: dict[str, float] = {}
    for words in of_texts:
        for word, weight in words.items():
            sums[word] = sums.get(word, 0.0) + weight
    supporting = [word for word, weight in sums.items() if weight > 0]
    # A word that occurs in one text may be chance, but is better than none.
    common = [word for word in supporting if n_texts[word] > 1]
    chosen = sorted(common if len(common) >= _N_WORDS else supporting, key=lambda word: (-sums[word], word))
    return tuple(WordOfLabel(word, sums[word] / len(of_texts)) for word in chosen[:_N_WORDS])
