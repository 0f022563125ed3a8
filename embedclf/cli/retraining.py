"""What retraining does once its rows are read, whether they take the place of the old ones or are added to them."""

import shlex
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
from embedclf.cli.several_labels import (
    other_separator,
    say_what_labels_are,
    shows_several,
    warn_of_missing_columns,
)
from embedclf.cli.tree_labels import rows_as_written
from embedclf.data.columns import names_in
from embedclf.data.label_sets import SEPARATORS, indicated_labels, labels_in, likely_separator, split_labels
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

    corpus, embedders = job.corpus, plan.embedders
    plan.check(corpus.texts, corpus.given_labels, weight_column)
    job.corpus, weights = weigh(corpus, weight_column)
    if weights is not None:
        counted = set(map(id, job.corpus.rows))
        plan.keep([number for number, row in enumerate(corpus.rows) if id(row) in counted])
    plan.check_rows(job.corpus.texts, job.corpus.given_labels)
    texts, labels = job.corpus.texts, plan.written(job.corpus.given_labels)
    check_replaced(place, labels_in(labels), force=force, embedder=embedders.new.spec, dry=job.asked.dry_run)
    if job.asked.dry_run:
        to_embed = embedders.texts_with_names(texts, labels)[0]
        print_estimates(embedders.choices(), to_embed, job.asked, as_json=job.as_json)
        return
    AtomicFile(place).discard()  # check before the work starts that it can be written
    embedders.check_cost(texts, labels)
    try:
        embedded = embedders.embed(texts, labels)
        if embedded.refused:
            job.corpus, kept = without_refused(job.corpus, embedded.refused, skip_bad_rows=job.file.skip_bad_rows)
            embedded, weights = embedded[kept], None if weights is None else weights[kept]
            plan.keep(kept)
        texts, labels = job.corpus.texts, plan.written(job.corpus.given_labels)
        of_old = embedders.embed_old(texts, labels)
    finally:
        tell_usage(embedders.usage)
    result = plan.train(texts, labels, embedded, of_old, weights)
    reading = job.file.recorded | ({"label_columns": list(corpus.label_columns)} if corpus.label_columns else {})
    classifier = result.classifier.with_files(files, corpus, reading, weight_column)
    classifier.save(place)
    remember_latest(place)
    if job.as_json:
        echo_json({"model": str(place), **classifier.to_dict(), **result.to_dict()})
    else:
        saved = f"Saved {place} ({place.stat().st_size / 1000:,.1f} kB)"
        job.print_lines([*retraining_lines(result), saved])


def check_labels(plan: "Plan", corpus: "Corpus", asked: FileOptions) -> None:
    """Check that texts have one label each if the old model gives one, and several if it gives several.

    That a text has one label of several shows in other texts, in a list, in columns, or by the separator asked for.

    Raises
    ------
    ArgumentError
        If not.
    """
    labels, gives_several = corpus.given_labels, plan.card.multilabel is not None
    if not gives_several and not corpus.is_multilabel:
        _check_one_label(plan, corpus)
    elif asked.label_separator is None and not corpus.label_columns and not shows_several(corpus):
        if gives_several and (other := other_separator(corpus.labels)) is not None:
            raise ArgumentError(
                f"{corpus.name} has one label per text, but the model gives several. Did you mean --label-separator "
                f"'{other}'?"
            )
        labels = corpus.labels
    plan.check_labels(corpus.name, labels)
    recorded = [] if plan.record is None else plan.record.reading.get("label_columns", [])
    warn_of_missing_columns(corpus, [*recorded, *(name for name in asked.label_columns if name not in recorded)])


def _check_one_label(plan: "Plan", corpus: "Corpus") -> None:
    """Check that labels are not several in one cell, by a separator that no label of the model has.

    Raises
    ------
    ArgumentError
        If they look like that.
    """
    classes = set(plan.model.classes)
    written = dict.fromkeys(corpus.labels)

    def separates(separator: str) -> bool:
        """Return whether it separates labels of the model in one of the cells, which is enough."""
        return any(len(parts := split_labels(label, separator)) > 1 and classes.issuperset(parts) for label in written)

    possible = [one for one in SEPARATORS if not any(one in name for name in classes)]
    separator = next(filter(separates, possible), None) or likely_separator(corpus.labels)
    if separator not in possible:
        return
    example = next(label for label in written if separator in label.strip(separator))
    raise ArgumentError(
        f"{corpus.name} has several labels per text, such as {example!r}, but the model gives one: train another one "
        f"on all rows with embedclf train --label-separator '{separator}', or rename what is one label with --label-map"
    )


def warn_of_unused_columns(new: "Corpus", old: "Corpus", asked: FileOptions) -> None:
    """Warn of columns of 0 and 1 that only the new rows have, and that are not used, as those of new labels."""
    if not new.label_columns or asked.label_columns:
        return
    used = {*new.label_columns, *names_in(new.text_column), *old.columns}
    unused = [name for name in new.columns if name not in used and _is_of_labels(new, name)]
    if unused:
        named = ",".join([*dict.fromkeys([*old.label_columns, *new.label_columns]), *unused])
        echo(
            f"Warning: {new.name}: {', '.join(map(repr, unused))} not used; if that is a new label, name all of them: "
            f"--label-columns {shlex.quote(named)}",
            err=True,
        )


def _is_of_labels(corpus: "Corpus", name: str) -> bool:
    return all(indicated_labels(row.record, [name])[1] is None for row in corpus.rows)


def find_old_rows(plan: "Plan", file: FileOptions) -> "Corpus":
    """Return the rows of the old training; see `Plan.find_rows`.

    They are known by the labels that they had then. If other labels are asked for now, the files are read again.
    """
    recorded = None if plan.record is None else as_read(plan.record.reading).get("label_map")
    corpus = plan.find_rows(lambda names: read_unsaid(names, replace(file, label_map=recorded), alike=False))
    return corpus if file.label_map == recorded else read_unsaid(corpus.files or [corpus.name], file, alike=False)


def introduce_retraining(plan: "Plan", job: Job) -> None:
    """Print the rows and the embedders, and what has changed; labels of a tree are written in one way."""
    if (separator := plan.card.hierarchy) is not None:
        plan.check_tree(job.corpus.given_labels)
        job.corpus = rows_as_written(job.corpus, separator, job.file.label_separator)
    corpus = job.corpus
    embedders = plan.embedders
    introduce(corpus, embedders.new, None)
    if corpus.is_multilabel:
        say_what_labels_are(corpus, job.file, plan.card.out_of_scope_label, separator)
    if embedders.is_same:
        echo(f"Old model: {plan.name}, with the same embedder", err=True)
    else:
        old = plan.card.embedder
        size = "words only" if old.provider == WORDS else f"{old.dimensions} dimensions"
        echo(f"Old embedder: {old} ({'; '.join(filter(None, [size, old.told]))})", err=True)
        if embedders.old is None:
            echo(f"It cannot be opened ({embedders.reason}): its vectors can only come from the cache", err=True)
    for line in plan.changed_rows(corpus.texts, corpus.given_labels):
        echo(line, err=True)
