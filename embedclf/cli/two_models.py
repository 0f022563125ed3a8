"""Two classifiers on the same file: loading both, what their embedders cost, and the vectors of the rows by each."""

from dataclasses import replace
from typing import TYPE_CHECKING

from embedclf.cli.costs import print_estimates, show_usage
from embedclf.cli.job import Job
from embedclf.cli.refused_rows import without_refused
from embedclf.cli.screen import echo
from embedclf.formatting import counted

if TYPE_CHECKING:
    from embedclf.arrays import Vectors
    from embedclf.classifier.text_classifier import TextClassifier
    from embedclf.evaluation.choices import Choice


def load_with(job: Job, path: str, embedder: str | None) -> "TextClassifier":
    """Load a classifier; `embedder` is given for files that do not say enough to open theirs."""
    from embedclf.classifier.loading import load
    from embedclf.classifier.model_file import read_model

    needed = None if embedder is None or read_model(path)[1].embedder.is_enough else embedder
    return load(path, embedder=needed, **job.asked.settings())


def choices_of(old: "TextClassifier", new: "TextClassifier") -> "list[Choice]":
    """Return the embedders whose vectors are needed, each once."""
    from embedclf.evaluation.choices import Choice
    from embedclf.evaluation.diffing import shares_vectors

    found = [new, *([] if shares_vectors(old, new) else [old])]
    return [Choice(None, None, one.embedder) for one in found if one.model.uses_vectors]


def is_dry(job: Job, old: "TextClassifier", new: "TextClassifier", also: "list[str] | None" = None) -> bool:
    """Return whether this is a dry run; if so, print what embedding the file, and `also`, costs for both."""
    if job.asked.dry_run:
        texts = [*job.corpus.texts, *(also or [])]
        print_estimates(choices_of(old, new), texts, job.asked, as_json=job.as_json)
    return job.asked.dry_run


def check_cost(job: Job, old: "TextClassifier", new: "TextClassifier") -> None:
    """Check that the estimated cost of both is within the limit, if there is one.

    Raises
    ------
    MaxCostError
        If it is not.
    """
    from embedclf.evaluation.choices import check_cost_of_all

    check_cost_of_all(choices_of(old, new), job.corpus.texts, job.asked.max_cost)


def embed_new(job: Job, new: "TextClassifier") -> "Vectors":
    """Embed the rows of a job as a classifier needs them, and print the usage; see `Job.embed`."""
    try:
        vectors, refused = new.embed_partial(job.corpus.texts)
    finally:
        if new.model.uses_vectors:
            show_usage(new.embedder)
    return job.keep_usable(vectors, refused)


def vectors_of_old(
    job: Job, path: str, embedder: str | None, old: "TextClassifier", new: "TextClassifier", vectors: "Vectors"
) -> "tuple[Vectors, Vectors]":
    """Embed the rows with the old classifier's embedder too, if it differs, within what is left of the limit.

    Rows that it rejects are dropped from the job.

    Returns
    -------
    of_old, of_new : ndarray of shape (n_kept, n_dimensions), float32
    """
    from embedclf.evaluation.diffing import shares_vectors

    if shares_vectors(old, new):
        return vectors, vectors
    if job.asked.max_cost is not None and not old.embedder.is_local:
        asked = job.asked
        job.asked = replace(asked, max_cost=max(0.0, (asked.max_cost or 0.0) - new.embedder.spent))
        old, job.asked = load_with(job, path, embedder), asked
    try:
        others, refused = old.embed_partial(job.corpus.texts)
    finally:
        if old.model.uses_vectors:
            show_usage(old.embedder)
            job.also_used = old.embedder.usage
    if refused:
        job.corpus, kept = without_refused(job.corpus, refused, skip_bad_rows=job.file.skip_bad_rows)
        vectors, others = vectors[kept], others[kept]
    return others, vectors


def warn_of_training_rows(job: Job, path: str, classifier: "TextClassifier", which: str) -> None:
    """Warn if rows of the file are among those that a classifier was trained on, as far as these can be found."""
    from embedclf.errors import EmbedclfError
    from embedclf.evaluation.old_training import OldTraining

    if classifier.card.training is None:
        return
    corpus = job.corpus
    try:
        training = OldTraining.of(path)
        if training.rows_changed(corpus.texts, corpus.given_labels) is False:
            echo(f"Warning: the {which} model was trained on {corpus.name}: its results are too optimistic", err=True)
            return
        trained_on = training.find_rows(training.read)
    except EmbedclfError:
        return  # nothing is known of them
    seen = set(trained_on.texts)
    if n := sum(text in seen for text in corpus.texts):
        echo(
            f"Warning: {corpus.name} shares {counted(n, 'row')} with {trained_on.name}, which the {which} model "
            "was trained on: its results are too optimistic",
            err=True,
        )
