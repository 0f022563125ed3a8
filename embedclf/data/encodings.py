"""Finding the encoding of bytes that are not in the expected one, by trying others on them.

Each candidate decodes the bytes, and the characters that come out are judged: whether they are what is written in the
languages that this encoding is used for, and whether they stand where such characters do. Of the libraries for this,
charset-normalizer finds fewer encodings of small tables, and chardet 7 a few more (`benchmarks/encodings.py`); where
that is installed, older versions of requests warn of it in each run.
"""

import codecs
import unicodedata
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import NamedTuple

_MOST_GUESSES = 3
_MOST_BYTES = 1 << 16
_MOST_SHOWN = 60
_FEWEST_OF_BEST = 0.6
_MOST_JUDGED = 2_000

# The letters beyond ASCII of each language, in lower case; of other alphabets, the frequent ones first.
_WESTERN = "éâàèêçîôûùëïœ", "äöüß", "áéíóúñü", "ãçáéíóõâêúàô", "àèéìòù", "åäöé", "æøåé", "éëïöü"
_CENTRAL = "ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîșțşţ", "čćđšž", "äöüß", "áéíóú"
_BALTIC = "ąčęėįšųūž", "āčēģīķļņšūž", "äõöüšž"
_TURKISH = ("çğıöşüâîû",)
_VIETNAMESE = ("ăâđêôơưàáèéùúóíý\u0300\u0301\u0303\u0309\u0323",)
_RUSSIAN = (("оеаинтсрвл", "кмдпуяыьгзбчйхжшюцщэфъёіїєґўѓќљњџђћјѕ"),)
_GREEK = (("αοιετσνηυρ", "πκμλςωδγχθφβξζψάέήίόύώϊϋΐΰ"),)
_HEBREW = (("יוהלארמבת", "שנכעחדקפםטסגזצןךץף\u05b0\u05b4\u05b7\u05b8\u05bc"),)
_ARABIC = (("ايلنمرتوبع", "هدسفحكقجةشصطخذضثىأإآءئؤزغظپچژگکیھے،؟؛"),)
_THAI = (("านรอกเงมยล", "วดทสตะปบคหพชจขผถซธศฟษณญฐฉภฮฎฏฆฑฒฌๆฤฦำแโใไัิีึืุู็่้๊๋์"),)
_MARKS = "’‘“”–—…•€£«»°©®™¿¡§ \u00a0"

_Judge = Callable[[str], float]


def _judges(*alphabets: str | tuple[str, str]) -> list[_Judge]:
    """Return a judge of characters for each language."""
    return [_judge_of(*((one,) if isinstance(one, str) else one)) for one in alphabets]


def _judge_of(frequent: str, others: str = "") -> _Judge:
    """Return a judge of characters: 1 for a frequent letter, less for others and marks, below 0 for what is neither."""
    worth = {**dict.fromkeys(_MARKS, 0.8), "’": 1.0, **dict.fromkeys(others, 0.5), **dict.fromkeys(frequent, 1.0)}

    def judge(character: str) -> float:
        known = worth.get(character.lower())
        if known is not None:
            return known
        return -0.3 if character.isalpha() else -1.0

    return judge


def _east_asian(encoding: str, first: int, last: int, character: str) -> float:
    """Judge a character of an East Asian encoding, whose common ideographs have a lead byte from `first` to `last`."""
    if "\u3041" <= character <= "\u30ff":
        return 1.0 if encoding in ("cp932", "euc_jp") else 0.1
    if "\uac00" <= character <= "\ud7a3":
        lead = character.encode(encoding, "replace")[0]
        return 1.0 if encoding == "cp949" and 0xB0 <= lead <= 0xC8 else -0.5
    if character in "、。，．・ー「」『』？！：；（）…“”～％０１２３４５６７８９":
        return 0.8
    if "\u4e00" <= character <= "\u9fff":
        return 0.8 if first <= character.encode(encoding, "replace")[0] <= last else 0.0
    return -0.5


_JUDGES: dict[str, list[_Judge]] = {
    "utf-8": [lambda _: 2.0],  # no text of more than a few characters is valid UTF-8 by chance
    "cp1252": _judges(*_WESTERN),
    "cp932": [partial(_east_asian, "cp932", 0x88, 0x98)],
    "gb18030": [partial(_east_asian, "gb18030", 0xB0, 0xD7)],
    "big5": [partial(_east_asian, "big5", 0xA4, 0xC6)],
    "cp949": [partial(_east_asian, "cp949", 0x00, -0x01)],
    "euc_jp": [partial(_east_asian, "euc_jp", 0xB0, 0xCF)],
    "cp1251": _judges(*_RUSSIAN),
    "koi8_r": _judges(*_RUSSIAN),
    "koi8_u": _judges(*_RUSSIAN),
    "cp866": _judges(*_RUSSIAN),
    "iso8859_5": _judges(*_RUSSIAN),
    "mac_cyrillic": _judges(*_RUSSIAN),
    "cp1250": _judges(*_CENTRAL),
    "iso8859_2": _judges(*_CENTRAL),
    "cp1253": _judges(*_GREEK),
    "iso8859_7": _judges(*_GREEK),
    "cp1254": _judges(*_TURKISH),
    "cp1255": _judges(*_HEBREW),
    "cp1256": _judges(*_ARABIC),
    "iso8859_6": _judges(*_ARABIC),
    "cp1257": _judges(*_BALTIC),
    "cp1258": _judges(*_VIETNAMESE),
    "cp874": _judges(*_THAI),
    "mac_roman": _judges(*_WESTERN),
    "cp850": _judges(*_WESTERN),
    "cp852": _judges(*_CENTRAL),
}
"""The candidates, and how a character beyond ASCII that comes out of each is judged, for each language that is written
in it; of equals, the first is named."""


