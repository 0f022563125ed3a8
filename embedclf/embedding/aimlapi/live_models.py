"""The models that a server says it serves now, and their prices: asked for only on request, and cached for a day.

The response is documented in the repository aimlapi/api-docs (complete-model-list.md). Servers of OpenAI's kind answer
the same request without types, aliases and prices.
"""

import json
import logging
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal, DecimalException
from hashlib import blake2b
from pathlib import Path
from typing import Any

from embedclf.data.atomic_file import AtomicFile
from embedclf.data.plain_file import read_plain
from embedclf.embedding.aimlapi.api_key import redact
from embedclf.embedding.aimlapi.lookups import look_up, unusable
from embedclf.errors import OutputError
from embedclf.formatting import to_json

logger = logging.getLogger(__name__)

SECONDS_KEPT = 86_400.0
_FORMAT = 1
_MOST_BYTES = 2**23
_MOST_DOLLARS = 1_000_000
_MAX_NAME = 16
NOT_GIVEN = "not given"


@dataclass(frozen=True, slots=True)
class LiveModel:
    """A model that a server lists.

    Attributes
    ----------
    id : str
    aliases : tuple of str
        Other names that it answers to.
    type : str or None
        What it is served as, such as ``openai/embeddings``; None if the server does not say.
    dollars_per_million_tokens : float or None
        Its price for tokens of input; None if there is no such price.
    price_note : str or None
        Why there is none, in a few words.
    """

    id: str
    aliases: tuple[str, ...]
    type: str | None
    dollars_per_million_tokens: float | None
    price_note: str | None


@dataclass(frozen=True, slots=True)
class LiveModels:
    """What a server has answered.

    Attributes
    ----------
    url : str
        Where it was asked.
    asked : float
        When, in seconds since 1970.
    etag : str or None
        The server's name for the response.
    models : tuple of LiveModel
    """

    url: str
    asked: float
    etag: str | None
    models: tuple[LiveModel, ...]

    def find(self, name: str) -> LiveModel | None:
        """Return the embedding model with a name as its id or alias, in upper or lower case; None if there is none."""
        by_name: dict[str, LiveModel] = {}
        for model in self.embedding_models:
            by_name.setdefault(model.id.lower(), model)
        for model in self.embedding_models:
            for alias in model.aliases:
                by_name.setdefault(alias.lower(), model)
        # Ollama lists its models with a tag, and answers to their names without it.
        return by_name.get(name.lower()) or by_name.get(f"{name.lower()}:latest")

    @property
    def embedding_models(self) -> list[LiveModel]:
        """Those that are served as embedding models, and those of which the server does not say what they are."""
        return [model for model in self.models if model.type is None or "embedding" in model.type.lower()]

    @property
    def seconds_ago(self) -> float:
        """How long ago the server was asked."""
        return max(0.0, time.time() - self.asked)


def live_models(base_url: str, cache: Path | None) -> LiveModels:
    """Ask a server for its models and their prices. No key is sent.

    Parameters
    ----------
    base_url : str
    cache : Path or None
        The folder that keeps the answer. After a day, the server is asked whether it has changed.

    Raises
    ------
    EmbedderError
        If the server cannot be reached, refuses, or lists no models.
    """
    url = f"{base_url}/models?include=pricing"
    path = None if cache is None else cache / f"models-{blake2b(url.encode(), digest_size=6).hexdigest()}.json"
    known = None if path is None else _read(path, url)
    if known is not None and known.seconds_ago < SECONDS_KEPT:
        return known
    response = look_up(url, base_url, etag=None if known is None else known.etag)
    if known is not None and response.status_code == 304:
        found = LiveModels(url, time.time(), known.etag, known.models)
    else:
        found = LiveModels(url, time.time(), _usable_etag(response.headers.get("etag")), _models(response.content, url))
    if path is not None:
        _write(path, found)
    return found


