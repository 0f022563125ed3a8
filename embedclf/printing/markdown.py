"""Text and tables in Markdown, and a comparison of two classifiers for the summary that a code host shows beside a run.

Names come from files, so every character that could be markup is escaped; a summary has no links and no HTML but what
is written here.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from embedclf.printing.diffs import diff_tables, summary_of_rows, unknown_lines, verdicts_of
from embedclf.printing.tables import in_one_line

if TYPE_CHECKING:
    from embedclf.evaluation.model_diff import ModelDiff

# What could be markup within a line, by CommonMark, GitHub's tables and formulas. An empty comment keeps a host from
# mentioning a person, or referring to an issue.
_PLAIN = str.maketrans(
    {character: f"\\{character}" for character in "\\`*_[]|~$"}
    | {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "@<!-- -->", "#": "#<!-- -->"}
)


def markdown_of(text: str) -> str:
    """Return a text on one line in which nothing is markup, or an address to be linked."""
    plain = in_one_line(text).translate(_PLAIN)
    return plain.replace("://", "&#58;//").replace("www.", "www&#46;")


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> list[str]:
    """Return the lines of a table of texts, of which the columns in `left` are aligned to the left."""
    rule = [":---" if column in left else "---:" for column in range(len(header))]
    cells = [[markdown_of(cell) for cell in row] for row in (header, *rows)]
    return [f"| {' | '.join(row)} |" for row in (cells[0], rule, *cells[1:])]


def diff_markdown(result: "ModelDiff", title: str) -> str:
    """Return a comparison of two classifiers: the verdict, and the tables that the command prints."""
    parts = [f"### {markdown_of(title)}", *(f"**{markdown_of(one)}**" for one in verdicts_of(result))]
    parts += ["\n".join(markdown_table(header, rows, left=(0, 4))) for header, rows in diff_tables(result)]
    parts += [markdown_of(one) for one in (*unknown_lines(result), summary_of_rows(result))]
    return "\n\n".join(parts) + "\n"
