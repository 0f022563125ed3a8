"""A list of rows that can be filtered and searched."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from embedclf.classifier.explanation import Span
from embedclf.formatting import counted
from embedclf.pages.markup import Markup, breakable, escaped, joined, tag

# Texts are truncated to the largest of these lengths that keeps all of them together within the number of bytes.
_MAX_CHARACTERS = (2_000, 1_000, 500, 250, 120)
_MAX_BYTES = 3_000_000
# Thresholds of the three shades, as shares of the largest weight in the text.
_SHADES = (0.1, 0.3, 0.6)
# Of more rows, a browser lays out only those on the screen.
_FEW = 300
# As many are printed; see report.css.
_PRINTED = 25
# A column of names that have no more characters is narrow.
_SHORT = 10

RowPlace = Callable[[int], str]
"""Returns the origin of a row as `file:line`."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A row to list.

    Attributes
    ----------
    place : str
        Where it is from, as `file:line`; empty if that is not known.
    text : str
    cells : sequence of str, or of sequences of str
        What is shown beside the text, for each column; several names of a column that can be filtered are a sequence.
    near : sequence of (str, str)
        What is shown below the text: lines, each of a part that is shown in full, and a text.
    spans : sequence of Span
        The words to shade.
    """

    place: str
    text: str
    cells: Sequence[str | Sequence[str]]
    near: Sequence[tuple[str, str]] = ()
    spans: Sequence[Span] = ()


def row_list(
    rows: Sequence[Listed],
    columns: Sequence[str],
    choices: Mapping[str, Sequence[str]],
    *,
    wrong: str = "",
    numbers: Sequence[str] = (),
) -> Markup:
    """Return a table of rows, with a filter for each column of names, and a search.

    Parameters
    ----------
    rows : sequence of Listed
    columns : sequence of str
        Names of what is beside the texts.
    choices : mapping of str to sequence of str
        For each column that can be filtered, all names that may occur in it, in the order in which they are offered;
        the script knows them by their number in this order.
    wrong : str
        Name of the column that is shown as wrong.
    numbers : sequence of str
        Names of columns of numbers.
    """
    indices = {column: {name: number for number, name in enumerate(names)} for column, names in choices.items()}
    most = _max_characters(rows)
    filters = [
        _filter(column, names, {name for row in rows for name in _names(row.cells[columns.index(column)])})
        for column, names in choices.items()
    ]
    heads = [tag("th", name, scope="col", class_="number" if name in numbers else None) for name in columns]
    body = []
    for row in rows:
        named = dict(zip(columns, row.cells, strict=True))
        cells = [
            tag("td", *_names(cell), class_="number", data_name=column)
            if column in numbers
            else tag("td", _named(cell, "taken" if column == wrong else None), data_name=column)
            for column, cell in named.items()
        ]
        keys = {
            f"data-{column}": " ".join(str(numbers_of[name]) for name in _names(named[column]))
            for column, numbers_of in indices.items()
        }
        body.append(tag("tr", tag("td", _text(row, most)), *cells, **keys))
    printed = len(rows) - _PRINTED
    longest = [
        max((len(name) for row in rows for name in _names(row.cells[at])), default=0) for at in range(len(columns))
    ]
    widths = [
        "6rem" if name in numbers or n_characters <= _SHORT else "minmax(0, 11rem)"
        for name, n_characters in zip(columns, longest, strict=True)
    ]
    return joined(
        [
            tag(
                "form",
                *filters,
                tag("label", "search", tag("input", name="search", type="search", placeholder="in texts")),
                tag("button", "Clear", type="reset"),
                id="filters",
                hidden=True,
            ),
            tag("p", counted(len(rows), "row"), class_="note", id="shown", aria_live="polite"),
            tag(
                "table",
                tag("thead", tag("tr", tag("th", "text", scope="col"), *heads)),
                tag("tbody", joined(body, "\n")),
                class_="rows many" if len(rows) > _FEW else "rows",
                id="rows",
                style="--columns: " + " ".join(widths),
            ),
            tag("p", f"{printed:,} more on the page itself.", class_="note paper") if printed > 0 else "",
            tag("p", "No rows match all filters.", class_="nothing", id="nothing", hidden=True),
        ],
        "\n",
    )


def shaded_text(text: str, spans: Sequence[Span], most: int) -> Markup:
    """Return the first characters of a text as HTML, with words shaded by weight."""
    largest = max((abs(span.weight) for span in spans), default=0.0)
    limits = [share * largest for share in _SHADES]
    pieces: list[str] = []
    done = 0
    for start, end, weight in spans:
        if start >= most:
            break
        size = abs(weight)
        if shade := sum([size >= limit for limit in limits]):
            side, end = "for" if weight > 0 else "against", min(end, most)
            # Not by `tag`, which takes several times as long: a page may have a million of them.
            pieces.append(f'{escaped(text[done:start])}<mark class="{side}{shade}">{escaped(text[start:end])}</mark>')
            done = end
    return Markup("".join([*pieces, escaped(text[done:most])]))


def _names(cell: str | Sequence[str]) -> Sequence[str]:
    return [cell] if isinstance(cell, str) else cell


def _named(cell: str | Sequence[str], class_: str | None) -> Markup:
    return joined([tag("bdi", breakable(name), class_=class_) for name in _names(cell)], ", ")


def _filter(column: str, names: Sequence[str], occurring: set[str]) -> Markup:
    options = [tag("option", name, value=number) for number, name in enumerate(names) if name in occurring]
    return tag("label", column, tag("select", tag("option", "all", value=""), *options, name=column))


def _text(row: Listed, most: int) -> Markup:
    place = joined([tag("span", row.place, class_="place"), " "]) if row.place else ""
    more = " …" if len(row.text) > most else ""
    near = [tag("li", joined([lead, " " if lead else "", tag("bdi", text[:most])])) for lead, text in row.near]
    return joined(
        [
            place,
            tag("span", shaded_text(row.text, row.spans, most), more, class_="text", dir="auto"),
            tag("ul", *near, class_="near") if near else "",
        ]
    )


def _max_characters(rows: Sequence[Listed]) -> int:
    """Return how many characters of each text are shown."""
    *larger, least = _MAX_CHARACTERS
    for most in larger:
        left = _MAX_BYTES
        for row in rows:
            left -= len(shaded_text(row.text, row.spans, most).encode(errors="replace"))
            left -= sum(len(escaped(text[:most]).encode(errors="replace")) for _, text in row.near)
            if left < 0:
                break
        else:
            return most
    return least
