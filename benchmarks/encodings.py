"""How often the encoding of a small table is found: by embedclf, and by libraries for it, as far as they are installed.

The texts are those of the user interface of mkdocs-material in 30 languages. Each language is written in the encodings
that are used for it, as tables of 3, 10 and 100 rows. A table counts as read if the first (or one of the first three)
encodings named reads it without a difference.

    python benchmarks/encodings.py
"""

import html
import importlib
import random
import re
import time
from collections.abc import Callable
from pathlib import Path

from embedclf.data.encodings import guess_encodings

WRITTEN_IN = {
    "de fr": "cp1252 mac_roman cp850",
    "es pt it sv da": "cp1252",
    "pl cs hu sk": "cp1250 iso8859-2",
    "ro hr": "cp1250",
    "ru": "cp1251 koi8-r cp866 iso8859-5 mac_cyrillic",
    "uk": "cp1251 koi8-u",
    "bg": "cp1251",
    "el": "cp1253 iso8859-7",
    "tr": "cp1254 iso8859-9",
    "he": "cp1255 iso8859-8",
    "ar fa": "cp1256",
    "lt lv et": "cp1257",
    "vi": "cp1258",
    "th": "cp874",
    "ja": "cp932 euc_jp",
    "zh": "gb18030",
    "zh-Hant": "cp950",
    "ko": "cp949",
}
SIZES = (3, 10, 100)


def table(texts: list[str], n_rows: int) -> str:
    rows = random.Random(n_rows).choices(texts, k=n_rows)
    if all(map(str.isascii, rows)):
        rows.append(next(text for text in texts if not text.isascii()))
    return "text,label\n" + "".join(f"{text},{number % 3}\n" for number, text in enumerate(rows))


def tables() -> dict[int, list[tuple[bytes, str]]]:
    found: dict[int, list[tuple[bytes, str]]] = {size: [] for size in SIZES}
    folder = Path(str(importlib.import_module("material").__file__)).parent / "templates/partials/languages"
    of_language = [(name, of.split()) for names, of in WRITTEN_IN.items() for name in names.split()]
    for language, encodings in of_language:
        said = re.findall(r'": "([^"]{4,})"', (folder / f"{language}.html").read_text(encoding="utf-8"))
        texts = [html.unescape(text).replace(",", " ") for text in said]
        for encoding in encodings:
            for size in SIZES:
                written = table(texts, size).encode(encoding, "ignore")
                found[size].append((written, written.decode(encoding)))
    return found


def reads(encoding: str | None, written: bytes, text: str) -> bool:
    try:
        return encoding is not None and written.decode(encoding) == text
    except (LookupError, UnicodeError):
        return False


def by_chardet(written: bytes) -> list[str | None]:
    found = importlib.import_module("chardet").detect_all(written, ignore_threshold=True)
    return [one["encoding"] for one in found]


def by_charset_normalizer(written: bytes) -> list[str | None]:
    return [one.encoding for one in importlib.import_module("charset_normalizer").from_bytes(written)]


def main() -> None:
    asked: dict[str, Callable[[bytes], list[str | None]]] = {
        "embedclf": lambda written: [guess.encoding for guess in guess_encodings(written, "utf-8")],
        "charset_normalizer": by_charset_normalizer,
        "chardet": by_chardet,
    }
    for name, guess in asked.items():
        try:
            importlib.import_module(name)
        except ImportError:
            print(f"{name} is not installed")
            continue
        started, figures = time.perf_counter(), []
        for size, of_size in tables().items():
            guesses = [(guess(written)[:3], written, text) for written, text in of_size]
            first = sum(any(reads(one, written, text) for one in some[:1]) for some, written, text in guesses)
            three = sum(any(reads(one, written, text) for one in some) for some, written, text in guesses)
            figures.append(f"{size} rows: {first} ({three}) of {len(of_size)}")
        print(f"{name:<20}{', '.join(figures)}; {time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    main()
