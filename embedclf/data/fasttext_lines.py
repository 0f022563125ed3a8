"""Lines of fastText: labels that begin with ``__label__``, then the text."""

from collections.abc import Iterable, Iterator

PREFIX = "__label__"


def fasttext_records(lines: Iterable[str]) -> Iterator[tuple[int, dict[str, str], str | None]]:
    """Read the text and the label of each line that is not blank: its number, counted from 1, both, and a fault."""
    for line, source in enumerate(lines, 1):
        words = source.rstrip("\r\n").split(" ") if "\t" not in source else source.rstrip("\r\n").split()
        labels = [word.removeprefix(PREFIX) for word in words if word.startswith(PREFIX)]
        text = " ".join(word for word in words if not word.startswith(PREFIX)).strip()
        if not text and not labels:
            continue
        fault = None
        if len(labels) > 1:
            fault = f"{len(labels)} labels ({', '.join(labels)[:60]}): several labels of one text are not supported yet"
        yield line, {"text": text, "label": labels[0] if labels else ""}, fault
