"""``embedclf check``."""

import codecs
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import click

from embedclf.cli.options import (
    EmbedderOptions,
    EmbeddingOptions,
    FileOptions,
    embedder_options,
    embedding_options,
    file_options,
    read_texts,
    seed_option,
    show_left_out,
)
from embedclf.cli.screen import echo, echo_json
from embedclf.errors import BadRowsError, DataError, EmbedderError, RowFault, list_faults
from embedclf.formatting import counted

if TYPE_CHECKING:
    from embedclf.data.corpus import Corpus
    from embedclf.data.rows import Row
    from embedclf.quality.findings import DataCheck, Finding


_NO_LABEL = "the label is empty"


@click.command("check")
@click.argument("dataset")
@click.option("--against", metavar="FILE", help="Texts that DATASET should have none in common with: a test set, say.")
@click.option(
    "--fix", metavar="FILE", help="Write a copy without exact duplicates and empty rows; may be DATASET itself."
)
@embedding_options
@seed_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@file_options("optional")
@embedder_options
def command(
    dataset: str,
    against: str | None,
    fix: str | None,
    seed: int,
    as_json: bool,
    embedding: EmbeddingOptions,
    file: FileOptions,
    asked: EmbedderOptions,
) -> None:
    """Find what is wrong with DATASET before a classifier is trained on it.

    An error is surely wrong: an empty row, one text under two labels, a text that is in both files. A warning is worth
    a look: a label that is likely wrong, a near-duplicate, a text far from all others. The exit code is 1 if there is
    an error. --dry-run looks only for what needs no vectors, and writes nothing.
    """
    from embedclf.cli.costs import introduce, open_meant, print_estimate, show_usage
    from embedclf.cli.progress import ProgressBar
    from embedclf.data.atomic_file import STDIN, check_places
    from embedclf.quality.data_check import check, plain_check

    if dataset == against == STDIN:
        raise click.UsageError("DATASET and --against cannot both be the standard input.")
    check_places({"--against": against}, {"--fix": fix})
    corpus, rows = _read(dataset, file)
    faulty = [] if file.skip_bad_rows else [_fault(row) for row in rows if row.fault is not None]
    other = None if against is None else read_texts(against, replace(file, skip_bad_rows=True))
    others = None if other is None else (other.texts, other.labels)
    every = [*corpus.texts, *([] if other is None else other.texts)]
    with ProgressBar() as bar:
        opened, reason = open_meant(embedding, asked, bar)
        introduce(corpus, opened, reason)
        plain = plain_check(corpus.texts, corpus.labels, against=others, embedder=opened)
        if asked.dry_run:
            plain = _with(faulty, plain)
            if as_json:
                _print_json(plain, corpus, other, dry_run=True, estimate=opened.estimate(every).to_dict())
            else:
                print_estimate(opened, every)
                echo()
                _print(plain, corpus, other)
            _end(plain)
            return
        if fix is not None:
            _write(fix, corpus, rows, file)
        try:
            result = check(corpus.texts, corpus.labels, against=others, embedder=opened, seed=seed)
        except EmbedderError:
            if not as_json:
                _print(_with(faulty, plain), corpus, other)  # what is known by now need not be lost
            raise
        finally:
            bar.end()
            show_usage(opened)
    if file.skip_bad_rows and (refused := result.of("refused")):
        show_left_out(corpus.name, [RowFault(corpus.lines[one.row or 0], one.detail) for one in refused])
        result = replace(result, findings=tuple(one for one in result.findings if one.kind != "refused"))
    result = _with(faulty, result)
    if as_json:
        _print_json(result, corpus, other, usage=opened.usage.to_dict())
    else:
        _print(result, corpus, other)
    _end(result)


def _with(faulty: "Sequence[Finding]", result: "DataCheck") -> "DataCheck":
    from embedclf.quality.findings import in_order

    return replace(result, n_rows=result.n_rows + len(faulty), findings=in_order([*faulty, *result.findings]))


def _print(result: "DataCheck", corpus: "Corpus", against: "Corpus | None") -> None:
    from embedclf.cli.findings import finding_lines

    echo("\n".join(finding_lines(result, corpus, against)))


