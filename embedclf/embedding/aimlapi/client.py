"""The shared ``OpenAIEmbeddings`` of one process, and what goes on between it and the server."""

import logging
import os
import threading
import time
import weakref
from contextvars import ContextVar
from typing import Any

from embedclf._version import __version__
from embedclf.embedding.aimlapi.answers import AnswerError
from embedclf.embedding.aimlapi.api_key import read_key, told
from embedclf.embedding.aimlapi.bounds import PACKING, read_within
from embedclf.embedding.aimlapi.deadlines import keep_deadlines, within
from embedclf.embedding.aimlapi.refusals import (
    MOST_SECONDS_TO_WAIT,
    is_final,
    is_hopeless,
    of_connection,
    of_status,
    seconds_to_wait,
)
from embedclf.embedding.aimlapi.request_fields import Fields
from embedclf.embedding.aimlapi.settings import Settings
from embedclf.embedding.base import EmbedderSpec
from embedclf.embedding.budget import Budget
from embedclf.embedding.requests.cancellation import this_run
from embedclf.embedding.requests.limiter import RequestLimiter
from embedclf.embedding.usage import Meter
from embedclf.errors import EmbedderError

logger = logging.getLogger(__name__)

# An answer takes several times its size while it is read, up to 60 MB: more readers would only wait for each other.
READERS = 2
_SECONDS_BETWEEN_REMARKS = 10.0
_PLACEHOLDER = "the key is set on each request"

# What is sent beside host, length and key. The openai client would add more, some of it from OPENAI_* variables.
_HEADERS = {
    "accept": "application/json",
    "accept-encoding": PACKING,
    "connection": "keep-alive",
    "content-type": "application/json",
    "user-agent": f"embedclf/{__version__}",
}

# How many vectors this thread asks for, and their length if it is known: by that an answer is too long.
_asked_for: ContextVar[tuple[int, int | None]] = ContextVar("_asked_for")


class _HopelessError(BaseException):
    """A fault of the connection or the answer that stays. Not an ``Exception``: the client would try those again."""


