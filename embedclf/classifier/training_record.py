"""What a model file remembers of its training, so that the same data and settings can be used again."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from hashlib import blake2b
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, Literal

_FEATURES = ("auto", "embedding", "words", "both")
# How a file is read, as far as it is not as usual; see `Reading`.
_READING: dict[str, type] = {
    "delimiter": str,
    "encoding": str,
    "escape_char": str,
    "header": bool,
    "label_columns": list,
    "label_map": dict,
    "label_separator": str,
    "quoting": str,
    "skip_bad_rows": bool,
}


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """The settings of a training, as they were asked for, and the rows.

    Attributes
    ----------
    digest : str
        From `rows_digest`.
    n_rows : int
        All rows, those that are out of scope included; 0 if labels were described, and there were no rows.
    features : {"auto", "embedding", "words", "both"}
    C : float or None
        None if it was chosen, or the head has none.
    label_names : bool or None
    holdout : float
    seed : int
    target_accuracy, min_confidence : float or None
    class_weight : dict of str to float, "balanced" or None
    weighted : bool
        Whether examples had weights, which are not recorded.
    weight_column : str or None
        The column of the files with these weights; None if they are not from a column.
    target_precision, target_recall : mapping of str to float, or None
        The targets of labels.
    files : tuple of str
        The files that the rows are from, relative to the directory where they were named, with slashes; empty if they
        are not from files, or are known by names that are not recorded.
    reading : mapping of str to str, bool or dict
        How the files are read, where it is not as usual: some of the arguments of `read_corpus`.
    label_texts : bool
        Whether labels were described, which is not recorded.
    label_counts : mapping of str to int, or None
        How many rows each label has, the out-of-scope label included; None in files of older versions.
    """

    digest: str
    n_rows: int
    features: Literal["auto", "embedding", "words", "both"] = "auto"
    C: float | None = None
    label_names: bool | None = None
    holdout: float = 0.0
    seed: int = 0
    target_accuracy: float | None = None
    min_confidence: float | None = None
    class_weight: Mapping[str, float] | Literal["balanced"] | None = None
    weighted: bool = False
    files: tuple[str, ...] = ()
    reading: Mapping[str, Any] = field(default_factory=dict)
    label_texts: bool = False
    weight_column: str | None = None
    target_precision: Mapping[str, float] | None = None
    target_recall: Mapping[str, float] | None = None
    label_counts: Mapping[str, int] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what is not as usual as plain types, for JSON."""
        shown = {one.name: getattr(self, one.name) for one in fields(self)}
        usual = {one.name: one.default for one in fields(self)} | {"reading": {}}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in shown.items()
            if value != usual[name]
        }

    @classmethod
    def from_dict(cls, record: Any) -> "TrainingRecord":
        """Read what `to_dict` returned. Fields of later versions are ignored.

        Raises
        ------
        KeyError, TypeError, ValueError
            If a value cannot be that of a record.
        """
        typed = _Fields(record)
        features = typed.get("features", str, "auto")
        if features not in _FEATURES:
            raise ValueError(f"invalid 'features' {features!r:.40}")
        class_weight = typed.get("class_weight", str | dict, None)
        if isinstance(class_weight, dict):
            class_weight = typed.numbers("class_weight", least=1e-300)
        elif class_weight not in (None, "balanced"):
            raise ValueError(f"invalid 'class_weight' {class_weight!r:.40}")
        files = typed.get("files", list, [])
        if files and recordable(files) != tuple(files):
            raise ValueError(f"invalid 'files' {files!r:.40}")
        reading = _Fields(typed.get("reading", dict, {}))
        renamed = _Fields(reading.get("label_map", dict, {}))
        for label in renamed.values:
            renamed.needed(label, str)
        if not all(isinstance(column, str) for column in reading.get("label_columns", list, [])):
            raise TypeError("invalid 'label_columns' of 'reading'")
        return cls(
            digest=typed.needed("digest", str),
            n_rows=typed.count("n_rows"),
            features=features,
            C=typed.number("C", None, least=1e-300),
            label_names=typed.get("label_names", bool, None),
            holdout=typed.number("holdout", 0.0, most=1.0),
            seed=typed.count("seed", 0),
            target_accuracy=typed.number("target_accuracy", None, most=1.0),
            min_confidence=typed.number("min_confidence", None, most=1.0),
            class_weight=class_weight,
            weighted=typed.get("weighted", bool, False),
            label_texts=typed.get("label_texts", bool, False),
            files=tuple(files),
            weight_column=typed.get("weight_column", str, None),
            target_precision=typed.numbers("target_precision", most=1.0),
            target_recall=typed.numbers("target_recall", most=1.0),
            label_counts=typed.counts("label_counts"),
            reading={name: reading.get(name, kind, None) for name, kind in _READING.items() if name in reading.values},
        )


