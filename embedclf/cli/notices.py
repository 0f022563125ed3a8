"""Notices on stderr about the files that commands read and write."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from embedclf.cli.screen import echo
from embedclf.errors import RowFault, list_faults
from embedclf.formatting import counted
from embedclf.phases import phase

if TYPE_CHECKING:
    from embedclf.data.corpus import Corpus
    from embedclf.data.writer import CorpusWriter
    from embedclf.embedding.base import Embedder
    from embedclf.exploration.retrieval import Hit


_OF_CLASSES = frozenset(["single_class", "small_classes", "imbalance"])


def place_columns(corpus: "Corpus") -> dict[str, type]:
    """Return the columns that say where the rows of an output are from."""
    return {**({"file": str} if corpus.files else {}), "line": int}


def place_values(row: int, corpus: "Corpus") -> list[str | float]:
    """Return the values of `place_columns`."""
    return [*([corpus.file(row)] if corpus.files else []), corpus.lines[row]]


def introduce(corpus: "Corpus", opened: "Embedder", reason: str | None) -> None:
    """Print the file and the embedder."""
    from embedclf.data.label_sets import labels_in

    n_labels = len(labels_in(corpus.given_labels) - {""})
    labels = f", {counted(n_labels, 'label')}" if n_labels else ""
    if corpus.rows:
        echo(f"{corpus.name}: {counted(len(corpus.rows), 'row')}{labels}", err=True)
    if opened.is_lexical:
        echo("Embedder: none (words only)", err=True)
        return
    unknown = f"dimensions set by the {'model' if opened.is_local else 'first response'}"
    size = f"{opened.spec.dimensions} dimensions" if opened.spec.dimensions else unknown
    told = "; ".join(filter(None, [size, opened.spec.told, reason]))
    echo(f"Embedder: {opened.spec} ({told})", err=True)


def say_mapped(corpus: "Corpus") -> None:
    """Print what the label map did to the labels of a file, and warn of old labels that no row has."""
    if corpus.mapped is not None:
        if summary := corpus.mapped.summary():
            echo(summary, err=True)
        if unused := corpus.mapped.unused():
            echo(f"Warning: {unused}", err=True)


def show_left_out(faults: Mapping[str, Sequence[RowFault]]) -> None:
    """List the rows of each file that are skipped; those of a file that is only partly labelled are only counted."""
    from embedclf.data.corpus import MOST_UNLABELLED
    from embedclf.data.rows import NO_LABEL

    for source, of_file in faults.items():
        unlabelled = [one for one in of_file if one.reason.startswith(NO_LABEL)]
        listed = of_file
        if len(unlabelled) > MOST_UNLABELLED:
            echo(f"Skipped {counted(len(unlabelled), 'row')} of {source} without a label", err=True)
            listed = [one for one in of_file if not one.reason.startswith(NO_LABEL)]
        if listed:
            echo(f"Skipped {counted(len(listed), 'row')}:\n{list_faults(source, listed)}", err=True)


def write_found(writer: "CorpusWriter | None", hits: "Sequence[Hit]", corpus: "Corpus") -> None:
    """Write the rows that a search has found, with their own columns, if there is a writer."""
    if writer is not None:
        for hit in hits:
            writer.write(corpus.rows[hit.row], [*place_values(hit.row, corpus), hit.similarity])


def say_written(n: int, path: str) -> None:
    """Report how many rows were written to a file."""
    echo(f"Wrote {counted(n, 'row')} to {path}", err=True)


def warn_of_findings(corpus: "Corpus", embedder: "Embedder", command: str, outside: str | None = None) -> None:
    """Warn briefly of problems with texts and labels that can be found without vectors.

    Parameters
    ----------
    corpus : Corpus
    embedder : Embedder
        Decides which texts are too long.
    command : str
        The command that shows all findings.
    outside : str, optional
        The out-of-scope label, which is meant, whatever it is called.
    """
    from embedclf.printing.findings import short_lines
    from embedclf.quality.findings import in_order
    from embedclf.quality.text_checks import plain_findings

    with phase("Checking texts"):
        all_found = in_order(
            plain_findings(corpus.texts, corpus.labels, embedder=embedder, label_sets=corpus.label_sets)
        )
    found = [
        finding
        for finding in all_found
        # Training itself warns about these.
        if not (finding.kind == "small_classes" and finding.score == 1)
        and finding.kind != "language"
        # Several labels of a text are no class together.
        and not (corpus.is_multilabel and finding.kind in _OF_CLASSES)
        and not (finding.kind == "placeholders" and finding.detail.startswith(f"the label is {outside!r} in "))
    ]
    for line in short_lines(found, corpus):
        echo(f"Warning: {line}", err=True)
    if found:
        echo(f"For details, run {command}", err=True)
