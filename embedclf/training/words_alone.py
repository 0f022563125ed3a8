"""A classifier by words alone, to compare others with: logistic regression on TF-IDF, with fixed settings."""

import numpy as np

from embedclf.arrays import Floats, Ints, Mask
from embedclf.threads import one_thread
from embedclf.training.inputs import Inputs
from embedclf.training.solver import Design

# With these, a rough fit is about as accurate as an exact one with the best C, and takes 5 % of the time of a training
# on 10,000 texts with 77 labels.
_C, _C_OF_SEVERAL = 3.0, 10.0


def predict_by_words(inputs: Inputs, y: Ints, others: Mask) -> Ints:
    """Fit the words and pairs of words of some texts, and predict the classes of the others.

    Parameters
    ----------
    inputs : Inputs
        Counts of n-grams, (n, n_ngrams); the vectors are not used.
    y : ndarray of shape (n,)
        The class of each text; not used of `others`.
    others : ndarray of shape (n,), bool
        Which texts to predict; at least one is not among them.

    Returns
    -------
    ndarray of shape (n_others,)
    """
    classes, numbers = np.unique(y[~others], return_inverse=True)
    if len(classes) == 1:
        return np.repeat(classes, int(others.sum()))
    chosen: Ints = classes[_scores(inputs, numbers, others, _C).argmax(axis=1)]
    return chosen


def labels_by_words(inputs: Inputs, given: Mask, others: Mask) -> Mask:
    """Fit the words and pairs of words of some texts, and predict which labels the others have.

    The likeliest of their labels are given, as many per text as the texts fitted on have on average: with few rows, few
    probabilities reach 0.5. If each of these has a label, each of the others gets its likeliest one.

    Parameters
    ----------
    inputs : Inputs
        Counts of n-grams, (n, n_ngrams); the vectors are not used.
    given : ndarray of shape (n, n_classes), bool
        Which labels each text has; not used of `others`.
    others : ndarray of shape (n,), bool
        Which texts to predict; at least one is not among them.

    Returns
    -------
    ndarray of shape (n_others, n_classes), bool
    """
    known = given[~others]
    scores = _scores(inputs, known, others, _C_OF_SEVERAL)
    n_given = min(round(float(known.sum(axis=1).mean()) * len(scores)), scores.size)
    predicted = np.zeros(scores.shape, dtype=bool)
    predicted.ravel()[np.argsort(-scores, axis=None, kind="stable")[:n_given]] = True
    if known.any(axis=1).all():
        none = np.flatnonzero(~predicted.any(axis=1))
        predicted[none, scores[none].argmax(axis=1)] = True
    return predicted


def _scores(inputs: Inputs, targets: Ints | Mask, others: Mask, C: float) -> Floats:
    """Fit the words of some texts, and return the scores of the others: (n_others, n_classes)."""
    kept, left_out = inputs[~others], inputs[others]
    vocabulary = kept.vocabulary()
    with one_thread():
        fit = Design(kept.vectors[:, :0], kept.words(vocabulary)).rough_fit(targets, C)
    return fit.scores(left_out.vectors[:, :0], left_out.words(vocabulary))
