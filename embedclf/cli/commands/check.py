"""``embedclf check``."""

import codecs
import shlex
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from embedclf.cli.file_options import FileOptions, read_texts
from embedclf.cli.help import Command
from embedclf.cli.job import Job, file_job
from embedclf.cli.notices import say_mapped, say_written, show_left_out
from embedclf.cli.options import PageOptions, page_options, report_option
from embedclf.cli.screen import echo, echo_json, echo_lines
from embedclf.cli.several_labels import check_separator, say_what_labels_are
from embedclf.cli.training_options import EmbeddingOptions, embedding_options, seed_option
from embedclf.data.columns import names_in
from embedclf.data.corpus import faults_by_file
from embedclf.data.label_sets import LABEL_SEPARATOR
from embedclf.errors import BadRowsError, EmbedderError
from embedclf.formatting import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.data.corpus import Corpus
    from embedclf.quality.findings import DataCheck, Finding
    from embedclf.quality.repair import WholeFile


@click.command(
    "check",
    cls=Command,
    page="data-quality.md",
    examples=[
        "embedclf check tickets.csv --fix cleaned.csv",
        "embedclf check tickets.csv --against tickets_test.csv",
    ],
)
@click.argument("dataset", metavar="FILE...", nargs=-1, required=True)
@click.option("--against", metavar="FILE", help="Report texts shared with this file (e.g. the test set).")
@click.option("--fix", metavar="FILE", help="Write a copy without exact duplicates and empty rows; may be FILE itself.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Write the rows found, to be corrected and applied with embedclf apply, to a .csv, .tsv, .jsonl, .parquet or "
    ".xlsx file.",
)
@report_option
@page_options
@embedding_options
@seed_option
@file_job("optional", writes_tables=True)
def command(
    job: Job,
    against: str | None,
    fix: str | None,
    output: str | None,
    report: str | None,
    about: PageOptions,
    seed: int,
    embedding: EmbeddingOptions,
) -> None:
    """Check FILE for problems before training.

    Errors are definite problems: an empty row, one text with two labels, a text that is in both files. Warnings deserve
    a look: a possible label error, a near-duplicate, an outlier. The exit code is 1 if there are errors. Several files
    with the same columns are checked as one. --dry-run runs only the checks that need no vectors, and writes nothing.
    """
    from embedclf.cli.costs import print_estimate, quote, show_usage
    from embedclf.cli.pages import facts_of_file, places_in
    from embedclf.data.atomic_file import STDIN, check_places
    from embedclf.pages.checks import check_page
    from embedclf.quality.data_check import check, plain_check
    from embedclf.quality.suspects import open_suspects, write_suspects

    if against == STDIN and STDIN in job.datasets:
        raise click.UsageError("FILE and --against cannot both be standard input.")
    # The copy may take the place of the file itself.
    check_places({"--against": against}, {"--fix": fix})
    if len(job.datasets) > 1:  # a copy of several files must not replace one of them
        job.check_places(fix=fix)
    job.check_places({"--against": against, "--fix": fix}, output=output, report=report)
    page = job.page(report, about)
    whole = _read(job)
    corpus = job.corpus
    faulty = [] if job.file.skip_bad_rows else whole.findings
    other = None if against is None else read_texts(against, replace(job.file, skip_bad_rows=True))
    check_separator(corpus, job.file)
    say_what_labels_are(corpus, job.file)
    others = None if other is None else (other.texts, other.given_labels)
    separator = job.file.label_separator or LABEL_SEPARATOR
    every = [*corpus.texts, *([] if other is None else other.texts)]
    job.open(embedding)
    opened = job.embedder
    plain = plain_check(
        corpus.texts,
        corpus.labels,
        against=None if other is None else (other.texts, other.labels),
        embedder=opened,
        label_sets=corpus.label_sets,
        label_separator=separator,
    )
    if job.asked.dry_run:
        plain = _with(faulty, plain)
        if job.as_json:
            listed = quote([opened], job.asked)
            _show_json(plain, corpus, other, dry_run=True, estimate=opened.estimate(every).to_dict(), **listed)
        else:
            print_estimate(opened, every, job.asked)
            echo()
            _show(plain, corpus, other)
        _end(plain)
        return
    if fix is not None:
        _write_copy(whole, fix, job)
    with (
        nullcontext()
        if output is None
        else open_suspects(output, corpus, other, escape_formulas=job.escape_formulas) as writer
    ):
        try:
            result = check(
                corpus.texts,
                corpus.given_labels,
                against=others,
                embedder=opened,
                seed=seed,
                label_separator=separator,
            )
        except EmbedderError:
            if not job.as_json:
                _show(_with(faulty, plain), corpus, other)  # show what has been found so far
            raise
        finally:
            show_usage(opened)
        if job.file.skip_bad_rows and (refused := result.of("refused")):
            rows = (replace(corpus.rows[one.row or 0], fault=one.detail) for one in refused)
            show_left_out(faults_by_file(corpus.name, rows))
            result = replace(result, findings=tuple(one for one in result.findings if one.kind != "refused"))
        result = _with(faulty, result)
        n_suspects = 0 if writer is None else write_suspects(writer, result, corpus, other)
    facts = {"data": facts_of_file(corpus, result.n_rows), "embedder": opened.spec.described}
    if other is not None:
        facts["against"] = facts_of_file(other)
    page.write(check_page, result, f"Check of {job.name}", places_in(corpus), places_in(other), **facts)
    if job.as_json:
        _show_json(result, corpus, other, usage=opened.usage.to_dict())
    else:
        _show(result, corpus, other)
    if output is not None:
        _say_suspects(n_suspects, output, job.datasets, job.file)
    _end(result)


