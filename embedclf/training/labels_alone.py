"""Training without rows: on what is said of labels alone."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from embedclf._version import __version__
from embedclf.arrays import Vectors
from embedclf.classifier.decisions import check_min_confidence
from embedclf.classifier.model_card import ModelCard
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.classifier.training_record import TrainingRecord, rows_digest
from embedclf.embedding.base import check_vectors
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.errors import ArgumentError
from embedclf.training.checks import named_option
from embedclf.training.label_names import Described, check_described, named, texts_of
from embedclf.training.nearest_labels import NearestLabels
from embedclf.training.recipe import Recipe


def check_without_rows(recipe: Recipe, **settings: Any) -> None:
    """Check that no setting is asked for that needs labelled texts.

    Raises
    ------
    ArgumentError
        If one is.
    """
    if recipe.features in ("words", "both"):
        raise ArgumentError(
            f"--features {recipe.features} (features=) needs labelled texts: without any, only an embedder "
            "tells labels apart"
        )
    asked = {f"--{name.replace('_', '-')} ({name}=)": value for name, value in {**settings, "C": recipe.C}.items()}
    asked["--no-label-names (label_names=False)"] = True if recipe.label_names is False else None
    if given := [
        name for name, value in asked.items() if not (value is None or (isinstance(value, dict | tuple) and not value))
    ]:
        raise ArgumentError(f"{given[0]} needs labelled texts, and there are none")


def check_beside_rows(labels: Sequence[str], out_of_scope_label: str | None, **settings: Any) -> None:
    """Check that nothing is asked for that needs rows of every label.

    Parameters
    ----------
    labels : sequence of str
        Those that have no rows.
    out_of_scope_label : str or None
    **settings
        What needs rows of every label; as good as None if it is empty.

    Raises
    ------
    ArgumentError
        If something is.
    """
    if labels and (asked := [name for name, value in settings.items() if value]):
        raise ArgumentError(f"{named_option(asked[0])} needs rows of every label, and {labels[0]!r} has none")
    if labels and out_of_scope_label is not None:
        raise ArgumentError(
            f"the label {labels[0]!r} has no rows, so it cannot be told from what is out of scope: label some rows, "
            "or leave out --out-of-scope-label (out_of_scope_label)"
        )


def check_embedder(recipe: Recipe, labels: Sequence[str]) -> None:
    """Check that labels without rows can be told apart by vectors.

    Raises
    ------
    ArgumentError
        If only words are used.
    """
    if labels and not recipe.uses_vectors:
        raise ArgumentError(
            f"{named(labels)}: labels without rows need an embedder, and there is none: choose one with "
            "--embedder (embedder=…), or leave them out of --labels (label_texts=)"
        )


def train_on_labels(
    described: Described,
    texts: EmbeddedTexts,
    *,
    min_confidence: float | None,
    name_vectors: Vectors | None,
) -> TextClassifier:
    """Make a classifier that answers with the label whose text is nearest.

    Parameters
    ----------
    described : mapping of str to sequence of str
        See `names_for`.
    texts : EmbeddedTexts
        Texts without labels, as they are to be classified, from whose mean they are seen; there may be none.
    min_confidence : float, optional
        See `embedclf.train`.
    name_vectors : ndarray of shape (n_label_texts, n_dimensions), float32, optional
        Vectors of the texts of labels; None embeds them.

    Raises
    ------
    TrainingError
        See `check_described`.
    ArgumentError, TextError, EmbedderError
        See `embedclf.train`.
    """
    check_described(described)
    check_min_confidence(min_confidence)
    said = texts_of(sorted(described), described)
    embedder = texts.embedder
    if embedder.is_lexical:
        raise ArgumentError(
            "without labelled texts, words alone cannot tell labels apart: choose an embedder (--embedder)"
        )
    if name_vectors is None:
        of_texts, name_vectors = texts.vectors_with([one.text for one in said])
    else:
        of_texts, name_vectors = texts.vectors, check_vectors(name_vectors, len(said))
    mean_text = of_texts.mean(axis=0, dtype=np.float64) if len(texts) else None
    nearest = NearestLabels.of(said, name_vectors, mean_text=mean_text)
    record = TrainingRecord(
        digest=rows_digest([one.text for one in said], [one.label for one in said]),
        n_rows=0,
        min_confidence=None if min_confidence is None else float(min_confidence),
        label_texts=True,
    )
    card = ModelCard(
        embedder=replace(embedder.spec, dimensions=name_vectors.shape[1]),
        head="centroid",
        regularization=None,
        temperature=nearest.temperature,
        threshold=min_confidence,
        out_of_scope_label=None,
        n_examples=len(said),
        held_out=None,
        version=__version__,
        training=record,
    )
    return TextClassifier(embedder, nearest.model(), card)
