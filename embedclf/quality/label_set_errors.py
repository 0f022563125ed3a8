"""Labels that are probably missing or wrong, where a text may have several."""

from collections.abc import Sequence

import numpy as np

from embedclf.arrays import Ints, Vectors
from embedclf.data.label_sets import LabelSet, labels_cell
from embedclf.quality.findings import Finding
from embedclf.quality.label_errors import N_FOLDS, label_issue_finder, why_no_cleanlab
from embedclf.training.checks import check_label_sets, rarest_labels
from embedclf.training.folds import out_of_fold
from embedclf.training.inputs import Inputs
from embedclf.training.recipe import Recipe
from embedclf.training.training_set import TrainingSet


def why_no_label_set_errors(texts: Sequence[str], label_sets: Sequence[LabelSet]) -> str | None:
    """Return why label errors cannot be looked for; None if they can."""
    if not any(label_sets):
        return "there are no labels"
    texts_of: dict[str, set[str]] = {}
    for labels, text in zip(label_sets, texts, strict=True):
        for label in labels:
            texts_of.setdefault(label, set()).add(text)
    if sum(len(of_label) > 1 for of_label in texts_of.values()) < 2:
        return "needs two labels with two texts each"
    return why_no_cleanlab()


def label_set_errors(
    rows: Ints,
    texts: Sequence[str],
    label_sets: Sequence[LabelSet],
    vectors: Vectors,
    groups: Ints,
    *,
    seed: int,
    separator: str,
) -> list[Finding]:
    """Find labels that are probably missing or wrong by confident learning, the most suspicious text first.

    Each label is a question of its own, which texts have it, answered as in `label_errors`. A text with several such
    labels is one finding, whose suggestion changes all of them.

    Parameters
    ----------
    rows, texts, vectors, groups, seed
        See `label_errors`.
    label_sets : sequence of tuple of str, of length n
    separator : str
        What joins the labels in findings.

    Raises
    ------
    ImportError
        If cleanlab is not installed.
    """
    find_label_issues = label_issue_finder()
    classes, given = check_label_sets(texts, label_sets)
    recipe = Recipe()
    inputs = Inputs.of(texts, vectors, words=recipe.uses_words)
    examples = TrainingSet(inputs, rarest_labels(given), groups, classes, given=given)
    (answer,) = out_of_fold(examples, recipe, n_folds=N_FOLDS, seeds=[seed])
    measured = np.flatnonzero(answer.folds >= 0)
    probabilities, given = answer.probabilities[measured].astype(np.float64), given[measured]
    folds = answer.folds[measured]
    doubted = np.zeros_like(given)
    for place, (sure, has_label) in enumerate(zip(probabilities.T, given.T, strict=True)):
        # Where one fold has all examples of a label, or all others, nothing could be learnt about them.
        if all(len(np.unique(folds[which])) > 1 for which in (has_label, ~has_label)):
            both = np.column_stack([1 - sure, sure])
            doubted[:, place] = find_label_issues(
                has_label.astype(np.intp), both, filter_by="low_self_confidence", n_jobs=1
            ) & ((sure > 0.5) != has_label)
    of_label = np.where(given, probabilities, 1 - probabilities)
    score = np.where(doubted, of_label, np.inf).min(axis=1)
    findings = []
    for one in np.argsort(score, kind="stable").tolist():
        if not doubted[one].any():
            break
        place, sure = measured[one], probabilities[one]
        changed = np.flatnonzero(doubted[one])
        missing = [number for number in changed[np.argsort(-sure[changed], kind="stable")] if not given[one, number]]
        wrong = [number for number in changed[np.argsort(sure[changed], kind="stable")] if given[one, number]]
        parts = [
            f"probably {what}: {', '.join(f'{classes[number]} ({sure[number]:.2f})' for number in numbers)}"
            for what, numbers in (("missing", missing), ("wrong", wrong))
            if numbers
        ]
        right = given[one] ^ doubted[one]
        findings.append(
            Finding(
                "label_errors",
                "warning",
                int(rows[place]),
                texts[place],
                separator.join(label_sets[place]),
                "; ".join(parts),
                suggested=labels_cell([classes[number] for number in np.flatnonzero(right)], separator),
                score=round(float(score[one]), 4),
            )
        )
    return findings
