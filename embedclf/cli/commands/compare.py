"""``embedclf compare``."""

import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from embedclf.cli.options import (
    EmbedderOptions,
    FileOptions,
    embedder_options,
    file_options,
    read_texts,
    report_option,
    seed_option,
)
from embedclf.cli.screen import echo, echo_json
from embedclf.cli.tables import table
from embedclf.formatting import counted

if TYPE_CHECKING:
    from embedclf.evaluation.choices import Choice
    from embedclf.evaluation.comparison import Compared, Comparison


@click.command("compare")
@click.argument("dataset")
@click.option(
    "--embedder",
    "embedders",
    metavar="PROVIDER:MODEL",
    multiple=True,
    help="What makes vectors; may be given more than once.  [default: that of train]",
)
@click.option(
    "--dimensions",
    metavar="N",
    type=click.IntRange(min=1),
    multiple=True,
    help="Length of the vectors; may be given more than once.  [default: the model's]",
)
@click.option(
    "--head",
    "heads",
    type=click.Choice(["logistic", "centroid"]),
    multiple=True,
    help="May be given more than once.  [default: logistic]",
)
@click.option(
    "--features",
    type=click.Choice(["auto", "embedding", "words", "both"]),
    multiple=True,
    help="What of a text is used; may be given more than once.  [default: auto]",
)
@click.option(
    "--folds", metavar="N", type=click.IntRange(min=2), default=5, show_default=True, help="Parts to leave out in turn."
)
@seed_option
@report_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@file_options("needed")
@embedder_options
def command(
    dataset: str,
    embedders: tuple[str, ...],
    dimensions: tuple[int, ...],
    heads: tuple[str, ...],
    features: tuple[str, ...],
    folds: int,
    seed: int,
    report: str | None,
    as_json: bool,
    file: FileOptions,
    asked: EmbedderOptions,
) -> None:
    """Compare embedders, lengths of vectors, heads and features on DATASET.

    Every combination is cross-validated on the same folds. Is a bigger model worth it? The differences are paired: each
    row counts with both answers to it.
    """
    from embedclf.cli.costs import tell_usage, without_refused
    from embedclf.cli.pages import PageFile
    from embedclf.cli.progress import ProgressBar
    from embedclf.cli.steps import Steps
    from embedclf.data.atomic_file import check_places
    from embedclf.embedding.factory import default_embedder
    from embedclf.evaluation import choices, comparison
    from embedclf.pages.reports import comparison_page

    check_places({"the dataset": dataset}, {"--report": report})
    with ExitStack() as stack:
        bar = stack.enter_context(ProgressBar())
        corpus = read_texts(dataset, file)
        recipes = comparison.check_comparison(
            corpus.texts, corpus.labels, heads or ("logistic",), features or ("auto",), folds, seed
        )
        if asked.no_cache and asked.cache_dir is None:
            # Several lengths of one model share its vectors: what is kept is kept for this run.
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            asked = replace(asked, no_cache=False, cache_dir=folder)
        settings = asked.settings(bar.on_event)
        opened = choices.open_choices(embedders or (default_embedder()[0],), dimensions or (None,), recipes, **settings)
        echo(
            f"{corpus.name}: {counted(len(corpus.texts), 'row')}, {counted(len(set(corpus.labels)), 'label')}", err=True
        )
        if asked.dry_run:
            _print_estimates(opened, corpus.texts, as_json=as_json)
            return
        page = PageFile(report)
        choices.check_cost_of_all(opened, corpus.texts, asked.max_cost)
        embedded: list[choices.Embedded] = []
        try:
            reasons = choices.embed_choices(opened, corpus.texts, embedded, **settings)
        finally:
            bar.end()
            tell_usage(choices.usage_of_all(embedded))
        if reasons:
            corpus, kept = without_refused(corpus, reasons, skip_bad_rows=file.skip_bad_rows)
            embedded = [replace(one, vectors=one.vectors[kept]) for one in embedded]
        with Steps():
            result = comparison.compare_vectors(corpus.texts, corpus.labels, embedded, recipes, folds=folds, seed=seed)
    page.write(comparison_page, result, f"Comparison on {Path(corpus.name).name}")
    if as_json:
        echo_json(result.to_dict())
    else:
        echo("\n".join(_lines(result)))


def _print_estimates(choices: "list[Choice]", texts: list[str], *, as_json: bool) -> None:
    from embedclf.cli.costs import estimate_line
    from embedclf.evaluation.choices import estimate_all
    from embedclf.formatting import about_dollars

    estimates = estimate_all(choices, texts)
    known = [estimate.dollars for _, estimate in estimates if estimate.dollars is not None]
    if as_json:
        of_each = [{"embedder": str(choice.opened.spec), **estimate.to_dict()} for choice, estimate in estimates]
        echo_json({"dry_run": True, "estimates": of_each, "dollars": sum(known)})
    else:
        for choice, estimate in estimates:
            echo(f"{choice.opened.spec}: {estimate_line(estimate)}")
        for name in sorted({str(choice.opened.spec) for choice in choices if choice.opened.is_local}):
            echo(f"{name}: free, on this machine")
        unknown = len(estimates) - len(known)
        more = f", and {counted(unknown, 'model')} whose price is not known" if unknown else ""
        echo(f"All together: {about_dollars(sum(known)) if estimates else 'free'}{more}")
    echo("Nothing was sent.", err=True)


def _lines(result: "Comparison") -> list[str]:
    rows = [
        [
            one.embedder,
            f"{one.dimensions:,}" if one.dimensions else "–",
            one.head,
            one.features,
            f"{one.accuracy:.3f} ({one.accuracy_interval.low:.3f} to {one.accuracy_interval.high:.3f})",
            "the best" if place == 0 else _points_behind(one),
            "–" if one.tokens is None else f"{one.tokens:,}",
            _dollars(one),
            f"{one.model_bytes / 1_000:,.1f} kB",
            f"{one.ms_to_classify + (one.ms_to_embed or 0):.2f}{'' if one.ms_to_embed is not None else ' + API'}",
        ]
        for place, one in enumerate(result.candidates)
    ]
    header = [
        *("embedder", "dims", "head", "features", "accuracy (95 %)", "points behind (95 %)"),
        *("tokens", "dollars", "model", "ms a text"),
    ]
    return [
        f"{counted(result.n_examples, 'row')}, each left out once in {result.n_folds} folds:",
        *table(header, rows, left=(0, 2, 3, 5)),
    ]


def _points_behind(one: "Compared") -> str:
    low, high = (-100 * end for end in reversed(one.difference_interval))
    matters = "" if one.worse else ", may be chance"
    return f"{-100 * one.difference:z.1f} ({low:z.1f} to {high:z.1f}){matters}"


def _dollars(one: "Compared") -> str:
    from embedclf.formatting import shown_dollars

    if one.tokens is None:
        return "free"
    return "not known" if one.dollars is None else shown_dollars(one.dollars)
