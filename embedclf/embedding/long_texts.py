"""Embedding texts that are longer than a model accepts, in pieces that are averaged."""

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from embedclf.arrays import Vectors
from embedclf.embedding.batch_embedder import Batch
from embedclf.embedding.cache.keys import Keys, hash_texts
from embedclf.embedding.storing import Keep, StoringEmbedder
from embedclf.embedding.vector_rows import VectorRows
from embedclf.validation import text_fault

_SPACE = rb"(?:\s|%s)" % "|".join("\u00a0\u2002\u2003\u2009\u2028\u2029\u3000").encode()
# In order of preference: the end of a paragraph, of a line, of a sentence, of a word.
_BORDERS = [
    re.compile(pattern)
    for pattern in (
        rb"\n\s*\n\s*",
        rb"\n\s*",
        rb"[.!?][\"')\]]*%s+|(?:%s)+" % (_SPACE, "|".join("。！？｡").encode()),
        rb"%s+" % _SPACE,
    )
]
# Pieces embedded per call.
_PIECES_AT_ONCE = 4_096


def embed_any_length(
    model: StoringEmbedder, texts: Sequence[str], keys: Keys | None, keep: Keep
) -> tuple[dict[int, str], int]:
    """Embed distinct texts, and those that the model rejects as too long in pieces.

    Parameters
    ----------
    model : StoringEmbedder
    texts, keys, keep
        See `StoringEmbedder.embed`.

    Returns
    -------
    reasons : dict of int to str
        Why texts were rejected, by index.
    n_cut : int
        The number of texts embedded in pieces.
    """
    refused = model.embed(texts, keys, keep)
    too_long = {place: one.piece for place, one in sorted(refused.items()) if one.piece is not None}
    reasons = {place: one.reason for place, one in refused.items() if one.piece is None}
    for place, answer in _in_pieces(model, texts, too_long):
        if isinstance(answer, str):
            reasons[place] = answer
        else:
            model.store(Batch(np.array([place]), answer, 0), keys, keep)
    return reasons, len(too_long.keys() - reasons.keys())


def _in_pieces(
    model: StoringEmbedder, texts: Sequence[str], too_long: Mapping[int, int]
) -> Iterator[tuple[int, Vectors | str]]:
    """Embed long texts in pieces. Pieces are treated like other texts: batched, cached, and cut further if needed.

    Parameters
    ----------
    model : StoringEmbedder
    texts : sequence of str
    too_long : mapping of int to int
        The maximum bytes per piece, by the index of the text.

    Yields
    ------
    place : int
    answer : ndarray of shape (1, n_dimensions) or str
        The mean of the pieces' vectors, weighted by length and scaled to unit length; or why a piece was rejected.
    """
    left = deque(too_long)
    while left:
        rows: dict[str, int] = {}
        of_texts: list[tuple[int, list[int], list[int]]] = []
        while left and len(rows) < _PIECES_AT_ONCE:
            place = left.popleft()
            pieces = [piece for piece in cut(texts[place], too_long[place]) if text_fault(piece) is None]
            numbers = [rows.setdefault(piece, len(rows)) for piece in pieces]
            of_texts.append((place, numbers, [len(piece.encode()) for piece in pieces]))
        vectors, refused = _embed_pieces(model, list(rows))
        for place, numbers, sizes in of_texts:
            reason = next((refused[number] for number in numbers if number in refused), None)
            if reason is not None:
                yield place, reason
                continue
            total = np.array(sizes) @ vectors[numbers].astype(np.float64)
            length = np.linalg.norm(total)
            yield place, (total / length).astype(np.float32)[None, :] if length else "its pieces' vectors cancel out"


def _embed_pieces(model: StoringEmbedder, pieces: list[str]) -> tuple[Vectors, dict[int, str]]:
    """Embed pieces at full length, without counting them as texts in the usage.

    Returns
    -------
    vectors : ndarray of shape (n_pieces, n_dimensions), float32
    refused : dict of int to str
        Why pieces were rejected.
    """
    keys, found, known = None, np.zeros(len(pieces), dtype=bool), None
    if model.part is not None:
        keys = hash_texts(pieces)
        found, known = model.part.read(keys)
    missing = np.flatnonzero(~found)
    rows = VectorRows(known, len(pieces), None, model.name)
    # Not in single flight: two threads could deadlock waiting for each other's pieces.
    refused, _ = embed_any_length(
        model,
        [pieces[place] for place in missing],
        None if keys is None else keys[missing],
        lambda batch: rows.fill(missing[batch.places], batch.vectors),
    )
    vectors = np.empty((len(pieces), 0), dtype=np.float32) if rows.vectors is None else rows.vectors
    return vectors, {int(missing[place]): reason for place, reason in refused.items()}


def cut(text: str, n_bytes: int) -> Iterator[str]:
    """Cut a text into pieces of at most `n_bytes` UTF-8 bytes, if possible at the end of a sentence or word.

    Only the second half of a piece is searched for a place to cut, so that pieces do not get small. The pieces join to
    the text.
    """
    rest = text.encode()
    while len(rest) > n_bytes:
        end = _border(rest[:n_bytes], n_bytes // 2) or n_bytes
        while rest[end] & 0b1100_0000 == 0b1000_0000:  # inside a character
            end -= 1
        yield rest[:end].decode()
        rest = rest[end:]
    yield rest.decode()


def _border(piece: bytes, least: int) -> int | None:
    for border in _BORDERS:
        ends = [match.end() for match in border.finditer(piece, least)]
        if ends:
            return ends[-1]
    return None