class Client:
    """What asks one server for one model's vectors, from any thread.

    Parameters
    ----------
    spec : EmbedderSpec
        Who is asked.
    meter : Meter
        Counts the requests.
    settings : Settings

    Attributes
    ----------
    made_in : int
        The process that it belongs to: a forked one inherits connections that are still its parent's.
    limiter : RequestLimiter
        How many requests may be in flight.
    reader_slots : BoundedSemaphore
        How many answers may be read at once.
    budget : Budget
        How many dollars may be spent.
    """

    def __init__(self, spec: EmbedderSpec, meter: Meter, settings: Settings) -> None:
        import openai
        from langchain_openai import OpenAIEmbeddings

        self.made_in = os.getpid()
        self.limiter = RequestLimiter(settings.concurrency)
        self.reader_slots = threading.BoundedSemaphore(READERS)
        self.budget = Budget(settings.max_cost, meter)
        self._spec = spec
        self._retries = settings.retries
        self._seconds = settings.timeout
        self._remarked_at = float("-inf")
        watch = weakref.proxy(self)

        class WatchedHttpxClient(openai.DefaultHttpxClient):
            def send(self, request: Any, **kwargs: Any) -> Any:
                n_tried = int(request.headers.get("x-stainless-retry-count", 0))
                with watch.limiter.slot() as began, within(watch._seconds):
                    meter.add(requests=1)
                    try:
                        response = read_within(super().send(request, **{**kwargs, "stream": True}), *_asked_for.get())
                    except AnswerError as error:
                        raise _HopelessError from error
                    except Exception as error:
                        watch.note_failure(error, n_tried)
                        raise
                watch.note_answer(response, began, n_tried)
                return response

        http_client = WatchedHttpxClient(
            follow_redirects=False,
            event_hooks={"request": [_prepare]},
            # A proxy of the environment's could read what is not encrypted.
            trust_env=str(spec.endpoint).startswith("https:"),
        )
        keep_deadlines(http_client)
        # Its connections are closed with this object, or at the latest when the process ends.
        weakref.finalize(self, http_client.close)
        # Every OPENAI_* variable has a parameter that goes before it, or is undone by `_prepare`.
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
        )
        # From OPENAI_CUSTOM_HEADERS; what no header can hold would fail before `_prepare` sees it.
        self.embeddings.client._client._custom_headers = {}

    def response(self, texts: str | list[str], fields: Fields, n_dimensions: int | None) -> Any:
        """Send a request; return the answer, or the refusal or error that it is.

        Raises
        ------
        AnswerError
            If it is longer than vectors of this length can be, or cannot be unpacked.
        """
        import openai

        _asked_for.set((1 if isinstance(texts, str) else len(texts), n_dimensions))
        # As fields of one's own they are sent as they are: the client would go through each text, three times as long
        # as it takes to send it, and put in an encoding of its own.
        body = {"input": texts, "encoding_format": openai.Omit(), **fields}
        try:
            create = self.embeddings.client.with_raw_response.create
            return create(model=self._spec.model, input="", extra_body=body).http_response
        except openai.APIStatusError as error:
            return of_status(error.response, self._spec)
        except (openai.APIConnectionError, _HopelessError) as error:
            if isinstance(error.__cause__, AnswerError):
                raise error.__cause__ from None
            if isinstance(error.__cause__, EmbedderError):  # there is no key any more
                return error.__cause__
            return of_connection(error, self._spec, self._seconds)
        except Exception as error:  # noqa: BLE001 - proxies, certificates and addresses fail in many ways
            kind = type(error).__name__
            return EmbedderError(f"{self._spec.endpoint} cannot be asked: {told(str(error))} ({kind})")

    def note_answer(self, response: Any, began: float, n_tried: int) -> None:
        """Slow down or speed up, as an answer asks for."""
        status = response.status_code
        if status < 400:
            self.limiter.speed_up()
            return
        _no_longer_asking()
        if status == 429 and is_final(response):
            response.headers["x-should-retry"] = "false"
        elif status == 429:
            seconds = min(seconds_to_wait(response), MOST_SECONDS_TO_WAIT)
            changed = self.limiter.slow_down(began, seconds)
            wait = f"waiting {round(seconds, 1):g} s, as it asks, and then " if seconds else ""
            if n_tried < self._retries and changed:
                self._remark(
                    f"it has too many requests (429): {wait}sending at most {self.limiter.limit} at once", seconds >= 1
                )
        elif status in (408, 409) or status >= 500:
            self.limiter.hold(min(seconds_to_wait(response), MOST_SECONDS_TO_WAIT))
            self._remark_on_retry(f"it answered {status}", n_tried)

    def note_failure(self, error: Exception, n_tried: int) -> None:
        """Remark on a connection that failed, and give up if it always will."""
        _no_longer_asking()
        if isinstance(error, EmbedderError) or is_hopeless(error):
            raise _HopelessError from error
        late = "Timeout" in type(error).__name__
        problem = f"no answer within {self._seconds:g} s" if late else f"the connection failed ({told(str(error))})"
        self._remark_on_retry(problem, n_tried)

    def _remark_on_retry(self, problem: str, n_tried: int) -> None:
        if n_tried < self._retries:
            self._remark(f"{problem}: trying again ({n_tried + 1} of at most {self._retries} times)", False)

    def _remark(self, message: str, important: bool) -> None:
        now = time.monotonic()
        if important or now > self._remarked_at + _SECONDS_BETWEEN_REMARKS:
            self._remarked_at = now
            logger.info("%s: %s", self._spec, message)


def _no_longer_asking() -> None:
    run = this_run()
    if run is not None:
        run.end()


def _prepare(request: Any) -> None:
    """Put on a request the headers that it needs, the key among them, and leave it no others."""
    for name in list(request.headers):
        # The last is how the openai client knows that the raw answer is wanted.
        if name not in ("content-length", "transfer-encoding", "x-stainless-raw-response"):
            del request.headers[name]
    request.headers.update(_HEADERS)
    request.headers["host"] = request.url.netloc.decode("ascii")
    request.headers["authorization"] = f"Bearer {read_key()}"
