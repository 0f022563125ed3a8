"""The bounds of an answer in bytes, however small it was packed; those in time are in `deadlines`.

The HTTP client has none: it unpacks a megabyte of gzip into a gigabyte.
"""

import io
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from embedclf.embedding.aimlapi.answers import MOST_DIMENSIONS, AnswerError
from embedclf.embedding.aimlapi.api_key import named, told
from embedclf.formatting import counted

PACKING = "gzip"
"""The one encoding of an answer that is unpacked, and thus asked for."""

# A number has up to 24 characters, a comma, and maybe white space around it; in base64 it has 5.3.
_BYTES_A_NUMBER = 32
_BYTES_A_VECTOR = 1_024
# For what else an answer says; and all that is read of an error.
_BYTES_BESIDE = 2**20
# Unpacked at once; a piece of 64 kB can hold 64 MB.
_PART = 2**18


def most_bytes(n_texts: int, n_dimensions: int | None) -> int:
    """Compute how long an answer with some vectors can be.

    Parameters
    ----------
    n_texts : int
    n_dimensions : int or None
        The length of the vectors; None if it is not known.
    """
    return _BYTES_BESIDE + n_texts * (_BYTES_A_VECTOR + _BYTES_A_NUMBER * (n_dimensions or MOST_DIMENSIONS))


def read_within(response: Any, n_texts: int, n_dimensions: int | None) -> Any:
    """Read an answer that was not read yet; what is too long is cut, and its connection closed.

    Parameters
    ----------
    response : httpx.Response
    n_texts, n_dimensions
        See `most_bytes`.

    Returns
    -------
    httpx.Response
        With its content, unpacked; of an error no more than 1 MiB.

    Raises
    ------
    AnswerError
        If it is no error, and too long, or packed in another way than was asked for, or damaged; or if it came before
        the request was sent.
    """
    if not response.extensions["network_stream"].read_since_written:
        # The server sent it after the answer to an earlier request: it belongs to no texts, or to others.
        response.close()
        raise AnswerError("it came before it was asked for", unread=True)
    most = most_bytes(n_texts, n_dimensions) if response.is_success else _BYTES_BESIDE
    content = io.BytesIO()  # which gives what it holds without a copy
    fault = ""
    try:
        for part in _unpacked(response.iter_raw(), response.headers.get("content-encoding", "").strip().lower(), most):
            content.write(part)
            if content.tell() > most:
                content.truncate(most)
                raise _TooLongError
    except _TooLongError:
        fault = f"it is longer than the {most / 1e6:,.1f} MB allowed for {counted(n_texts, 'text')}"
    except zlib.error as damage:
        fault = f"it is packed with {PACKING}, and damaged ({damage})"
    except _UnknownPackingError as unknown:
        fault = f"it is packed in a way that was not asked for ({told(str(unknown))!r})"
    finally:
        response.close()
    if fault and response.is_success:
        raise AnswerError(f"{fault}{named(response.headers.get('x-request-id'))}", unread=True)
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


class _UnknownPackingError(Exception):
    pass


def _unpacked(pieces: Iterable[bytes], packing: str, most: int) -> Iterator[bytes]:
    """Unpack what comes, in parts of a bounded size."""
    if packing in ("", "identity"):
        yield from pieces
        return
    if packing not in (PACKING, f"x-{PACKING}"):
        raise _UnknownPackingError(packing)
    unpack = zlib.decompressobj(wbits=31)  # with the header and checksum of gzip
    received = 0
    for piece in pieces:
        received += len(piece)
        if received > most or unpack.eof:  # it may be all header, or go on after its end
            raise _TooLongError
        while part := unpack.decompress(piece, _PART):
            yield part
            piece = unpack.unconsumed_tail
