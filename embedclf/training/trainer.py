"""Training: texts and labels in, a classifier with measured quality out."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from embedclf.arrays import Ints, Mask, Vectors
from embedclf.classifier.model_file import Head
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.embedding.base import WORDS, Embedder
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.embedding.factory import as_embedder, open_embedder
from embedclf.errors import ArgumentError, NotInstalledError
from embedclf.stats.intervals import warn_of_few
from embedclf.training.checks import check_abstaining, check_examples
from embedclf.training.fitting import fit_classifier
from embedclf.training.recipe import Features, Recipe, check_recipe
from embedclf.training.splits import hold_out
from embedclf.training.training_set import make_training_set
from embedclf.validation import check_whole

logger = logging.getLogger(__name__)


def train(
    texts: Iterable[str] | EmbeddedTexts,
    labels: Iterable[str] | None = None,
    *,
    embedder: Any = None,
    head: Head = "logistic",
    regularization: float | Literal["auto"] = "auto",
    features: Features = "auto",
    label_names: bool | None = None,
    holdout: float = 0.2,
    seed: int = 0,
    target_accuracy: float | None = None,
    min_confidence: float | None = None,
    out_of_scope_label: str | None = None,
    vectors: Vectors | None = None,
    name_vectors: Vectors | None = None,
) -> TextClassifier:
    """Train a classifier.

    It is fitted on the examples that are not held out, measured on those that are, and then fitted on all of them with
    the same C and temperature. The same examples and settings give the same classifier.

    Parameters
    ----------
    texts : iterable of str, or EmbeddedTexts
        The latter has its own labels, embedder and vectors: these arguments are left out then.
    labels : iterable of str
        One per text.
    embedder : str, Embedder or langchain_core.embeddings.Embeddings, optional
        A ``provider:model``, one of our embedders, or any LangChain ``Embeddings``. None takes AI/ML API's
        text-embedding-3-small if ``AIMLAPI_API_KEY`` is set, else WordLlama. One given by its name is opened with the
        cache that the command line uses, so that no text is paid for twice; `embedclf.open_embedder` opens it with
        another one, or with vectors of another length.
    head : {"logistic", "centroid"}
        Logistic regression or nearest centroid.
    regularization : float or "auto"
        scikit-learn's C for the logistic head; "auto" chooses it by log loss on examples not fitted on.
    features : {"auto", "embedding", "words", "both"}
        What of a text is used: the embedder's vector, its words and pairs of words, or both. "auto" chooses whether
        words stand beside the vector, by log loss on examples not fitted on. "words" needs no embedder.
    label_names : bool, optional
        Whether the name of each label is a training text, too; None chooses, where names say something.
    holdout : float
        Share of the examples to hold out for measuring, in [0, 1); 0 holds none out. Stratified; exact duplicates
        stay on one side; a label with a single text is not held out.
    seed : int
        For the random choices of what is held out.
    target_accuracy : float, optional
        Chooses the threshold that answers most while this share of the answers is right, on examples not fitted on.
    min_confidence : float, optional
        Sets the threshold: the confidence below which the classifier abstains. None of both: it always answers, unless
        there is an `out_of_scope_label`.
    out_of_scope_label : str, optional
        The label of examples of what to reject. It is not a class; the threshold is chosen such that these are rejected
        and the others answered, or such that the target is reached with these counted wrong where they are answered.
    vectors : ndarray of shape (n_texts, n_dimensions), float32, optional
        What the embedder makes of the texts, if that is known; None embeds them.
    name_vectors : ndarray of shape (n_labels, n_dimensions), float32, optional
        What it makes of the names of the labels, as `label_name_texts` writes them. Without these, where `vectors` are
        given, names are embedded only if `label_names` is true.

    Returns
    -------
    TextClassifier
        Its ``card`` has the figures.

    Raises
    ------
    TypeError
        If texts or labels are not lists of strings.
    ArgumentError
        If a setting cannot be, or there is not one label or one finite vector per text.
    TrainingError
        If the examples do not make a classifier, or no threshold reaches the target.
    TextError
        If a text is empty, not Unicode, or refused by the embedder.
    EmbedderError
        If the embedder is unknown, not installed, or fails.
    """
    examples = EmbeddedTexts.of(texts, labels, embedder=embedder, vectors=vectors)
    classes, y = check_examples(examples.texts, examples.known_labels, out_of_scope_label)
    recipe = check_recipe(head, regularization, features, label_names)
    check_abstaining(target_accuracy, min_confidence)
    check_whole(seed, "seed", least=0)
    if not 0 <= holdout < 1:
        raise ArgumentError(f"holdout is a share from 0 to less than 1, not {holdout:g}")
    opened, recipe = open_for(recipe, examples)
    held = _choose_held_out(y, examples.groups, classes, holdout, seed)
    model, card = fit_classifier(
        make_training_set(recipe, examples, classes, y, name_vectors),
        recipe,
        spec=opened.spec,
        seed=seed,
        held=held,
        target_accuracy=target_accuracy,
        min_confidence=min_confidence,
    )
    return TextClassifier(opened, model, replace(card, out_of_scope_label=out_of_scope_label))


def open_for(recipe: Recipe, embedder: Any, **settings: Any) -> tuple[Embedder, Recipe]:
    """Open the embedder that a recipe needs; where the default one is not installed, words alone are used.

    Parameters
    ----------
    recipe : Recipe
    embedder : EmbeddedTexts, str, Embedder, langchain_core.embeddings.Embeddings or None
        Texts have their own.
    **settings
        How one that is not open is opened; see `as_embedder`.

    Returns
    -------
    embedder : Embedder
    recipe : Recipe
        The same, or for words alone.

    Raises
    ------
    EmbedderError
        If one that is named cannot be opened.
    ArgumentError
        If words alone are all that the embedder has, and more is asked for.
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
        logger.warning("trained on words alone, as there is no embedder: %s", error)
        return open_embedder(WORDS), replace(recipe, features="words")
    if opened.is_lexical:
        if recipe.features != "auto":
            raise ArgumentError(f"{opened.spec} has words alone: features={recipe.features!r} needs another embedder")
        recipe = replace(recipe, features="words")
    return opened, recipe


def _choose_held_out(y: Ints, groups: Ints, classes: tuple[str, ...], holdout: float, seed: int) -> Mask:
    if holdout == 0:
        return np.zeros(len(y), dtype=bool)
    held = hold_out(y, groups, holdout, seed=seed)
    distinct = [len(np.unique(groups[y == number])) for number in range(len(classes))]
    if single := [name for name, number in zip(classes, distinct, strict=True) if number == 1]:
        named = ", ".join(map(repr, single[:5])) + (f" and {len(single) - 5} more" if len(single) > 5 else "")
        logger.warning("%s: only one text, so trained on but not held out; two or more are needed", named)
    if not held.any():
        logger.warning("there are too few examples to hold any out: the quality is not measured")
    else:
        warn_of_few(groups[held], "held out")
    return held
