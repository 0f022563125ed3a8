"""AI/ML API through langchain-openai's ``OpenAIEmbeddings``: concurrent requests, every response checked.

The stock client sends one request after another and does not check what it gets. Here several threads share one client
and read its raw responses, which also report their cost, and each batch is stored as soon as it arrives.
"""

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any, Unpack

import numpy as np

from embedclf.embedding.aimlapi.advice import is_aimlapi
from embedclf.embedding.aimlapi.answers import Answer, AnswerError, read_answer
from embedclf.embedding.aimlapi.api_key import is_set, read_key, redact
from embedclf.embedding.aimlapi.base_url import is_loopback_url
from embedclf.embedding.aimlapi.batch_sizes import BatchSizes, Job, Learned, texts_at_first
from embedclf.embedding.aimlapi.batches import MIN_BATCH, batches_of, default_batch_size
from embedclf.embedding.aimlapi.catalogue import CATALOGUE, UNKNOWN
from embedclf.embedding.aimlapi.client import READERS, Client
from embedclf.embedding.aimlapi.gone import advice_if_gone, check_served
from embedclf.embedding.aimlapi.lengths import Way, n_characters, ways_of
from embedclf.embedding.aimlapi.refusals import Kind, Refusal
from embedclf.embedding.aimlapi.request_fields import Fields, RequestFields
from embedclf.embedding.aimlapi.request_ids import request_note
from embedclf.embedding.aimlapi.sending import HARMLESS, Sending
from embedclf.embedding.aimlapi.settings import RequestSettings, Settings
from embedclf.embedding.base import EmbedderSpec
from embedclf.embedding.batch_embedder import Batch, BatchEmbedder, Refused
from embedclf.embedding.budget import Reservation
from embedclf.embedding.charges import Charge
from embedclf.embedding.fork_safe_lock import ForkSafeLock
from embedclf.embedding.requests.workers import work_through
from embedclf.embedding.shared_spending import SharedSpending, SpentPart
from embedclf.embedding.tasks import NO_TASK
from embedclf.embedding.usage import BYTES_PER_TOKEN, Meter, about_tokens
from embedclf.errors import EmbedderError

logger = logging.getLogger(__name__)

DEFAULT_MODEL = "text-embedding-3-small"

# Texts shorter than this, in bytes, are not cut when they are rejected as too long.
_MIN_PIECE = 64


