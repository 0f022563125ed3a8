"""Text that was decoded in a wrong encoding, such as ``cafÃ©``, and how it reads when that is undone."""

import re
from collections.abc import Iterable

from embedclf.data.encodings import judged

REPLACED = "\ufffd"
"""What decoders put in place of what they cannot read."""

# cp1252 as programs read it: the five bytes that it leaves undefined are control characters.
_BYTES = {bytes([byte]).decode("cp1252" if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else "latin-1"): byte
          for byte in range(0x80, 0x100)}  # fmt: skip
_BYTES |= {chr(byte): byte for byte in range(0x80, 0xA0)}  # latin-1
_RUN = re.compile(f"[{re.escape(''.join(_BYTES))}]{{2,}}")
# Others in which UTF-8 is read by mistake, and what texts then have: nothing of their own is UTF-8 by chance.
_OTHERS = ("cp1251", "mac_roman", "cp437", "cp850")
_OF_OTHERS = re.compile("[√├]|[РС][\u0080-\u00bf\u0402-\u040f\u0452-\u045f\u2010-\u2122]")
# What may come out, though it does not show: control characters if the text was encoded twice.
_UNSEEN = "".join(map(chr, range(0x80, 0xA1))) + "\u00ad\u200b\u200d\ufeff\ufe0f"
_QUOTES = "“”‘’„‚"
_MOST_TIMES = 3
_ENOUGH_TO_JUDGE = 20


def repaired(text: str) -> str | None:
    """Return how a text reads that is UTF-8 decoded in another encoding, even repeatedly; None if it is not."""
    now = text
    for _ in range(_MOST_TIMES):
        after = now if now.isascii() else _once(now)
        if after == now:
            break
        now = after
    return None if now == text else now


def _once(text: str) -> str:
    again = _RUN.sub(_decoded, text)
    if again != text:
        return again
    for name in _OTHERS if _OF_OTHERS.search(text) else ():
        try:
            again = text.encode(name).decode()
        except UnicodeError:
            continue
        if len(again) < len(text) and again.isprintable():
            return again
    return text


def _decoded(run: re.Match[str]) -> str:
    try:
        read = bytes(_BYTES[character] for character in run[0]).decode()
    except UnicodeError:
        return run[0]
    if len(read) == 1 and len(run[0]) == 2:
        # A capital before a quotation mark is no mojibake, unless the word goes on.
        after = run.string[run.end() : run.end() + 1]
        if read > "\u017f" or (run[0][1] in _QUOTES and not after.isalpha()):
            return run[0]
    return read if all(one.isprintable() or one in _UNSEEN for one in read) else run[0]


def wrong_encoding(texts: Iterable[str]) -> str | None:
    """Return the encoding of texts that all were decoded as cp1252, though they are Cyrillic, say; None if not."""
    found = bytearray()
    for text in texts:
        if not text.isascii():
            try:
                found += bytes(_BYTES.get(one) or ord(one) for one in text) + b"\n"
            except ValueError:  # a character that no text decoded as cp1252 has
                return None
    if len(found.translate(None, bytes(range(0x80)))) < _ENOUGH_TO_JUDGE:
        return None
    scores = judged(bytes(found))
    best = max(scores, key=lambda name: scores[name], default="cp1252")
    return best if scores.get("cp1252", -1.0) < 0.0 and scores.get(best, 0.0) > 0.5 else None


def read_as(text: str, encoding: str) -> str:
    """Return a text that was decoded as cp1252 in another encoding."""
    return bytes(_BYTES.get(one) or ord(one) for one in text).decode(encoding, "replace")
