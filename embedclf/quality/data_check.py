"""Checks of labelled texts before a classifier is trained on them."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from embedclf.arrays import Vectors
from embedclf.data.label_sets import (
    LABEL_SEPARATOR,
    AnyLabels,
    LabelSet,
    as_label_sets,
    joined_labels,
    labels_in,
)
from embedclf.data_frames import DataFrame, columns_of, is_data_frame, texts_and_labels
from embedclf.embedding.base import Embedder, EmbedderLike, check_vectors
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.embedding.factory import as_embedder
from embedclf.errors import ArgumentError, TextError
from embedclf.formatting import counted
from embedclf.phases import phase
from embedclf.quality.anomalies import FEWEST_TEXTS, anomalies
from embedclf.quality.distinct_texts import DistinctTexts
from embedclf.quality.diversity import diversity_of
from embedclf.quality.findings import DataCheck, Finding, in_order
from embedclf.quality.label_errors import label_errors, why_no_label_errors
from embedclf.quality.label_set_errors import label_set_errors, why_no_label_set_errors
from embedclf.quality.near_duplicates import near_duplicates, near_leakage
from embedclf.quality.text_checks import plain_findings
from embedclf.stats.neighbours import of_unit_length
from embedclf.validation import (
    check_whole,
    group_duplicates,
    list_of_labels,
    list_of_strings,
    text_fault,
    text_faults,
)

_BY_VECTORS = ("label_errors", "near_leakage", "near_duplicates", "anomalies")

logger = logging.getLogger(__name__)


def check(
    texts: Iterable[str] | DataFrame | EmbeddedTexts,
    labels: AnyLabels | None = None,
    *,
    text: str | Sequence[str] | None = None,
    label: str | Sequence[str] | None = None,
    against: DataFrame | tuple[Iterable[str], AnyLabels] | None = None,
    embedder: EmbedderLike | None = None,
    seed: int = 0,
    vectors: Vectors | None = None,
    label_separator: str = LABEL_SEPARATOR,
) -> DataCheck:
    """Check labelled texts for problems before a classifier is trained on them.

    Parameters
    ----------
    texts : iterable of str, DataFrame or EmbeddedTexts
        Empty texts, and None or NaN, are findings, not errors. A data frame brings its labels. An EmbeddedTexts brings
        labels, embedder and vectors, and contains no empty texts.
    labels : iterable of str or int, or of lists of these, optional
        One per text, or a list per text, as for `embedclf.train`. An empty label is a finding, unless all are empty; an
        empty list is none. None checks only the texts.
    text, label : str or sequence of str, optional
        The columns of a data frame; None means "text" and, if there is one, "label". Several columns of labels hold 0
        and 1.
    against : (texts, labels) or DataFrame, optional
        Texts that should not occur among `texts`, such as a test set; an empty label means that there is none.
    embedder : str, Embedder or langchain_core.embeddings.Embeddings, optional
        As for `embedclf.train`.
    seed : int
        Random seed of the folds used to find label errors.
    vectors : ndarray of shape (n_texts, n_dimensions), float32, optional
        Precomputed embeddings of the texts, followed by those of the texts in `against`; None embeds them. The vectors
        of texts that cannot be embedded are ignored.
    label_separator : str
        What joins the labels of a text in the findings, if it has a list of them.

    Returns
    -------
    DataCheck

    Raises
    ------
    ArgumentError
        If the numbers of texts, labels and vectors differ.
    EmbedderError
        If the embedder is unknown, not installed, or fails.
    """
    embedded = None
    if isinstance(texts, EmbeddedTexts):
        embedded = EmbeddedTexts.of(texts, labels, text=text, label=label, embedder=embedder, vectors=vectors)
        sets = embedded.label_sets
        given = embedded.labels if sets is None else joined_labels(sets, label_separator)
        texts, labels = _lists(embedded.texts, given)
    else:
        own_texts, given = texts_and_labels(texts, labels, text=text, label=label)
        given = list(given) if isinstance(given, Iterator) else given
        sets = as_label_sets(given)
        texts, labels = _lists(own_texts, given if sets is None else joined_labels(sets, label_separator))
    if len(texts) != len(labels):
        of_labels = "label" if sets is None else "list of labels"
        raise ArgumentError(f"got {counted(len(texts), 'text')} but {counted(len(labels), of_labels)}")
    others = _others(against, text, label, label_separator)
    check_whole(seed, "seed", least=0)
    every = [*texts, *others[0]]
    opened: Embedder | None = None
    reasons: dict[int, str] = {}
    if embedded is not None:
        # Vectors alone do not say which embedder they come from.
        opened = embedded.embedder if embedded.is_embedder_named or not embedded.are_vectors_given else None
        vectors, reasons = _embedded_with(embedded, others[0])
    elif vectors is not None:
        vectors, reasons = check_vectors(vectors, len(every), missing=True), text_faults(every)
    elif any(text_fault(text) is None for text in every):
        opened = as_embedder(embedder, cache=True)
        vectors, reasons = opened.embed_partial(every)
    plain = plain_check(
        texts,
        labels,
        against=None if against is None else others,
        embedder=opened,
        label_sets=sets,
        label_separator=label_separator,
    )
    if vectors is None:
        return plain
    findings = list(plain.findings)
    at_fault = {finding.row for finding in findings if finding.kind in ("empty", "malformed")}
    reasons |= {
        index: "the text has no vector"
        for index in np.flatnonzero(~np.isfinite(vectors).all(axis=1)).tolist()
        if index not in reasons
    }
    findings += [
        Finding("refused", "error", row, texts[row], labels[row], reason)
        for row, reason in reasons.items()
        if row < len(texts) and row not in at_fault
    ]
    if n_refused := sum(index >= len(texts) for index in reasons):
        logger.warning("%s of the other texts cannot be embedded: not compared", counted(n_refused, "row"))
    usable = np.array([row for row in range(len(texts)) if row not in reasons and row not in at_fault], dtype=np.intp)
    if not len(usable):
        return replace(plain, findings=in_order(findings))
    vectors = of_unit_length(vectors)
    distinct = DistinctTexts.of(texts, labels, vectors, usable)
    near = distinct.nearest_others()
    findings += near_duplicates(distinct, near)
    findings += anomalies(distinct, near)
    rest = [index for index in range(len(texts), len(every)) if index not in reasons]
    if rest:
        all_labels = [*labels, *others[1]]
        of_others = DistinctTexts.of(every, all_labels, vectors, np.array(rest, dtype=np.intp))
        findings += near_leakage(distinct, of_others._replace(rows=of_others.rows - len(texts)))
    not_checked = {}
    if len(distinct.rows) < FEWEST_TEXTS:
        not_checked["anomalies"] = f"needs at least {FEWEST_TEXTS} distinct texts"
    of_usable, own = [texts[row] for row in usable], [labels[row] for row in usable]
    own_sets = [(label,) if label else () for label in own] if sets is None else [sets[row] for row in usable]
    reason = why_no_label_errors(of_usable, own) if sets is None else why_no_label_set_errors(of_usable, own_sets)
    if reason:
        not_checked["label_errors"] = reason
    else:
        groups = group_duplicates(of_usable)
        with phase("Finding label errors"):
            if sets is None:
                findings += label_errors(usable, of_usable, own, vectors[usable], groups, seed=seed)
            else:
                findings += label_set_errors(
                    usable, of_usable, own_sets, vectors[usable], groups, seed=seed, separator=label_separator
                )
    with phase("Measuring diversity"):
        rows_of: dict[str, list[int]] = {}
        for row, of_row in zip(usable.tolist(), own_sets, strict=True):
            for one in of_row:
                rows_of.setdefault(one, []).append(row)
        by_label = {one: diversity_of(vectors[rows_of[one]]) for one in sorted(rows_of)}
        diversity = diversity_of(vectors[usable])
    return replace(
        plain,
        findings=in_order(findings),
        not_checked=not_checked,
        diversity=diversity,
        diversity_by_label=by_label,
    )


def _lists(texts: Iterable[Any], labels: Iterable[Any] | None, name: str = "texts") -> tuple[list[str], list[str]]:
    """Return texts and labels as lists of strings; what is missing is empty."""
    checked = list_of_strings(texts, name, missing_is_empty=True)
    if labels is None:
        return checked, [""] * len(checked)
    return checked, list_of_labels(labels, "labels" if name == "texts" else name, missing_is_empty=True)


def _others(
    against: DataFrame | tuple[Iterable[str], Iterable[Any]] | None,
    text: str | Sequence[str] | None,
    label: str | Sequence[str] | None,
    separator: str,
) -> tuple[list[str], list[str]]:
    """Return the texts to compare with, and their labels, as lists."""
    if against is None:
        return [], []
    parts: Any = columns_of(against, text, label) if is_data_frame(against) else against
    if len(parts) == 2:
        sets = as_label_sets(parts[1])
        texts, labels = _lists(parts[0], parts[1] if sets is None else joined_labels(sets, separator), name="against")
        if len(texts) == len(labels):
            return texts, labels
    raise ArgumentError("against must be a pair of texts and labels of equal length, or a data frame")


def plain_check(
    texts: Sequence[str],
    labels: Sequence[str],
    *,
    against: tuple[Sequence[str], Sequence[str]] | None,
    embedder: Embedder | None,
    label_sets: Sequence[LabelSet] | None = None,
    label_separator: str = LABEL_SEPARATOR,
) -> DataCheck:
    """Run only the checks that need no vectors; see `plain_findings`."""
    with phase("Comparing texts"):
        findings = plain_findings(texts, labels, against=against, embedder=embedder, label_sets=label_sets)
    not_checked = dict.fromkeys(_BY_VECTORS, "needs vectors")
    if against is None:
        del not_checked["near_leakage"]
    n_labels = len(labels_in(labels if label_sets is None else label_sets) - {""})
    separator = None if label_sets is None else label_separator
    return DataCheck(len(texts), n_labels, in_order(findings), not_checked, label_separator=separator)


def _embedded_with(embedded: EmbeddedTexts, others: list[str]) -> tuple[Vectors, dict[int, str]]:
    """Embed the texts and some others as far as they can be embedded; see `Embedder.embed_partial`."""
    n = len(embedded)
    try:
        of_texts, of_others = embedded.vectors_with(others)
        reasons: dict[int, str] = {}
    except TextError:
        # The embedder rejected some texts, or some of the others are empty: findings, not errors.
        if not embedded.is_embedded:
            return embedded.embedder.embed_partial([*embedded.texts, *others])
        of_texts = embedded.vectors
        of_others, reasons = embedded.embedder.embed_partial(others)
    if not others:
        return of_texts, {}
    vectors = np.full((n + len(others), of_texts.shape[1]), np.nan, dtype=np.float32)
    vectors[:n] = of_texts
    if len(reasons) < len(others):
        vectors[n:] = of_others
    return vectors, {n + index: reason for index, reason in reasons.items()}
