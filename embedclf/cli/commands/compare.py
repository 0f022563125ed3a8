"""``embedclf compare``."""

from dataclasses import replace

import click

from embedclf.cli import completers
from embedclf.cli.costs import print_estimates
from embedclf.cli.help import Command
from embedclf.cli.job import file_job
from embedclf.cli.options import PageOptions, add_options, page_options, report_option
from embedclf.cli.screen import echo, echo_json
from embedclf.cli.training_job import TrainingJob
from embedclf.cli.training_options import (
    PROMPT_HELP,
    TASK_HELP,
    TaskName,
    label_hierarchy_option,
    seed_option,
    weight_options,
)
from embedclf.formatting import counted


@click.command(
    "compare",
    cls=Command,
    page="comparing.md#comparing-models",
    examples=[
        "embedclf compare tickets.csv --features embedding --features words --features both",
        "embedclf compare tickets.csv --embedder wordllama --embedder aimlapi:text-embedding-3-large --dry-run",
    ],
)
@click.argument("dataset", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--embedder",
    "embedders",
    metavar="PROVIDER:MODEL",
    shell_complete=completers.embedders,
    multiple=True,
    help="Embedding model; may be repeated.  [default: as for train]",
)
@click.option(
    "--dimensions",
    metavar="N",
    type=click.IntRange(min=1),
    multiple=True,
    help="Embedding dimensions; may be repeated.  [default: the model's]",
)
@click.option(
    "--task",
    "tasks",
    metavar="TASK",
    type=TaskName(),
    multiple=True,
    help=f"{TASK_HELP}; may be repeated.  [default: classification]",
)
@click.option("--prompt", "prompts", metavar="TEXT", multiple=True, help=f"{PROMPT_HELP}; may be repeated.")
@click.option(
    "--head",
    "heads",
    type=click.Choice(["logistic", "centroid"]),
    multiple=True,
    help="Logistic regression or nearest centroid; may be repeated.  [default: logistic]",
)
@click.option(
    "--features",
    type=click.Choice(["auto", "embedding", "words", "both"]),
    multiple=True,
    help="Use each text's embedding, its words or both; auto adds words if they help; may be repeated.  "
    "[default: auto]",
)
@click.option("--folds", metavar="N", type=click.IntRange(min=2), default=5, show_default=True, help="Number of folds.")
@label_hierarchy_option
@seed_option
@add_options(list(weight_options.values()))
@report_option
@page_options
@file_job("needed", kind=TrainingJob)
def command(
    job: TrainingJob,
    embedders: tuple[str, ...],
    dimensions: tuple[int, ...],
    tasks: tuple[str, ...],
    prompts: tuple[str, ...],
    heads: tuple[str, ...],
    features: tuple[str, ...],
    folds: int,
    label_hierarchy: str | None,
    seed: int,
    class_weight: str | None,
    weight_column: str | None,
    report: str | None,
    about: PageOptions,
) -> None:
    """Compare embedding models, dimensions, heads and features on FILE.

    Every combination is cross-validated on the same folds. Differences from the best are paired, row by row, which
    shows whether a bigger model is worth it.
    """
    from embedclf.cli.costs import tell_usage
    from embedclf.cli.pages import facts_of_file
    from embedclf.cli.refused_rows import without_refused
    from embedclf.cli.several_labels import say_tree, say_what_labels_are
    from embedclf.data.label_sets import labels_in
    from embedclf.embedding.factory import default_embedder
    from embedclf.evaluation import choices, comparison
    from embedclf.pages.reports import comparison_page
    from embedclf.printing.figures import comparison_lines

    job.check_places(report=report)
    job.share_vectors()
    job.read()
    if label_hierarchy is not None:
        label_hierarchy, _ = job.put_in_tree(label_hierarchy)
    job.weigh(class_weight, weight_column)
    corpus, asked = job.corpus, job.asked
    recipes = comparison.check_comparison(
        corpus.texts, corpus.given_labels, heads or ("logistic",), features or ("auto",), folds, seed
    )
    weights = comparison.check_weights(corpus.texts, corpus.given_labels, job.sample_weight, job.class_weight)
    settings = asked.settings()
    if set(features) == {"words"}:
        _warn_of_unused(embedders, {"--dimensions": dimensions, "--task": tasks, "--prompt": prompts})
    given, lengths = embedders or (default_embedder()[0],), dimensions or (None,)
    told = {"tasks": tasks or (None,), "prompts": prompts or (None,)}
    opened = choices.open_choices(given, lengths, recipes, **told, **settings)
    n_labels = counted(len(labels_in(corpus.given_labels)), "label")
    echo(f"{corpus.name}: {counted(len(corpus.texts), 'row')}, {n_labels}", err=True)
    say_what_labels_are(corpus, job.file, tree=label_hierarchy)
    if label_hierarchy is not None:
        say_tree(labels_in(corpus.given_labels), label_hierarchy)
    if asked.dry_run:
        print_estimates(opened, corpus.texts, asked, as_json=job.as_json)
        return
    page = job.page(report, about)
    choices.check_cost_of_all(opened, corpus.texts, asked.max_cost)
    embedded: list[choices.Embedded] = []
    try:
        reasons = choices.embed_choices(opened, corpus.texts, embedded, **settings)
    finally:
        tell_usage(choices.usage_of_all(embedded))
    if reasons:
        corpus, kept = without_refused(corpus, reasons, skip_bad_rows=job.file.skip_bad_rows)
        embedded = [replace(one, vectors=one.vectors[kept]) for one in embedded]
        weights = (None if weights[0] is None else weights[0][kept], weights[1])
    result = comparison.compare_vectors(
        *(corpus.texts, corpus.given_labels, embedded, recipes),
        folds=folds,
        seed=seed,
        weights=weights,
        label_hierarchy=label_hierarchy,
    )
    page.write(comparison_page, result, f"Comparison on {job.name}", data=facts_of_file(corpus))
    if job.as_json:
        echo_json(result.to_dict())
    else:
        job.print_lines(comparison_lines(result))


def _warn_of_unused(embedders: tuple[str, ...], asked: dict[str, tuple[object, ...]]) -> None:
    """Warn of what is asked of an embedder if words alone are compared."""
    others = [name for name in embedders if name.partition(":")[0] != "words"]
    if unused := [*(["--embedder"] if others else []), *(name for name, values in asked.items() if values)]:
        echo(f"Warning: --features words uses no embedder: ignoring {' and '.join(unused)}", err=True)
