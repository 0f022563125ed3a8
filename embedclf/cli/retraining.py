"""What retraining does once its rows are read, whether they take the place of the old ones or are added to them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from embedclf.cli.costs import print_estimates, tell_usage
from embedclf.cli.file_options import FileOptions, read_unsaid
from embedclf.cli.job import Job
from embedclf.cli.models import check_replaced, remember_latest
from embedclf.cli.notices import introduce
from embedclf.cli.refused_rows import without_refused
from embedclf.cli.screen import echo, echo_json
from embedclf.data.reading import as_read
from embedclf.embedding.base import WORDS
from embedclf.errors import ArgumentError

if TYPE_CHECKING:
    from embedclf.data.corpus import Corpus
    from embedclf.evaluation.retraining_plan import Plan


def retrain_on(
    job: Job, plan: "Plan", files: Sequence[str], place: Path, *, force: bool, weight_column: str | None = None
) -> None:
    """Train a new classifier on the rows of a job, compare it with the old one, save it and print both.

    Parameters
    ----------
    job : Job
    plan : Plan
    files : sequence of str
        Where the rows are from, as the model file records it.
    place : Path
        The model file to write.
    force : bool
        Whether to replace a model with another embedder or other labels.
    weight_column : str, optional
        The column that says how much each row counts.
    """
    from embedclf.data.atomic_file import AtomicFile
    from embedclf.data.weight_column import weigh
    from embedclf.printing.retrained import retraining_lines
    from embedclf.training.checks import check_examples

    corpus = job.corpus
    plan.check(corpus.texts, corpus.labels, weight_column)
    job.corpus, weights = weigh(corpus, weight_column)
    if weights is not None:
        counted = set(map(id, job.corpus.rows))
        plan.keep([number for number, row in enumerate(corpus.rows) if id(row) in counted])
    check_examples(job.corpus.texts, plan.written(job.corpus.labels), plan.card.out_of_scope_label)
    texts, labels = job.corpus.texts, job.corpus.labels
    check_replaced(place, set(plan.written(labels)), force=force, embedder=plan.new.spec, dry=job.asked.dry_run)
    if job.asked.dry_run:
        print_estimates(plan.choices(), plan.texts_with_names(texts, labels)[0], job.asked, as_json=job.as_json)
        return
    AtomicFile(place).discard()  # check before the work starts that it can be written
    plan.check_cost(texts, labels)
    try:
        embedded = plan.embed(texts, labels)
        if embedded.refused:
            job.corpus, kept = without_refused(job.corpus, embedded.refused, skip_bad_rows=job.file.skip_bad_rows)
            embedded, weights = embedded[kept], None if weights is None else weights[kept]
            plan.keep(kept)
        texts, labels = job.corpus.texts, job.corpus.labels
        of_old = plan.embed_old(texts, labels)
    finally:
        tell_usage(plan.usage)
    result = plan.train(texts, labels, embedded, of_old, weights)
    classifier = result.classifier.with_files(files, corpus, job.file.recorded, weight_column)
    classifier.save(place)
    remember_latest(place)
    if job.as_json:
        echo_json({"model": str(place), **classifier.to_dict(), **result.to_dict()})
    else:
        saved = f"Saved {place} ({place.stat().st_size / 1000:,.1f} kB)"
        job.print_lines([*retraining_lines(result), saved])


def check_one_label(corpus: "Corpus") -> None:
    """Check that each text has one label, as in the training of a model that can be retrained.

    Raises
    ------
    ArgumentError
        If a text may have several.
    """
    if corpus.is_multilabel:
        raise ArgumentError(f"{corpus.name} has several labels per text, but the model gives one")


def find_old_rows(plan: "Plan", file: FileOptions) -> "Corpus":
    """Return the rows of the old training; see `Plan.find_rows`.

    They are known by the labels that they had then. If other labels are asked for now, the files are read again.
    """
    recorded = None if plan.record is None else as_read(plan.record.reading).get("label_map")
    corpus = plan.find_rows(lambda names: read_unsaid(names, replace(file, label_map=recorded), alike=False))
    return corpus if file.label_map == recorded else read_unsaid(corpus.files or [corpus.name], file, alike=False)


def introduce_retraining(plan: "Plan", corpus: "Corpus") -> None:
    """Print the rows and the embedders, and what has changed."""
    introduce(corpus, plan.new, None)
    if plan.is_same_embedder:
        echo(f"Old model: {plan.name}, with the same embedder", err=True)
    else:
        old = plan.card.embedder
        size = "words only" if old.provider == WORDS else f"{old.dimensions} dimensions"
        echo(f"Old embedder: {old} ({'; '.join(filter(None, [size, old.told]))})", err=True)
        if plan.old is None:
            echo(f"It cannot be opened ({plan.reason}): its vectors can only come from the cache", err=True)
    for line in plan.changed_rows(corpus.texts, corpus.labels):
        echo(line, err=True)
