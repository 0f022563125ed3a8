"""Labels that are probably wrong."""

import warnings
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from embedclf.arrays import Ints, Vectors
from embedclf.classifier.decisions import first_of_largest
from embedclf.quality.findings import Finding
from embedclf.training.folds import out_of_fold
from embedclf.training.inputs import Inputs
from embedclf.training.recipe import Recipe
from embedclf.training.training_set import TrainingSet

N_FOLDS = 5


def why_no_label_errors(texts: Sequence[str], labels: Sequence[str]) -> str | None:
    """Return why label errors cannot be looked for; None if they can."""
    if not any(labels):
        return "there are no labels"
    texts_of: dict[str, set[str]] = {}
    for label, text in zip(labels, texts, strict=True):
        texts_of.setdefault(label, set()).add(text)
    if sum(len(of_label) > 1 for of_label in texts_of.values()) < 2:
        return "needs two labels with two texts each"
    return why_no_cleanlab()


def why_no_cleanlab() -> str | None:
    """Return what is missing to find label errors; None if nothing is."""
    if find_spec("cleanlab") is None:
        return "needs cleanlab, which is not installed: pip install 'embedclf[check]'"
    return None


def label_issue_finder() -> Callable[..., Any]:
    """Return cleanlab's `find_label_issues`.

    Raises
    ------
    ImportError
        If cleanlab is not installed.
    """
    with warnings.catch_warnings():
        # In a notebook without ipywidgets, tqdm warns that it cannot draw its bar, and no bar is drawn here.
        warnings.filterwarnings("ignore", message="IProgress not found")
        from cleanlab.filter import find_label_issues

    found: Callable[..., Any] = find_label_issues
    return found


def label_errors(
    rows: Ints, texts: Sequence[str], labels: Sequence[str], vectors: Vectors, groups: Ints, *, seed: int
) -> list[Finding]:
    """Find labels that are probably wrong by confident learning, the most suspicious first.

    Northcutt, Jiang & Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70, 2021, as
    implemented by cleanlab: out-of-fold probabilities are used to estimate how many labels are wrong, and that many of
    the least probable labels are reported.

    Parameters
    ----------
    rows : ndarray of shape (n,)
        Index of each text, for the findings.
    texts, labels : sequences of str, of length n
    vectors : ndarray of shape (n, n_dimensions), float32
    groups : ndarray of shape (n,)
        From `group_duplicates`.
    seed : int
        Random seed of the folds.

    Raises
    ------
    ImportError
        If cleanlab is not installed.
    """
    find_label_issues = label_issue_finder()
    # dtype=object, since numpy's string types drop trailing NUL characters.
    classes, y = np.unique(np.array(labels, dtype=object), return_inverse=True)
    recipe = Recipe()
    inputs = Inputs.of(texts, vectors, words=recipe.uses_words)
    examples = TrainingSet(inputs, y.astype(np.intp), groups, tuple(classes.tolist()))
    (answer,) = out_of_fold(examples, recipe, n_folds=N_FOLDS, seeds=[seed])
    # A label's only text is never held out. It has no out-of-fold probabilities, and no other text has its label.
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
    likeliest = first_of_largest(probabilities)
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
                f"{probabilities[one, likeliest[one]]:.2f} vs {probabilities[one, given[one]]:.2f}",
                suggested=str(classes[known[likeliest[one]]]),
                score=round(float(probabilities[one, given[one]]), 4),
            )
        )
    return findings