def _print_json(result: "DataCheck", corpus: "Corpus", against: "Corpus | None", **more: object) -> None:
    shown = result.to_dict()
    for kind in {one.kind for one in result.findings}:
        for finding in shown[kind]:
            if finding["row"] is not None:
                finding["line"] = corpus.lines[finding["row"]]
            for other in finding["others"]:
                of = against if other.pop("in_against") and against is not None else corpus
                other |= {"file": of.name, "line": of.lines[other["row"]]}
    echo_json({**shown, **more})


def _end(result: "DataCheck") -> None:
    kinds_of: dict[str, list[str]] = {}
    for kind, reason in result.not_checked.items():
        kinds_of.setdefault(reason, []).append(kind.replace("_", " "))
    for reason, kinds in kinds_of.items():
        echo(f"Not looked for: {', '.join(kinds)}; {reason}", err=True)
    if result.n_errors:
        raise click.exceptions.Exit(1)


def _read(dataset: str, file: FileOptions) -> "tuple[Corpus, list[Row]]":
    """Read a file whatever its rows are like; gives all of them, too, not only those that can be used."""
    from embedclf.data.corpus import Corpus
    from embedclf.data.reader import CorpusReader

    options = asdict(file)
    del options["skip_bad_rows"]
    with CorpusReader(dataset, **options) as reader:
        rows = list(reader)
    if not rows:
        raise DataError(f"{reader.name}: the file has a header but no rows", source=reader.name)
    if any(row.label for row in rows):
        rows = [row if row.label or row.fault else replace(row, fault=_NO_LABEL) for row in rows]
    skipped = [RowFault(row.line, row.fault) for row in rows if row.fault is not None]
    if file.skip_bad_rows and skipped:
        show_left_out(reader.name, skipped)
    usable = [row for row in rows if row.fault is None]
    return Corpus(reader.name, usable, reader.columns, reader.has_bom, skipped, reader.schema), rows


def _lacks_something(row: "Row") -> bool:
    fault = row.fault or ""
    return fault.endswith(" is empty") or fault.startswith("there is no ")


def _fault(row: "Row") -> "Finding":
    from embedclf.quality.findings import Finding

    kind = "empty" if _lacks_something(row) else "malformed"
    return Finding(kind, "error", None, row.text, row.label, row.fault or "", line=row.line)


def _write(path: str, corpus: "Corpus", rows: "Sequence[Row]", file: FileOptions) -> None:
    """Write a copy of a file without exact duplicates and rows without a text, and say what is left out."""
    from embedclf.data.writer import CorpusWriter

    unreadable = [RowFault(row.line, row.fault) for row in rows if row.fault is not None and not _lacks_something(row)]
    if unreadable and not file.skip_bad_rows:
        raise BadRowsError(
            f"--fix cannot copy {counted(len(unreadable), 'row')} of {corpus.name}:\n"
            f"{list_faults(corpus.name, unreadable)}\nMend them, or leave them out with --skip-bad-rows.",
            source=corpus.name,
            faults=unreadable,
        )
    # A text without a label is worth a label: it stays.
    readable = [row for row in rows if row.fault is None or _lacks_something(row)]
    filled = [row for row in readable if row.text.strip()]
    firsts = {(row.text, row.label): row for row in reversed(filled)}
    kept = [row for row in filled if firsts[row.text, row.label] is row]
    with CorpusWriter(
        path, corpus.columns, [], delimiter=file.delimiter, bom=corpus.has_bom, schema=corpus.schema
    ) as writer:
        for row in kept:
            writer.write(row, [])
    numbers = [
        (len(filled) - len(kept), "exact duplicate"),
        (len(readable) - len(filled), "empty row"),
        (len(unreadable), "unreadable row"),
    ]
    named = ", ".join(counted(number, thing) for number, thing in numbers if number)
    recoded = "" if codecs.lookup(file.encoding).name in ("utf-8", "ascii") else ", in UTF-8"
    echo(f"Wrote {counted(len(kept), 'row')} to {path}{recoded}; left out: {named or 'nothing'}", err=True)
