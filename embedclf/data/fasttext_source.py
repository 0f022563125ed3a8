"""Files of fastText: lines of labels that begin with ``__label__``, and a text."""

import re
from collections.abc import Iterable, Iterator

from embedclf.data.damaged_lines import undamaged
from embedclf.data.open_file import OpenFile
from embedclf.data.reading import Reading
from embedclf.data.source import Source, SourceRecord

PREFIX = "__label__"
_LAST = re.compile(rf"\s{PREFIX}\S+\s*$")


def is_fasttext(line: str) -> bool:
    """Return whether a line begins or ends with a label of fastText."""
    return line.startswith(PREFIX) or _LAST.search(line) is not None


class FastTextSource(Source):
    """The lines of an open file of fastText that are not blank, as records of a text and a label.

    Parameters
    ----------
    file : OpenFile
    reading : Reading
    lines : iterable of str
        Those of `file`, some of which may have been read already.
    """

    def __init__(self, file: OpenFile, reading: Reading, lines: Iterable[str]) -> None:
        super().__init__(file, reading)
        self._lines = lines
        self.columns = ["text", "label"]
        self.notes.append(f"fastText's format ({PREFIX})")

    def __iter__(self) -> Iterator[SourceRecord]:
        for line, source in enumerate(self._lines, 1):
            words = source.rstrip("\r\n").split(" ") if "\t" not in source else source.rstrip("\r\n").split()
            labels = [word.removeprefix(PREFIX) for word in words if word.startswith(PREFIX)]
            text = " ".join(word for word in words if not word.startswith(PREFIX)).strip()
            if not text and not labels:
                continue
            fault = self.file.damaged.fault_of(line, [text, *labels])
            sound = [undamaged(label) for label in labels]
            label = sound if len(sound) > 1 else "".join(sound)
            yield SourceRecord(line, {"text": undamaged(text), "label": label}, "", fault)
