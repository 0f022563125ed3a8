"""The ``OpenAIEmbeddings`` client that a process's threads share, with limits, retries and logging."""

import logging
import os
import threading
import time
import weakref
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import Any

from embedclf._version import __version__
from embedclf.embedding.aimlapi.answers import AnswerError
from embedclf.embedding.aimlapi.api_key import read_key, redact
from embedclf.embedding.aimlapi.base_url import is_loopback_url
from embedclf.embedding.aimlapi.bounds import CONTENT_ENCODING, read_within
from embedclf.embedding.aimlapi.connections import from_connection, is_late, is_permanent, is_unconnected
from embedclf.embedding.aimlapi.deadlines import keep_deadlines, within
from embedclf.embedding.aimlapi.refusals import (
    MAX_RETRY_AFTER,
    Kind,
    Refusal,
    error_charge,
    error_id,
    from_status,
    kind_of,
    seconds_to_wait,
    status_of,
)
from embedclf.embedding.aimlapi.request_fields import Fields
from embedclf.embedding.aimlapi.request_ids import CLIENT_HEADER, inference_id
from embedclf.embedding.aimlapi.settings import Settings
from embedclf.embedding.aimlapi.transport import no_certificates, transport_settings
from embedclf.embedding.base import EmbedderSpec
from embedclf.embedding.budget import Budget
from embedclf.embedding.charges import Charge, read_charge
from embedclf.embedding.requests.cancellation import this_run
from embedclf.embedding.requests.limiter import RequestLimiter
from embedclf.embedding.shared_spending import SharedSpending, SpentPart
from embedclf.embedding.tracing import Trace
from embedclf.embedding.usage import Meter
from embedclf.errors import EmbedderError
from embedclf.formatting import counted

logger = logging.getLogger(__name__)

# Reading a response takes several times its size in memory, up to 60 MB, and more readers would not be faster.
READERS = 2
# The same request is sent so many times again before it is tested whether the server fails on its texts only.
RETRIES_OF_TEXTS = 2
# A server that no request has reached is probably not there.
_RETRIES_UNREACHED = 3
# Of a hold after a time-out, in timeouts: the server may still work on what was given up.
_MOST_HELD = 1.0
# Without any response for this many seconds, and for two timeouts (one if there was never any), a run ends.
_SECONDS_OF_SILENCE = 40.0
# So long after a request was sent, a remark says what is waited for.
_SECONDS_TO_REMARK = 15.0
# After an error that all other requests would get as well, none starts until the run has ended.
_SECONDS_TO_STOP = 0.5
_SECONDS_BETWEEN_REMARKS = 10.0
_PLACEHOLDER = "the key is set on each request"

# All headers besides host, length and key. The openai client would add more, some from OPENAI_* variables.
_HEADERS = {
    "accept": "application/json",
    "accept-encoding": CONTENT_ENCODING,
    "connection": "keep-alive",
    "content-type": "application/json",
    "user-agent": f"embedclf/{__version__}",
}

# The number of vectors that this thread has requested, and their length if known, which bound the response's size.
_asked_for: ContextVar[tuple[int, int | None]] = ContextVar("_asked_for")
# How often the openai client may retry this thread's request if it fails for a reason that may pass.
_retries: ContextVar[int] = ContextVar("_retries")
# The id that this thread's request was last sent with.
_sent_as: ContextVar[str] = ContextVar("_sent_as", default="")
# Called if this thread's request has failed and may be, or was, charged; returns whether it may be sent again.
_lose: ContextVar["Lose"] = ContextVar("_lose")
Lose = Callable[[Charge | None], bool]


class _PermanentError(BaseException):
    """A failure that retrying cannot fix. Not an ``Exception``, which the openai client would retry."""


