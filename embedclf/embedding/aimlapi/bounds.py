"""Limit the decompressed size of responses; `deadlines` limits their time.

The HTTP client has no such limit: it would decompress a megabyte of gzip into a gigabyte.
"""

import io
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from embedclf.embedding.aimlapi.answers import MAX_DIMENSIONS, AnswerError
from embedclf.embedding.aimlapi.api_key import redact, request_note
from embedclf.embedding.charges import read_charge
from embedclf.formatting import counted

CONTENT_ENCODING = "gzip"
"""The only compression that is requested and accepted."""

# A number has up to 24 characters, a comma and possibly white space; in base64 it has 5.3.
_BYTES_PER_NUMBER = 32
_BYTES_PER_VECTOR = 1_024
# Allowance for the rest of a response, and the maximum that is read of an error.
_EXTRA_BYTES = 2**20
# Decompressed at once, since 64 kB of gzip can hold 64 MB.
_PART = 2**18


def max_bytes(n_texts: int, n_dimensions: int | None) -> int:
    """Return the maximum size of a response in bytes.

    Parameters
    ----------
    n_texts : int
    n_dimensions : int or None
        The length of the vectors; None if unknown.
    """
    return _EXTRA_BYTES + n_texts * (_BYTES_PER_VECTOR + _BYTES_PER_NUMBER * (n_dimensions or MAX_DIMENSIONS))


def read_within(response: Any, n_texts: int, n_dimensions: int | None) -> Any:
    """Read and decompress a streamed response, up to its size limit, and close it.

    Parameters
    ----------
    response : httpx.Response
    n_texts, n_dimensions
        See `max_bytes`.

    Returns
    -------
    httpx.Response
        With its decompressed content, which for an error status is cut at 1 MiB.

    Raises
    ------
    AnswerError
        If the response arrived before the request was sent; or if its status is a success and its content is too
        large, damaged, or in an encoding that was not requested.
    """
    return read_bounded(response, max_bytes(n_texts, n_dimensions), f" for {counted(n_texts, 'text')}")


def read_bounded(response: Any, most: int, allowed_for: str = "") -> Any:
    """Read a response as `read_within` does, up to `most` bytes, which the error calls allowed `allowed_for`."""
    if not response.extensions["network_stream"].read_since_written:
        # Left over from an earlier request, so it would assign the wrong vectors to these texts.
        response.close()
        raise AnswerError("it arrived before the request was sent", unread=True)
    most = most if response.is_success else _EXTRA_BYTES
    encoding = response.headers.get("content-encoding", "").strip().lower()
    content = io.BytesIO()  # its getvalue() does not copy
    fault = ""
    try:
        for part in _decompressed(response.iter_raw(), encoding, most):
            content.write(part)
            if content.tell() > most:
                content.truncate(most)
                raise _TooLongError
    except _TooLongError:
        fault = f"it is larger than the {most / 1e6:,.1f} MB allowed{allowed_for}"
    except zlib.error as damage:
        fault = f"its {CONTENT_ENCODING} data is damaged ({damage})"
    except _UnknownEncodingError as unknown:
        fault = f"it has a content encoding that was not requested ({redact(str(unknown))!r})"
    finally:
        response.close()
    if fault and response.is_success:
        request = request_note(response.headers.get("x-request-id"))
        raise AnswerError(f"{fault}{request}", unread=True, charge=read_charge(response.headers, {}))
    headers = [(name, value) for name, value in response.headers.multi_items() if name != "content-encoding"]
    return type(response)(
        response.status_code,
        headers=headers,
        content=content.getvalue(),
        request=response.request,
        extensions=response.extensions,
    )


class _TooLongError(Exception):
    pass


class _UnknownEncodingError(Exception):
    pass


def _decompressed(pieces: Iterable[bytes], encoding: str, most: int) -> Iterator[bytes]:
    """Decompress a response in parts of bounded size."""
    if encoding in ("", "identity"):
        yield from pieces
        return
    if encoding not in (CONTENT_ENCODING, f"x-{CONTENT_ENCODING}"):
        raise _UnknownEncodingError(encoding)
    decompressor = zlib.decompressobj(wbits=31)  # 31 selects the gzip format
    received = 0
    for piece in pieces:
        received += len(piece)
        if received > most or decompressor.eof:  # an endless header yields no output, and data may follow the end
            raise _TooLongError
        while part := decompressor.decompress(piece, _PART):
            yield part
            piece = decompressor.unconsumed_tail
