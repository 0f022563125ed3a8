"""Options for reading a file of texts, and the reading itself."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from embedclf.classifier.training_record import recorded_reading
from embedclf.cli.notices import say_mapped, show_left_out
from embedclf.cli.options import Decorator, collected
from embedclf.data.columns import TextColumn, as_text_column
from embedclf.data.dialect import QUOTINGS
from embedclf.data.reading import Labels, Reading, as_read, check_several_labels
from embedclf.errors import ArgumentError, DataError

if TYPE_CHECKING:
    from embedclf.classifier.model_card import ModelCard
    from embedclf.classifier.text_classifier import TextClassifier
    from embedclf.data.corpus import Corpus
    from embedclf.data.label_map import LabelMap


@dataclass(frozen=True)
class FileOptions(Reading):
    """Settings for reading a file of texts, as arguments of `read_corpus`."""

    skip_bad_rows: bool = False

    def __post_init__(self) -> None:
        """Check what only makes sense together, in whatever order it was given."""
        try:
            check_several_labels(self.label_column, self.label_separator, self.label_columns)
        except ArgumentError as error:
            raise click.UsageError(_with_options(str(error))) from None
        try:
            super().__post_init__()
        except ArgumentError as error:
            raise click.UsageError(f"Invalid value for '--escape-char': {error}.") from None

    def as_trained(self, classifier: "TextClassifier") -> "FileOptions":
        """Return the same settings, with the columns that a classifier remembers looked for first."""
        rules = classifier.card.multilabel
        if rules is None:
            return replace(self, usual=classifier.card.columns)
        separator = self.label_separator
        if separator is None and not self.label_columns and not rules.in_columns:
            separator = rules.separator
        return replace(
            self,
            usual=classifier.card.columns,
            label_separator=separator,
            usual_label_columns=classifier.classes if rules.in_columns else (),
        )

    @property
    def recorded(self) -> dict[str, Any]:
        """How the files are read, as far as a model file records it."""
        return recorded_reading(vars(self), vars(FileOptions()))

    def as_recorded(self, card: "ModelCard") -> "FileOptions":
        """Return the same settings, with those that a model file records where none was given, and its columns.

        The columns of a label each that it records are only looked for first: some of the files may lack one.
        """
        recorded = {} if card.training is None else as_read(card.training.reading)
        columns = tuple(recorded.pop("label_columns", ()))
        if self.label_columns:
            recorded.pop("label_separator", None)
        merged = {**recorded, **self.recorded}
        return replace(self, usual=card.columns, usual_label_columns=columns, **merged)

    def for_several(self, card: "ModelCard") -> "FileOptions":
        """Return the same settings for more rows of a model: with several labels per text if it gives several."""
        if card.multilabel is None or self.label_separator is not None or self.label_columns:
            return self
        if self.usual_label_columns and self.label_column is None:
            return self
        return replace(self, label_separator=card.multilabel.separator)

    def with_any_label_columns(self) -> "FileOptions":
        """Return the same settings for files that may lack some of the label columns, named or recorded."""
        columns = dict.fromkeys([*self.usual_label_columns, *self.label_columns])
        return replace(self, label_columns=(), usual_label_columns=tuple(columns))


def file_options(labels: Labels, *, as_model: bool = False) -> Decorator:
    """Add the options for reading a file of texts; the command receives them as `file`.

    Parameters
    ----------
    labels : {"needed", "optional", "none"}
        See `Reading`.
    as_model : bool
        Whether the file is read as those of the argument MODEL were, unless something else is asked for.
    """

    def usually(what: str) -> str:
        return f"  [default: {'as for MODEL' if as_model else what}]"

    also = usually("") if as_model else ""  # of options whose default click shows otherwise
    options = {
        "text_column": click.option(
            "--text-column",
            metavar="NAME",
            multiple=True,
            callback=_text_column,
            help="Column with the texts; repeated, several columns are joined."
            + usually("found by its name: text, message, …"),
        ),
        "label_column": click.option(
            "--label-column",
            metavar="NAME",
            help=("Column with the labels." if labels == "needed" else "Column with the labels, if any.")
            + usually("found by its name: label, category, …"),
        ),
        "label_separator": click.option(
            "--label-separator",
            metavar="CHAR",
            callback=_label_separator,
            help="What separates the labels of a text that has several, such as '|'."
            + usually('only lists, such as ["a", "b"], are several'),
        ),
        "label_columns": click.option(
            "--label-columns",
            metavar="NAME,…",
            multiple=True,
            callback=_label_columns,
            help=f"Columns of a label each, with 1 for the texts that have it and 0 for others.{also}",
        ),
        "delimiter": click.option(
            "--delimiter",
            metavar="CHAR",
            callback=_delimiter,
            help="Column delimiter." + usually("found in the header"),
        ),
        "encoding": click.option(
            "--encoding",
            metavar="NAME",
            default="utf-8",
            show_default=not as_model,
            callback=_encoding,
            help=f"File encoding; a byte order mark is accepted.{also}",
        ),
        "header": click.option(
            "--no-header",
            "header",
            is_flag=True,
            callback=lambda ctx, param, value: not value,
            help="The first line of a CSV file is a row; the columns are 1, 2, …",
        ),
        "quoting": click.option(
            "--quoting",
            type=click.Choice(QUOTINGS),
            default="auto",
            show_default=not as_model,
            help=f"Whether fields of CSV and TSV may be quoted; auto finds it out for those between tabs.{also}",
        ),
        "escape_char": click.option(
            "--escape-char",
            metavar="CHAR",
            callback=_escape_char,
            help="Character before a quote in a quoted field, such as '\\'." + usually("quotes are doubled"),
        ),
        "label_map": click.option(
            "--label-map",
            metavar="FILE",
            callback=_label_map,
            help="Rename or join labels while reading: a file with the columns old and new. An empty new label leaves "
            f"the rows out.{also}",
        ),
        "skip_bad_rows": click.option(
            "--skip-bad-rows", is_flag=True, help="Skip rows that cannot be used instead of stopping."
        ),
    }
    if labels == "none":
        for name in ("label_column", "label_map", "label_separator", "label_columns", "skip_bad_rows"):
            del options[name]
    return collected("file", partial(FileOptions, labels=labels), options)


def read_texts(datasets: str | Sequence[str], file: FileOptions) -> "Corpus":
    """Read a file, or several as one, with the given options, and list the rows that are skipped; see `say_mapped`."""
    corpus = read_unsaid(datasets, file)
    say_mapped(corpus)
    return corpus


def read_unsaid(datasets: str | Sequence[str], file: FileOptions, *, alike: bool = True) -> "Corpus":
    """Read a file, or several as one, without saying what the label map did to it; see `join` for `alike`."""
    from embedclf.data.corpus import join, read_corpus

    corpora = []
    for dataset in [datasets] if isinstance(datasets, str) else datasets:
        corpus = read_corpus(dataset, **vars(file))
        if corpus.skipped:
            show_left_out({corpus.name: corpus.skipped})
        corpora.append(corpus)
    return join(corpora, alike=alike)


def check_different(datasets: Sequence[str]) -> None:
    """Check that no file is given twice.

    Raises
    ------
    DataError
        If one is.
    """
    seen = set()
    for dataset in datasets:
        place = dataset if dataset == "-" else os.path.realpath(dataset)
        if place in seen:
            raise DataError(f"{dataset}: given twice; its rows would all be duplicates", source=dataset)
        seen.add(place)


def _text_column(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> TextColumn | None:
    try:
        return as_text_column(value)
    except ArgumentError as error:
        raise click.BadParameter(f"{error}.", ctx, param) from None


def _label_columns(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(name.strip() for names in value for name in names.split(",") if name.strip())
    if value and not names:
        raise click.BadParameter("must be the names of columns, such as toxic,insult.", ctx, param)
    return names


def _label_separator(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    return "\t" if value == r"\t" else value


def _with_options(message: str) -> str:
    """Return a message about arguments with the options in their place."""
    for name in ("label_columns", "label_column", "label_separator"):
        message = re.sub(rf"\b{name}\b", f"--{name.replace('_', '-')}", message)
    return f"{message[0].upper()}{message[1:]}."


def _label_map(ctx: click.Context, param: click.Parameter, value: str | None) -> "LabelMap | None":
    from embedclf.data.label_map import as_label_map

    return as_label_map(value)


def _delimiter(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value in (r"\t", "tab"):
        return "\t"
    if value is not None and (len(value) != 1 or value in '"\r\n\0'):
        raise click.BadParameter(r"must be a single character, such as ';' or '\t'.", ctx, param)
    return value


def _escape_char(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    return "\\" if value == r"\\" else value  # as a shell needs it outside quotes


escape_formulas_option = click.option(
    "--escape-formulas",
    is_flag=True,
    help="Put ' in front of cells of .csv and .tsv outputs that a spreadsheet would take for formulas.",
)


def _encoding(ctx: click.Context, param: click.Parameter, value: str) -> str:
    from embedclf.data.formats import check_encoding

    try:
        check_encoding(value)
    except ArgumentError as error:
        raise click.BadParameter(f"{error}.", ctx, param) from None
    return value