class Guess(NamedTuple):
    """An encoding that was tried, and a line of the bytes as it reads them."""

    encoding: str
    line: str


def guess_encodings(sample: bytes, failed: str) -> list[Guess]:
    """Return the encodings that read some bytes best, at most three, the best first; none reads them as another does.

    Parameters
    ----------
    sample : bytes
        The beginning of a file, or all of it.
    failed : str
        The encoding that does not read it, which is not tried.
    """
    marked = _by_mark(sample)
    read = _read_by(
        [marked] if marked else _wide(sample) or [name for name in _JUDGES if not _same(name, failed)], sample
    )
    scores = {name: _score(text, name) for name, text in read.items()}
    best = sorted(scores, key=lambda name: -scores[name])
    least = scores[best[0]] * _FEWEST_OF_BEST if best else 0.0
    guesses: list[Guess] = []
    for name in best:
        line = telling_line(read[name])
        if scores[name] < max(least, 0.05) or len(guesses) == _MOST_GUESSES:
            break
        if all(line != other.line for other in guesses):
            guesses.append(Guess(name.replace("_", "-") if name.startswith("iso") else name, line))
    return guesses


def judged(sample: bytes) -> dict[str, float]:
    """Return how much some bytes look like text in each encoding that reads them, from −1 to 1."""
    return {name: _score(text, name) for name, text in _read_by(list(_JUDGES), sample).items()}


def _read_by(names: list[str], sample: bytes) -> dict[str, str]:
    return {name: text for name in names if (text := _decoded(sample, name)) is not None}


def _same(name: str, other: str) -> bool:
    try:
        return codecs.lookup(name).name.removesuffix("-sig") == codecs.lookup(other).name.removesuffix("-sig")
    except LookupError:
        return False


def _by_mark(sample: bytes) -> str | None:
    for mark, name in (
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if sample.startswith(mark):
            return name
    return None


def _wide(sample: bytes) -> list[str]:
    """Return the encodings of two or four bytes a character without a mark that some bytes may be in: by their NULs."""
    if b"\0" not in sample:
        return []
    return [
        name
        for name in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
        if (text := _decoded(sample, name)) is not None and "\0" not in text and any(end in text for end in "\r\n")
    ]


def _decoded(sample: bytes, name: str) -> str | None:
    """Return a sample as an encoding reads it, whose last character may be cut off; None if it does not."""
    decoder = codecs.getincrementaldecoder(name)()
    try:
        return decoder.decode(sample[:_MOST_BYTES])
    except UnicodeError:
        return None


def _score(text: str, name: str) -> float:
    """Return how much the characters beyond ASCII look like text in one of the languages, from −1 to 1."""
    found = list(islice(_beyond_ascii(text), _MOST_JUDGED))
    if not found:
        return 1.0 if "utf" in name else 0.0
    oddness = sum(_oddness(*around) for around in found)
    judges = _JUDGES.get(name, _JUDGES["utf-8"])
    best = max(sum(judge(character) for _, character, _ in found) for judge in judges)
    return (best - oddness) / len(found)


def _beyond_ascii(text: str) -> Iterator[tuple[str, str, str]]:
    """Iterate over the characters beyond ASCII, each between its neighbours."""
    for line in text.splitlines():
        if not line.isascii():
            padded = f" {line} "
            for place in range(1, len(padded) - 1):
                if padded[place] > "\x7f":
                    yield padded[place - 1], padded[place], padded[place + 1]


def _oddness(before: str, character: str, after: str) -> float:
    """Return how odd it is that a character stands where it does."""
    if not character.isalpha():
        if character in "’–—" or unicodedata.combining(character):
            return 0.0
        return 0.8 * (before.isalpha() and (after.isalpha() or character in "€£©«¿¡“‘"))
    letters = [other for other in (before, after) if other.isalpha()]
    odd = 1.5 * (character.isupper() and before.islower()) + 0.4 * (
        not letters
    )  # a capital within a word; a lone letter
    if unicodedata.name(character, "").startswith("LATIN"):  # whose words are mostly plain letters
        return odd + 0.5 * sum(not other.isascii() for other in letters)
    return odd + 0.5 * sum(other.isascii() for other in letters)  # the letters of a word are of one alphabet


def telling_line(text: str) -> str:
    """Return the first line with characters beyond ASCII, or the first, cut around the first of them."""
    lines = text.splitlines()
    line = next((line for line in lines if not line.isascii()), lines[0] if lines else "")
    first = next((place for place, character in enumerate(line) if character > "\x7f"), 0)
    start = max(0, first - _MOST_SHOWN // 2) if len(line) > _MOST_SHOWN else 0
    shown = line[start : start + _MOST_SHOWN]
    cut = ("…" if start else "") + shown + ("…" if start + _MOST_SHOWN < len(line) else "")
    return "".join(one if one.isprintable() else " " for one in cut).strip()
