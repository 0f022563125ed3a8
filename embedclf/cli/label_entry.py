"""What is typed and selected for a text, key by key, until it leads to an action."""

from collections.abc import Iterable
from enum import Enum, auto
from typing import NamedTuple

from embedclf.cli import keys
from embedclf.cli.text_to_label import N_DIGITS
from embedclf.formatting import counted
from embedclf.labelling.finding import Found, find_labels
from embedclf.labelling.questions import Question

_MOST_CHARACTERS = 200
_QUIT = "q"


class Act(Enum):
    """What a key has led to."""

    ANSWER = auto()
    SKIP = auto()
    UNDO = auto()
    NOTE = auto()
    LIST = auto()
    MORE = auto()
    HELP = auto()
    END = auto()


class _Option(NamedTuple):
    """What Enter may choose: a label, a new one, or the end (None)."""

    label: str | None
    is_new: bool = False


_ACTS = {
    keys.END: Act.END,
    keys.TAB: Act.LIST,
    keys.PAGE_DOWN: Act.MORE,
}
_ACTS_WITHOUT_TEXT = {
    keys.LEFT: Act.UNDO,
    keys.UNDO: Act.UNDO,
    keys.RIGHT: Act.SKIP,
    " ": Act.SKIP,
    "+": Act.NOTE,
    "?": Act.HELP,
}


class LabelEntry:
    """What is typed and chosen for a text.

    Parameters
    ----------
    question : Question
    several : bool
        Whether it may have several labels.
    chosen : iterable of str
        Those that are chosen at the start, if it may.

    Attributes
    ----------
    chosen : list of str
        The labels that are chosen so far, or those of the answer.
    """

    def __init__(self, question: Question, *, several: bool, chosen: Iterable[str] = ()) -> None:
        self._labels = [guess.label for guess in question.guesses]
        self._labels += [label for label in question.labels or () if label not in self._labels]
        self._given, self._several = question.labels, several
        self.chosen = list(chosen)
        self._typed, self._marked = "", -1
        self._was_typed = self._may_be_none = False
        self._found: Found | None = None
        self._options: list[_Option] = []
        self._remark = ""
        self._find("")

    @property
    def matches(self) -> list[str]:
        """The labels that match what is typed, the best first; all in alphabetical order if nothing is."""
        return sorted(self._labels, key=str.casefold) if self._found is None else self._found.matches

    def press(self, key: str) -> Act | None:
        """Take a key; return what it leads to, or None if it has only changed the entry."""
        self._remark = ""
        typed = self._typed
        if key in _ACTS:
            return _ACTS[key]
        if key == keys.ENTER:
            return self._enter()
        if key in (keys.UP, keys.DOWN):
            self._mark(1 if key == keys.DOWN else -1)
        elif not typed and key in _ACTS_WITHOUT_TEXT:
            return _ACTS_WITHOUT_TEXT[key]
        elif key == keys.ERASE:
            if not typed and not self._was_typed:  # a key that is held down to erase undoes no answer
                return Act.UNDO
            self._find(typed[:-1])
        elif key in (keys.CLEAR, keys.UNDO):
            self._find("")
        elif len(key) == 1:
            if not typed and key.isdecimal() and 1 <= int(key) <= min(len(self._labels), N_DIGITS):
                return self._take(self._labels[int(key) - 1])
            self._was_typed = True
            self._find((typed + key)[:_MOST_CHARACTERS])
        return None

    def line(self) -> tuple[str, str, str]:
        """Return the prompt, what is typed, and what Enter does."""
        chosen = "".join(f"[{label}] " for label in self.chosen) if self._several else ""
        return f"{chosen}> ", self._typed, self._remark or self._hint()

    def _find(self, typed: str) -> None:
        self._typed, wanted = typed, typed.strip()
        if not wanted:
            self._found, self._marked = None, -1
            self._options = [_Option(label) for label in self._labels]
            return
        self._found, self._marked = find_labels(self._labels, wanted), 0
        self._options = [_Option(label) for label in self._found.matches]
        if wanted == _QUIT and not self._found.is_known:
            self._options.insert(0, _Option(None))
        if not self._found.is_known:
            self._options.append(_Option(wanted, is_new=True))

    def _mark(self, step: int) -> None:
        if not self._options:
            return
        if self._marked < 0:
            self._marked = 0 if step > 0 else len(self._options) - 1
        else:
            self._marked = (self._marked + step) % len(self._options)

    def _enter(self) -> Act | None:
        if self._marked >= 0:
            label = self._options[self._marked].label
            return Act.END if label is None else self._take(label)
        if not self._several:
            if self._given is not None:
                self.chosen = list(self._given)
                return Act.ANSWER
            self._remark = "A digit or letters choose a label, Space skips the text."
        elif self.chosen or self._may_be_none or self._given == ():
            return Act.ANSWER
        else:
            self._may_be_none = True
            self._remark = "No label is selected. Enter again: it has none."
        return None

    def _take(self, label: str) -> Act | None:
        if not self._several:
            self.chosen = [label]
            return Act.ANSWER
        if label in self.chosen:
            self.chosen.remove(label)
        else:
            self.chosen.append(label)
        if label not in self._labels:
            self._labels.append(label)
        self._may_be_none = False
        self._find("")
        return None

    def _hint(self) -> str:
        if self._marked < 0:
            return self._hint_to_go_on()
        at = self._options[self._marked]
        rest = self._options[self._marked + 1 :]
        others = sum(not one.is_new for one in rest)
        near, is_guess = (self._found.near, self._found.is_guess) if self._found is not None else ([], False)
        if at.label is None:
            hint = "Enter: finish"
        elif at.is_new:
            hint = "Enter: new label" + (f", spelt almost like {near[0]}" if near else "")
        else:
            hint = f"Enter: {at.label}" + (", spelt similarly" if is_guess else "")
        then = [counted(others, "other")] if others else []
        then += ["new label"] if rest and rest[-1].is_new else []
        return f"{hint} · ↓ {', '.join(then)}" if then else hint

    def _hint_to_go_on(self) -> str:
        given = self._given
        if not self._several:
            return "" if given is None else f"Enter: keep {', '.join(given) or 'no label'}"
        if given is not None and sorted(given) == sorted(self.chosen):
            return f"Enter: keep {'these' if len(given) > 1 else 'this' if given else 'no label'}"
        return f"Enter: save {counted(len(self.chosen), 'label')}" if self.chosen else ""
