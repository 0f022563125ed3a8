"""Whether texts have changed, and how."""

from collections.abc import Iterable, Sequence

import numpy as np

from embedclf.arrays import Floats, Ints, Vectors
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.data.label_sets import Labels
from embedclf.data_frames import DataFrame
from embedclf.embedding.base import EmbedderLike, check_vectors
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.errors import ArgumentError
from embedclf.exploration.changed_answers import changed_answers, changed_labels
from embedclf.exploration.changed_groups import ChangedGroup, changed_groups
from embedclf.exploration.changed_words import ChangedWord, changed_words
from embedclf.exploration.distinct_rows import DistinctRows
from embedclf.exploration.domain import tell_apart
from embedclf.exploration.drift_result import MOST_COMPARED, Drift, TypicalRow, Verdict
from embedclf.exploration.local_shares import LocalShares, local_shares
from embedclf.phases import phase
from embedclf.stats.intervals import Interval
from embedclf.stats.neighbours import nearest, of_unit_length
from embedclf.training.inputs import Inputs
from embedclf.validation import check_whole

FEWEST = 20
"""With fewer distinct texts in a file, nothing is compared."""

# If the AUROC may be higher than this, too few texts were compared to say that nothing has changed: a tenth of the
# texts may be of a different kind; see `Drift.least_share`.
_MATTERS = 0.6
_N_TYPICAL = 5


def drift(
    new: Iterable[str] | DataFrame | EmbeddedTexts,
    old: Iterable[str] | DataFrame | EmbeddedTexts,
    *,
    model: TextClassifier | None = None,
    text: str | Sequence[str] | None = None,
    label: str | Sequence[str] | None = None,
    embedder: EmbedderLike | None = None,
    vectors: Vectors | None = None,
    seed: int = 0,
) -> Drift:
    """Find out whether texts have changed, and how.

    Two tests decide, each at a level of 2.5 %. A classifier learns to tell new texts from old ones (Lopez-Paz & Oquab,
    "Revisiting Classifier Two-Sample Tests", 2017): they differ if the interval of its out-of-fold AUROC is above 0.5.
    That finds a change in many texts. A rare new subject is found by neighbourhoods with an excess of new texts; see
    `embedclf.exploration.local_shares.local_shares`.

    Both compare distinct texts, each once, so that a text in both files does not leak from one fold to another. If a
    file has more than 10,000 distinct texts, 10,000 are sampled at random.

    Parameters
    ----------
    new, old : iterable of str, DataFrame or EmbeddedTexts
        A data frame or an EmbeddedTexts brings its labels; an empty label is unknown. An EmbeddedTexts also brings its
        vectors.
    model : TextClassifier, optional
        Also compare its answers. Its embedder makes the vectors.
    text, label : str or sequence of str, optional
        The columns of data frames; None means "text" and, if there is one, "label".
    embedder : str, Embedder or langchain_core.embeddings.Embeddings, optional
        As for `embedclf.train`; only without a model.
    vectors : ndarray of shape (n_new + n_old, n_dimensions), float32, optional
        Precomputed embeddings of the new texts, followed by those of the old ones; None embeds them.
    seed : int
        Random seed of the folds, the samples, and the random divisions.

    Returns
    -------
    Drift

    Raises
    ------
    ArgumentError
        If there are no new or no old texts, or not one label or vector per text.
    TextError
        If a text is empty, not valid Unicode, or rejected by the embedder.
    EmbedderError
        If the embedder is unknown, not installed, or fails, or the vectors are not those that the model needs.
    """
    check_whole(seed, "seed", least=0)
    if model is not None and embedder is not None:
        raise ArgumentError("the model has an embedder of its own: pass only one of model and embedder")
    both = [_opened(one, model, text, label, embedder) for one in (new, old)]
    for one, name in zip(both, ("new", "old"), strict=True):
        if not len(one):
            raise ArgumentError(f"there are no {name} texts")
    n_new = len(both[0])
    texts = [*both[0].texts, *both[1].texts]
    every = _vectors(both, vectors)
    labels = _joined_labels(both)
    distinct = DistinctRows.of(texts, n_new, seed=seed)
    answers = None if model is None else changed_answers(model, texts, every, n_new, labels)
    of_labels = {} if labels is None else changed_labels(labels, n_new, distinct.number)
    n_texts = int((distinct.n_new_rows > 0).sum()), int((distinct.n_old_rows > 0).sum())
    compared = distinct.sample(MOST_COMPARED, seed=seed)
    chosen = distinct[compared]
    n_compared = int(chosen.is_new.sum()), int((~chosen.is_new).sum())
    if min(n_compared) < FEWEST:
        return Drift(
            "cannot tell", n_new, len(texts) - n_new, *n_texts, *n_compared, None, None, None, (), (), (), (),
            (None,) * n_new, of_labels, answers,
        )  # fmt: skip
    unit = of_unit_length(every)
    inputs = Inputs.of([texts[row] for row in distinct.rows], unit[distinct.rows], words=True)
    domain = tell_apart(inputs, distinct.is_new, compared, seed=seed)
    local = local_shares(inputs.vectors[compared], chosen.is_new, seed=seed)
    verdict = _verdict(domain.interval, local)
    groups: tuple[ChangedGroup, ...] = ()
    words: tuple[ChangedWord, ...] = ()
    typical: tuple[TypicalRow, ...] = ()
    group_of: list[int | None] = [None] * n_new
    if verdict == "changed":
        with phase("Describing the change"):
            words = changed_words(texts, distinct)
            groups, of_texts = changed_groups(texts, inputs.vectors[compared], chosen, local, n_new)
            group_of = _of_rows(of_texts, compared, distinct, groups, n_new)
            typical = _typical(texts, unit, distinct, domain.newness, group_of, n_new)
    return Drift(
        verdict=verdict,
        n_new=n_new,
        n_old=len(texts) - n_new,
        n_new_texts=n_texts[0],
        n_old_texts=n_texts[1],
        n_compared_new=n_compared[0],
        n_compared_old=n_compared[1],
        auroc=domain.auroc,
        auroc_interval=domain.interval,
        p_value=local.p_value,
        groups=groups,
        words=words,
        typical=typical,
        newness=tuple(domain.newness[distinct.number[:n_new]].tolist()),
        group_of=tuple(group_of),
        labels=of_labels,
        answers=answers,
    )


