"""AI/ML API: langchain-openai's ``OpenAIEmbeddings`` pointed at it, many requests under way, every answer checked.

The stock client sends one request after another and silently takes what it gets. Here one shared client is asked from
several threads, its raw answers are read, which also keeps what they cost, and each is put away as soon as it comes.
"""

import ipaddress
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

from embedclf import __version__
from embedclf.embedding import Batch, EmbedderSpec
from embedclf.embedding.answers import Answer, AnswerError, read_answer
from embedclf.embedding.api_key import named, read_key, told
from embedclf.embedding.catalogue import CATALOGUE, UNKNOWN
from embedclf.embedding.forks import ForkSafeLock
from embedclf.embedding.in_flight import Gate, this_run, work_through
from embedclf.embedding.pieces import cut
from embedclf.embedding.refusals import (
    MOST_SECONDS_TO_WAIT,
    Refusal,
    is_final,
    is_hopeless,
    of_connection,
    of_status,
    seconds_to_wait,
)
from embedclf.embedding.usage import Budget, Meter, about_tokens
from embedclf.errors import EmbedderError, counted

logger = logging.getLogger(__name__)

Places = npt.NDArray[np.intp]

BASE_URL = "https://api.aimlapi.com/v1"
DEFAULT_MODEL = "text-embedding-3-small"

CONCURRENCY = 16
# The openai client waits 0.5, 1, 2, 4 and then 8 s, less up to a quarter: so many last for more than a minute.
RETRIES = 14
SECONDS = 60.0
LEAST_BATCH, MOST_BATCH = 32, 2_048
# An answer takes several times its size while it is read, up to 60 MB: more readers would only wait for each other.
_READERS = 2
# Below this, a text is not refused for its length.
_LEAST_PIECE = 64
_SECONDS_BETWEEN_REMARKS = 10.0
# Refused with everything around it in order, nothing would be accepted.
_HARMLESS = "hello"

# What is sent beside host, length and key. The openai client would add more, some of it from OPENAI_* variables.
_HEADERS = {
    "accept": "application/json",
    "accept-encoding": "gzip, deflate",
    "connection": "keep-alive",
    "content-type": "application/json",
    "user-agent": f"embedclf/{__version__}",
}


