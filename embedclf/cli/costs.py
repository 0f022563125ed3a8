"""How commands embed texts, and what they show of it: progress, rows that were refused, what it cost."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from embedclf.arrays import Vectors
from embedclf.cli.options import (
    EmbedderOptions,
    EmbeddingOptions,
    FileOptions,
    TrainingOptions,
    read_texts,
    show_left_out,
)
from embedclf.cli.progress import ProgressBar
from embedclf.cli.screen import echo, echo_json
from embedclf.embedding.base import WORDS, Embedder
from embedclf.embedding.factory import default_embedder, open_embedder
from embedclf.embedding.usage import Estimate, Usage
from embedclf.errors import BadRowsError, DataError, NotInstalledError, RowFault, TextError, list_faults
from embedclf.formatting import about_dollars, counted

if TYPE_CHECKING:
    from embedclf.data.corpus import Corpus


def open_dataset(
    dataset: str,
    embedding: EmbeddingOptions,
    file: FileOptions,
    asked: EmbedderOptions,
    bar: ProgressBar,
) -> tuple["Corpus", Embedder, str | None]:
    """Read a file and open the embedder that is meant; gives the reason, too, if none was named."""
    corpus = read_texts(dataset, file)
    return corpus, *open_meant(embedding, asked, bar)


def open_meant(embedding: EmbeddingOptions, asked: EmbedderOptions, bar: ProgressBar) -> tuple[Embedder, str | None]:
    """Open the embedder that is meant; gives the reason, too, if none was named."""
    settings = asked.settings(bar.on_event)
    name, reason = (embedding.embedder, None) if embedding.embedder is not None else default_embedder()
    if asked.base_url is not None and not name.startswith("aimlapi"):
        raise click.UsageError(
            "--base-url goes with an aimlapi embedder: set AIMLAPI_API_KEY, or name one with --embedder aimlapi:MODEL."
        )
    return open_embedder(name, dimensions=embedding.dimensions, **settings), reason


def open_to_train(
    dataset: str, training: TrainingOptions, file: FileOptions, asked: EmbedderOptions, bar: ProgressBar
) -> tuple["Corpus", Embedder, str | None, TrainingOptions]:
    """Read a file and open the embedder to train with; where there is none to be had, say so and use words alone."""
    if training.features == "words":
        return read_texts(dataset, file), open_embedder(WORDS), None, training
    corpus = read_texts(dataset, file)
    try:
        opened, reason = open_meant(training, asked, bar)
    except NotInstalledError as error:
        if training.embedder is not None or training.features != "auto":
            raise
        echo(f"Warning: trained on words alone, as there is no embedder: {error}", err=True)
        return corpus, open_embedder(WORDS), None, replace(training, features="words")
    if opened.is_lexical and training.features == "auto":
        training = replace(training, features="words")
    return corpus, opened, reason, training


def introduce(corpus: "Corpus", opened: Embedder, reason: str | None) -> None:
    """Say what is worked on, and with what."""
    n_labels = len(set(corpus.labels) - {""})
    labels = f", {counted(n_labels, 'label')}" if n_labels else ""
    echo(f"{corpus.name}: {counted(len(corpus.rows), 'row')}{labels}", err=True)
    if opened.is_lexical:
        echo("Embedder: none, the words alone", err=True)
        return
    size = f"{opened.spec.dimensions} dimensions" if opened.spec.dimensions else "dimensions as it answers"
    echo(f"Embedder: {opened.spec} ({size}{f'; {reason}' if reason else ''})", err=True)


def read_and_embed(
    dataset: str,
    embedding: EmbeddingOptions,
    file: FileOptions,
    asked: EmbedderOptions,
    bar: ProgressBar,
    *,
    also: Sequence[str] = (),
    check: "Callable[[Corpus], object] | None" = None,
    as_json: bool,
) -> "tuple[Corpus, Embedder, Vectors, Vectors] | None":
    """Read a file, embed its texts and some others with them, and say what it took; see `embed_corpus`.

    `check` is given the file before anything is embedded, and perhaps paid for, and raises if that should not be.

    Returns
    -------
    corpus : Corpus
    embedder : Embedder
    vectors : ndarray of shape (n_rows, n_dimensions), float32
    of_others : ndarray of shape (n_others, n_dimensions), float32
        Or None of all these, where nothing is to be sent.

    Raises
    ------
    TextError
        If one of the others cannot be embedded.
    """
    corpus, opened, reason = open_dataset(dataset, embedding, file, asked, bar)
    introduce(corpus, opened, reason)
    if check is not None:
        check(corpus)
    if asked.dry_run:
        print_estimate(opened, [*corpus.texts, *also], as_json=as_json)
        return None
    n = len(corpus.rows)
    try:
        vectors, reasons = opened.embed_partial([*corpus.texts, *also])
    finally:
        bar.end()
        show_usage(opened)
    if refused := {index - n: why for index, why in reasons.items() if index >= n}:
        raise TextError(refused)
    vectors, of_others = vectors[:n], vectors[n:]
    if reasons:
        corpus, kept = without_refused(corpus, reasons, skip_bad_rows=file.skip_bad_rows)
        vectors = vectors[kept]
    return corpus, opened, vectors, of_others


def embed_and_tell(
    embedder: Embedder, corpus: "Corpus", bar: ProgressBar, *, skip_bad_rows: bool
) -> tuple["Corpus", Vectors]:
    """Embed the texts of a labelled file, and say what it took; see `embed_corpus`."""
    try:
        return embed_corpus(embedder, corpus, skip_bad_rows=skip_bad_rows)
    finally:
        bar.end()
        show_usage(embedder)


def embed_to_train(
    embedder: Embedder,
    corpus: "Corpus",
    training: TrainingOptions,
    bar: ProgressBar,
    *,
    skip_bad_rows: bool,
    out_of_scope_label: str | None = None,
    few: bool = False,
) -> tuple["Corpus", dict[str, Any]]:
    """Embed the texts of a labelled file and the names of its labels, as far as they are needed to train.

    Returns
    -------
    corpus : Corpus
        Without the rows that the embedder refused.
    vectors : dict
        As arguments of `embedclf.train`.
    """
    if training.features == "words":
        bar.end()
        return corpus, {}
    names = _names_to_embed(corpus, training, out_of_scope_label, few=few)
    n = len(corpus.texts)
    try:
        vectors, reasons = embedder.embed_partial([*corpus.texts, *names.values()])
    finally:
        bar.end()
        show_usage(embedder)
    refused = {row: why for row, why in reasons.items() if row < n}
    of_texts, of_names = vectors[:n], dict(zip(names, vectors[n:], strict=True))
    if refused:
        corpus, kept = without_refused(corpus, refused, skip_bad_rows=skip_bad_rows)
        of_texts = of_texts[kept]
    if not of_names or len(refused) != len(reasons):  # a name was refused
        return corpus, {"vectors": of_texts}
    labels = sorted(set(corpus.labels) & of_names.keys())
    return corpus, {"vectors": of_texts, "name_vectors": np.stack([of_names[label] for label in labels])}


def print_estimate_to_train(
    embedder: Embedder,
    corpus: "Corpus",
    training: TrainingOptions,
    *,
    as_json: bool,
    out_of_scope_label: str | None = None,
    few: bool = False,
) -> None:
    """Print what `embed_to_train` would take and cost: the answer of ``--dry-run``."""
    names = _names_to_embed(corpus, training, out_of_scope_label, few=few)
    print_estimate(embedder, [*corpus.texts, *names.values()], as_json=as_json)


def _names_to_embed(
    corpus: "Corpus", training: TrainingOptions, out_of_scope_label: str | None, *, few: bool
) -> dict[str, str]:
    """Give the names of labels that are to be embedded, as texts, by the label.

    `few` says that some classifiers are trained on a few of the rows only.
    """
    from embedclf.training.label_names import names_for
    from embedclf.training.recipe import check_recipe

    recipe = check_recipe(**training.settings)
    labels = sorted(set(corpus.labels) - {out_of_scope_label})
    if not recipe.uses_vectors:
        return {}
    return dict(zip(labels, names_for(recipe, labels, len(labels) if few else len(corpus.texts)), strict=False))


def embed_corpus(embedder: Embedder, corpus: "Corpus", *, skip_bad_rows: bool) -> tuple["Corpus", Vectors]:
    """Embed the texts of a labelled file.

    Returns
    -------
    corpus : Corpus
        Without the rows that the embedder refused.
    vectors : ndarray of shape (n_texts, n_dimensions), float32
        Of its texts.

    Raises
    ------
    BadRowsError
        If a row is refused and `skip_bad_rows` is false; the others are embedded, and in the cache.
    DataError
        If no row is left.
    """
    ((corpus, vectors),) = embed_corpora(embedder, [corpus], skip_bad_rows=skip_bad_rows)
    return corpus, vectors


def embed_corpora(
    embedder: Embedder, corpora: Sequence["Corpus"], *, skip_bad_rows: bool
) -> list[tuple["Corpus", Vectors]]:
    """Embed the texts of several files together, under one limit of cost, each distinct text once; see `embed_corpus`.

    Returns
    -------
    list of (Corpus, ndarray)
        As `embed_corpus` gives them, for each file.
    """
    vectors, reasons = embedder.embed_partial([text for corpus in corpora for text in corpus.texts])
    done, start = [], 0
    for corpus in corpora:
        end = start + len(corpus.texts)
        own, refused = vectors[start:end], {row - start: why for row, why in reasons.items() if start <= row < end}
        start = end
        if refused:
            corpus, kept = without_refused(corpus, refused, skip_bad_rows=skip_bad_rows)
            own = own[kept]
        done.append((corpus, own))
    return done


def without_refused(corpus: "Corpus", reasons: Mapping[int, str], *, skip_bad_rows: bool) -> tuple["Corpus", list[int]]:
    """Leave out the rows that an embedder refused; gives the numbers of the others, too; see `embed_corpus`."""
    faults = [RowFault(corpus.lines[index], reason) for index, reason in reasons.items()]
    name = corpus.name
    if not skip_bad_rows:
        raise BadRowsError(
            f"{counted(len(faults), 'row')} of {name} cannot be embedded:\n{list_faults(name, faults)}\n"
            "Mend them, or leave them out with --skip-bad-rows.",
            source=name,
            faults=faults,
        )
    show_left_out(name, faults)
    kept = [index for index in range(len(corpus.texts)) if index not in reasons]
    if not kept:
        raise DataError(f"{name}: none of its rows can be embedded", source=name)
    return replace(corpus, rows=[corpus.rows[index] for index in kept], skipped=[*corpus.skipped, *faults]), kept


def add_lines(records: Iterable[dict[str, Any]], corpus: "Corpus") -> None:
    """Add to what is said of some rows of a file in JSON the `line` at which each starts."""
    for record in records:
        record["line"] = corpus.lines[record["row"]]


def show_usage(embedder: Embedder) -> None:
    """Say in one line on standard error what embedding took and cost, if it may cost anything."""
    tell_usage(embedder.usage)


def tell_usage(usage: Usage) -> None:
    """Say in one line on standard error what has been taken, if it may cost anything."""
    if not (usage.requests or usage.from_cache):
        return
    parts = [
        f"{usage.from_cache:,} from the cache",
        counted(usage.duplicates, "duplicate"),
        counted(usage.requests, "request"),
        counted(usage.tokens, "token"),
        f"{usage.credits:,.10g} credits",
        "price not known" if usage.dollars is None else about_dollars(usage.dollars),
    ]
    echo(f"Embedding: {counted(usage.texts, 'text')}, {', '.join(parts)}", err=True)


def print_estimate(embedder: Embedder, texts: Iterable[str], *, as_json: bool = False) -> None:
    """Print what embedding would take and cost: the answer of ``--dry-run``."""
    estimate = embedder.estimate(texts)
    if as_json:
        echo_json({"dry_run": True, "estimate": estimate.to_dict()})
        return
    echo(estimate_line(estimate, free=embedder.is_local))
    echo("Nothing was sent.", err=True)


def estimate_line(estimate: Estimate, *, free: bool = False) -> str:
    """Write an estimate in one line."""
    cost = "the price is not known" if estimate.dollars is None else about_dollars(estimate.dollars)
    return (
        f"{counted(estimate.texts, 'row')}, {estimate.unique:,} unique, {estimate.from_cache:,} cached, "
        f"{estimate.to_embed:,} to embed: about {counted(estimate.tokens, 'token')} (at most "
        f"{estimate.most_tokens:,}), {'free' if free else cost}"
    )
