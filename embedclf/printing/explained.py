"""Why a text gets its label, as lines."""

from typing import TYPE_CHECKING

from embedclf.formatting import shown_confidence
from embedclf.printing.lines import PLAIN, Line, Piece, pieces_of
from embedclf.printing.tables import Places, coloured, nearby, shown_label, weighed

if TYPE_CHECKING:
    from embedclf.classifier.explanation import Explanation


def explanation_lines(why: "Explanation", trained_on: Places | None, *, in_colour: bool = False) -> list[Line]:
    """Return an explanation as lines: the runner-up, the words, and the nearest training examples.

    Parameters
    ----------
    why : Explanation
    trained_on : Places or None
        Where the training examples are from; None if there are none.
    in_colour : bool
        Whether to colour the words in the text instead of listing them.
    """
    from embedclf.classifier.explanation import by_word

    second = f"{shown_label(why.runner_up)} ({shown_confidence(why.runner_up_confidence)})"
    lines: list[Line] = [f"  {shown_label(why.label)} over {second}"]
    if in_colour:
        lines.append([("  ", PLAIN), *coloured(why.text, why.spans)])
    else:
        words = by_word(why.text, why.spans)
        for side, sign in (("for", 1), ("against", -1)):
            if line := weighed({word: weight for word, weight in words.items() if weight * sign > 0}):
                lines.append(f"  {f'words {side}':<13}  {line}")
    if why.vector:
        lines.append(f"  {'vector':<13}  {why.vector:+.2f}")
    if trained_on is not None:
        for side, neighbours in (("for", why.supporting), ("against", why.opposing)):
            for other in neighbours:
                before: Piece = (f"  {f'near {side}':<13}  ", PLAIN)
                lines.append([before, *pieces_of(nearby(other, trained_on, len(before[0])))])
    return lines
