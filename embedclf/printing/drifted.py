"""Whether texts have changed, in words and as lines."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from embedclf.formatting import counted, shown_share
from embedclf.printing.lines import HEADING, PLAIN, RIGHT, WARNING, Line, Piece, Style, heading
from embedclf.printing.tables import in_one_line, percent, place_of, shortened, shown_label, shown_word, table

if TYPE_CHECKING:
    from embedclf.exploration.changed_answers import ChangedAnswers, Shift
    from embedclf.exploration.changed_groups import ChangedGroup
    from embedclf.exploration.drift_result import Drift
    from embedclf.printing.tables import Places

_MOST_GROUPS = 5
_MOST_LABELS = 6
# With so many texts of each, the interval of an AUROC of 0.5 ends below 0.6 in about nine of ten cases.
_ENOUGH = 300
TRAINED_ON_OLD = "It was trained on the old rows, so it is more confident and more accurate on them."
_STYLES: dict[str, Style] = {
    "changed": {**WARNING, **HEADING},
    "no change found": {**RIGHT, **HEADING},
    "cannot tell": HEADING,
}


def verdict_of(result: "Drift") -> str:
    """Return the verdict as a sentence."""
    if result.verdict == "changed":
        return "The texts have changed."
    if result.verdict == "no change found":
        return "No change found."
    n_new, n_old = result.n_new_texts, result.n_old_texts
    return f"Cannot tell with so few texts: {n_new:,} new and {n_old:,} old."


def reasons_of(result: "Drift") -> list[str]:
    """Return what the verdict is based on, in sentences."""
    if result.auroc is None or result.auroc_interval is None:
        from embedclf.exploration.drift import FEWEST

        return [f"At least {FEWEST} distinct texts of each are needed."]
    low, high = (100 * end for end in result.auroc_interval)
    said = [
        f"Given one new and one old text, a classifier picks out the new one {100 * result.auroc:.0f} times in 100 "
        f"({low:.0f} to {high:.0f}); chance is 50."
    ]
    if result.least_share >= 0.01:
        said.append(f"At least {100 * result.least_share:.0f} % of the texts are of a different kind.")
    for more_in, n, what in (("new", result.n_new, "were rarer before"), ("old", result.n_old, "are rarer now")):
        size = sum(one.size for one in result.groups if one.more_in == more_in)
        if size:
            said.append(
                f"About {size:,} of {counted(n, f'{more_in} row')} ({percent(size / n)}) belong to groups that {what}."
            )
    if result.verdict == "cannot tell":
        few = min(result.n_compared_new, result.n_compared_old) < _ENOUGH
        would = f"; about {_ENOUGH} texts of each would usually be enough to tell" if few else ""
        said.append(f"A tenth of the texts may be of another kind, or none{would}.")
    if result.verdict == "changed" and not result.groups:
        said.append("No group of similar texts stands out.")
    if result.is_sampled:
        said.append(
            f"Compared: {result.n_compared_new:,} of {result.n_new_texts:,} distinct new texts and "
            f"{result.n_compared_old:,} of {result.n_old_texts:,} old ones, drawn at random."
        )
    return said


def drift_lines(result: "Drift", new: "Places", old: "Places", rest: str) -> list[Line]:
    """Return a comparison of texts as lines.

    Parameters
    ----------
    result : Drift
    new, old : Places
        Where the rows are.
    rest : str
        What has all groups and labels, for those that are left out.
    """
    lines: list[Line] = [[(verdict_of(result), _STYLES[result.verdict])], *reasons_of(result)]
    for more_in, places in (("new", new), ("old", old)):
        groups = [one for one in result.groups if one.more_in == more_in]
        lines += _groups(groups, more_in, places, rest)
    lines += _words(result)
    if result.typical:
        nearest = f"nearest in {old.name}" if old.name else "nearest old text"
        lines += ["", heading("New texts least like the old ones")]
        lines += [f"  Each with its newness; below, the {nearest} with its similarity."]
        for one in result.typical:
            lines += [_text(f"{one.newness:.2f}", one.row, one.text, new)]
            lines += [_text(f"{one.similarity:z.2f}", one.nearest_row, one.nearest_text, old)]
    if result.labels:
        lines += ["", heading("Labels in the files"), *_shares(result.labels, rest)]
    if result.answers is not None:
        lines += _answers(result.answers, rest)
    return lines


def _groups(groups: "Sequence[ChangedGroup]", more_in: str, places: "Places", rest: str) -> Iterator[Line]:
    if not groups:
        return
    yield ""
    of_file = f" (rows of {places.name})" if places.name else ""
    yield heading(f"{'More common than before' if more_in == 'new' else 'Less common than before'}{of_file}")
    for one in groups[:_MOST_GROUPS]:
        now, before = (one.share, one.other_share) if more_in == "new" else (one.other_share, one.share)
        size = f"  about {counted(one.size, 'row')}: {percent(now)} now, {percent(before)} before"
        yield [("  ", PLAIN), (in_one_line(one.name), HEADING), (size, PLAIN)]
        for text in one.texts:
            place = place_of(text.row, places)
            used = len(place[0]) + 6
            yield [("    ", PLAIN), place, (f"  {shortened(text.text, 80 - used, beside=used)}", PLAIN)]
    if (left := len(groups) - _MOST_GROUPS) > 0:
        yield f"  … {counted(left, 'more group')} ({rest})"


def _words(result: "Drift") -> Iterator[Line]:
    for more_in in ("new", "old"):
        words = [one for one in result.words if one.more_in == more_in]
        if words:
            yield ""
            rows: list[list[str | Piece]] = [
                [
                    shown_word(one.word),
                    f"{one.n_new:,}",
                    percent(one.n_new / result.n_new),
                    f"{one.n_old:,}",
                    percent(one.n_old / result.n_old),
                ]
                for one in words
            ]
            yield heading(f"Words in {'more' if more_in == 'new' else 'fewer'} of the new texts")
            yield from table(["word", "new rows", "", "old rows", ""], rows, indent=2)


def _text(figure: str, row: int, text: str, places: "Places") -> Line:
    place = place_of(row, places)
    used = len(figure) + len(place[0]) + 6
    return [(f"  {figure}  ", PLAIN), place, (f"  {shortened(text, 80 - used, beside=used)}", PLAIN)]


def shift_cells(one: "Shift") -> list[str]:
    """Return a share of new and of old rows, with their difference in points, for a table."""
    low, high = one.interval
    return [
        shown_share(one.new),
        shown_share(one.old),
        f"{100 * one.difference:+z.1f} ({100 * low:+z.1f} to {100 * high:+z.1f})",
    ]


def figures_of(answers: "ChangedAnswers") -> "dict[str, Shift]":
    """Return the figures of the answers of a classifier by their names, without those of labels."""
    named = {
        "mean confidence": answers.confidence,
        "without an answer": answers.abstained,
        "accuracy": answers.accuracy,
    }
    return {name: one for name, one in named.items() if one is not None}


def _answers(answers: "ChangedAnswers", rest: str) -> Iterator[Line]:
    yield ""
    yield heading("Answers of the classifier")
    if answers.was_trained_on_old:
        yield f"  {TRAINED_ON_OLD}"
    rows: list[list[str | Piece]] = [[name, *shift_cells(one)] for name, one in figures_of(answers).items()]
    median = ["median confidence", shown_share(answers.median_new), shown_share(answers.median_old), ""]
    yield from table(["", "new", "old", "points (95 %)"], [rows[0], median, *rows[1:]], indent=2)
    yield ""
    yield heading("Predicted labels")
    yield from _shares(answers.labels, rest)


def remark_on(shares: "Mapping[str, Shift]") -> str:
    """Return how many labels have another share than before, and how many would seem to by chance."""
    return (
        f"{sum(map(_is_clear, shares.values())):,} of {counted(len(shares), 'share')} clearly changed (the interval "
        f"excludes 0); by chance, about {0.05 * len(shares):.1f} would."
    )


def _is_clear(one: "Shift") -> bool:
    low, high = one.interval
    return not low <= 0 <= high


def _shares(shares: "Mapping[str, Shift]", rest: str) -> Iterator[Line]:
    """Show the labels with another share than before, or all if there are few."""
    yield f"  {remark_on(shares)}"
    shown = list(shares.items())
    if len(shown) > _MOST_LABELS:
        shown = [(name, one) for name, one in shown if _is_clear(one)][:_MOST_LABELS]
    rows: list[list[str | Piece]] = [[shown_label(name), *shift_cells(one)] for name, one in shown]
    if rows:
        yield from table(["label", "new", "old", "points (95 %)"], rows, indent=2)
    if (left := len(shares) - len(shown)) > 0:
        yield f"  … {counted(left, 'more label' if rows else 'label')} ({rest})"
