"""The page of a comparison of new texts with old ones."""

from collections.abc import Mapping

from embedclf.exploration.changed_answers import Shift
from embedclf.exploration.drift_result import Drift
from embedclf.formatting import shown_interval, shown_share
from embedclf.pages.charts import bar
from embedclf.pages.markup import Markup, breakable, joined, tag
from embedclf.pages.names import in_one_line
from embedclf.pages.rendering import Facts, Heading, Section, folded, render, table
from embedclf.pages.row_list import Listed, RowPlace, row_list
from embedclf.printing.drifted import TRAINED_ON_OLD, figures_of, reasons_of, remark_on, shift_cells, verdict_of

_MOST_CHARACTERS = 160
_MOST_LABELS = 12


def drift_page(
    result: Drift,
    title: str,
    place: RowPlace | None = None,
    old_place: RowPlace | None = None,
    *,
    facts: Facts = (),
    note: str = "",
) -> str:
    """Return the page of a comparison of new texts with old ones.

    Parameters
    ----------
    result : Drift
    title : str
    place, old_place : callable, optional
        Return the origins of new and of old rows as `file:line`; None does not show them.
    facts : sequence of (str, str)
        What was compared, and how.
    note : str
        A remark to show at the top.
    """
    tiles = [
        ("new rows", f"{result.n_new:,}", f"{result.n_new_texts:,} distinct texts"),
        ("old rows", f"{result.n_old:,}", f"{result.n_old_texts:,} distinct texts"),
    ]
    if result.auroc is not None and result.auroc_interval is not None:
        tiles.append(("AUROC, new against old", f"{result.auroc:.3f}", shown_interval(result.auroc_interval)))
    if result.p_value is not None:
        tiles.append(("neighbourhoods, p-value", f"{result.p_value:.4f}", "0.025 or less means a change"))
    sections = [
        *_groups(result, place, old_place),
        *_words(result),
        *_typical(result, place, old_place),
        *_shares("Labels in the files", result.labels),
        *_answers(result),
    ]
    return render(Heading(title, [verdict_of(result), *reasons_of(result)], tiles, facts, note), sections)


def _groups(result: Drift, place: RowPlace | None, old_place: RowPlace | None) -> list[Section]:
    if not result.groups:
        return []
    most = max(max(one.share, one.other_share) for one in result.groups)
    rows: list[list[object]] = []
    for one in result.groups:
        where = place if one.more_in == "new" else old_place
        now, before = (one.share, one.other_share) if one.more_in == "new" else (one.other_share, one.share)
        texts = [
            tag(
                "li",
                tag("span", "" if where is None else f"{where(each.row)} ", class_="place"),
                tag("bdi", _cut(each.text), dir="auto"),
            )
            for each in one.texts
        ]
        rows.append(
            [
                tag("bdi", breakable(in_one_line(one.name))),
                # A narrow screen shows the cells below each other, without a header.
                "more common" if one.more_in == "new" else "less common",
                _with_bar(now, most, " now"),
                _with_bar(before, most, " before"),
                tag("ul", *texts, class_="near"),
            ]
        )
    note = "Groups of similar texts that are more or less common than before. The shares are estimates."
    header = ["group", "change", "new", "old", "most central texts"]
    return [Section("Groups", note, [table("Groups", header, rows, left=(0, 1, 2, 3, 4))])]


def _words(result: Drift) -> list[Section]:
    sections = []
    for more_in, title in (("new", "Words in more of the new texts"), ("old", "Words in fewer of the new texts")):
        words = [one for one in result.words if one.more_in == more_in]
        if words:
            most = max(max(one.n_new / result.n_new, one.n_old / result.n_old) for one in words)
            rows = [
                [
                    in_one_line(one.word),
                    f"{one.n_new:,}",
                    _with_bar(one.n_new / result.n_new, most),
                    f"{one.n_old:,}",
                    _with_bar(one.n_old / result.n_old, most),
                ]
                for one in words
            ]
            header = ["word", "new rows", "of all", "old rows", "of all"]
            sections.append(Section(title, parts=[table(title, header, rows, left=(0, 2, 4))]))
    return sections


def _typical(result: Drift, place: RowPlace | None, old_place: RowPlace | None) -> list[Section]:
    if not result.typical:
        return []
    rows = []
    for one in result.typical:
        where = "" if old_place is None else f" {old_place(one.nearest_row)}"
        near = [(f"{one.similarity:z.2f}{where}", one.nearest_text)]
        rows.append(Listed("" if place is None else place(one.row), one.text, (f"{one.newness:.2f}",), near))
    note = (
        "Newness is the out-of-fold probability that a text is new, as if there were as many new texts as old. Below "
        "each text is the most similar old one, with its cosine similarity."
    )
    return [Section("New texts least like the old ones", note, [row_list(rows, ["newness"], {}, numbers=["newness"])])]


def _answers(result: Drift) -> list[Section]:
    if (answers := result.answers) is None:
        return []
    rows: list[list[object]] = [[name, *shift_cells(one)] for name, one in figures_of(answers).items()]
    rows.insert(1, ["median confidence", shown_share(answers.median_new), shown_share(answers.median_old), ""])
    title = "Answers of the classifier"
    shown = table(title, ["", "new", "old", "points (95 % interval)"], rows)
    note = TRAINED_ON_OLD if answers.was_trained_on_old else ""
    return [Section(title, note, [shown]), *_shares("Predicted labels", answers.labels)]


def _shares(title: str, shares: Mapping[str, Shift]) -> list[Section]:
    if not shares:
        return []
    most = max(max(one.new, one.old) for one in shares.values())
    rows = []
    for name, one in shares.items():
        _, _, points = shift_cells(one)
        rows.append(
            [tag("bdi", breakable(in_one_line(name))), _with_bar(one.new, most), _with_bar(one.old, most), points]
        )
    header = ["label", "new", "old", "points (95 % interval)"]
    parts = [table(title, header, rows[:_MOST_LABELS], left=(0, 1, 2))]
    if rest := rows[_MOST_LABELS:]:
        parts.append(folded(f"{len(rest):,} more", table(f"{title}, others", header, rest, left=(0, 1, 2))))
    note = f"The largest difference first. {remark_on(shares)}"
    return [Section(title, note, parts)]


def _with_bar(share: float, most: float, when: str = "") -> Markup:
    return joined([f"{shown_share(share)}{when}", " ", bar(share / most if most else 0)])


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]} …"
