"""Labels that are likely to be wrong."""

from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np

from embedclf.arrays import Ints, Vectors
from embedclf.quality.findings import Finding
from embedclf.training.folds import out_of_fold
from embedclf.training.inputs import Inputs
from embedclf.training.recipe import Recipe
from embedclf.training.training_set import TrainingSet

_FOLDS = 5


def why_no_label_errors(texts: Sequence[str], labels: Sequence[str]) -> str | None:
    """Say why wrong labels cannot be looked for, or None if they can."""
    if not any(labels):
        return "there are no labels"
    texts_of: dict[str, set[str]] = {}
    for label, text in zip(labels, texts, strict=True):
        texts_of.setdefault(label, set()).add(text)
    if sum(len(of_label) > 1 for of_label in texts_of.values()) < 2:
        return "that takes two labels with two texts each"
    if find_spec("cleanlab") is None:
        return "that needs cleanlab, which is not installed: pip install 'embedclf[check]'"
    return None


def label_errors(
    rows: Ints, texts: Sequence[str], labels: Sequence[str], vectors: Vectors, groups: Ints, *, seed: int
) -> list[Finding]:
    """Find labels that are likely to be wrong, the likeliest first, by confident learning.

    Northcutt, Jiang & Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70, 2021, as
    cleanlab does it: the probabilities that classifiers give to texts that they were not trained on tell how many
    labels are wrong, and those whose labels are least probable are taken.

    Parameters
    ----------
    rows : ndarray of shape (n,)
        What each is called in the findings.
    texts, labels : sequences of str, of length n
    vectors : ndarray of shape (n, n_dimensions), float32
    groups : ndarray of shape (n,)
        From `group_duplicates`.
    seed : int
        Chooses the folds.

    Raises
    ------
    ImportError
        If cleanlab is not installed.
    """
    from cleanlab.filter import find_label_issues

    # As objects: numpy's own strings lose the NUL characters at their end.
    classes, y = np.unique(np.array(labels, dtype=object), return_inverse=True)
    recipe = Recipe()
    inputs = Inputs.of(texts, vectors, words=recipe.uses_words)
    examples = TrainingSet(inputs, y.astype(np.intp), groups, tuple(classes.tolist()))
    (answer,) = out_of_fold(examples, recipe, n_folds=_FOLDS, seeds=[seed])
    # The only text of a label cannot be left out, so that nothing is known of it, nor does another have its label.
    measured = np.flatnonzero(answer.folds >= 0)
    known = np.unique(y[measured])
    if len(known) < 2:
        return []
    probabilities = answer.probabilities[measured][:, known].astype(np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    given = np.searchsorted(known, y[measured])
    found = find_label_issues(
        given, probabilities, filter_by="low_self_confidence", return_indices_ranked_by="self_confidence", n_jobs=1
    )
    likeliest = probabilities.argmax(axis=1)
    findings = []
    for one in found.tolist():
        if likeliest[one] == given[one]:
            continue
        place = measured[one]
        findings.append(
            Finding(
                "label_errors",
                "warning",
                int(rows[place]),
                texts[place],
                labels[place],
                f"{probabilities[one, likeliest[one]]:.2f} against {probabilities[one, given[one]]:.2f}",
                suggested=str(classes[known[likeliest[one]]]),
                score=round(float(probabilities[one, given[one]]), 4),
            )
        )
    return findings