def _opened(
    texts: Iterable[str] | DataFrame | EmbeddedTexts,
    model: TextClassifier | None,
    text: str | Sequence[str] | None,
    label: str | Sequence[str] | None,
    embedder: EmbedderLike | None,
) -> EmbeddedTexts:
    if model is not None:
        return EmbeddedTexts.by(model.embedder, texts, text=text, label=label)
    own = isinstance(texts, EmbeddedTexts)
    return EmbeddedTexts.of(texts, text=text, label=label, embedder=None if own else embedder)


def _vectors(both: Sequence[EmbeddedTexts], given: Vectors | None) -> Vectors:
    """Return the vectors of new and old texts; those not known yet are embedded in one call."""
    new, old = both
    if given is not None:
        return check_vectors(given, len(new) + len(old))
    if old.is_embedded or (old.is_embedder_named and not new.is_embedder_named):
        new, old = old, new
    if not old.is_embedded and old.is_by(new.embedder):
        of_one, of_other = new.vectors_with(old.texts)
    else:
        of_one, of_other = new.vectors, old.vectors
    if of_one.shape[1] != of_other.shape[1]:
        raise ArgumentError(
            f"new and old texts have vectors of {both[0].vectors.shape[1]} and {both[1].vectors.shape[1]} dimensions: "
            "embed them with one embedder"
        )
    return np.vstack([of_one, of_other] if new is both[0] else [of_other, of_one])


def _joined_labels(both: Sequence[EmbeddedTexts]) -> Labels | None:
    """Return the labels of new and old texts, as sets if any text may have several; None if either have none."""
    if any(one.labels is None and one.label_sets is None for one in both):
        return None
    if not any(one.is_multilabel for one in both):
        return [label for one in both for label in one.known_labels]
    return [
        labels
        for one in both
        for labels in (one.label_sets or [(label,) if label else () for label in one.known_labels])
    ]


def _verdict(interval: Interval, local: LocalShares) -> Verdict:
    if interval.low > 0.5 or local.is_significant:
        return "changed"
    return "cannot tell" if interval.high > _MATTERS else "no change found"


def _of_rows(
    of_texts: Ints, compared: Ints, distinct: DistinctRows, groups: Sequence[ChangedGroup], n_new: int
) -> list[int | None]:
    """Return the group of each new row, if it is one of more new texts."""
    of_all = np.full(len(distinct), -1, dtype=np.intp)
    of_all[compared] = of_texts
    return [
        place if place >= 0 and groups[place].more_in == "new" else None
        for place in of_all[distinct.number[:n_new]].tolist()
    ]


def _typical(
    texts: Sequence[str],
    vectors: Vectors,
    distinct: DistinctRows,
    newness: Floats,
    group_of: Sequence[int | None],
    n_new: int,
) -> tuple[TypicalRow, ...]:
    """Return the new texts with the highest newness: from the groups, if there are any."""
    only_new = np.flatnonzero(distinct.n_old_rows == 0)
    grouped = np.array([group_of[row] is not None for row in distinct.rows[only_new]], dtype=bool)
    candidates = only_new[grouped] if grouped.any() else only_new
    best = candidates[np.argsort(-newness[candidates], kind="stable")][:_N_TYPICAL]
    rows = distinct.rows[best]
    found = nearest(vectors[n_new:], vectors[rows], 1)
    return tuple(
        TypicalRow(row, texts[row], sure, other, texts[n_new + other], similarity)
        for row, sure, other, similarity in zip(
            rows.tolist(),
            newness[best].tolist(),
            found.rows[:, 0].tolist(),
            found.similarities[:, 0].tolist(),
            strict=True,
        )
    )