class _Fields:
    """The fields of a JSON object, with their types checked."""

    def __init__(self, values: Any) -> None:
        if not isinstance(values, dict):
            raise TypeError(f"invalid 'training' {values!r:.40}")
        self.values = values

    def needed(self, name: str, kind: Any) -> Any:
        value = self.values[name]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise TypeError(f"invalid {name!r:.40} {value!r:.40}")
        return value

    def get(self, name: str, kind: Any, usual: Any) -> Any:
        return self.needed(name, kind) if name in self.values else usual

    def count(self, name: str, usual: int | None = None) -> int:
        number: int = self.needed(name, int) if usual is None else self.get(name, int, usual)
        if number < 0:
            raise ValueError(f"invalid {name!r:.40} {number}")
        return number

    def counts(self, name: str) -> dict[str, int] | None:
        """Return counts by label."""
        if (given := self.get(name, dict, None)) is None:
            return None
        own = _Fields(given)
        return {label: own.count(label) for label in given}

    def numbers(self, name: str, *, least: float = 0.0, most: float = 1e300) -> dict[str, float] | None:
        """Return numbers by label."""
        if (given := self.get(name, dict, None)) is None:
            return None
        own = _Fields(given)
        return {label: own.number(label, 1.0, least=least, most=most) for label in given}

    def number(self, name: str, usual: float | None, *, least: float = 0.0, most: float = 1e300) -> Any:
        number = self.get(name, int | float, usual)
        if number is not None and not least <= number <= most:
            raise ValueError(f"invalid {name!r:.40} {number:g}")
        return number


def rows_digest(texts: Iterable[str], labels: Iterable[str]) -> str:
    """Return a digest of texts with their labels, in their order, by which the same rows are known again."""
    digest = blake2b(digest_size=16)
    for row in zip(texts, labels, strict=True):
        for part in row:
            encoded = part.encode("utf-8", "surrogatepass")
            digest.update(len(encoded).to_bytes(8, "little"))
            digest.update(encoded)
    return digest.hexdigest()


def recordable(names: Sequence[Any]) -> tuple[str, ...]:
    """Return the names of files as a model file may hold them; none of them if one says more than where to look.

    Recorded names lead down from the directory where they were given. An absolute name, or one that leads up, says
    where on a machine somebody works.
    """
    found = []
    for name in names:
        if not isinstance(name, str) or not name or name == "-" or not name.isprintable():
            return ()
        path = PurePosixPath(name.replace(os.sep, "/"))
        on_windows = PureWindowsPath(name)
        leads_away = path.is_absolute() or on_windows.anchor or ".." in path.parts
        if leads_away or "\\" in str(path) or not path.parts:
            return ()
        found.append(path.as_posix())
    return tuple(found)


def recorded_reading(given: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """Return how files are read, as far as it is not as usual and is recorded."""
    return {
        name: list(given[name]) if isinstance(given[name], tuple) else given[name]
        for name in _READING
        if given[name] != usual[name]
    }
