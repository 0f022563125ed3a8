"""Published facts about the models that AI/ML API serves.

Sources: AI/ML API's public documentation, repository aimlapi/api-docs, commit f14fa72 of 2026-08-21, its model card for
dimensions, pages per dollar and MTEB scores, and its schemas for the fields that each model accepts. Input limits are
those that the model makers publish (OpenAI, Voyage AI, Google, BAAI, Alibaba Cloud).
"""

from dataclasses import dataclass

# OpenAI's definition of a page, to convert pages per dollar to dollars per token.
_TOKENS_PER_PAGE = 800


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Published facts of one model; None where nothing is published.

    Attributes
    ----------
    input_tokens : int
        Maximum tokens per text.
    dimensions : int or None
        Length of its vectors; None means that it is taken from the first response.
    shortens : bool
        Whether the vectors can be cut and rescaled to unit length, with the same result as the field ``dimensions``.
    lengths : tuple of two int or None
        The minimum and maximum of the field ``dimensions``, for models where cutting is not documented to give the same
        result.
    pages_per_dollar : int or None
        Pages of 800 tokens.
    mteb : float or None
        Mean score on the Massive Text Embedding Benchmark, in percent.
    request_texts, request_tokens : int
        Maximum per request. Models that accept only one text expect a string, not a list.
    encodes : bool
        Whether it accepts the field ``encoding_format``.
    truncates : bool
        Whether it silently truncates long texts unless ``auto_truncate`` is false.
    english_only : bool
        Whether its maker says that it is for English texts.
    tasks : bool
        Whether it accepts the field ``task_type``, which says what the vectors are for.
    """

    input_tokens: int
    dimensions: int | None = None
    shortens: bool = False
    pages_per_dollar: int | None = None
    mteb: float | None = None
    request_texts: int = 2_048
    request_tokens: int = 300_000
    encodes: bool = True
    lengths: tuple[int, int] | None = None
    truncates: bool = False
    english_only: bool = False
    tasks: bool = False

    @property
    def dollars_per_million_tokens(self) -> float | None:
        """The price."""
        return None if self.pages_per_dollar is None else round(1e6 / _TOKENS_PER_PAGE / self.pages_per_dollar, 3)


UNKNOWN = ModelFacts(input_tokens=8_191)
"""Assumed for a model that is not in the catalogue."""

MULTILINGUAL = ("voyage-multilingual-2", "text-multilingual-embedding-002")
"""Models in the catalogue that are made for many languages."""

CATALOGUE = {
    "text-embedding-3-small": ModelFacts(8_191, 1536, True, 62_500, 62.3),
    "text-embedding-3-large": ModelFacts(8_191, 3072, True, 9_615, 64.6),
    "text-embedding-ada-002": ModelFacts(8_191, 1536, False, 12_500, 61.0),
    "voyage-2": ModelFacts(4_000, request_texts=128, request_tokens=120_000),
    "voyage-large-2": ModelFacts(16_000, request_texts=128, request_tokens=120_000),
    "voyage-large-2-instruct": ModelFacts(16_000, request_texts=128, request_tokens=120_000),
    "voyage-code-2": ModelFacts(16_000, request_texts=128, request_tokens=120_000),
    "voyage-finance-2": ModelFacts(32_000, request_texts=128, request_tokens=120_000),
    "voyage-law-2": ModelFacts(16_000, request_texts=128, request_tokens=120_000),
    "voyage-multilingual-2": ModelFacts(32_000, request_texts=128, request_tokens=120_000),
    "text-multilingual-embedding-002": ModelFacts(
        2_048, request_texts=250, request_tokens=20_000, truncates=True, tasks=True
    ),
    "textembedding-gecko@003": ModelFacts(2_048, request_texts=250, request_tokens=20_000, truncates=True),
    "BAAI/bge-base-en-v1.5": ModelFacts(512, request_texts=1, english_only=True),
    "alibaba/qwen-text-embedding-v3": ModelFacts(8_192, 1024, request_texts=10, encodes=False, lengths=(64, 2_048)),
    "alibaba/qwen-text-embedding-v4": ModelFacts(8_192, 1024, request_texts=10, encodes=False, lengths=(64, 2_048)),
}
