"""AI/ML API: langchain-openai's ``OpenAIEmbeddings`` pointed at it, many requests under way, every answer checked.

The stock client sends one request after another and silently takes what it gets. Here one shared client is asked from
several threads, its raw answers are read, which also keeps what they cost, and each is put away as soon as it comes.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from embedclf.embedding.aimlapi.answers import Answer, AnswerError, read_answer
from embedclf.embedding.aimlapi.api_key import named, read_key, told
from embedclf.embedding.aimlapi.base_url import BASE_URL, _checked_url
from embedclf.embedding.aimlapi.catalogue import CATALOGUE, UNKNOWN
from embedclf.embedding.aimlapi.client import READERS, Client
from embedclf.embedding.aimlapi.refusals import Refusal
from embedclf.embedding.base import Batch, BatchEmbedder, EmbedderSpec, Refused
from embedclf.embedding.fork_safe_lock import ForkSafeLock
from embedclf.embedding.requests.workers import work_through
from embedclf.embedding.usage import BYTES_PER_TOKEN, Meter, about_tokens
from embedclf.errors import EmbedderError

logger = logging.getLogger(__name__)

Places = npt.NDArray[np.intp]
DEFAULT_MODEL = "text-embedding-3-small"

CONCURRENCY = 16
# The openai client waits 0.5, 1, 2, 4 and then 8 s, less up to a quarter: so many last for more than a minute.
RETRIES = 14
SECONDS = 60.0
LEAST_BATCH, MOST_BATCH = 32, 2_048
# A request is not made larger of itself than that its answer has so many bytes, four thirds of the floats'.
_MOST_ANSWER = 2**24
_LEAST_PIECE = 64
# Refused with everything around it in order, nothing would be accepted.
_HARMLESS = "hello"
_REFUSED_IN_A_ROW = 16


class AimlapiModel(BatchEmbedder):
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
        Seconds to wait for the whole of an answer.
    max_cost : float, optional
        Dollars that it may spend, by the measure of what was answered before; None sets no limit.

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
        self._asked_dimensions = dimensions if lengths and dimensions != self._facts.dimensions else None
        self._settings: dict[str, Any] = {
            "dimensions": dimensions,
            "base_url": self._endpoint,
            "allow_http": allow_http,
            "batch_size": _checked("batch_size", batch_size, 1, MOST_BATCH),
            "concurrency": _checked("concurrency", concurrency, 1, 1_024),
            "retries": _checked("retries", retries, 0, 1_000),
            "timeout": _checked("timeout", timeout, 1e-3, 86_400.0),
            "max_cost": _checked("max_cost", max_cost, 0.0, float("inf")),
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
        self._proven = False  # whether that has been accepted
        self._client: Client | None = None
        self._making = ForkSafeLock()

    def __repr__(self) -> str:
        return f"AimlapiModel({self._model!r}, base_url={self._endpoint!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # The client holds a lock and open connections: the copy makes its own. A length that was observed goes along.
        known = self._settings["dimensions"] if self._facts.lengths else self._dimensions
        return _remake, (self._model, {**self._settings, "dimensions": known})

    @property
    def asked_dimensions(self) -> int | None:
        """The length to ask for, if that is neither the model's own nor a matter of cutting."""
        return self._asked_dimensions

    @property
    def max_concurrency(self) -> int:
        """The most requests under way together."""
        return int(self._settings["concurrency"])

    def length_warning(self, text: str) -> str | None:
        """Say why a text may be longer than the model accepts, or None; no tokenizer makes more tokens than bytes."""
        most = self._facts.input_tokens
        # A character has 4 bytes at most, so most texts need not be encoded.
        if most is None or len(text) * 4 <= most or (size := len(text.encode())) <= most:
            return None
        if (tokens := size // BYTES_PER_TOKEN) > most:
            return f"about {tokens:,} tokens; {self._model} takes {most:,}"
        return f"may be too long: at most {size:,} tokens; {self._model} takes {most:,}"

    def warm_up(self) -> None:
        """Import the client, which takes over a second."""
        import langchain_openai  # noqa: F401

    def split(self, n: int) -> "AimlapiModel":
        """Give the same model with the n-th part of the requests, at least one, for each of n processes to open."""
        known = self._settings["dimensions"] if self._facts.lengths else self._dimensions
        share = max(1, self.max_concurrency // n)
        return AimlapiModel(self._model, **{**self._settings, "dimensions": known, "concurrency": share})

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

    def embed_batches(self, texts: Sequence[str], keep: Callable[[Batch], None]) -> dict[int, Refused]:
        """Embed texts, many requests at once; see `BatchEmbedder`."""
        read_key()  # without one, nothing is imported, made or sent
        self._connected()
        sizes = np.fromiter((len(text.encode()) for text in texts), dtype=np.int64, count=len(texts))
        refused: dict[int, Refused] = {}
        doubt = _Doubt(lambda: isinstance(self._ask([_HARMLESS]), Answer))

        def work(places: Places) -> list[Places]:
            answer = self._ask([texts[place] for place in places])
            if isinstance(answer, Answer):
                keep(Batch(places, answer.vectors, answer.tokens or 0))
                # Not before they are kept: whoever keeps them may know that they cannot be of this model.
                self._dimensions = answer.vectors.shape[1]
                doubt.allay()
                return []
            if doubt.grows():
                raise answer.error(self.spec)
            if len(places) > 1:
                return list(np.array_split(places, 2))
            (place,) = places.tolist()
            reason = f"{self._model} does not take it: “{answer.reason}”{answer.request}"
            refused[place] = Refused(reason, self._piece_of(int(sizes[place]), answer))
            return []

        # A few threads more than requests, so that answers are read while others are waited for.
        work_through(list(self._plan(sizes)), work, self._settings["concurrency"] + READERS)
        return refused

    def _piece_of(self, size: int, refusal: Refusal) -> int | None:
        """Give the bytes that a piece of a refused text may have; None where cutting would not help."""
        fits = self._model in CATALOGUE and size <= self._facts.input_tokens
        if fits or not refusal.about_length or size < _LEAST_PIECE:
            return None
        return min(self._facts.input_tokens, -(-size // 2))

    def _plan(self, sizes: npt.NDArray[np.int64]) -> Iterator[Places]:
        """Divide texts of some sizes, in bytes, into requests; those that may be too long stand apart."""
        facts = self._facts
        most_texts = self._settings["batch_size"]
        if most_texts is None:
            fills = -(-len(sizes) // self._settings["concurrency"])
            answered = _MOST_ANSWER * 3 // 16 // (self._dimensions or 1)
            most_texts = min(max(fills, LEAST_BATCH), max(answered, LEAST_BATCH), MOST_BATCH)
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
        fields, proven = self._fields, self._proven
        while True:
            answer = self._send(texts, fields)
            if isinstance(answer, EmbedderError):
                raise answer
            if isinstance(answer, Answer):
                self._fields, self._proven = fields, True
                return answer
            # Once they were accepted, it is a text that is refused, whatever the refusal speaks of.
            fewer = fields if proven else self._without_refused(fields, answer.reason)
            if fewer == fields:
                return answer
            fields = fewer

    def _without_refused(self, fields: dict[str, Any], reason: str) -> dict[str, Any]:
        """Leave out, or ask otherwise for, what a refusal names; but not a length that was asked for."""
        said = reason.lower()
        fewer = dict(fields)
        if "encoding_format" in fields and ("encoding_format" in said or "base64" in said):
            if fields["encoding_format"] == "base64":
                fewer["encoding_format"] = "float"
            else:
                del fewer["encoding_format"]
            return fewer
        for name in ("dimensions", "auto_truncate"):
            if name in said and not (name == "dimensions" and self.asked_dimensions is not None):
                fewer.pop(name, None)
        return fewer

    def _send(self, texts: list[str], fields: dict[str, Any]) -> Answer | Refusal | EmbedderError:
        """Give the answer, or the refusal or error that it is.

        An error is given and not raised: what it would be raised from holds the request, and that the key.
        """
        client = self._connected()
        sizes = [len(text.encode()) for text in texts]
        request = ""
        with client.budget.room_for(sum(sizes)) as settle:
            try:
                asked = texts[0] if self._facts.request_texts == 1 else texts
                response = client.response(asked, fields, self._dimensions)
                if isinstance(response, Refusal | EmbedderError):
                    return response
                request = named(response.headers.get("x-request-id"))
                with client.reading:
                    answer = read_answer(response.content, len(texts), self._dimensions)
            except AnswerError as error:
                # It is charged all the same, if it is an answer at all.
                tokens = sum(map(about_tokens, sizes)) if error.unread else error.tokens
                self.meter.add(tokens=tokens, credits=error.credits)
                settle(tokens)
                return EmbedderError(
                    f"{self.spec} at {self._endpoint} gave an answer that cannot be used: {told(str(error))}{request}. "
                    "Nothing of it was kept; try again, and tell the provider if it stays so"
                )
            tokens = sum(map(about_tokens, sizes)) if answer.tokens is None else answer.tokens
            self.meter.add(tokens=tokens, credits=answer.credits)
            settle(tokens)
            return answer._replace(tokens=tokens)

    def _connected(self) -> Client:
        """Give this process's client.

        It is made, and what it is made of imported, before the threads begin that share it.
        """
        client = self._client
        if client is None or client.made_in != os.getpid():
            with self._making:
                # Connections that a forked process inherits are still its parent's: answers would be mixed up.
                if self._client is None or self._client.made_in != os.getpid():
                    self._client = self._made()
                client = self._client
        return client

    def _made(self) -> Client:
        try:
            return Client(self.spec, self.meter, self._settings)
        except Exception as error:  # noqa: BLE001 - proxies and certificates fail in many ways
            fault = f"{self._endpoint} cannot be asked: {told(str(error))} ({type(error).__name__})"
        raise EmbedderError(fault)


class _Doubt:
    """Whether requests are refused for their texts, or whatever their text.

    Refused while nothing was accepted, or many times in a row, a harmless text tells: without it each text would be
    asked for alone, to find that none is accepted.

    Parameters
    ----------
    try_harmless : callable
        Asks with a harmless text; gives whether it was accepted.
    """

    def __init__(self, try_harmless: Callable[[], bool]) -> None:
        self._try_harmless = try_harmless
        self._refused = 0
        self._bearable = 1
        self._lock, self._trying = threading.Lock(), threading.Lock()

    def allay(self) -> None:
        """Note that something was accepted."""
        with self._lock:
            self._refused, self._bearable = 0, _REFUSED_IN_A_ROW

    def grows(self) -> bool:
        """Note that something was refused; gives whether it is the request's fault."""
        with self._trying:  # while one asks, the other refusals wait for what it learns
            with self._lock:
                self._refused += 1
                if self._refused < self._bearable:
                    return False
                self._bearable = max(2 * self._bearable, _REFUSED_IN_A_ROW)
            return not self._try_harmless()


def _remake(model: str, settings: dict[str, Any]) -> AimlapiModel:
    return AimlapiModel(model, **settings)


def _checked(name: str, value: float | None, least: float, most: float) -> float | None:
    """See that a setting is within bounds, and a whole number if these are."""
    whole = isinstance(least, int) and isinstance(most, int)
    if value is not None and not (isinstance(value, int if whole else int | float) and least <= value <= most):
        upper = "" if most == float("inf") else f" to {most:g}"
        raise EmbedderError(f"{name} is a {'whole ' if whole else ''}number from {least:g}{upper}, not {value!r}")
    return value
