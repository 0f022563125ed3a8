"""What an embeddings endpoint answers, read and checked.

The stock client takes what it gets: fewer vectors than texts, in any order, not finite, of any length. Here every
answer is checked, and decoded straight into float32.
"""

import json
from typing import Any, NamedTuple

import numpy as np

from embedclf.arrays import Vectors
from embedclf.embedding.aimlapi.api_key import named, told
from embedclf.formatting import counted

# Taken to be the length of vectors where it is not known: hardly any model has more.
MOST_DIMENSIONS = 8_192
# Read, an empty list takes 27 times what it takes in JSON, and a short number 12 times. Vectors twice as long as they
# should be can still be read, to say so; and there is room for what else an answer holds.
_LISTS_A_VECTOR = 16
_VALUES_BESIDE_A_VECTOR = 64
_BESIDE = 10_000


class Answer(NamedTuple):
    """What a request brought.

    Attributes
    ----------
    vectors : ndarray of shape (n_texts, n_dimensions), float32
        Of unit length, in the order of the texts.
    tokens : int or None
        What they cost; None if the server does not say.
    credits : float
        The same in AI/ML API's own unit; 0 if the server does not say.
    """

    vectors: Vectors
    tokens: int | None
    credits: float


class AnswerError(Exception):
    """An answer that cannot be used; its text says why.

    Attributes
    ----------
    tokens : int
    credits : float
        What it costs all the same; 0 if it does not say.
    unread : bool
        Whether it was not read to its end, where it would say so.
    """

    tokens = 0
    credits = 0.0

    def __init__(self, message: str, *, unread: bool = False) -> None:
        super().__init__(message)
        self.unread = unread


def read_answer(content: bytes, n_texts: int, n_dimensions: int | None) -> Answer:
    """Decode and check the body of an answer.

    Parameters
    ----------
    content : bytes
        JSON.
    n_texts : int
    n_dimensions : int or None
        The length that the vectors must have; None if it is not known.

    Raises
    ------
    AnswerError
        If it is not one vector of that length for each text, or any number in it is not finite.
    """
    import jiter  # as the openai client does: four times as fast with floats as json

    _check_size(content, n_texts, n_dimensions)
    try:
        answer = jiter.from_json(content)
    except ValueError:
        start = told(content[:2_000].decode("utf-8", "replace"))[:60]
        hint = "; is the base URL right?" if start.lstrip().startswith("<") else ""
        raise AnswerError(f"it is not JSON, or was cut short (it starts {start!r}){hint}") from None
    answer = answer if isinstance(answer, dict) else {}
    usage = _part(answer, "usage")
    tokens = _count(usage.get("prompt_tokens")) or _count(usage.get("total_tokens"))
    credits_used = _count(_part(_part(answer, "meta"), "usage").get("credits_used")) or 0
    try:
        vectors = _vectors(answer, n_texts, n_dimensions)
    except AnswerError as error:
        error.tokens, error.credits = round(tokens or 0), credits_used
        raise
    return Answer(vectors, None if tokens is None else round(tokens), credits_used)


def _check_size(content: bytes, n_texts: int, n_dimensions: int | None) -> None:
    """Check, before memory is taken for them, that an answer holds no more values than vectors can need."""
    if n_dimensions is None:
        n_dimensions = MOST_DIMENSIONS
    characters = np.frombuffer(content, dtype=np.uint8)  # which counts several times as fast as bytes do
    n_lists, n_objects, n_commas = (np.count_nonzero(characters == ord(sign)) for sign in "[{,")
    most_lists = _BESIDE + n_texts * _LISTS_A_VECTOR
    most_values = _BESIDE + n_texts * (_VALUES_BESIDE_A_VECTOR + 2 * n_dimensions)
    # A comma stands before each value but the first of its list or object.
    if n_lists + n_objects > most_lists or n_commas > most_values:
        raise AnswerError(f"it holds more values than the vectors of {counted(n_texts, 'text')}", unread=True)


def _vectors(answer: dict[str, Any], n_texts: int, n_dimensions: int | None) -> Vectors:
    data = answer.get("data")
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        message = error_message(answer)
        said = f", but says “{message}”{named(answer.get('requestId'))}" if message else ""
        raise AnswerError(f"it holds no list of vectors{said}")
    if len(data) != n_texts:
        raise AnswerError(f"it holds {len(data)} vectors for {n_texts} texts")
    order = [item.get("index") for item in data]
    if any(type(index) not in (int, float) for index in order) or sorted(order) != list(range(n_texts)):
        raise AnswerError("its vectors are not numbered as the texts are")
    rows = [_decode(item.get("embedding")) for item in data]
    lengths = {len(row) for row in rows}
    expected = n_dimensions if n_dimensions is not None else len(rows[0])
    if lengths != {expected} or not expected:
        raise AnswerError(f"its vectors have {', '.join(map(str, sorted(lengths)))} dimensions, not {expected}")
    vectors = np.empty((n_texts, expected), dtype=np.float32)
    for index, row in zip(order, rows, strict=True):
        vectors[int(index)] = row
    squares = np.einsum("ij,ij->i", vectors, vectors)
    if not np.isfinite(squares).all():
        raise AnswerError("some of its numbers are not finite")
    if not squares.all():
        raise AnswerError("some of its vectors are zero")
    vectors /= np.sqrt(squares)[:, None]
    return vectors


def error_message(body: dict[str, Any]) -> str:
    """Read what an answer complains of.

    AI/ML API has `message`, OpenAI itself an object `error` with one; other servers a text `error`, or `detail`.
    """
    message = body.get("message") or _part(body, "error").get("message") or body.get("error") or body.get("detail")
    return told(message if isinstance(message, str) else json.dumps(message)) if message else ""


def _count(value: Any) -> float | None:
    return value if type(value) in (int, float) and 0 < value < 1e15 else None


def _part(whole: dict[str, Any], name: str) -> dict[str, Any]:
    part = whole.get(name)
    return part if isinstance(part, dict) else {}


def _decode(embedding: Any) -> Vectors:
    import pybase64  # twenty times as fast as base64, which takes longer than all the rest of reading an answer

    try:
        if isinstance(embedding, str):
            return np.frombuffer(pybase64.b64decode(embedding, validate=True), dtype="<f4")
        if isinstance(embedding, list):
            with np.errstate(over="ignore"):  # what becomes infinite is found out with the rest
                return np.fromiter(embedding, dtype=np.float32, count=len(embedding))
    except (TypeError, ValueError, OverflowError):
        pass
    raise AnswerError("some of its vectors are neither base64 nor lists of numbers")
