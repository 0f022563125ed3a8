"""Retraining with another embedder, or on more rows, and what it is worth: both on the same held-out rows."""

import os
from collections.abc import Iterable, Sequence
from typing import Any, Unpack

from embedclf.classifier.text_classifier import TextClassifier
from embedclf.data.label_sets import AnyLabels
from embedclf.data.weight_column import weigh
from embedclf.data_frames import DataFrame
from embedclf.embedding.base import EmbedderLike
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.embedding.factory import EmbedderSettings
from embedclf.errors import TextError
from embedclf.evaluation.retraining_plan import plan_retraining
from embedclf.evaluation.retraining_result import Retraining


def retrain(
    model: str | os.PathLike[str] | TextClassifier,
    texts: Iterable[str] | DataFrame | EmbeddedTexts | None = None,
    labels: AnyLabels | None = None,
    *,
    text: str | Sequence[str] | None = None,
    label: str | Sequence[str] | None = None,
    embedder: EmbedderLike | None = None,
    dimensions: int | None = None,
    task: str | None = None,
    prompt: str | None = None,
    sample_weight: Any = None,
    **settings: Unpack[EmbedderSettings],
) -> Retraining:
    """Retrain a classifier with another embedder, or on other rows, and compare it with the old one.

    The settings are those of the old training, and so are the rows unless others are passed. For the comparison, both
    are fitted without the same held-out rows and measured on these. The old embedder may be gone: then its vectors come
    from the cache or, if they are not all there, its accuracy is what the file of the classifier records.

    Parameters
    ----------
    model : str, Path or TextClassifier
        The old classifier, or its file. Nothing is written to the file.
    texts, labels, text, label
        The rows, see `embedclf.train`; None reads the files that the classifier was trained on, which are looked for in
        the current directory and in that of the model file, and used only if their rows have not changed.
    embedder : str, Embedder or langchain_core.embeddings.Embeddings, optional
        The new one; None uses that of the old classifier, to train on other rows.
    dimensions : int, optional
        Length of the vectors of an embedder given by name; None uses the model's own.
    task : {"classification", "clustering", "similarity", "none"}, optional
        What to tell a new embedder given by name; None tells it what the old one was told, if it takes a task.
    prompt : str, optional
        An instruction to put before each text, see `embedclf.open_embedder`; None uses that of the old embedder, if
        the new one takes a prompt and does not have its own, and "" none.
    sample_weight : array of shape (n_texts,), optional
        Needed if the old classifier was trained with one, since a model file does not hold it. If the weights are a
        column of the files that the classifier was trained on, they are read again.
    **settings
        How to open embedders; see `EmbedderSettings`. ``cache`` is True unless given, and ``max_cost`` limits the cost
        of both embedders together.

    Raises
    ------
    ModelFileError
        If the model file is not usable.
    DataError
        If the rows are not passed, and cannot be found or have changed.
    ArgumentError
        If neither the embedder nor the rows are others than before, `sample_weight` is needed, or texts have several
        labels and the classifier gives one, or the reverse.
    TrainingError, TextError, EmbedderError
        See `embedclf.train`.
    """
    settings = {"cache": True, **settings}
    plan = plan_retraining(model, embedder, dimensions=dimensions, task=task, prompt=prompt, **settings)
    if texts is None:
        corpus = plan.find_rows(plan.read)
        column = plan.weight_column if sample_weight is None else None
        plan.check_labels(corpus.name, corpus.given_labels)
        plan.check(corpus.texts, corpus.given_labels, sample_weight if column is None else column)
        corpus, weights = weigh(corpus, column)
        sample_weight = sample_weight if weights is None else weights
        examples = EmbeddedTexts(corpus.texts, corpus.given_labels)
    else:
        text, label = plan.columns(texts, text, label)
        examples = EmbeddedTexts.of(texts, labels, text=text, label=label)
        plan.check_labels("the dataset", examples.given_labels)
        sample_weight = examples.weights(sample_weight)
        plan.check(examples.texts, examples.given_labels, sample_weight)
    texts, written, embedders = examples.texts, plan.written(examples.given_labels), plan.embedders
    embedders.check_cost(texts, written)
    embedded = embedders.embed(texts, written)
    if embedded.refused:
        raise TextError(embedded.refused)
    return plan.train(texts, written, embedded, embedders.embed_old(texts, written), sample_weight)
