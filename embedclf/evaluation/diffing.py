"""Comparing two classifiers on the same labelled texts."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from embedclf.arrays import Floats, Ints, Mask, Vectors
from embedclf.classifier.costs import Costs, CostsLike, costs_of
from embedclf.classifier.decisions import NOTHING
from embedclf.classifier.explanation import weighs_words
from embedclf.classifier.loading import load
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.data.label_sets import AnyLabels, LabelSet, each_label
from embedclf.data_frames import DataFrame
from embedclf.embedding.base import is_alike
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.errors import ArgumentError, TextError
from embedclf.evaluation.answered_rows import LabelledRows, RowAnswers, answers_to, classes_of, labelled_rows
from embedclf.evaluation.changes import MACRO_F1, Change, answers_of, of_shares
from embedclf.evaluation.measuring import check_labels
from embedclf.evaluation.model_diff import (
    ANSWERED_ACCURACY,
    COVERAGE,
    KINDS,
    MEAN_COST,
    REJECTED,
    ChangedRow,
    Kind,
    ModelDiff,
)
from embedclf.evaluation.neighbourhood import texts_for
from embedclf.phases import phase
from embedclf.stats import multilabel
from embedclf.stats.intervals import (
    interval_of_macro_difference,
    interval_of_macro_f1,
    interval_of_mean,
    interval_of_ratios,
    warn_of_few,
)
from embedclf.stats.verdicts import rows_to_tell, verdict_on

MARGIN = 0.01
"""Equivalence margin: the difference in accuracy, or micro-F1, up to which two classifiers count as equally good."""

_MOST_EXPLAINED = 2_000


def diff(
    old: str | os.PathLike[str] | TextClassifier,
    new: str | os.PathLike[str] | TextClassifier,
    texts: Iterable[str] | DataFrame | EmbeddedTexts,
    labels: AnyLabels | None = None,
    *,
    text: str | Sequence[str] | None = None,
    label: str | Sequence[str] | None = None,
    costs: CostsLike | None = None,
    margin: float = MARGIN,
) -> ModelDiff:
    """Compare two classifiers on the same labelled texts.

    They may have different labels, embedders and thresholds. Texts are embedded once if the embedders are the same.

    Parameters
    ----------
    old, new : TextClassifier, str or Path
        The classifiers, or their files.
    texts : iterable of str, DataFrame or EmbeddedTexts
        Texts that neither classifier was trained on. See `embedclf.evaluate`, also for `text` and `label`; a data frame
        has the columns that the new classifier was trained on.
    labels : iterable of str or int, or of lists of these
        One per text, or a list per text if both classifiers give several labels.
    costs : mapping of (label, answer) to float, or Costs, optional
        Let both answer at least expected cost, and compare these answers. If None, each answers as it was trained to,
        and their cost is measured with the costs of the new one, or of the old one if it has none.
    margin : float
        The equivalence margin: the difference in accuracy, or micro-F1, that does not matter; a share.

    Returns
    -------
    ModelDiff

    Raises
    ------
    ArgumentError
        If one of them gives one label per text and the other several, if the margin is not in [0, 1), or as for
        `embedclf.evaluate`.
    ModelFileError, TextError, EmbedderError
        As for `embedclf.load` and `embedclf.evaluate`.
    """
    check_margin(margin)
    before, after = (one if isinstance(one, TextClassifier) else load(one, cache=True) for one in (old, new))
    check_pair(before, after)
    given = texts_for(after, texts, labels, text=text, label=label, vectors=None)
    if not given.texts:
        raise ArgumentError("nothing to compare on: there are 0 texts and 0 labels")
    for classifier in (before, after):
        check_labels(classifier, given.given_labels)
    own = given.vectors if after.model.uses_vectors else _no_vectors(given.texts)
    others = own
    if not before.model.uses_vectors:
        others = _no_vectors(given.texts)
    elif not shares_vectors(before, after):
        others, refused = before.embed_partial(given.texts)
        if refused:
            raise TextError(refused)
    return diff_of_vectors((before, after), given.texts, given.given_labels, (others, own), costs, margin)


def check_margin(margin: float) -> None:
    """Check that a margin is a share.

    Raises
    ------
    ArgumentError
        If it is not.
    """
    if not 0 <= margin < 1:
        raise ArgumentError(f"margin must be at least 0 and less than 1, a share such as 0.01, got {margin!r}")


def check_pair(old: TextClassifier, new: TextClassifier) -> None:
    """Check that two classifiers can be compared.

    Raises
    ------
    ArgumentError
        If one gives one label to a text, and the other several.
    """
    if old.model.is_multilabel != new.model.is_multilabel:
        which = ("old", "new") if old.model.is_multilabel else ("new", "old")
        raise ArgumentError(
            f"the {which[0]} model gives several labels per text and the {which[1]} one gives one: their figures "
            "cannot be compared"
        )


def shares_vectors(old: TextClassifier, new: TextClassifier) -> bool:
    """Return whether both classifiers use the same vectors."""
    uses = old.model.uses_vectors and new.model.uses_vectors
    return uses and (old.embedder is new.embedder or is_alike(old.embedder.spec, new.embedder.spec))


def diff_of_vectors(
    both: tuple[TextClassifier, TextClassifier],
    texts: Sequence[str],
    labels: Sequence[Any],
    vectors: tuple[Vectors, Vectors],
    costs: CostsLike | None = None,
    margin: float = MARGIN,
) -> ModelDiff:
    """Compare two classifiers, the old and the new one, on texts whose vectors by each are known; see `diff`."""
    if costs is not None:
        both = (with_known_costs(both[0], costs), with_known_costs(both[1], costs))
    rows = labelled_rows(texts, labels, both)
    with phase("Predicting"):
        old, new = (answers_to(rows, one, own) for one, own in zip(both, vectors, strict=True))
    warn_of_few(rows.groups, "to compare on")
    known = [set(classes_of(one, rows.separator)) for one in both]
    figures, by_label = _changes(rows, old, new, known[0])
    cost = _change_of_cost(rows, old, new, costs, both)
    main = figures[0]
    are_alike = (
        both[0].classes == both[1].classes
        and np.array_equal(old.probabilities, new.probabilities)
        and np.array_equal(old.chosen, new.chosen)
    )
    if main.difference is None or main.difference_interval is None:
        raise TypeError("a comparison of two classifiers has a difference")
    verdict = "no difference" if are_alike else verdict_on(main.difference_interval, margin)
    changed, needed = _changed(rows, old, new), None
    if verdict == "cannot tell":
        differ = any(one.change != "both wrong" for one in changed)
        needed = rows_to_tell(len(texts), main.difference, main.difference_interval, margin, any_differ=differ)
    counts = Counter(each_label(rows.labels))
    unknown = [{name: counts[name] for name in sorted((counts.keys() & {*rows.names}) - own)} for own in known]
    return ModelDiff(
        verdict=verdict,
        margin=margin,
        rows_needed=needed,
        n_examples=len(texts),
        n_distinct=int(rows.groups.max()) + 1,
        are_alike=are_alike,
        figures=(*figures, *_of_abstaining(rows, old, new), *([] if cost is None else [cost])),
        by_label=by_label,
        unknown_to_old=unknown[0],
        unknown_to_new=unknown[1],
        changed=_with_words(changed, both[1], vectors[1]),
    )


def with_known_costs(classifier: TextClassifier, costs: CostsLike) -> TextClassifier:
    """Return a classifier that answers by the costs of its own labels."""
    known = Costs.of(costs).without({*classifier.classes, classifier.card.out_of_scope_label or ""})
    return classifier if known is None else classifier.with_costs(known)


def _no_vectors(texts: Sequence[str]) -> Vectors:
    return np.empty((len(texts), 0), dtype=np.float32)


def _changes(
    rows: LabelledRows, old: RowAnswers, new: RowAnswers, known: set[str]
) -> tuple[tuple[Change, ...], tuple[Change, ...]]:
    """Return the figures of the labels that texts get, and those of each label that a row has."""
    if rows.are_several:
        right = [one.chosen == rows.given for one in (new, old)]
        both = answers_of(rows.labels, rows.names, right[0], rows.groups, right[1])
        return both.figures(), both.of_labels(known)
    kept = np.flatnonzero(rows.inside)
    y, groups = rows.given[kept], rows.groups[kept]
    chosen = [one.chosen[kept] for one in (new, old)]
    labels = [rows.names[number] for number in y.tolist()]
    both = answers_of(labels, rows.names, chosen[0] == y, groups, chosen[1] == y)
    return (*both.figures(), _change_of_macro_f1(len(rows.names), y, chosen[0], chosen[1], groups)), both.of_labels(
        known
    )


def _change_of_macro_f1(n_names: int, y: Ints, new: Ints, old: Ints, groups: Ints) -> Change:
    """Return the change of macro-F1 of texts with one label, for which any other label may be the answer."""
    given, after, before = (one[:, None] == np.arange(n_names) for one in (y, new, old))
    figures = [multilabel.macro_f1(given, one) for one in (after, before)]
    between = interval_of_macro_difference(
        *multilabel.f1_parts(given, after), *multilabel.f1_parts(given, before), groups
    )
    interval = interval_of_macro_f1(y, np.where(new == NOTHING, n_names, new), groups)
    return Change(MACRO_F1, len(y), figures[1], figures[0], interval, figures[0] - figures[1], between)


def _of_abstaining(rows: LabelledRows, old: RowAnswers, new: RowAnswers) -> list[Change]:
    """Return the changes of coverage, of the accuracy if answered, and of the share of out-of-scope texts rejected.

    There are none for texts with several labels, whose other figures depend on the thresholds already.
    """
    found: list[Change] = []
    if rows.are_several:
        return found
    inside = rows.inside
    groups = rows.groups[inside]
    if old.abstains or new.abstains:
        answered = [one.answered[inside] for one in (new, old)]
        found.append(of_shares(COVERAGE, answered[0], answered[1], groups))
        right = [one.answered[inside] & (one.chosen[inside] == rows.given[inside]) for one in (new, old)]
        if answered[0].any() and answered[1].any():
            found.append(_change_of_ratio(ANSWERED_ACCURACY, right, answered, groups))
    if not inside.all():
        rejected = [~one.answered[~inside] for one in (new, old)]
        found.append(of_shares(REJECTED, rejected[0], rejected[1], rows.groups[~inside]))
    return found


def _change_of_ratio(name: str, right: Sequence[Mask], answered: Sequence[Mask], groups: Ints) -> Change:
    above, below = np.column_stack(right), np.column_stack(answered)
    after, before = (float(one.sum() / other.sum()) for one, other in zip(right, answered, strict=True))
    interval = interval_of_mean(right[0][answered[0]], groups[answered[0]])
    between = interval_of_ratios(above, below, groups, factors=(1, -1), least=-1)
    return Change(name, int(answered[0].sum()), before, after, interval, after - before, between)


def _change_of_cost(
    rows: LabelledRows,
    old: RowAnswers,
    new: RowAnswers,
    asked: CostsLike | None,
    both: Sequence[TextClassifier],
) -> Change | None:
    costs = next((Costs.of(one) for one in (asked, both[1].card.costs, both[0].card.costs) if one is not None), None)
    if costs is None or rows.are_several:
        return None
    labels = sorted({str(label) for label in rows.labels})
    numbers = {name: number for number, name in enumerate(labels)}
    truth = np.array([numbers[str(label)] for label in rows.labels], dtype=np.intp)
    outside = next((one.card.out_of_scope_label for one in reversed(both) if one.card.out_of_scope_label), None)
    matrix = costs.matrix(labels, rows.names, outside)
    after, before = (_paid(truth, one, matrix) for one in (new, old))
    least, most = float(matrix.min()), float(matrix.max())
    return Change(
        MEAN_COST,
        len(truth),
        float(before.mean()),
        float(after.mean()),
        interval_of_mean(after, rows.groups, least=least, most=most),
        float((after - before).mean()),
        interval_of_mean(after - before, rows.groups, least=least - most, most=most - least),
    )


def _paid(truth: Ints, answers: RowAnswers, matrix: Floats) -> Floats:
    return costs_of(truth, np.where(answers.answered, answers.chosen, NOTHING), matrix)


def _changed(rows: LabelledRows, old: RowAnswers, new: RowAnswers) -> list[ChangedRow]:
    """Return the rows whose answers differ, in the order of `ModelDiff.changed`."""
    shown = [old.chosen, new.chosen]
    if rows.are_several:
        differ = (shown[0] != shown[1]).any(axis=1)
        mistakes = [(one != rows.given).sum(axis=1) for one in shown]
    else:
        # Of a text that is out of scope, it only matters whether it is answered.
        shown = [np.where(rows.inside | one.answered, one.chosen, NOTHING) for one in (old, new)]
        differ = shown[0] != shown[1]
        mistakes = [(one != rows.given).astype(np.intp) for one in shown]
    found = []
    for row in np.flatnonzero(differ).tolist():
        kind: Kind = "both wrong"
        if mistakes[0][row] != mistakes[1][row]:
            kind = "better" if mistakes[1][row] < mistakes[0][row] else "worse"
        answers = [_answer(rows, one[row]) for one in shown]
        found.append(
            ChangedRow(
                row,
                rows.texts[row],
                rows.labels[row],
                answers[0],
                float(old.confidence[row]),
                answers[1],
                float(new.confidence[row]),
                bool(old.answered[row]),
                bool(new.answered[row]),
                kind,
            )
        )
    return sorted(found, key=lambda one: (KINDS.index(one.change), -one.new_confidence))


def _answer(rows: LabelledRows, chosen: Any) -> str | LabelSet | None:
    """Return the label that a row gets, None if it gets none, or its labels if it may have several."""
    if rows.are_several:
        return tuple(rows.names[number] for number in np.flatnonzero(chosen).tolist())
    return None if chosen == NOTHING else rows.names[chosen]


def _with_words(changed: Sequence[ChangedRow], new: TextClassifier, vectors: Vectors) -> tuple[ChangedRow, ...]:
    """Return rows with the words that support the new label."""
    explained = [one for one in changed if isinstance(one.new, str)][:_MOST_EXPLAINED]
    if not explained or not weighs_words(new.model, new.embedder):
        return tuple(changed)
    with phase("Weighing words"):
        rows = [one.row for one in explained]
        why = dict(zip(rows, new.explain([one.text for one in explained], vectors=vectors[rows]), strict=True))
    # An explanation is about the most likely label, which need not be the answer.
    return tuple(
        one._replace(spans=why[one.row].spans) if one.row in why and why[one.row].label == one.new else one
        for one in changed
    )