def _models(content: bytes, url: str) -> tuple[LiveModel, ...]:
    import jiter

    try:
        body = jiter.from_json(content)
    except ValueError:
        start = redact(content[:2_000].decode("utf-8", "replace"))[:60]
        raise unusable(url, f"it is not JSON, or was cut off (it starts with {start!r})") from None
    data = body.get("data") if isinstance(body, dict) else body
    if data is None and isinstance(body, dict) and body.get("object") == "list":  # Ollama without models
        data = []
    if not isinstance(data, list):
        raise unusable(url, "it contains no list of models")
    models = tuple(_model(one) for one in data if isinstance(one, dict) and _is_name(one.get("id")))
    if not models:
        raise unusable(url, "it lists no models")
    return models


def _model(one: Mapping[str, Any]) -> LiveModel:
    aliases, type_ = one.get("aliases"), one.get("type")
    names = tuple(alias for alias in aliases if _is_name(alias)) if isinstance(aliases, list) else ()
    price, note = _price(one.get("pricing"))
    return LiveModel(one["id"], names, type_ if _is_name(type_) else None, price, note)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 256


def _price(pricing: Any) -> tuple[float | None, str | None]:
    """Return the price of a million tokens of input in dollars, or why there is none."""
    if not isinstance(pricing, dict) or not pricing.get("kind"):
        return None, NOT_GIVEN
    if pricing["kind"] != "fixed":
        return None, "varies"
    if (currency := pricing.get("currency", "USD")) != "USD":
        return None, f"in {_short(currency) or 'another currency'}"
    units = pricing.get("units")
    if not isinstance(units, list) or not all(isinstance(unit, dict) for unit in units):
        return None, NOT_GIVEN
    for unit in units:
        if unit.get("name") != "token":
            return None, f"per {_short(unit.get('name')) or 'another unit'}"
    # An embedding has no output, so what that costs does not matter.
    prices = {_per_million(unit.get("price"), unit.get("per")) for unit in units if unit.get("measure") == "input"}
    if None in prices:
        return None, "not readable"
    return (prices.pop(), None) if len(prices) == 1 else (None, "varies" if prices else NOT_GIVEN)


def _per_million(price: Any, per: Any) -> float | None:
    """Return a price per million; None if it is not one."""
    if type(price) not in (int, float) or type(per) not in (int, float):
        return None
    try:
        exact, units = Decimal(str(price)), Decimal(str(per))
        dollars = exact * 1_000_000 / units
        return float(dollars) if exact >= 0 and units > 0 and dollars <= _MOST_DOLLARS else None
    except (DecimalException, ValueError):  # not a number, a number of thousands of digits, or a division by zero
        return None


def _short(name: Any) -> str:
    return redact(name)[:_MAX_NAME] if isinstance(name, str) else ""


def _usable_etag(etag: Any) -> str | None:
    return etag if isinstance(etag, str) and re.fullmatch(r"[\x20-\x7e]{1,256}", etag) else None


def _write(path: Path, found: LiveModels) -> None:
    record = {"format": _FORMAT, **asdict(found)}
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with AtomicFile(path) as file:
            file.write(to_json(record, ensure_ascii=True).encode())
    except OSError as error:
        logger.warning("the list of models cannot be kept in %s (%s)", path.parent, error.strerror or error)
    except OutputError as error:
        logger.warning("the list of models is not kept: %s", error)


def _read(path: Path, url: str) -> LiveModels | None:
    """Return a kept answer; None if there is none, or it is not exactly as it was written."""
    try:
        record = json.loads(read_plain(path, _MOST_BYTES))
        if record.pop("format") != _FORMAT or record["url"] != url:
            return None
        models = tuple(LiveModel(**{**one, "aliases": tuple(one["aliases"])}) for one in record.pop("models"))
        found = LiveModels(models=models, **record)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    is_of_time = type(found.asked) in (int, float) and 0 < found.asked <= time.time()
    is_of_models = bool(models) and all(map(_is_possible, models))
    return found if is_of_time and is_of_models and found.etag in (None, _usable_etag(found.etag)) else None


def _is_possible(model: LiveModel) -> bool:
    price: Any = model.dollars_per_million_tokens
    note = model.price_note
    has_price = note is None and type(price) in (int, float) and 0 <= price <= _MOST_DOLLARS
    return (
        all(map(_is_name, (model.id, *model.aliases)))
        and (model.type is None or _is_name(model.type))
        and (has_price or (price is None and _is_name(note)))
    )
