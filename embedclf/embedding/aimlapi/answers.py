"""Reading and checking the responses of an embeddings endpoint.

The stock client accepts anything: fewer vectors than texts, in any order, non-finite, of any length. Here every
response is checked, and decoded straight into float32.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from embedclf.arrays import Vectors
from embedclf.embedding.aimlapi.api_key import redact
from embedclf.embedding.charges import Charge, part_of, read_charge
from embedclf.formatting import counted

# Assumed as the maximum where the length of vectors is unknown: hardly any model has more.
MAX_DIMENSIONS = 8_192
# In memory, an empty list takes 27 times its JSON size, and a short number 12 times. The limits allow vectors of twice
# the expected length, so that the error can name the length, and leave room for the rest of a response.
_LISTS_PER_VECTOR = 16
_EXTRA_VALUES_PER_VECTOR = 64
_EXTRA_VALUES = 10_000


class Answer(NamedTuple):
    """The content of a successful response.

    Attributes
    ----------
    vectors : ndarray of shape (n_texts, n_dimensions), float32
        Of unit length, in the order of the texts.
    tokens : int or None
        Tokens billed; None if the server does not say.
    charge : Charge or None
        What it says it cost; None if it does not say.
    is_numbered : bool
        Whether the server says which vector is of which text; if not, they are in the order of the texts.
    seconds : float
        How long it took.
    """

    vectors: Vectors
    tokens: int | None
    charge: Charge | None
    is_numbered: bool = True
    seconds: float = 0.0


class AnswerError(Exception):
    """A response that cannot be used; its message says why.

    Attributes
    ----------
    tokens : int
    charge : Charge or None
        What the response cost nevertheless; 0 and None if it does not say.
    unread : bool
        Whether it was not read to the end, so that its cost is unknown.
    n_dimensions : int or None
        The length of its vectors if that is all that is wrong with it.
    request_id : object
        What the response has as the ``requestId`` of an error.
    request : str
        The request's ids, formatted for messages.
    """

    tokens = 0
    request_id: Any = None
    request = ""

    def __init__(
        self, message: str, *, unread: bool = False, n_dimensions: int | None = None, charge: Charge | None = None
    ) -> None:
        super().__init__(message)
        self.unread = unread
        self.charge = charge
        self.n_dimensions = n_dimensions


def read_answer(content: bytes, n_texts: int, n_dimensions: int | None, headers: Mapping[str, str]) -> Answer:
    """Decode and check the body of a response.

    Parameters
    ----------
    content : bytes
        JSON.
    headers : mapping of str to str
        Looked up in lower case.
    n_texts : int
    n_dimensions : int or None
        The expected length of the vectors; None if unknown.

    Raises
    ------
    AnswerError
        If it does not contain one finite, non-zero vector of that length per text.
    """
    import jiter  # four times as fast as json with floats; the openai client requires it, too

    try:
        _check_size(content, n_texts, n_dimensions)
        answer = jiter.from_json(content)
    except AnswerError as error:
        error.charge = read_charge(headers, {})
        raise
    except ValueError:
        start = redact(content[:2_000].decode("utf-8", "replace"))[:60]
        hint = ": a page, perhaps a login; check the network and the base URL" if start.lstrip().startswith("<") else ""
        fault = f"it is not JSON, or was cut off (it starts with {start!r}){hint}"
        raise AnswerError(fault, charge=read_charge(headers, {})) from None
    answer = answer if isinstance(answer, dict) else {}
    usage = part_of(answer, "usage")
    tokens = _count(usage.get("prompt_tokens")) or _count(usage.get("total_tokens"))
    charge = read_charge(headers, answer)
    try:
        vectors, is_numbered = _vectors(answer, n_texts, n_dimensions)
    except AnswerError as error:
        error.tokens, error.charge, error.request_id = round(tokens or 0), charge, answer.get("requestId")
        raise
    return Answer(vectors, None if tokens is None else round(tokens), charge, is_numbered)


def _check_size(content: bytes, n_texts: int, n_dimensions: int | None) -> None:
    """Check, before parsing allocates memory, that a response has no more values than its vectors can need."""
    if n_dimensions is None:
        n_dimensions = MAX_DIMENSIONS
    characters = np.frombuffer(content, dtype=np.uint8)  # counts several times as fast as bytes.count
    n_lists, n_objects, n_commas = (np.count_nonzero(characters == ord(sign)) for sign in "[{,")
    most_lists = _EXTRA_VALUES + n_texts * _LISTS_PER_VECTOR
    most_values = _EXTRA_VALUES + n_texts * (_EXTRA_VALUES_PER_VECTOR + 2 * n_dimensions)
    # Every value except the first of its list or object follows a comma.
    if n_lists + n_objects > most_lists or n_commas > most_values:
        raise AnswerError(f"it contains too many values for the vectors of {counted(n_texts, 'text')}", unread=True)


def _vectors(answer: dict[str, Any], n_texts: int, n_dimensions: int | None) -> tuple[Vectors, bool]:
    data: Any = answer.get("data")
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        message = error_message(answer)
        quoted = f", but the message “{message}”" if message else ""
        raise AnswerError(f"it contains no list of vectors{quoted}")
    if len(data) != n_texts:
        raise AnswerError(f"it contains {len(data)} vectors for {n_texts} texts")
    order = _order(data)
    if any(type(index) not in (int, float) for index in order) or sorted(order) != list(range(n_texts)):
        raise AnswerError("the indices of its vectors do not match the texts")
    rows = [_decode(item.get("embedding")) for item in data]
    lengths = {len(row) for row in rows}
    expected = n_dimensions if n_dimensions is not None else len(rows[0])
    if lengths != {expected} or not expected:
        found = ", ".join(map(str, sorted(lengths)))
        length = lengths.pop() if len(lengths) == 1 else None
        raise AnswerError(f"its vectors have {found} dimensions, expected {expected}", n_dimensions=length)
    vectors = np.empty((n_texts, expected), dtype=np.float32)
    for index, row in zip(order, rows, strict=True):
        vectors[int(index)] = row
    squares = np.einsum("ij,ij->i", vectors, vectors)
    if not np.isfinite(squares).all():
        raise AnswerError("some of its numbers are not finite")
    if not squares.all():
        raise AnswerError("some of its vectors are zero")
    vectors /= np.sqrt(squares)[:, None]
    return vectors, n_texts == 1 or any(item.get("index") is not None for item in data)


def _order(data: list[dict[str, Any]]) -> list[Any]:
    """Return the indices of the items; those of the texts if the server numbers none."""
    order = [item.get("index") for item in data]
    if all(index is None for index in order):
        return list(range(len(data)))
    if all(isinstance(index, str) and index.isascii() and index.isdecimal() for index in order):
        return [int(str(index)[:9]) for index in order]
    return order


def error_message(body: dict[str, Any]) -> str:
    """Return the error message of a response; empty if there is none.

    AI/ML API sends `message`, OpenAI an object `error` with a `message`, other servers `error`, `detail` or `errors`.
    """
    error = body.get("error")
    of_error = error.get("message", error) if isinstance(error, dict) else error
    message = body.get("message") or of_error or body.get("detail") or body.get("errors")
    return redact(message if isinstance(message, str) else json.dumps(message)) if message else ""


def _count(value: Any) -> float | None:
    return value if type(value) in (int, float) and 0 < value < 1e15 else None


def _decode(embedding: Any) -> Vectors:
    import pybase64  # base64 is 20 times slower and would dominate the time to read a response

    try:
        if isinstance(embedding, str):
            return np.frombuffer(pybase64.b64decode(embedding, validate=True), dtype="<f4")
        if isinstance(embedding, list):
            with np.errstate(over="ignore"):  # `_vectors` rejects infinite values
                return np.fromiter(embedding, dtype=np.float32, count=len(embedding))
    except (TypeError, ValueError, OverflowError):
        pass
    raise AnswerError("some of its vectors are neither base64 nor lists of numbers")
