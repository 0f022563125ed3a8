"""``embedclf map``."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from embedclf.cli.help import Command
from embedclf.cli.job import Job, file_job
from embedclf.cli.notices import introduce
from embedclf.cli.options import PageOptions, page_options
from embedclf.cli.training_options import EmbeddingOptions, embedding_options
from embedclf.data.label_sets import LABEL_SEPARATOR
from embedclf.embedding.tasks import CLUSTERING

if TYPE_CHECKING:
    from embedclf.arrays import Vectors
    from embedclf.classifier.text_classifier import TextClassifier


@click.command(
    "map",
    cls=Command,
    page="exploring.md#map",
    examples=[
        "embedclf map tickets.csv -o map.html",
        "embedclf map groups.csv -o map.html --label-column cluster",
    ],
)
@click.argument("dataset", metavar="FILE...", nargs=-1, required=True)
@click.option("-o", "--output", metavar="FILE", help="HTML file to write; not needed with --json.")
@click.option(
    "-m",
    "--model",
    metavar="FILE",
    help="Model whose predictions can colour the texts, and mark suspected rows with rings.",
)
@page_options
@embedding_options
@file_job("optional", json_help="Print one JSON object with the coordinates of each text.")
def command(job: Job, output: str | None, model: str | None, about: PageOptions, embedding: EmbeddingOptions) -> None:
    """Draw an interactive map of FILE as an HTML page, with similar texts near each other.

    Each text is a point in the colour of its label. Hover over a point to read its text; the page can be zoomed,
    searched and limited to one label. To colour by another column, such as a cluster, use --label-column. With --model,
    the embedder is the model's. Several files with the same columns are read as one.
    """
    from embedclf.cli.pages import facts_of_file, facts_of_model
    from embedclf.exploration.projection import text_map
    from embedclf.pages.maps import map_page
    from embedclf.printing.explored import map_lines

    if output is None and not job.as_json and not job.asked.dry_run:
        raise click.UsageError("Missing --output FILE.html (or use --json for the coordinates only).")
    job.check_places({"the model": model}, output=output)
    page = job.page(output, about)
    job.read()
    classifier = None if model is None else job.load(model, embedding.embedder)
    if classifier is None or not classifier.model.uses_vectors:
        job.open(embedding, usual_task=CLUSTERING)
    elif given := embedding.given:
        does = "does" if len(given) == 1 else "do"
        raise click.UsageError(f"{' and '.join(given)} {does} not apply with --model, which has its own embedder.")
    else:
        introduce(job.corpus, job.embedder, None)
    if job.is_dry():
        return
    vectors = job.embed()
    corpus = job.corpus
    result = text_map(corpus.texts, corpus.labels, vectors=vectors)
    facts = {"data": facts_of_file(corpus), "embedder": job.embedder.spec.described}
    predictions = None
    if model is not None and classifier is not None:
        facts["model"] = facts_of_model(model, classifier)
        separator = job.file.label_separator or LABEL_SEPARATOR
        predictions = _predictions(classifier, corpus.texts, vectors, separator)
    source: str | list[str] = job.name
    if corpus.files:
        source = [Path(corpus.file(row)).name for row in range(len(corpus.rows))]
    make = partial(map_page, source=source, lines=corpus.lines, predictions=predictions)
    page.write(make, result, f"Map: {job.embedder.spec} on {job.name}", **facts)
    if job.as_json:
        shown = result.to_dict()
        job.print_json(shown, shown["points"])
    else:
        job.print_lines(map_lines(result))


def _predictions(
    classifier: "TextClassifier", texts: list[str], vectors: "Vectors", separator: str
) -> list[tuple[str, float]]:
    """Return the most likely label of each text, even if the classifier abstains, and its confidence.

    Of a classifier that gives several labels, they are joined as those of the file are, and the confidence is that of
    the most likely.
    """
    from embedclf.classifier.decisions import rank

    probabilities = classifier.probabilities(vectors, texts)
    if classifier.card.multilabel is not None:
        answers = classifier.decision.answers(classifier.decision.decide(probabilities))
        return [
            (separator.join(sorted(label for label, _ in one.labels or ())), one.confidence or 0.0) for one in answers
        ]
    ranking = rank(probabilities)
    labels = [classifier.classes[place] for place in ranking.likeliest.tolist()]
    return list(zip(labels, ranking.confidence.tolist(), strict=True))