def _read(job: Job) -> "WholeFile":
    """Read all rows, usable or not; the job works on the usable ones."""
    from embedclf.quality.repair import join_whole, read_whole

    whole = join_whole([read_whole(dataset, job.file) for dataset in job.datasets])
    job.corpus = whole.corpus
    say_mapped(job.corpus)
    if job.file.skip_bad_rows and whole.corpus.skipped:
        show_left_out(faults_by_file(whole.corpus.name, whole.rows))
    return whole


def _write_copy(whole: "WholeFile", path: str, job: Job) -> None:
    """Write a copy without exact duplicates and rows without a text, and report what was removed."""
    from embedclf.quality.repair import write_repaired

    try:
        done = write_repaired(whole, path, skip_bad_rows=job.file.skip_bad_rows, escape_formulas=job.escape_formulas)
    except BadRowsError as error:
        raise BadRowsError(f"--fix {error}", source=whole.corpus.name, faults=error.faults) from error
    numbers = [
        (done.n_duplicates, "exact duplicate"),
        (done.n_empty, "empty row"),
        (done.n_unreadable, "unreadable row"),
    ]
    named = ", ".join(counted(number, thing) for number, thing in numbers if number)
    recoded = "" if codecs.lookup(job.file.encoding).name in ("utf-8", "ascii") else ", in UTF-8"
    removed = f"removed: {named}" if named else "nothing removed"
    echo(f"Wrote {counted(done.n_rows, 'row')} to {path}{recoded} ({removed})", err=True)


def _say_suspects(n: int, output: str, datasets: "Sequence[str]", file: FileOptions) -> None:
    from embedclf.data.corpus import names_of

    say_written(n, output)
    if n:
        columns = [part for name in names_in(file.text_column or ()) for part in ("--text-column", name)]
        columns += [] if file.label_column is None else ["--label-column", file.label_column]
        columns += [] if file.label_map is None else ["--label-map", file.label_map.name]
        columns += [] if file.label_separator is None else ["--label-separator", file.label_separator]
        columns += ["--label-columns", ",".join(file.label_columns)] if file.label_columns else []
        applying = shlex.join(["embedclf", "apply", output, datasets[0], *columns, "-o"])
        others = f", and likewise for {names_of(datasets[1:])}" if len(datasets) > 1 else ""
        echo(f"Correct its labels, or enter drop in its column action; then run {applying} FILE{others}", err=True)


def _with(faulty: "Sequence[Finding]", result: "DataCheck") -> "DataCheck":
    from embedclf.quality.findings import in_order

    return replace(result, n_rows=result.n_rows + len(faulty), findings=in_order([*faulty, *result.findings]))


def _show(result: "DataCheck", corpus: "Corpus", against: "Corpus | None") -> None:
    from embedclf.printing.findings import finding_lines

    echo_lines(finding_lines(result, corpus, against))


def _show_json(result: "DataCheck", corpus: "Corpus", against: "Corpus | None", **more: object) -> None:
    from embedclf.printing.findings import findings_record

    echo_json({**findings_record(result, corpus, against), **more})


def _end(result: "DataCheck") -> None:
    from embedclf.quality.wording import SKIPPED

    kinds_of: dict[str, list[str]] = {}
    for kind, reason in result.not_checked.items():
        kinds_of.setdefault(reason, []).append(SKIPPED[kind])
    for reason, kinds in kinds_of.items():
        echo(f"Skipped: {', '.join(kinds)} ({reason})", err=True)
    if result.n_errors:
        raise click.exceptions.Exit(1)
