"""Published facts about the models that AI/ML API serves.

Sources: AI/ML API's public documentation, repository aimlapi/api-docs, commit f14fa72 of 2026-08-21: its model card for
dimensions, pages per dollar and MTEB scores, its schemas for the fields and the numbers of characters that each model
accepts, and its sample answers for the dimensions of the other models. Input limits and the lengths that Qwen can make
are those that the model makers publish (OpenAI, Voyage AI, Google, Alibaba Cloud). MTEB's classification tasks: the
repository embeddings-benchmark/results, 2026-08-20.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from embedclf.embedding.usage import BYTES_PER_TOKEN

# OpenAI's definition of a page, to convert pages per dollar to dollars per token.
_TOKENS_PER_PAGE = 800

CLASSIFICATION_TASKS = (
    "Banking77Classification",
    "EmotionClassification",
    "AmazonCounterfactualClassification",
    "ImdbClassification",
    "MTOPDomainClassification",
    "MassiveIntentClassification",
    "ToxicConversationsClassification",
    "TweetSentimentExtractionClassification",
)
"""Tasks of the Massive Text Embedding Benchmark, in English: accuracy of a logistic regression on 8 to 32 rows a class,
the mean of 10 draws."""


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
    lengths : tuple of int or None
        What the field ``dimensions`` may be, for models where cutting is not documented to give the same result.
    pages_per_dollar : int or None
        Pages of 800 tokens.
    mteb : float or None
        Mean score on the Massive Text Embedding Benchmark, over retrieval and other tasks, in percent.
    classification : mapping of str to float
        Accuracy on `CLASSIFICATION_TASKS`, in percent; a task is left out if nothing is published.
    request_texts, request_tokens : int
        Maximum per request.
    list_characters : int or None
        Maximum characters of a text in a list; a longer one is sent alone, as a string.
    text_characters : int or None
        Maximum characters of a text.
    text_bytes : int or None
        A text with more UTF-8 bytes is taken to have too many tokens, and never sent whole; None sends it, to be
        accepted or refused.
    encodes : bool
        Whether it accepts the field ``encoding_format``.
    truncates : bool
        Whether it silently truncates long texts unless ``auto_truncate`` is false.
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
    lengths: tuple[int, ...] | None = None
    truncates: bool = False
    list_characters: int | None = None
    text_characters: int | None = None
    text_bytes: int | None = None
    classification: Mapping[str, float] = field(default_factory=dict)
    tasks: bool = False

    @property
    def dollars_per_million_tokens(self) -> float | None:
        """The price."""
        return None if self.pages_per_dollar is None else round(1e6 / _TOKENS_PER_PAGE / self.pages_per_dollar, 3)

    @property
    def piece_bytes(self) -> int:
        """The maximum UTF-8 bytes of a piece of a long text that it surely accepts: each token has at least one."""
        return min(self.input_tokens, self.text_characters or self.input_tokens)


@dataclass(frozen=True, slots=True)
class Gone:
    """A model that AI/ML API no longer serves.

    Attributes
    ----------
    successor : str
        The model in the catalogue to use instead.
    why : str
        When it was withdrawn, or since when that is known.
    """

    successor: str
    why: str = "listed as no longer supported in August 2026"


UNKNOWN = ModelFacts(input_tokens=8_191)
"""Assumed for a model that is not in the catalogue."""

MULTILINGUAL = ("voyage-multilingual-2", "text-multilingual-embedding-002")
"""Models in the catalogue that are made for many languages."""


def _scores(*accuracies: float | None) -> dict[str, float]:
    """Return accuracies in the order of `CLASSIFICATION_TASKS`, without those that are not published."""
    scores = zip(CLASSIFICATION_TASKS, accuracies, strict=True)
    return {task: accuracy for task, accuracy in scores if accuracy is not None}


def _voyage(input_tokens: int, dimensions: int, *accuracies: float | None) -> ModelFacts:
    # The field `input_type` can only be "document", its default, so it is left out. There is none against truncation,
    # so what may have too many tokens is not sent whole.
    return ModelFacts(
        input_tokens,
        dimensions,
        request_texts=128,
        request_tokens=120_000,
        encodes=False,
        list_characters=800,
        text_characters=8_000,
        text_bytes=BYTES_PER_TOKEN * input_tokens,
        classification=_scores(*accuracies) if accuracies else {},
    )


def _qwen(*lengths: int) -> ModelFacts:
    return ModelFacts(8_192, 1024, request_texts=10, encodes=False, lengths=lengths, text_bytes=BYTES_PER_TOKEN * 8_192)


CATALOGUE = {
    "text-embedding-3-small": ModelFacts(
        8_191, 1536, True, 62_500, 62.3, classification=_scores(83.0, 50.6, 76.4, 83.7, 93.9, 72.9, 71.9, 61.7)
    ),
    "text-embedding-3-large": ModelFacts(
        8_191, 3072, True, 9_615, 64.6, classification=_scores(85.7, 51.6, 79.0, 87.7, 95.4, 74.6, 68.8, 62.2)
    ),
    "text-embedding-ada-002": ModelFacts(
        8_191, 1536, False, 12_500, 61.0, classification=_scores(80.7, 48.7, 75.9, 78.0, 92.1, 70.2, 72.3, 61.8)
    ),
    "voyage-2": _voyage(4_000, 1024, 77.6, None, 69.6, None, 93.4, 66.9, 65.0, 56.8),
    "voyage-large-2": _voyage(16_000, 1536),
    "voyage-large-2-instruct": _voyage(16_000, 1024, 87.6, 64.5, 83.1, 93.8, 97.5, 76.6, 69.4, 61.9),
    "voyage-code-2": _voyage(16_000, 1536),
    "voyage-finance-2": _voyage(32_000, 1024),
    "voyage-law-2": _voyage(16_000, 1024),
    "voyage-multilingual-2": _voyage(32_000, 1024, 78.6, 45.8, 72.7, 82.8, 93.0, 72.5, 61.9, 57.5),
    "text-multilingual-embedding-002": ModelFacts(
        2_048,
        768,
        request_texts=250,
        request_tokens=20_000,
        encodes=False,
        truncates=True,
        tasks=True,
        text_bytes=BYTES_PER_TOKEN * 2_048,
        # With the task type CLASSIFICATION.
        classification=_scores(86.2, None, 77.5, 94.6, 98.1, 75.8, 87.8, 72.0),
    ),
    "alibaba/qwen-text-embedding-v3": _qwen(512, 768, 1024),
    "alibaba/qwen-text-embedding-v4": _qwen(64, 128, 256, 512, 768, 1024, 1536, 2048),
}

_MEASURED = [facts.classification for facts in CATALOGUE.values() if facts.classification]
SHARED_TASKS = tuple(task for task in CLASSIFICATION_TASKS if all(task in scores for scores in _MEASURED))
"""The tasks that are published for every model that any is published for, so that their means can be compared."""


def mean_classification(facts: ModelFacts) -> float | None:
    """Return the mean accuracy on `SHARED_TASKS` in percent; None if nothing is published."""
    scores = facts.classification
    return round(sum(scores[task] for task in SHARED_TASKS) / len(SHARED_TASKS), 1) if scores else None


GONE = {
    "BAAI/bge-base-en-v1.5": Gone("text-embedding-3-small", "deprecated on 30 March 2026"),
    "BAAI/bge-large-en-v1.5": Gone("text-embedding-3-small"),
    "textembedding-gecko@001": Gone("text-multilingual-embedding-002"),
    "textembedding-gecko@003": Gone("text-multilingual-embedding-002"),
    "textembedding-gecko-multilingual@001": Gone("text-multilingual-embedding-002"),
    "togethercomputer/m2-bert-80M-2k-retrieval": Gone("text-embedding-3-small"),
    "togethercomputer/m2-bert-80M-8k-retrieval": Gone("text-embedding-3-small"),
    "togethercomputer/m2-bert-80M-32k-retrieval": Gone("text-embedding-3-small"),
}
"""The models that AI/ML API lists as no longer supported."""