class AimlapiModel(BatchEmbedder):
    """One model behind an OpenAI-compatible embeddings endpoint. Vectors that can be cut are requested at full length.

    The key is read from ``AIMLAPI_API_KEY`` or the system's keyring when a request is about to be sent, and no object
    holds it. Thread-safe; threads share the limits, too.

    Parameters
    ----------
    model : str
    dimensions : int, optional
        The known length of the vectors of a model that is not in the catalogue, or the length to request where the
        catalogue allows it; None takes the length from the first response.
    is_own : bool
        Whether `dimensions` is known to be the own length of a model that is not in the catalogue. It is then never
        requested: a model of another length would be another model, and its shortened vectors silently wrong.
    task : str, optional
        What the model is told that its vectors are for; None does not tell it. See `tasks.check_task`.
    **settings
        See `RequestSettings`.

    Raises
    ------
    EmbedderError
        If a setting is invalid, or the model does not support the dimensions.
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        *,
        dimensions: int | None = None,
        is_own: bool = False,
        task: str | None = None,
        **settings: Unpack[RequestSettings],
    ) -> None:
        self._model = model
        self._task = task
        self._settings = Settings(**settings)
        self._facts = CATALOGUE.get(model, UNKNOWN)
        lengths = self._facts.lengths
        if lengths and dimensions is not None and dimensions not in lengths:
            known = f"{', '.join(map(str, lengths[:-1]))} or {lengths[-1]}"
            raise EmbedderError(f"aimlapi:{model} supports {known} dimensions, got {dimensions}")
        own = self._facts.dimensions
        self._dimensions = (dimensions or own) if lengths else (own or dimensions)
        is_asked = self._dimensions != own if lengths else model not in CATALOGUE and not is_own
        self._asked_dimensions = dimensions if is_asked else None
        self._opened_with, self._is_own = dimensions, is_own
        # What runs on this machine without a key is free, whatever its name is.
        is_free = is_loopback_url(self._base_url) and not is_set()
        self.meter = Meter(None if is_free else self._facts.dollars_per_million_tokens)
        # Whether to request the length, since nothing is known of the model, if it turns out not to be its own.
        self._can_ask = dimensions is not None and model not in CATALOGUE and not is_own
        self._fields = RequestFields(self._facts, self._dimensions, is_asked=bool(lengths) and is_asked, task=task)
        self.trained_file: str | None = None
        """The model file that it was opened for, named in errors."""
        self._learned = Learned(in_time=texts_at_first(self._settings))
        self._said: set[str] = set()
        self._elsewhere = SpentPart()
        self._shared: SharedSpending | None = None
        self._client: Client | None = None
        self._making = ForkSafeLock()

    def __repr__(self) -> str:
        task = "" if self._task is None else f"task={self._task!r}, "
        return f"AimlapiModel({self._model!r}, {task}base_url={self._settings.base_url!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # The client holds a lock and open connections, so a copy opens its own.
        return _remake, (*self._identity, self._settings, self._shared)

    def __getstate__(self) -> dict[str, Any]:
        # For skops, whose files hold plain values. A pickle, which can run code anyway, uses `__reduce__`.
        return {
            "model": self._model,
            "dimensions": self._known_dimensions,
            "is_own": self._has_own_length,
            "task": self._task,
            **asdict(self._settings),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        here = Settings(allow_http=state["allow_http"]).base_url
        if state["base_url"] != here:
            raise EmbedderError(
                f"the file has an embedder of {state['base_url']}, but would now call {here}. A URL in a file is never "
                "called automatically: if you trust it, set AIMLAPI_BASE_URL to it"
            )
        AimlapiModel.__init__(self, **state)

    @property
    def _known_dimensions(self) -> int | None:
        """The dimensions to open a copy with, including a length that was observed."""
        return self._opened_with if self._facts.lengths or self._can_ask else self._dimensions

    @property
    def _has_own_length(self) -> bool:
        """Whether its length, if known, is the model's own, so that a copy must not request it."""
        return self._is_own or (self._opened_with is None and self._model not in CATALOGUE)

    @property
    def spec(self) -> EmbedderSpec:
        """The model that its vectors come from; dimensions is None while unknown."""
        # Unknown if nothing was sent, since all came from the cache; then it was requested before.
        shortened = self._can_ask and ("dimensions" in self._fields.present or not self._fields.proven)
        return EmbedderSpec("aimlapi", self._model, self._dimensions, self._settings.base_url, shortened, self._task)

    @property
    def shortens(self) -> bool:
        """Whether its vectors can be cut and rescaled to unit length."""
        return self._facts.shortens

    @property
    def asked_dimensions(self) -> int | None:
        """The length to request; None if it is the model's own or vectors are cut instead."""
        return self._asked_dimensions

    @property
    def max_cost(self) -> float | None:
        """The spending limit in dollars; None if there is none."""
        return self._settings.max_cost

    @property
    def spent(self) -> float:
        """What was spent of the limit, here and by other processes, including what may have been."""
        lost = 0.0 if self._client is None else self._client.budget.lost_dollars
        return super().spent + lost + self._elsewhere.spent + self._elsewhere.lost

    def note_elsewhere(self, spending: SpentPart) -> None:
        """Note what other processes have spent of the limit."""
        self._elsewhere.add(spending)

    @property
    def max_concurrency(self) -> int:
        """The maximum number of concurrent requests."""
        return self._settings.concurrency

    @property
    def in_flight(self) -> int:
        """The number of requests in flight."""
        client = self._client
        return 0 if client is None else client.limiter.in_flight

    def length_warning(self, text: str) -> str | None:
        """Return why a text may be longer than the model accepts, or None. A text has at most one token per byte."""
        limit = self._facts.text_characters
        if limit is not None and len(text) * 2 > limit and (n := n_characters(text)) > limit:
            return f"{n:,} characters; {self._model} accepts {limit:,}"
        most = self._facts.input_tokens
        # A character has at most 4 bytes, so most texts need not be encoded.
        if most is None or len(text) * 4 <= most or (size := len(text.encode())) <= most:
            return None
        if (tokens := size // BYTES_PER_TOKEN) > most:
            return f"about {tokens:,} tokens; {self._model} accepts {most:,}"
        return f"may be too long: at most {size:,} tokens; {self._model} accepts {most:,}"

    def check_usable(self) -> None:
        """Check that AI/ML API still serves the model; see `BatchEmbedder.check_usable`."""
        check_served(self.spec, self.trained_file)

    def warm_up(self) -> None:
        """Import the client, which takes more than a second, unless nothing can be sent; see `check_usable`."""
        self.check_usable()
        import langchain_openai  # noqa: F401

    def split(self, n: int, shared: SharedSpending | None = None) -> "AimlapiModel":
        """Return the same model with 1/n of the concurrent requests, at least one; see `BatchEmbedder.split`."""
        settings = replace(self._settings, concurrency=max(1, self.max_concurrency // n))
        if settings.max_cost is not None and shared is None:
            settings = replace(settings, max_cost=max(0.0, settings.max_cost - self.spent) / n)
        return _remake(*self._identity, settings, shared)

    @property
    def _identity(self) -> tuple[str, int | None, bool, str | None, str | None]:
        """What a copy is opened with besides its settings."""
        return self._model, self._known_dimensions, self._has_own_length, self._task, self.trained_file

    def embed_batches(self, texts: Sequence[str], keep: Callable[[Batch], None]) -> dict[int, Refused]:
        """Embed texts with concurrent requests; see `BatchEmbedder`.

        A request that is rejected for its content is split in half and sent again, until each offending text is alone.
        A text that is known to be too long is not sent whole.
        """
        self.check_usable()
        read_key(needed=not is_loopback_url(self._base_url))  # fail before importing the client or sending anything
        client = self._connected()
        n_bytes = np.fromiter((len(text.encode()) for text in texts), dtype=np.int64, count=len(texts))
        if self._can_ask and not self._fields.proven and len(texts) > MIN_BATCH:
            self._ask([HARMLESS], 0)  # shows whether the length must be requested before much is sent
        sizes = BatchSizes(self._learned, self._settings.timeout)

        def keep_answer(job: Job, answer: Answer) -> None:
            keep(Batch(job.places, answer.vectors, answer.tokens or 0))
            # Only after `keep`, which raises if the cache has vectors of another length for this model.
            self._dimensions = answer.vectors.shape[1]

        sending = Sending(texts, self._ask, keep_answer, client, sizes, self._settings.retries)
        first = client.budget.first_bytes()
        batch_size = self._settings.batch_size
        if batch_size is None:
            batch_size = default_batch_size(len(texts), self.max_concurrency, self._dimensions)
        batch_size = int(min(batch_size, self._learned.too_many - 1))
        ways = ways_of(texts, n_bytes, self._facts)
        jobs = [Job(places) for places in batches_of(n_bytes, ways, batch_size, self._facts, first)]
        # A few more threads than requests, so that some can read responses while the others wait.
        work_through(jobs, sending.send, self.max_concurrency + READERS, client.watch)
        if sending.over_limit is not None:
            raise sending.over_limit
        self._remark_on_sizes()
        refused = {
            place: Refused(refusal.of_text(self._model), self._piece_of(int(n_bytes[place]), refusal))
            for place, refusal in sending.refused.items()
        }
        too_long = Refused(f"longer than {self._model} accepts", self._facts.piece_bytes)
        return refused | dict.fromkeys(np.flatnonzero(ways == Way.IN_PIECES).tolist(), too_long)

    def _remark_on_sizes(self) -> None:
        """Say once how many texts the server accepts per request."""
        accepted, too_many = self._learned.accepted, self._learned.too_many
        if too_many < float("inf"):
            most = f"at most {accepted:g}" if accepted == too_many - 1 else f"{accepted:g}, but not {too_many:g}"
            self._say_once(
                f"the server accepts {most} texts per request: --batch-size {accepted:g} (batch_size={accepted:g}) "
                "saves refused requests",
                kind="sizes",
            )

    def _piece_of(self, size: int, refusal: Refusal) -> int | None:
        """Return the maximum bytes per piece of a rejected text; None if cutting would not help."""
        # Elsewhere, another model may answer to the name.
        fits = self._model in CATALOGUE and is_aimlapi(self._base_url) and size <= self._facts.piece_bytes
        if fits or not refusal.about_length or size < _MIN_PIECE:
            return None
        return min(self._facts.piece_bytes, -(-size // 2))

    @property
    def _base_url(self) -> str:
        return str(self._settings.base_url)

    def _ask(self, texts: list[str], n_retries: int) -> Answer | Refusal:
        """Send a request, and repeat it without the fields that the server rejects.

        Raises
        ------
        EmbedderError
            If the request fails in a way that no other request would avoid.
        """
        fields, proven = self._fields.present, self._fields.proven
        while True:
            answer = self._send(texts, fields, n_retries)
            if isinstance(answer, Refusal) and answer.kind is Kind.FINAL:
                answer = answer.error()
                if answer.status in (404, 410) and (advice := advice_if_gone(self._model, self.trained_file)):
                    answer.args = (f"{answer}. {advice}",)
            if isinstance(answer, AnswerError):
                if (
                    self._can_ask
                    and "dimensions" not in fields
                    and (answer.n_dimensions or 0) > (self._dimensions or 0)
                ):
                    fields, proven = {**fields, "dimensions": self._dimensions}, True
                    continue
                answer = self._unusable(answer, fields)
            if isinstance(answer, EmbedderError):
                raise answer
            if isinstance(answer, Answer):
                self._fields.accept(fields)
                return answer
            # Once the fields have been accepted, a rejection concerns a text, whatever its message says.
            if proven or answer.kind is not Kind.CONTENT:
                return answer
            if self._fields.names_task(fields, answer.reason):
                raise self._without_task(answer)
            fewer = self._fields.without_refused(fields, answer.reason)
            if fewer == fields:
                return answer
            fields = fewer

    def _send(self, texts: list[str], fields: Fields, n_retries: int) -> Answer | AnswerError | Refusal | EmbedderError:
        """Send a request; return the answer, or why there is none.

        Errors are returned, not raised: the exception they would be chained to holds the request, and so the key.
        """
        client = self._connected()
        sizes = [len(text.encode()) for text in texts]
        response: Any = None
        about = sum(map(about_tokens, sizes))
        with client.budget.room_for(texts, sizes) as reserved:

            def lose(charge: Charge | None) -> bool:
                if charge is not None:
                    self.meter.add_answer(about, charge)
                return reserved.lose(charge)

            try:
                # Where a string may be longer than a text in a list, one text is sent as a string.
                asked = texts[0] if len(texts) == 1 and self._facts.list_characters is not None else texts
                response = client.response(asked, fields, self._dimensions, n_retries, lose)
                if isinstance(response, Refusal | EmbedderError):
                    return response
                with client.reader_slots:
                    answer = read_answer(response.content, len(texts), self._dimensions, response.headers)
            except AnswerError as error:
                # Billed even though it cannot be used.
                self._count(about if error.unread else error.tokens, error.charge, reserved)
                error.request = "" if response is None else request_note(response, error.request_id)
                return error
            tokens = about if answer.tokens is None else answer.tokens
            self._count(tokens, answer.charge, reserved)
            if not answer.is_numbered:
                remark = "the server does not number its vectors: they are taken in the order of the texts"
                self._say_once(remark, kind="order")
            return answer._replace(tokens=tokens, seconds=response.extensions["seconds"])

    def _count(self, tokens: int, charge: Charge | None, reserved: Reservation) -> None:
        self.meter.add_answer(tokens, charge)
        reserved.settle(tokens, charge, self.meter.price)

    def _unusable(self, error: AnswerError, fields: Fields) -> EmbedderError:
        """Return the error for a response that cannot be used."""
        hint = "try again, and report it to the provider if it persists"
        if error.n_dimensions and self._can_ask:
            asked = "was asked for them" if "dimensions" in fields else "was not asked for them"
            hint = f"the server {asked}: leave out --dimensions, or name another model"
        elif error.n_dimensions and self._model in CATALOGUE and not is_aimlapi(self._base_url):
            hint = "if another model answers here, name it: aimlapi:ITS-NAME"
        return EmbedderError(
            f"{self.spec} at {self.spec.endpoint} returned an unusable response: {redact(str(error))}{error.request}. "
            f"Nothing from it was kept; {hint}"
        )

    def _without_task(self, refusal: Refusal) -> EmbedderError:
        """Return the error for a server that refuses the task: without it, the vectors would be different."""
        return EmbedderError(
            f"{refusal.message}; the task {self._task!r} is not left out, since the vectors would be different. To "
            f"train without a task, use --task {NO_TASK} (task={NO_TASK!r})",
            status=refusal.status,
        )

    def _say_once(self, remark: str, *, kind: str) -> None:
        if kind not in self._said:
            self._said.add(kind)
            logger.info("%s: %s", self.spec, remark)

    def _connected(self) -> Client:
        """Return this process's client, created on first use.

        Call it before starting the threads that share the client, so that its imports happen in one thread.
        """
        client = self._client
        if client is None or client.made_in != os.getpid():
            with self._making:
                # A forked process shares its parent's connections and would get the parent's responses.
                if self._client is None or self._client.made_in != os.getpid():
                    self._client = self._new_client()
                client = self._client
        return client

    def _new_client(self) -> Client:
        try:
            # More tokens than a model accepts are refused, and cost nothing; elsewhere, another may answer to its name.
            most_tokens = self._facts.input_tokens if self._model in CATALOGUE else None
            return Client(self.spec, self.meter, self._settings, most_tokens, self._elsewhere, self._shared)
        except Exception as error:  # noqa: BLE001 - proxies and certificates fail in many ways
            kind = type(error).__name__
            fault = f"requests to {self._settings.base_url} cannot be sent: {redact(str(error))} ({kind})"
        raise EmbedderError(fault)


def _remake(
    model: str,
    dimensions: int | None,
    is_own: bool,
    task: str | None,
    trained_file: str | None,
    settings: Settings,
    shared: SharedSpending | None = None,
) -> AimlapiModel:
    made = AimlapiModel(model, dimensions=dimensions, is_own=is_own, task=task, **asdict(settings))
    made.trained_file, made._shared = trained_file, shared
    return made
