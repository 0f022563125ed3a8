"""AI/ML API: langchain-openai's ``OpenAIEmbeddings`` pointed at it, many requests in flight, every answer checked.

The stock client sends one request after another and silently takes what it gets. Here one shared client is asked from
several threads, its raw answers are read, which also keeps what they cost, and each is stored as soon as it comes.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any, Unpack

import numpy as np

from embedclf.embedding.aimlapi.answers import Answer, AnswerError, read_answer
from embedclf.embedding.aimlapi.api_key import named, read_key, told
from embedclf.embedding.aimlapi.batches import Doubt, Places, batches_of, default_batch_size, halves
from embedclf.embedding.aimlapi.catalogue import CATALOGUE, UNKNOWN
from embedclf.embedding.aimlapi.client import READERS, Client
from embedclf.embedding.aimlapi.refusals import Refusal
from embedclf.embedding.aimlapi.request_fields import Fields, RequestFields
from embedclf.embedding.aimlapi.settings import RequestSettings, Settings
from embedclf.embedding.base import EmbedderSpec
from embedclf.embedding.batch_embedder import Batch, BatchEmbedder, Refused
from embedclf.embedding.fork_safe_lock import ForkSafeLock
from embedclf.embedding.requests.workers import work_through
from embedclf.embedding.usage import BYTES_PER_TOKEN, Meter, about_tokens
from embedclf.errors import EmbedderError

DEFAULT_MODEL = "text-embedding-3-small"

# A text of fewer bytes is not cut when it is refused as too long.
_LEAST_PIECE = 64
# If a request with this alone is refused as well, nothing would be accepted.
_HARMLESS = "hello"


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
    **settings
        See `RequestSettings`.

    Raises
    ------
    EmbedderError
        If a setting cannot be, the model has no vectors of that length, or no price by which a limit could be held.
    """

    def __init__(
        self, model: str = DEFAULT_MODEL, *, dimensions: int | None = None, **settings: Unpack[RequestSettings]
    ) -> None:
        self._model = model
        self._settings = Settings(**settings)
        self._facts = CATALOGUE.get(model, UNKNOWN)
        lengths = self._facts.lengths
        if lengths and dimensions is not None and not lengths[0] <= dimensions <= lengths[1]:
            raise EmbedderError(
                f"aimlapi:{model} has vectors of {lengths[0]:,} to {lengths[1]:,} dimensions, not of {dimensions:,}"
            )
        self._dimensions = self._facts.dimensions if self._facts.dimensions and not lengths else dimensions
        self._asked_dimensions = dimensions if lengths and dimensions != self._facts.dimensions else None
        self._opened_with = dimensions
        self.meter = Meter(self._facts.dollars_per_million_tokens)
        if self.max_cost is not None and self.meter.price is None:
            raise EmbedderError(f"the price of {self.spec} is not known, so --max-cost (max_cost) cannot be held")
        self._fields = RequestFields(self._facts, self._dimensions, is_asked=self._asked_dimensions is not None)
        self._client: Client | None = None
        self._making = ForkSafeLock()

    def __repr__(self) -> str:
        return f"AimlapiModel({self._model!r}, base_url={self._settings.base_url!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # The client holds a lock and open connections: the copy makes its own.
        return _remake, (self._model, self._known_dimensions, self._settings)

    @property
    def _known_dimensions(self) -> int | None:
        """What a copy is opened with: a length that was observed goes along."""
        return self._opened_with if self._facts.lengths else self._dimensions

    @property
    def spec(self) -> EmbedderSpec:
        """What tells its vectors apart; without dimensions while they are not known."""
        return EmbedderSpec("aimlapi", self._model, self._dimensions, self._settings.base_url)

    @property
    def shortens(self) -> bool:
        """Whether its vectors can be cut and scaled to unit length again."""
        return self._facts.shortens

    @property
    def asked_dimensions(self) -> int | None:
        """The length to ask for, if that is neither the model's own nor a matter of cutting."""
        return self._asked_dimensions

    @property
    def max_cost(self) -> float | None:
        """How many dollars it may spend; None sets no limit."""
        return self._settings.max_cost

    @property
    def max_concurrency(self) -> int:
        """The most requests in flight at once."""
        return self._settings.concurrency

    @property
    def in_flight(self) -> int:
        """How many requests are in flight."""
        client = self._client
        return 0 if client is None else client.limiter.in_flight

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
        """Return the same model with an n-th of the requests, at least one, for each of n processes to open."""
        share = max(1, self.max_concurrency // n)
        return _remake(self._model, self._known_dimensions, replace(self._settings, concurrency=share))

    def embed_batches(self, texts: Sequence[str], keep: Callable[[Batch], None]) -> dict[int, Refused]:
        """Embed texts, many requests at once; see `BatchEmbedder`.

        A request that is refused for its content is sent again in halves, until each text that is at fault is alone.
        """
        read_key()  # without one, nothing is imported, made or sent
        self._connected()
        sizes = np.fromiter((len(text.encode()) for text in texts), dtype=np.int64, count=len(texts))
        refused: dict[int, Refused] = {}
        doubt = Doubt(lambda: isinstance(self._ask([_HARMLESS]), Answer))

        def work(places: Places) -> list[Places]:
            answer = self._ask([texts[place] for place in places])
            if isinstance(answer, Answer):
                keep(Batch(places, answer.vectors, answer.tokens or 0))
                # Not before they are kept: what keeps them may know that they cannot be of this model.
                self._dimensions = answer.vectors.shape[1]
                doubt.allay()
                return []
            if doubt.grows():
                raise answer.error(self.spec)
            if len(places) > 1:
                return halves(places)
            (place,) = places.tolist()
            reason = f"{self._model} does not take it: “{answer.reason}”{answer.request}"
            refused[place] = Refused(reason, self._piece_of(int(sizes[place]), answer))
            return []

        batch_size = self._settings.batch_size
        if batch_size is None:
            batch_size = default_batch_size(len(texts), self.max_concurrency, self._dimensions)
        # A few threads more than requests, so that answers are read while others are waited for.
        work_through(list(batches_of(sizes, batch_size, self._facts)), work, self.max_concurrency + READERS)
        return refused

    def _piece_of(self, size: int, refusal: Refusal) -> int | None:
        """Return the bytes that a piece of a refused text may have; None where cutting would not help."""
        fits = self._model in CATALOGUE and size <= self._facts.input_tokens
        if fits or not refusal.about_length or size < _LEAST_PIECE:
            return None
        return min(self._facts.input_tokens, -(-size // 2))

    def _ask(self, texts: list[str]) -> Answer | Refusal:
        """Send one request, without the fields that the server refuses.

        Raises
        ------
        EmbedderError
            If there is no answer, or one that no other request would better.
        """
        fields, proven = self._fields.present, self._fields.proven
        while True:
            answer = self._send(texts, fields)
            if isinstance(answer, EmbedderError):
                raise answer
            if isinstance(answer, Answer):
                self._fields.accept(fields)
                return answer
            # Once they were accepted, it is a text that is refused, whatever the refusal speaks of.
            fewer = fields if proven else self._fields.without_refused(fields, answer.reason)
            if fewer == fields:
                return answer
            fields = fewer

    def _send(self, texts: list[str], fields: Fields) -> Answer | Refusal | EmbedderError:
        """Return the answer, or the refusal or error that it is.

        An error is returned and not raised: what it would be raised from holds the request, and that the key.
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
                with client.reader_slots:
                    answer = read_answer(response.content, len(texts), self._dimensions)
            except AnswerError as error:
                # It is charged all the same, if it is an answer at all.
                tokens = sum(map(about_tokens, sizes)) if error.unread else error.tokens
                self.meter.add(tokens=tokens, credits=error.credits)
                settle(tokens)
                return EmbedderError(
                    f"{self.spec} at {self.spec.endpoint} gave an answer that cannot be used: {told(str(error))}"
                    f"{request}. Nothing of it was kept; try again, and tell the provider if it stays so"
                )
            tokens = sum(map(about_tokens, sizes)) if answer.tokens is None else answer.tokens
            self.meter.add(tokens=tokens, credits=answer.credits)
            settle(tokens)
            return answer._replace(tokens=tokens)

    def _connected(self) -> Client:
        """Return this process's client.

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
            fault = f"{self._settings.base_url} cannot be asked: {told(str(error))} ({type(error).__name__})"
        raise EmbedderError(fault)


def _remake(model: str, dimensions: int | None, settings: Settings) -> AimlapiModel:
    return AimlapiModel(model, dimensions=dimensions, **asdict(settings))
