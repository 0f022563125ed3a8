"""``embedclf train``."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from embedclf.cli.models import FOLDER, remember_latest
from embedclf.cli.options import EmbedderOptions, FileOptions, embedder_options, file_options, read_labelled
from embedclf.errors import counted

if TYPE_CHECKING:
    from embedclf.classifier.text_classifier import TextClassifier


def _regularization(ctx: click.Context, param: click.Parameter, value: str | None) -> str | float | None:
    if value in (None, "auto"):
        return value
    try:
        number = float(value or "")
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise click.BadParameter(f"{value!r} is neither 'auto' nor a number above 0.", ctx, param)
    return number


@click.command("train")
@click.argument("dataset")
@click.option(
    "-o", "--output", metavar="FILE", help="Where the classifier goes.  [default: models/<dataset>.safetensors]"
)
@click.option(
    "--embedder",
    metavar="PROVIDER:MODEL",
    help="What makes vectors; see embedclf embedders.  [default: aimlapi:text-embedding-3-small if AIMLAPI_API_KEY is "
    "set, else wordllama]",
)
@click.option(
    "--dimensions", metavar="N", type=click.IntRange(min=1), help="Length of the vectors.  [default: the model's]"
)
@click.option(
    "--head",
    type=click.Choice(["logistic", "centroid"]),
    default="logistic",
    show_default=True,
    help="Logistic regression or nearest centroid.",
)
@click.option(
    "--regularization",
    metavar="auto|FLOAT",
    callback=_regularization,
    help="scikit-learn's C for logistic: larger fits closer.  [default: auto]",
)
@click.option(
    "--holdout",
    metavar="FRACTION",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.2,
    show_default=True,
    help="Share of the rows to measure on before all are trained on; 0 measures nothing.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Chooses what is held out.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@file_options(labelled=True)
@embedder_options
def command(
    dataset: str,
    output: str | None,
    embedder: str | None,
    dimensions: int | None,
    head: str,
    regularization: str | float | None,
    holdout: float,
    seed: int,
    as_json: bool,
    file: FileOptions,
    asked: EmbedderOptions,
) -> None:
    """Train a classifier on DATASET, a file of labelled texts.

    DATASET is a CSV, TSV (.tsv) or JSONL (.jsonl) file with a column of texts and one of labels; - is the standard
    input. The classifier is measured on the rows held out, then trained on all of them and saved.
    """
    if head == "centroid" and regularization is not None:
        raise click.UsageError("--regularization goes with --head logistic: the centroid head has none.")
    from embedclf.atomic_file import AtomicFile
    from embedclf.cli.embedding import ProgressBar, embed_corpus, print_estimate, show_usage, usage_of
    from embedclf.embedding import default_embedder, open_embedder

    corpus = read_labelled(dataset, file)
    with ProgressBar() as bar:
        settings = asked.settings(bar.on_event)
        name, reason = (embedder, None) if embedder is not None else default_embedder()
        if asked.base_url is not None and not name.startswith("aimlapi"):
            raise click.UsageError(
                "--base-url goes with an aimlapi embedder: set AIMLAPI_API_KEY, or name one with "
                "--embedder aimlapi:MODEL."
            )
        opened = open_embedder(name, dimensions=dimensions, **settings)
        place = Path(output) if output is not None else FOLDER / f"{Path(corpus.name).stem}.safetensors"
        if not asked.dry_run:
            AtomicFile(place).discard()  # whether it can be written is found out before the work, not after

        click.echo(
            f"{corpus.name}: {counted(len(corpus.texts), 'row')}, {counted(len(set(corpus.labels)), 'label')}", err=True
        )
        size = f"{opened.spec.dimensions} dimensions" if opened.spec.dimensions else "dimensions as it answers"
        click.echo(f"Embedder: {opened.spec} ({size}{f'; {reason}' if reason else ''})", err=True)

        from embedclf.training.trainer import check_examples, check_settings, train

        # All that can be wrong without an embedding is found before one is paid for.
        check_examples(corpus.texts, corpus.labels)
        check_settings(head, regularization or "auto")
        if asked.dry_run:
            print_estimate(opened, corpus.texts, as_json=as_json)
            return
        try:
            corpus, vectors = embed_corpus(opened, corpus, skip_bad_rows=file.skip_bad_rows)
        finally:
            bar.end()
            show_usage(opened)
    classifier = train(
        corpus.texts,
        corpus.labels,
        embedder=opened,
        head=head,  # type: ignore[arg-type]
        regularization=regularization or "auto",  # type: ignore[arg-type]
        holdout=holdout,
        seed=seed,
        vectors=vectors,
    )
    classifier.save(place)
    remember_latest(place)
    if as_json:
        usage = usage_of(opened).to_dict()
        click.echo(json.dumps({"model": str(place), **classifier.to_dict(), "usage": usage}, ensure_ascii=False))
    else:
        click.echo(_summary(classifier, place))


def _summary(classifier: "TextClassifier", place: Path) -> str:
    card = classifier.card
    lines = []
    if held_out := card.held_out:
        lines.append(
            f"On {counted(held_out.n_examples, 'row')} held out: accuracy {held_out.accuracy:.3f}, "
            f"macro-F1 {held_out.macro_f1:.3f}, calibration error {held_out.ece:.3f}"
        )
    chosen = "" if card.regularization is None else f"C = {card.regularization:g}, "
    lines.append(f"Trained on all {card.n_examples:,} rows ({card.head}, {chosen}temperature {card.temperature:.3g})")
    lines.append(f"Saved {place} ({place.stat().st_size / 1000:,.1f} kB)")
    return "\n".join(lines)
