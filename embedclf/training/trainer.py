"""Training of a classifier on labelled texts, with its accuracy measured on held-out examples."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from embedclf.arrays import Floats, Ints, Mask, Vectors
from embedclf.classifier.costs import Costs, CostsLike
from embedclf.classifier.hierarchy import as_written, hierarchy_of
from embedclf.classifier.label_files import tell_of_costs
from embedclf.classifier.model_card import Head, HeldOut
from embedclf.classifier.multilabel import make_classifier
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.classifier.training_record import TrainingRecord, rows_digest
from embedclf.data.label_sets import AnyLabels, each_label, listed_labels, written_labels
from embedclf.data_frames import DataFrame, as_mapping
from embedclf.embedding.base import WORDS, Embedder, EmbedderLike
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.embedding.factory import as_embedder, open_embedder
from embedclf.errors import ArgumentError, NotInstalledError
from embedclf.formatting import counted
from embedclf.missing import placeholder_labels, placeholder_texts
from embedclf.phases import phase
from embedclf.stats import metrics
from embedclf.stats.intervals import warn_of_few
from embedclf.training.checks import (
    check_abstaining,
    check_for_one_label,
    check_kind_of_labels,
    check_labelled,
    labels_in_tree,
)
from embedclf.training.fitting import fit_classifier
from embedclf.training.heads import Start
from embedclf.training.inputs import Inputs
from embedclf.training.label_names import (
    Described,
    LabelTexts,
    check_described,
    check_label_texts,
    described_in_tree,
    labels_without_rows,
    tell_of_labels,
)
from embedclf.training.labels_alone import check_beside_rows, check_embedder, check_without_rows, train_on_labels
from embedclf.training.languages import warn_of_languages
from embedclf.training.recipe import Features, Recipe, check_recipe
from embedclf.training.splits import hold_out
from embedclf.training.targets import AnswerRules, check_leaves, check_targets
from embedclf.training.training_set import make_training_set
from embedclf.training.weights import ClassWeight, check_sample_weight, weights_of_classes
from embedclf.training.words_alone import predict_by_words
from embedclf.validation import check_whole, label_of

logger = logging.getLogger(__name__)


def train(
    texts: Iterable[str] | DataFrame | EmbeddedTexts | None = None,
    labels: AnyLabels | None = None,
    *,
    text: str | Sequence[str] | None = None,
    label: str | Sequence[str] | None = None,
    embedder: EmbedderLike | None = None,
    head: Head = "logistic",
    C: float | Literal["auto"] | None = None,
    regularization: float | Literal["auto"] = "auto",
    features: Features = "auto",
    label_names: bool | None = None,
    label_texts: LabelTexts | None = None,
    holdout: float = 0.2,
    seed: int = 0,
    target_accuracy: float | None = None,
    min_confidence: float | None = None,
    out_of_scope_label: str | int | None = None,
    sample_weight: Any = None,
    class_weight: ClassWeight = None,
    label_hierarchy: str | None = None,
    costs: CostsLike | None = None,
    target_precision: Mapping[Any, float] | None = None,
    target_recall: Mapping[Any, float] | None = None,
    vectors: Vectors | None = None,
    name_vectors: Vectors | None = None,
) -> TextClassifier:
    """Train a classifier.

    It is fitted on the examples that are not held out, measured on the held-out ones, and then fitted on all of them
    with the same C and temperature. The same examples and settings give the same classifier.

    Parameters
    ----------
    texts : iterable of str, DataFrame or EmbeddedTexts, optional
        A data frame of pandas or Polars brings its labels, and the classifier remembers the names of its columns;
        `EmbeddedTexts` bring labels, embedder and vectors. Do not pass these arguments then. None, and texts without
        labels, need `label_texts`.
    labels : iterable of str or int, or of lists of these
        One per text. The classifier's labels are strings; a whole number is a label as it is written: ``"1"``. A list
        of labels per text, or a matrix of 0 and 1 with a column per label, trains a `MultiLabelClassifier`: each label
        is one against the rest, with a probability and a threshold of its own.
    text, label : str or sequence of str, optional
        The columns of a data frame; None means "text" and "label". Several columns of texts are joined by line breaks;
        several columns of labels hold 0 and 1.
    embedder : str, Embedder or langchain_core.embeddings.Embeddings, optional
        A ``provider:model``, an embedclf embedder, or any LangChain ``Embeddings``. None uses AI/ML API's
        text-embedding-3-small if there is a key for it, else WordLlama. An embedder given by name uses the same
        cache as the command line, so no text is paid for twice; use `embedclf.open_embedder` for another cache or for
        vectors of another length.
    head : {"logistic", "centroid"}
        Logistic regression or nearest centroid.
    C : float or "auto", optional
        scikit-learn's C for the logistic head: larger values fit more closely. "auto", the default, chooses it by
        cross-validated log loss.
    regularization : float or "auto"
        Another name of `C`. Pass only one of them.
    features : {"auto", "embedding", "words", "both"}
        What to use of a text: the embedder's vector, its words and pairs of words, or both. "auto" chooses between
        "embedding" and "both" by cross-validated log loss. "words" needs no embedder.
    label_names : bool, optional
        Whether to use the name of each label as a training text. With few texts per label and meaningful names, None
        decides by cross-validated log loss; otherwise it does not use them.
    label_texts : dict of str to str or list of str, list of str, or DataFrame, optional
        Descriptions of labels, or examples of their texts; a list has only the labels, and a data frame the columns
        "label" and "description". A Series of pandas named "label", or without strings in its index, is a list;
        otherwise its index has the labels. They are used with the names, as these are. Labels that have no rows become
        classes, learned from their texts alone. Without any labelled texts, each text gets the label whose text is
        nearest; then there is nothing to measure, and only `embedder`, `min_confidence` and `name_vectors` apply
        besides.
    holdout : float
        Share of the examples to hold out for measuring, in [0, 1); 0 holds none out. The split is stratified and keeps
        exact duplicates together; a label with a single text is not held out.
    seed : int
        Seed for the held-out split and the folds.
    target_accuracy : float, optional
        Choose the threshold that answers the most texts while this share of the answers is correct, on out-of-fold
        predictions.
    min_confidence : float, optional
        Set the threshold, the confidence below which the classifier abstains. With neither of the two, it always
        answers, unless there is an `out_of_scope_label`.
    out_of_scope_label : str or int, optional
        The label of examples that should be rejected. It is not a class. The probabilities of a text then sum to the
        probability that it is in scope, and the threshold is chosen by the F1 of rejecting these examples; with
        `target_accuracy`, answers to them count as wrong. If fewer than a fifth of the examples are out of scope, a
        fifth of the texts are taken to be. If texts may have several labels, it stands alone for a text that has none
        of them, as an empty list does, so that a text may be answered with no label.
    sample_weight : array of shape (n_texts,), optional
        How many examples each example counts for, above 0, in the fit and in the choice of C and temperature; None is
        one each. Metrics and thresholds count each example once.
    class_weight : dict, "balanced" or None
        What it costs to miss each label, relative to the others; 1 if it is not in the dict. "balanced" makes all
        labels count the same, however many examples they have. Each example is fitted with the weight of its label, and
        the label is answered whose probability times its weight is largest. The probabilities are corrected: they are
        those of texts in which labels are as frequent as in the examples. If texts may have several labels, a weight is
        how much a text with the label counts, compared with one without it, in the fit and in the choice of the label's
        threshold; "balanced" makes both count the same.
    costs : mapping of (label, answer) to float, or Costs, optional
        What answers cost; that of least expected cost is given. The answer None is abstaining, and ``"*"`` stands for
        any label, or any wrong answer; see `Costs`. The out-of-scope label may be a true label. Not with
        `class_weight`.
    target_precision : dict of label to float, optional
        Answer with a label only from a confidence on with which this share of its answers is correct, and abstain below
        it, on out-of-fold predictions.
    target_recall : dict of label to float, optional
        Answer with a label from a lower probability on, even if another is more likely, with which this share of its
        examples gets it. Labels with a target are not subject to the threshold of all labels. If texts may have several
        labels, the label's own threshold is the one nearest to the usual one that reaches its targets. In a tree, a
        text whose label misses its own threshold is answered with a label above, if one reaches the threshold of all
        labels, or that of the label if there is none.
    label_hierarchy : str, optional
        What separates the parts of labels in a tree: "/" for ``billing/refund``. With a threshold, a text is then
        answered with the deepest label that reaches it, whose probability is the sum of those at and below it. With
        `target_accuracy`, an answer is correct if it is the true label or one above it. White space around parts is
        left out. A text that may have several labels gets one above them where none of them reaches its threshold, but
        the probability of at least one of them does.
    vectors : ndarray of shape (n_texts, n_dimensions), float32, optional
        The embedder's vectors of the texts, if known; None embeds the texts.
    name_vectors : ndarray of shape (n_labels, n_dimensions), float32, optional
        The embedder's vectors of the label names, as written by `label_name_texts`, or of `label_texts`, those of
        labels that have rows first. If only `vectors` are given, names
        are embedded only if `label_names` is true.

    Returns
    -------
    TextClassifier
        Its ``card`` holds the held-out metrics. A `MultiLabelClassifier` if texts have several labels.

    Raises
    ------
    MissingValueError
        If a text or a label is missing (None, NaN).
    TypeError
        If texts are not a list of strings, or labels not one of strings or whole numbers.
    ArgumentError
        If a setting is invalid, or there is not one label or one finite vector per text.
    TrainingError
        If the examples are not enough for a classifier, or no threshold reaches the target.
    TextError
        If a text is empty, not valid Unicode, or rejected by the embedder.
    EmbedderError
        If the embedder is unknown, not installed, or fails.
    """
    recipe = check_recipe(head, regularization, features, label_names, C)
    described = None if label_texts is None else check_label_texts(label_texts)
    if texts is None and described is None:
        raise TypeError("train needs texts with their labels, or label_texts")
    given: Any = () if texts is None else texts
    examples = EmbeddedTexts.of(given, labels, text=text, label=label, embedder=embedder, vectors=vectors)
    sample_weight = examples.weights(sample_weight)
    costs = as_mapping(costs, "costs")
    target_precision = as_mapping(target_precision, "target_precision")
    target_recall = as_mapping(target_recall, "target_recall")
    if described is not None and examples.labels is None and examples.label_sets is None:
        check_without_rows(
            recipe,
            target_accuracy=target_accuracy,
            out_of_scope_label=out_of_scope_label,
            sample_weight=sample_weight,
            class_weight=class_weight,
            label_hierarchy=label_hierarchy,
            costs=costs,
            target_precision=target_precision,
            target_recall=target_recall,
        )
        return train_on_labels(described, examples, min_confidence=min_confidence, name_vectors=name_vectors)
    classifier, _ = train_on(
        examples,
        recipe,
        holdout=holdout,
        seed=seed,
        target_accuracy=target_accuracy,
        min_confidence=min_confidence,
        out_of_scope_label=out_of_scope_label,
        sample_weight=sample_weight,
        class_weight=class_weight,
        label_hierarchy=label_hierarchy,
        costs=costs,
        target_precision=target_precision,
        target_recall=target_recall,
        name_vectors=name_vectors,
        described=described,
    )
    return classifier


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutRows:
    """The answers to the held-out examples of a training.

    Attributes
    ----------
    held : ndarray of shape (n,), bool
        Which examples were held out.
    correct : ndarray of shape (n_held_out,), bool
        Whether the label of each of them was predicted, those that are out of scope left out; (n_held_out, n_classes)
        if texts may have several labels, see `fit_classifier`.
    """

    held: Mask
    correct: Mask


def train_on(
    examples: EmbeddedTexts,
    recipe: Recipe,
    *,
    holdout: float,
    seed: int,
    target_accuracy: float | None,
    min_confidence: float | None,
    out_of_scope_label: str | int | None,
    sample_weight: Any,
    class_weight: ClassWeight,
    label_hierarchy: str | None = None,
    name_vectors: Vectors | None,
    described: Described | None = None,
    start: Start | None = None,
    costs: CostsLike | None = None,
    target_precision: Mapping[Any, float] | None = None,
    target_recall: Mapping[Any, float] | None = None,
) -> tuple[TextClassifier, HeldOutRows]:
    """Train a classifier; see `train`, and `fit_classifier` for the start."""
    outside = None if out_of_scope_label is None else label_of(out_of_scope_label, "out_of_scope_label")
    others = {"costs": costs, "target_precision": target_precision, "target_recall": target_recall}
    check_kind_of_labels(
        several=examples.is_multilabel,
        in_tree=label_hierarchy is not None,
        target_accuracy=target_accuracy,
        costs=costs,
    )
    labels = examples.given_labels
    if examples.is_multilabel:
        check_for_one_label(label_texts=described)
    if label_hierarchy is not None:
        labels, label_hierarchy = labels_in_tree(labels, label_hierarchy, outside)
        outside = None if outside is None else as_written([outside], label_hierarchy)[0]
        described = None if described is None else described_in_tree(described, label_hierarchy)
    classes, y, given = check_labelled(examples.texts, labels, outside)
    if described is not None:
        described = {label: texts for label, texts in described.items() if label != outside}
        check_described(described, classes)
        check_beside_rows(labels_without_rows(described, classes), outside, **others, class_weight=class_weight)
    check_abstaining(target_accuracy, min_confidence)
    check_whole(seed, "seed", least=0)
    if not 0 <= holdout < 1:
        raise ArgumentError(f"holdout must be at least 0 and less than 1, got {holdout:g}")
    _warn_of_placeholders(examples, outside)
    _warn_of_lists(examples)
    class_weight = of_labels(class_weight)
    weights, of_classes = weights_of(sample_weight, class_weight, classes, y, given)
    rules = answer_rules(
        classes, costs, target_precision, target_recall, outside, class_weight, separator=label_hierarchy
    )
    record = TrainingRecord(
        digest=rows_digest(examples.texts, written_labels(labels)),
        n_rows=len(examples),
        features=recipe.features,
        C=recipe.C,
        label_names=recipe.label_names,
        holdout=float(holdout),
        seed=int(seed),
        target_accuracy=None if target_accuracy is None else float(target_accuracy),
        min_confidence=None if min_confidence is None else float(min_confidence),
        class_weight=_plain(class_weight),
        weighted=sample_weight is not None,
        label_texts=described is not None,
        target_precision=rules.target_precision or None,
        target_recall=rules.target_recall or None,
        label_counts=dict(sorted(Counter(each_label(labels)).items())),
    )
    opened, recipe = open_for(recipe, examples)
    if described is not None:
        check_embedder(recipe, labels_without_rows(described, classes))
        tell_of_labels(recipe, classes, described, len(examples))
    warn_of_languages(examples.texts, opened, recipe)
    held = _choose_held_out(y, examples.groups, classes, holdout, seed, given)
    model, card, correct = fit_classifier(
        make_training_set(
            recipe,
            examples,
            classes,
            y,
            name_vectors,
            described=described,
            sample_weight=weights,
            given=given,
            class_weight=of_classes,
        ),
        recipe,
        spec=opened.spec,
        seed=seed,
        held=held,
        target_accuracy=target_accuracy,
        min_confidence=min_confidence,
        start=start,
        tree=None if label_hierarchy is None else hierarchy_of(classes, label_hierarchy),
        rules=rules,
    )
    if card.held_out is not None and given is None:
        card = replace(card, held_out=_with_baseline(card.held_out, recipe, examples.texts, classes, y, held))
    classifier = make_classifier(opened, model, replace(card, out_of_scope_label=outside, training=record))
    if examples.columns is not None:
        classifier = classifier.with_columns(*examples.columns)
    return classifier, HeldOutRows(held, correct)


def _warn_of_lists(examples: EmbeddedTexts) -> None:
    """Warn of labels that are the texts of lists, as a data frame has them that was read from CSV."""
    for number, label in enumerate([] if examples.is_multilabel else examples.known_labels):
        if len(listed_labels(label) or ()) > 1:
            logger.warning(
                "labels[%d] is the text of a list, %.60r, and taken for one label: convert such texts to lists",
                number,
                label,
            )
            return


def _warn_of_placeholders(examples: EmbeddedTexts, outside: str | None) -> None:
    for what, found in (
        ("labels", placeholder_labels([] if examples.is_multilabel else examples.known_labels)),
        ("texts", placeholder_texts(examples.texts)),
    ):
        for word, rows in found.items():
            if what == "labels" and word == outside:
                continue
            n = f"{counted(len(rows), 'row')}, the first {what}[{rows[0]}]"
            logger.warning(
                "%r in the %s may stand for a missing value (%s): kept as it is; if it does, leave these rows out",
                word,
                what,
                n,
                extra={"about_rows": True},
            )


def answer_rules(
    classes: Sequence[str],
    costs: CostsLike | None,
    target_precision: Mapping[Any, float] | None,
    target_recall: Mapping[Any, float] | None,
    outside: str | None,
    class_weight: ClassWeight = None,
    *,
    separator: str | None = None,
) -> AnswerRules:
    """Return what is asked of the answers, once it is checked; see `train`.

    Parameters
    ----------
    classes : sequence of str
    costs, target_precision, target_recall, class_weight
        See `train`.
    outside : str or None
        The out-of-scope label.
    separator : str, optional
        What separates the parts of the classes, if they are in a tree.

    Raises
    ------
    ArgumentError
        If it cannot be.
    """
    if costs is not None and class_weight is not None:
        raise ArgumentError(
            "class_weight says what it costs to miss a label, and costs says it for each answer: use only one of them"
        )
    targets = []
    for name, given in (("target_precision", target_precision), ("target_recall", target_recall)):
        given = {} if given is None else given
        check_targets(name, given)
        names = [label_of(label, f"a label of {name}") for label in given]
        if separator is not None:
            names = as_written(names, separator)
            check_leaves(name, names, classes, separator)
        targets.append(dict(zip(names, map(float, given.values()), strict=True)))
    rules = AnswerRules(None if costs is None else Costs.of(costs), targets[0], targets[1], outside)
    rules.check(classes)
    if rules.costs is not None and not isinstance(costs, Costs):
        tell_of_costs(rules.costs, classes)
    return rules


def of_labels(class_weight: ClassWeight) -> ClassWeight:
    """Return the weights of labels by the names of these."""
    class_weight = as_mapping(class_weight, "class_weight")
    if not isinstance(class_weight, Mapping):
        return class_weight
    return {label_of(name, "a label of class_weight"): weight for name, weight in class_weight.items()}


def _plain(class_weight: ClassWeight) -> dict[str, float] | Literal["balanced"] | None:
    """Return weights of labels that have been checked as plain types, for JSON."""
    if isinstance(class_weight, Mapping):
        return {name: float(weight) for name, weight in class_weight.items()}
    return class_weight


def weights_of(
    sample_weight: Any, class_weight: ClassWeight, classes: tuple[str, ...], y: Ints, given: Mask | None = None
) -> tuple[Floats | None, Floats | None]:
    """Return the weight of each example, and that of each class; None if all count the same.

    See `weights_of_classes`.
    """
    weights = check_sample_weight(sample_weight, len(y))
    if weights is not None and not weights.all():
        raise ArgumentError(f"sample_weight[{int(weights.argmin())}] is 0: leave out the texts that should not count")
    of_classes = weights_of_classes(weights, class_weight, classes, y, given)
    if given is not None:
        return weights, None if of_classes is None or (of_classes == 1).all() else of_classes
    if of_classes is not None and not np.ptp(of_classes):  # no class counts more than another
        if of_classes[0] != 1:
            weights = np.full(len(y), of_classes[0]) * (1.0 if weights is None else weights)
        return weights, None
    return weights, of_classes


def _with_baseline(
    figures: HeldOut, recipe: Recipe, texts: Sequence[str], classes: tuple[str, ...], y: Ints, held: Mask
) -> HeldOut:
    """Add the accuracy of simpler classifiers on the held-out examples."""
    inside = np.flatnonzero(y < len(classes))
    y, held = y[inside], held[inside]
    of_words = None
    if recipe.uses_vectors:
        with phase("Measuring words alone"):
            inputs = Inputs.of([texts[row] for row in inside.tolist()], None, words=True)
            of_words = metrics.accuracy(y[held], predict_by_words(inputs, y, held))
    commonest = float(np.bincount(y[held]).max() / held.sum())
    return replace(figures, baseline_accuracy=commonest, words_accuracy=of_words)


def open_for(recipe: Recipe, embedder: Any, **settings: Any) -> tuple[Embedder, Recipe]:
    """Open the embedder that a recipe needs; if the default one is not installed, use words only.

    Parameters
    ----------
    recipe : Recipe
    embedder : EmbeddedTexts, str, Embedder, langchain_core.embeddings.Embeddings or None
        `EmbeddedTexts` have their own embedder.
    **settings
        Settings for opening an embedder; see `as_embedder`.

    Returns
    -------
    embedder : Embedder
    recipe : Recipe
        The given recipe, or that recipe with words only.

    Raises
    ------
    EmbedderError
        If an embedder given by name cannot be opened.
    ArgumentError
        If the embedder is for words only, but the recipe needs vectors.
    """
    if recipe.features == "words":
        return open_embedder(WORDS), recipe
    of_texts = isinstance(embedder, EmbeddedTexts)
    try:
        opened = embedder.embedder if of_texts else as_embedder(embedder, **settings)
    except NotInstalledError as error:
        is_named = embedder.is_embedder_named if of_texts else embedder is not None
        if is_named or recipe.features != "auto":
            raise
        logger.warning("no embedder available, so training on words only: %s", error)
        return open_embedder(WORDS), replace(recipe, features="words")
    if opened.is_lexical:
        if recipe.features != "auto":
            raise ArgumentError(f"{opened.spec} has no embeddings: features={recipe.features!r} needs another embedder")
        recipe = replace(recipe, features="words")
    return opened, recipe


def _choose_held_out(
    y: Ints, groups: Ints, classes: tuple[str, ...], holdout: float, seed: int, given: Mask | None
) -> Mask:
    if holdout == 0:
        return np.zeros(len(y), dtype=bool)
    held = hold_out(y, groups, holdout, seed=seed)
    has_label = np.arange(len(classes)) == y[:, None] if given is None else given
    distinct = [len(np.unique(groups[has_label[:, number]])) for number in range(len(classes))]
    if single := [number for number, n_texts in enumerate(distinct) if n_texts == 1]:
        named = ", ".join(repr(classes[number]) for number in single[:5])
        more = f" and {len(single) - 5} more" if len(single) > 5 else ""
        have = "has" if len(single) == 1 else "have"
        thing = "example" if has_label[:, single].sum() == len(single) else "distinct text"
        logger.warning("%s%s %s one %s: used for training only", named, more, have, thing)
    if not held.any():
        logger.warning("too few examples for a held-out test: accuracy not measured")
    else:
        warn_of_few(groups[held], "held out")
    return held
