"""A row of a data file, and the formats that files have."""

import itertools
import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from embedclf.data.parquet import Record

Format = Literal["csv", "tsv", "jsonl", "parquet"]
_FORMATS: dict[str, Format] = {
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "jsonl",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
_LABEL = "label"


def file_format(path: str | os.PathLike[str]) -> Format:
    """Tell the format that a file's extension stands for; CSV for any that is not known."""
    return _FORMATS.get(Path(path).suffix.lower(), "csv")


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a file.

    Attributes
    ----------
    line : int
        Where the record starts, counted from 1.
    record : dict
        Its own columns, as they were read.
    source : str or Record
        The record as it stands in a JSONL or Parquet file; empty for others.
    text, label : str
        Empty where there is none; `label` also where labels were not asked for.
    fault : str or None
        Why the row cannot be used; None if it can.
    """

    line: int
    record: Mapping[str, Any]
    text: str
    label: str
    fault: str | None
    source: str | Record = ""


def _numbered(names: Sequence[str]) -> list[str]:
    """Give each name that comes again a number."""
    numbered: list[str] = []
    for name in names:
        numbered.append(_free_name(name, numbered))
    return numbered


def _free_names(names: Sequence[str], taken: Collection[str]) -> list[str]:
    return [_free_name(name, taken) for name in names]


def _free_name(name: str, taken: Collection[str]) -> str:
    names = itertools.chain([name], (f"{name}_{number}" for number in itertools.count(2)))
    return next(candidate for candidate in names if candidate not in taken)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