class AimlapiModel:
    """One model behind an OpenAI-compatible embeddings endpoint, always asked for vectors at full length.

    The key is read from ``AIMLAPI_API_KEY`` when a request is about to be sent, and is kept nowhere. Threads may share
    it; they share its limits, too.

    Parameters
    ----------
    model : str
    dimensions : int, optional
        The length that a model which is not in the catalogue is known to have, or is asked for where the catalogue
        says that it can be; None takes it from the first answer.
    base_url : str, optional
        None takes ``AIMLAPI_BASE_URL``, else AI/ML API itself.
    allow_http : bool
        Whether an address without encryption that is not on this machine is allowed.
    batch_size : int, optional
        Texts of one request; None takes what fills `concurrency`, from 32 to 2,048.
    concurrency : int
        The most requests under way together. Fewer are, for a while, when the server has too many.
    retries : int
        How often a request is tried again; the client's own.
    timeout : float
        Seconds to wait for each part of an answer.
    max_cost : float, optional
        Dollars, after which nothing more is sent; None sets no limit.

    Raises
    ------
    EmbedderError
        If the address cannot be one, the model has no vectors of that length, or no price that could be held.
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        *,
        dimensions: int | None = None,
        base_url: str | None = None,
        allow_http: bool = False,
        batch_size: int | None = None,
        concurrency: int = CONCURRENCY,
        retries: int = RETRIES,
        timeout: float = SECONDS,
        max_cost: float | None = None,
    ) -> None:
        self._endpoint = _checked_url(base_url or os.environ.get("AIMLAPI_BASE_URL") or BASE_URL, allow_http)
        self._model = model
        self._facts = CATALOGUE.get(model, UNKNOWN)
        lengths = self._facts.lengths
        if lengths and dimensions is not None and not lengths[0] <= dimensions <= lengths[1]:
            raise EmbedderError(
                f"aimlapi:{model} has vectors of {lengths[0]:,} to {lengths[1]:,} dimensions, not of {dimensions:,}"
            )
        self._dimensions = self._facts.dimensions if self._facts.dimensions and not lengths else dimensions
        self.asked_dimensions = dimensions if lengths and dimensions != self._facts.dimensions else None
        self._settings: dict[str, Any] = {
            "dimensions": dimensions,
            "base_url": self._endpoint,
            "allow_http": allow_http,
            "batch_size": _checked("batch_size", batch_size, 1, MOST_BATCH),
            "concurrency": _checked("concurrency", concurrency, 1, 1_024),
            "retries": _checked("retries", retries, 0, 1_000),
            "timeout": _checked("timeout", timeout, 1e-3, 86_400),
            "max_cost": _checked("max_cost", max_cost, 0, float("inf")),
        }
        self.meter = Meter(self._facts.dollars_per_million_tokens)
        if max_cost is not None and self.meter.price is None:
            raise EmbedderError(f"the price of {self.spec} is not known, so --max-cost (max_cost) cannot be held")
        # What is sent with the texts, as long as it is not refused.
        self._fields: dict[str, Any] = {"encoding_format": "base64"} if self._facts.encodes else {}
        if self.shortens or (lengths and dimensions is not None):
            # The schema's own default length is not the documented one, so the length is always sent.
            self._fields["dimensions"] = self._dimensions
        if self._facts.truncates:
            self._fields["auto_truncate"] = False
        self._accepted = False
        self._client: _Client | None = None
        self._making = ForkSafeLock()

    def __repr__(self) -> str:
        return f"AimlapiModel({self._model!r}, base_url={self._endpoint!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # The client holds a lock and open connections: the copy makes its own. A length that was observed goes along.
        known = self._settings["dimensions"] if self._facts.lengths else self._dimensions
        return _remake, (self._model, {**self._settings, "dimensions": known})

    @property
    def spec(self) -> EmbedderSpec:
        """What tells its vectors apart; without dimensions while they are not known."""
        return EmbedderSpec("aimlapi", self._model, self._dimensions, self._endpoint)

    @property
    def shortens(self) -> bool:
        """Whether its vectors can be cut and scaled to unit length again."""
        return self._facts.shortens

    @property
    def max_cost(self) -> float | None:
        """How many dollars it may spend; None sets no limit."""
        limit: float | None = self._settings["max_cost"]
        return limit

    @property
    def in_flight(self) -> int:
        """How many requests are under way."""
        client = self._client
        return 0 if client is None else client.gate.under_way

    def embed_batches(self, texts: Sequence[str], keep: Callable[[Batch], None]) -> dict[int, str]:
        """Embed texts, many requests at once; see `BatchEmbedder`."""
        read_key()  # without one, nothing is imported, made or sent
        sizes = np.fromiter((len(text.encode()) for text in texts), dtype=np.int64, count=len(texts))
        refused: dict[int, str] = {}
        in_pieces: list[int] = []

        def work(places: Places) -> list[Places]:
            answer = self._ask([texts[place] for place in places])
            if isinstance(answer, Answer):
                keep(Batch(places, answer.vectors, answer.tokens or 0))
                return []
            self._see_that_it_is_the_texts(answer)
            if len(places) > 1:
                return list(np.array_split(places, 2))
            (place,) = places
            whole = self._embed_in_pieces(texts[place], answer)
            if isinstance(whole, Refusal):
                refused[int(place)] = f"{self._model} does not take it: “{whole.reason}”{whole.request}"
            else:
                in_pieces.append(int(place))
                keep(Batch(places, whole.vectors, whole.tokens or 0))
            return []

        try:
            # A few threads more than requests, so that answers are read while others are waited for.
            work_through(list(self._plan(sizes)), work, self._settings["concurrency"] + _READERS)
        finally:
            if in_pieces:
                logger.info(
                    "%s longer than %s takes: embedded in pieces, and averaged by their length.",
                    f"{counted(len(in_pieces), 'text')} {'is' if len(in_pieces) == 1 else 'are'}",
                    self._model,
                )
        return refused

    def _plan(self, sizes: npt.NDArray[np.int64]) -> Iterator[Places]:
        """Divide texts of some sizes, in bytes, into requests; those that may be too long stand apart."""
        facts = self._facts
        most_texts = self._settings["batch_size"]
        if most_texts is None:
            fills = -(-len(sizes) // self._settings["concurrency"])
            most_texts = min(max(fills, LEAST_BATCH), MOST_BATCH)
        most_texts = min(most_texts, facts.request_texts)
        # A token has at least one byte.
        for places in (np.flatnonzero(sizes <= facts.input_tokens), np.flatnonzero(sizes > facts.input_tokens)):
            ends = np.concatenate([[0], np.cumsum(sizes[places])])
            bounds = [0]
            while bounds[-1] < len(places):
                start = bounds[-1]
                within = int(np.searchsorted(ends, ends[start] + facts.request_tokens, side="right")) - 1
                bounds.append(min(max(within, start + 1), start + most_texts))
            for start, end in pairwise(bounds):
                yield places[start:end]

    def _ask(self, texts: list[str]) -> Answer | Refusal:
        """Send one request, without the fields that the server refuses.

        Raises
        ------
        EmbedderError
            If there is no answer, or one that no other request would better.
        """
        while True:
            fields = self._fields
            answer = self._send(texts, fields)
            if isinstance(answer, Refusal):
                fewer = _without_refused(fields, answer.reason)
                if fewer != fields:
                    logger.debug("%s is asked with %s from now on", self._endpoint, fewer)
                    self._fields = fewer
                    continue
            if isinstance(answer, EmbedderError):
                raise answer
            return answer

    def _send(self, texts: list[str], fields: dict[str, Any]) -> Answer | Refusal | EmbedderError:
        """Give the answer, or the refusal or error that it is.

        An error is given and not raised: what it would be raised from holds the request, and that the key.
        """
        try:
            client = self._connected()
        except Exception as error:  # noqa: BLE001 - proxies and certificates fail in many ways
            return EmbedderError(f"{self._endpoint} cannot be asked: {told(str(error))} ({type(error).__name__})")
        sizes = [len(text.encode()) for text in texts]
        with client.budget.room_for(sum(sizes)) as settle:
            response = client.response(texts[0] if self._facts.request_texts == 1 else texts, fields)
            if isinstance(response, Refusal | EmbedderError):
                return response
            try:
                with client.reading:
                    answer = read_answer(response.content, len(texts), self._dimensions)
            except AnswerError as error:
                return EmbedderError(
                    f"{self.spec} at {self._endpoint} gave an answer that cannot be used: {told(str(error))}"
                    f"{named(response.headers.get('x-request-id'))}. Nothing of it was kept; try again, and tell the "
                    "provider if it stays so"
                )
            self._dimensions = answer.vectors.shape[1]
            self._accepted = True
            tokens = sum(map(about_tokens, sizes)) if answer.tokens is None else answer.tokens
            self.meter.add(tokens=tokens, credits=answer.credits)
            settle(tokens)
            return answer._replace(tokens=tokens)

    def _see_that_it_is_the_texts(self, refusal: Refusal) -> None:
        """Send a harmless text, unless one was accepted before: refused as well, the fault is the request's."""
        if not self._accepted and isinstance(self._ask([_HARMLESS]), Refusal):
            raise refusal.error(self.spec)

    def _embed_in_pieces(self, text: str, refusal: Refusal) -> Answer | Refusal:
        """Embed a text that is too long in pieces: the mean of their vectors by their length, at unit length."""
        size = len(text.encode())
        if not refusal.about_length or size < _LEAST_PIECE:
            return refusal
        pieces = list(cut(text, min(self._facts.input_tokens, -(-size // 2))))
        sizes = np.fromiter((len(piece.encode()) for piece in pieces), dtype=np.int64, count=len(pieces))
        total: Any = 0.0
        tokens = 0
        waiting = list(self._plan(sizes))
        while waiting:
            places = waiting.pop()
            answer = self._ask([pieces[place] for place in places])
            if isinstance(answer, Refusal):
                if len(places) > 1:
                    waiting.extend(np.array_split(places, 2))
                    continue
                answer = self._embed_in_pieces(pieces[places[0]], answer)
                if isinstance(answer, Refusal):
                    return answer
            total = total + sizes[places] @ answer.vectors.astype(np.float64)
            tokens += answer.tokens or 0
        length = np.linalg.norm(total)
        if not length:
            return refusal
        return Answer((total / length).astype(np.float32)[None, :], tokens, 0)

    def _connected(self) -> "_Client":
        client = self._client
        if client is None or client.made_in != os.getpid():
            with self._making:
                # Connections that a forked process inherits are still its parent's: answers would be mixed up.
                if self._client is None or self._client.made_in != os.getpid():
                    self._client = _Client(self.spec, self.meter, self._settings)
                client = self._client
        return client


class _HopelessError(BaseException):
    """A fault of the connection that stays. Not an ``Exception``, which the client would answer by trying again."""


class _Client:
    """The shared ``OpenAIEmbeddings`` of one process, and what goes on between it and the server."""

    def __init__(self, spec: EmbedderSpec, meter: Meter, settings: dict[str, Any]) -> None:
        import openai
        from langchain_openai import OpenAIEmbeddings

        self.made_in = os.getpid()
        self.gate = Gate(settings["concurrency"])
        self.reading = threading.BoundedSemaphore(_READERS)
        self.budget = Budget(settings["max_cost"], meter)
        self._spec = spec
        self._retries = settings["retries"]
        self._seconds = settings["timeout"]
        self._remarked_at = float("-inf")
        watch = weakref.proxy(self)

        class WatchedHttpxClient(openai.DefaultHttpxClient):
            def send(self, request: Any, **kwargs: Any) -> Any:
                n_tried = int(request.headers.get("x-stainless-retry-count", 0))
                with watch.gate.slot() as began:
                    meter.add(requests=1)
                    try:
                        response = super().send(request, **kwargs)
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

    def response(self, texts: str | list[str], fields: dict[str, Any]) -> Any:
        """Send a request; gives the answer, or the refusal or error that it is."""
        import openai

        # As fields of one's own they are sent as they are: the client would go through each text, three times as long
        # as it takes to send it, and put in an encoding of its own.
        body = {"input": texts, "encoding_format": openai.Omit(), **fields}
        try:
            create = self.embeddings.client.with_raw_response.create
            return create(model=self._spec.model, input="", extra_body=body).http_response
        except openai.APIStatusError as error:
            return of_status(error.response, self._spec)
        except (openai.APIConnectionError, _HopelessError) as error:
            if isinstance(error.__cause__, EmbedderError):  # there is no key any more
                return error.__cause__
            return EmbedderError(of_connection(error, self._spec, self._seconds))
        except Exception as error:  # noqa: BLE001 - proxies, certificates and addresses fail in many ways
            kind = type(error).__name__
            return EmbedderError(f"{self._spec.endpoint} cannot be asked: {told(str(error))} ({kind})")

    def note_answer(self, response: Any, began: float, n_tried: int) -> None:
        """Slow down or speed up, as an answer asks for."""
        status = response.status_code
        if status < 400:
            self.gate.speed_up()
            return
        _no_longer_asking()
        if status == 429 and is_final(response):
            response.headers["x-should-retry"] = "false"
        elif status == 429:
            seconds = min(seconds_to_wait(response), MOST_SECONDS_TO_WAIT)
            changed = self.gate.slow_down(began, seconds)
            wait = f"waiting {seconds:g} s, as it asks, and then " if seconds else ""
            if n_tried < self._retries and changed:
                self._remark(
                    f"it has too many requests (429): {wait}sending at most {self.gate.limit} at once", seconds >= 1
                )
        elif status in (408, 409) or status >= 500:
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


_PLACEHOLDER = "the key is set on each request"


def _remake(model: str, settings: dict[str, Any]) -> AimlapiModel:
    return AimlapiModel(model, **settings)


def _prepare(request: Any) -> None:
    """Give a request the headers that it needs, the key among them, and leave it no others."""
    for name in list(request.headers):
        # The last is how the openai client knows that the raw answer is wanted.
        if name not in ("content-length", "transfer-encoding", "x-stainless-raw-response"):
            del request.headers[name]
    request.headers.update(_HEADERS)
    request.headers["host"] = request.url.netloc.decode("ascii")
    request.headers["authorization"] = f"Bearer {read_key()}"


def _without_refused(fields: dict[str, Any], reason: str) -> dict[str, Any]:
    """Leave out, or ask otherwise for, what a refusal names."""
    said = reason.lower()
    fewer = dict(fields)
    if "encoding_format" in fields and ("encoding_format" in said or "base64" in said):
        if fields["encoding_format"] == "base64":
            fewer["encoding_format"] = "float"
        else:
            del fewer["encoding_format"]
        return fewer
    for name in ("dimensions", "auto_truncate"):
        if name in said:
            fewer.pop(name, None)
    return fewer


def _checked(name: str, value: float | None, least: float, most: float) -> float | None:
    if value is not None and not (isinstance(value, int | float) and least <= value <= most):
        upper = "" if most == float("inf") else f" to {most:g}"
        raise EmbedderError(f"{name} is a number from {least:g}{upper}, not {value!r}")
    return value


def _checked_url(url: str, allow_http: bool) -> str:
    url = url.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or not url.isascii() or not url.isprintable() or " " in url:
        raise EmbedderError(f"the base URL {url!r} is not an address such as {BASE_URL}")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        # The address is noted in the model file, so nothing secret may stand in it.
        raise EmbedderError(f"the base URL of {host} holds a user, a password or a query: give the address alone")
    if parts.scheme == "http" and not allow_http and not _is_loopback(host):
        raise EmbedderError(
            f"the base URL {url} is not encrypted, so anyone on the way could read the key and the texts: "
            "use https, or allow it with --allow-http (allow_http=True)"
        )
    # Written in one way, so that the cache and model files know it again.
    default = {"http": ":80", "https": ":443"}[parts.scheme]
    return parts._replace(netloc=parts.netloc.lower().removesuffix(default)).geturl()


def _is_loopback(host: str | None) -> bool:
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"