class Client:
    """A client for one model on one server. Thread-safe.

    Parameters
    ----------
    spec : EmbedderSpec
        The model and its endpoint.
    meter : Meter
        Counts the requests.
    settings : Settings
    most_tokens : int or None
        The maximum tokens per text; None if unknown.
    elsewhere, shared
        See `Budget`.

    Attributes
    ----------
    made_in : int
        The id of the process that it belongs to: a forked process must not use its parent's connections.
    limiter : RequestLimiter
        Limits the requests in flight.
    reader_slots : BoundedSemaphore
        Limits the responses that are read at once.
    budget : Budget
        Limits the dollars spent.
    """

    def __init__(
        self,
        spec: EmbedderSpec,
        meter: Meter,
        settings: Settings,
        most_tokens: int | None = None,
        elsewhere: SpentPart | None = None,
        shared: SharedSpending | None = None,
    ) -> None:
        import openai
        from langchain_openai import OpenAIEmbeddings

        self.made_in = os.getpid()
        self.limiter = RequestLimiter(settings.concurrency)
        self.reader_slots = threading.BoundedSemaphore(READERS)
        is_local = is_loopback_url(str(spec.endpoint))
        self.budget = Budget(
            settings.max_cost,
            meter,
            most_tokens=most_tokens,
            is_free=is_local,
            elsewhere=elsewhere,
            shared=shared,
        )
        self._spec = spec
        self._trace = meter.trace
        self._retries = settings.retries
        self._seconds = settings.timeout
        self._remarked_at = float("-inf")
        self._has_waited = False
        watch = weakref.proxy(self)

        class WatchedHttpxClient(openai.DefaultHttpxClient):
            def send(self, request: Any, **kwargs: Any) -> Any:
                n_tried = int(request.headers.get("x-stainless-retry-count", 0))
                with watch.limiter.slot() as began, within(watch._seconds):
                    meter.add(requests=1)
                    response = None
                    try:
                        response = super().send(request, **{**kwargs, "stream": True})
                        meter.trace.note(inference_id=inference_id(response.headers))
                        response = read_within(response, *_asked_for.get())
                    except AnswerError as error:
                        raise _PermanentError from error
                    except Exception as error:
                        charge = None if response is None else read_charge(response.headers, {})
                        watch.note_failure(error, began, n_tried, charge)
                        raise
                response.status_code = status_of(response)
                response.extensions["seconds"] = time.monotonic() - began
                watch.note_answer(response, began, n_tried)
                return response

        http_client = WatchedHttpxClient(
            event_hooks={"request": [partial(_prepare, trace=meter.trace, needs_key=not is_local)]},
            **transport_settings(str(spec.endpoint)),
        )
        keep_deadlines(http_client)
        # Also closes the connections at exit if this object is still alive.
        weakref.finalize(self, http_client.close)
        # Every OPENAI_* variable is overridden by a parameter here or undone by `_prepare`.
        self.embeddings = OpenAIEmbeddings(
            model=spec.model,
            base_url=spec.endpoint,
            api_key=lambda: _PLACEHOLDER,
            organization=None,
            openai_api_type="openai",
            openai_proxy=None,
            check_embedding_ctx_length=False,
            timeout=self._seconds,
            max_retries=self._retries,
            http_client=http_client,
            # Never used, but made all the same if it is not given.
            http_async_client=openai.DefaultAsyncHttpxClient(verify=no_certificates(), trust_env=False),
        )
        # From OPENAI_CUSTOM_HEADERS; an invalid header would fail before `_prepare` could remove it.
        self.embeddings.client._client._custom_headers = {}

    def response(
        self,
        texts: str | list[str],
        fields: Fields,
        n_dimensions: int | None,
        n_retries: int,
        lose: Lose,
    ) -> Any:
        """Send a request; return the response, or a refusal or error. Its extension ``seconds`` is how long it took.

        Parameters
        ----------
        texts, fields
            The request's content.
        n_dimensions : int or None
            The length of the vectors; None if unknown.
        n_retries : int
            How often to retry a failure that may pass and is not one of too many requests.
        lose : callable
            Called with the charge each time that the request failed though it was charged, or with None if it was sent
            but not answered and may be charged; returns whether the spending limit has room to send it again.

        Raises
        ------
        AnswerError
            If the response is larger than vectors of this length can be, or cannot be decompressed.
        """
        import openai

        _asked_for.set((1 if isinstance(texts, str) else len(texts), n_dimensions))
        _retries.set(min(n_retries, self._retries))
        _lose.set(lose)
        _sent_as.set("")
        # Extra fields are sent unchanged. As regular arguments, the client would inspect each text, which takes three
        # times as long as sending it, and would set its own encoding.
        body = {"input": texts, "encoding_format": openai.Omit(), **fields}
        try:
            create = self.embeddings.client.with_raw_response.create
            return create(model=self._spec.model, input="", extra_body=body).http_response
        except openai.APIStatusError as error:
            return from_status(error.response, self._spec)
        except (openai.APIConnectionError, _PermanentError) as error:
            if isinstance(error.__cause__, AnswerError):
                raise error.__cause__ from None
            if isinstance(error.__cause__, EmbedderError):  # the key is no longer set
                return error.__cause__
            return from_connection(error, self._spec, self._seconds, _sent_as.get())
        except Exception as error:  # noqa: BLE001 - proxies, certificates and addresses fail in many ways
            kind = type(error).__name__
            return EmbedderError(f"requests to {self._spec.endpoint} cannot be sent: {redact(str(error))} ({kind})")

    def may_pass(self, refusal: Refusal) -> bool:
        """Return whether to send a request again that came too fast for the server.

        That is as long as other requests succeed meanwhile: the server then has a limit, but is not at its end.
        """
        if self.limiter.n_setbacks > self._retries:
            return False
        most = max(_SECONDS_OF_SILENCE, self._seconds * (2 if self.limiter.has_succeeded else 1))
        return not (refusal.kind is Kind.LATE and self.limiter.seconds_of_silence >= most)

    def watch(self) -> None:
        """Say once that a response takes long."""
        if not self._has_waited and self.limiter.longest_wait > _SECONDS_TO_REMARK:
            self._has_waited = True
            logger.info(
                "%s: waiting for a response for %g s, at most %g s (--timeout)",
                self._spec,
                _SECONDS_TO_REMARK,
                self._seconds,
            )

    def note_answer(self, response: Any, began: float, n_tried: int) -> None:
        """Slow down or speed up according to a response, and say whether the openai client is to retry."""
        status = response.status_code
        if status < 400:
            self.limiter.speed_up(began, is_slow=time.monotonic() - began > self._seconds / 2)
            return
        _end_request()
        self._trace.note(error_id=error_id(response))
        kind = kind_of(response)
        seconds = min(seconds_to_wait(response), MAX_RETRY_AFTER)
        retries = False
        if kind is Kind.RATE:
            changed = self.limiter.slow_down(began, seconds)
            retries = self.limiter.n_setbacks <= self._retries
            wait = f"waiting {round(seconds, 1):g} s as requested, then " if seconds else ""
            if retries and n_tried < self._retries and changed:
                self._remark(
                    f"too many requests ({status}): {wait}sending at most {self.limiter.limit} at once", seconds >= 1
                )
            # The limiter holds all requests together, so this one need not wait by itself as well.
            response.headers["retry-after-ms"] = f"{1_000 * (seconds or self.limiter.first_wait()):.0f}"
        elif kind is Kind.PASSING:
            self.limiter.hold(seconds)
            retries = n_tried < _retries.get()
            self._remark_on_retry(f"server returned {status}", n_tried)
        elif kind is Kind.FINAL:
            self.limiter.hold(_SECONDS_TO_STOP)
        charge = error_charge(response)
        if charge is not None and charge.dollars:
            retries &= _lose.get()(charge)
        response.headers["x-should-retry"] = str(retries).lower()

    def note_failure(self, error: Exception, began: float, n_tried: int, charge: Charge | None) -> None:
        """Log a failed connection; raise an error that is not retried if retrying cannot help.

        The `charge` is that of an answer that was cut off.
        """
        _end_request()
        if isinstance(error, EmbedderError) or is_permanent(error):
            raise _PermanentError from error
        may_repeat = is_unconnected(error) or _lose.get()(charge)
        if is_late(error):
            # The server is too slow for so many texts at once, and may go on with them: not sent again as they are.
            if self.limiter.note_late(began, _MOST_HELD * self._seconds) and self.limiter.n_setbacks <= self._retries:
                self._remark(
                    f"no response within {self._seconds:g} s: sending fewer texts at once, in at most "
                    f"{counted(self.limiter.limit, 'request')} (--batch-size, --concurrency)",
                    False,
                )
            raise _PermanentError from error
        most = _retries.get()
        if is_unconnected(error):
            most = self._retries if self.limiter.has_succeeded else min(self._retries, _RETRIES_UNREACHED)
        if may_repeat:
            self._remark_on_retry(f"connection failed ({redact(str(error))})", n_tried)
        if n_tried >= most or not may_repeat:
            raise _PermanentError from error

    def _remark_on_retry(self, problem: str, n_tried: int) -> None:
        if n_tried < self._retries:
            self._remark(f"{problem}: retrying ({n_tried + 1} of at most {self._retries})", False)

    def _remark(self, message: str, important: bool) -> None:
        now = time.monotonic()
        if important or now > self._remarked_at + _SECONDS_BETWEEN_REMARKS:
            self._remarked_at = now
            logger.info("%s: %s", self._spec, message)


def _end_request() -> None:
    run = this_run()
    if run is not None:
        run.end()


def _prepare(request: Any, *, trace: Trace, needs_key: bool) -> None:
    """Set the headers of a request, including its id and the key, and remove all others."""
    for name in list(request.headers):
        # The openai client reads the last one to see that the raw response is wanted.
        if name not in ("content-length", "transfer-encoding", "x-stainless-raw-response"):
            del request.headers[name]
    request.headers.update(_HEADERS)
    request.headers["host"] = request.url.netloc.decode("ascii")
    if key := read_key(needed=needs_key):
        request.headers["authorization"] = f"Bearer {key}"
    request.headers[CLIENT_HEADER] = trace.next_id()
    _sent_as.set(request.headers[CLIENT_HEADER])
