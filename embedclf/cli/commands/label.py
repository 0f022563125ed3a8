"""``embedclf label``."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from embedclf.cli.help import Command
from embedclf.cli.job import Job, file_job
from embedclf.cli.options import Share
from embedclf.cli.screen import echo
from embedclf.cli.several_labels import check_separator, say_what_labels_are
from embedclf.cli.training_options import EmbeddingOptions, embedding_options, seed_option
from embedclf.data.columns import names_in
from embedclf.formatting import counted

if TYPE_CHECKING:
    from embedclf.labelling.opening import OrderName
    from embedclf.labelling.session import Session

_MOST_PORT = 65_535


@click.command(
    "label",
    cls=Command,
    page="labelling.md",
    examples=[
        "embedclf label inbox.csv -o labelled.csv",
        "embedclf label tickets.csv -o corrected.csv --order check",
    ],
)
@click.argument("dataset", metavar="FILE")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    required=True,
    help="Where to write the rows with their labels, a .csv, .tsv, .jsonl, .parquet or .xlsx file. The answers are "
    "kept beside it, and the same command continues from them.",
)
@click.option(
    "--order",
    type=click.Choice(["suggest", "file", "random", "check"]),
    default="suggest",
    show_default=True,
    help="Which text comes next: the one that should teach the classifier most, the next one in the file, a random "
    "one, or the one whose label is most likely to be wrong.",
)
@click.option(
    "--test-share",
    metavar="SHARE",
    type=Share(0, 1, max_open=True),
    default=0.1,
    show_default=True,
    help="Share of the texts to set aside at random as a test set, labelled without seeing predictions; 0 for none.",
)
@click.option("--several", is_flag=True, help="Let texts have several labels.")
@click.option(
    "--label",
    "labels",
    metavar="LABEL",
    multiple=True,
    help="A label to offer from the start; may be repeated. You can add more while labelling.",
)
@click.option(
    "--port",
    metavar="N",
    type=click.IntRange(0, _MOST_PORT),
    default=0,
    show_default=True,
    help="Port to listen on; 0 picks a free one.",
)
@click.option("--no-browser", is_flag=True, help="Print the address of the page, but do not open it.")
@click.option("--terminal", is_flag=True, help="Label in this terminal instead, for example over ssh.")
@embedding_options
@seed_option
@file_job("optional", what="the file", json_help="Print one JSON object at the end.", writes_tables=True)
def command(
    job: Job,
    output: str,
    order: "OrderName",
    test_share: float,
    several: bool,
    labels: tuple[str, ...],
    port: int,
    no_browser: bool,
    terminal: bool,
    embedding: EmbeddingOptions,
    seed: int,
) -> None:
    """Label the texts of FILE one by one in the browser, or with --terminal in the terminal.

    FILE is a CSV, TSV, JSONL, Parquet or Excel file with a column of texts; - is standard input. The page is served on
    this machine only. Each answer is on disk before the next text is shown, so nothing is lost whatever happens. Rows
    that already have a label keep it, unless --order check asks about them. Equal texts are asked once. The page
    requires embedclf[label].
    """
    from embedclf.data.atomic_file import check_places
    from embedclf.labelling.answers import answers_beside
    from embedclf.labelling.opening import open_session
    from embedclf.labelling.output import test_set_beside

    if terminal:
        _check_terminal(job, port, no_browser)
    else:
        from embedclf.labelling.server import check_installed

        check_installed()
    beside = {"the test set": test_set_beside(output), "the file of answers": answers_beside(output)}
    check_places({"the input": job.datasets[0]}, {"--output": output, **beside})
    corpus = job.read()
    if any(corpus.labels):
        check_separator(corpus, job.file)
        say_what_labels_are(corpus, job.file)
    job.open(embedding)
    if job.is_dry():
        return
    vectors = job.embed()
    session = open_session(
        job.corpus,
        output,
        vectors=vectors,
        order=order,
        test_share=test_share,
        several=several,
        known=labels,
        separator=job.file.label_separator,
        seed=seed,
        escape_formulas=job.escape_formulas,
    )

    def ended() -> str:
        session.save()
        return "\n".join(_said(session, output, job, embedding))

    job.hide_progress()
    with session:
        if terminal:
            from embedclf.cli.label_in_terminal import label_in_terminal

            label_in_terminal(session)
        else:
            from embedclf.labelling.server import serve

            serve(session, port=port, on_ready=_say_address, open_browser=not no_browser, ended=ended)
    for line in _said(session, output, job, embedding):
        echo(line, err=True)
    if job.as_json:
        job.print_json(_record(session, output))


def _check_terminal(job: Job, port: int, no_browser: bool) -> None:
    from embedclf.cli.label_in_terminal import check_terminal

    if port or no_browser:
        raise click.UsageError("--port and --no-browser are for the page: leave them out with --terminal.")
    check_terminal(job.datasets[0])


def _say_address(address: str) -> None:
    echo(f"Label at {address} (Ctrl-C to stop)", err=True)


def _said(session: "Session", output: str, job: Job, embedding: EmbeddingOptions) -> list[str]:
    """Return what was written, and what to run next."""
    from embedclf.labelling.output import test_set_beside

    if not Path(output).exists():
        return ["Nothing was labelled, so nothing was written."]
    progress, n_changed = session.progress(), session.states.n_changed
    n_rows, n_labelled = progress.n_texts - progress.n_test, progress.n_labelled - progress.n_test
    share = f"{n_labelled:,} of {counted(n_rows, 'row')} labelled" if n_rows > n_labelled else counted(n_rows, "row")
    share += f", {counted(n_changed, 'label')} changed" if n_changed else ""
    said, test = f"Wrote {output} ({share})", str(test_set_beside(output))
    if progress.n_test:
        said += f" and {test} ({counted(progress.n_test, 'row')}, drawn at random)"
    lines = [said]
    if n_rows > n_labelled:
        lines.append("To continue labelling, run the same command again.")
    reading = _reading(job)
    if len(progress.of_labels) > 1:
        how = [*reading, *([] if embedding.embedder is None else ["--embedder", embedding.embedder])]
        how += ["--skip-bad-rows"] if n_rows > n_labelled else []
        lines.append(f"Train with: {shlex.join(['embedclf', 'train', output, *how])}")
        if progress.n_test:
            lines.append(f"Then measure with: {shlex.join(['embedclf', 'evaluate', test, *reading])}")
    return lines


def _reading(job: Job) -> list[str]:
    """Return the options with which the output is read as the file was."""
    file = job.file
    options = [part for name in names_in(file.text_column or ()) for part in ("--text-column", name)]
    options += [] if file.label_column is None else ["--label-column", file.label_column]
    options += [] if file.label_separator is None else ["--label-separator", file.label_separator]
    options += ["--label-columns", ",".join(file.label_columns)] if file.label_columns else []
    return options if file.header else [*options, "--no-header"]


def _record(session: "Session", output: str) -> dict[str, Any]:
    from embedclf.labelling.output import test_set_beside

    progress = session.progress()
    return {
        "output": output,
        "test_set": str(test_set_beside(output)) if progress.n_test else None,
        "n_rows": progress.n_texts,
        "n_labelled": progress.n_labelled,
        "n_skipped": progress.n_skipped,
        "n_test": progress.n_test,
        "n_changed": session.states.n_changed,
        "labels": progress.of_labels,
    }
