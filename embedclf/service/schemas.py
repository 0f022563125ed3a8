"""JSON schemas of requests and responses."""

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    WithJsonSchema,
    model_validator,
)

from embedclf.missing import is_missing
from embedclf.service.limits import Limits

# A body with more fields is rejected without naming each unknown one.
_MAX_FIELDS = 16


class Likely(BaseModel):
    """One of the most likely labels."""

    label: str
    confidence: float


class Span(BaseModel):
    """A part of a text and its contribution to the difference between two scores."""

    start: int
    end: int
    weight: float


class Explanation(BaseModel):
    """Why a text gets its label rather than the runner-up."""

    runner_up: str = Field(description="the second most likely label")
    spans: list[Span] = Field(
        description="contribution of each word: positive for the label, negative for the runner-up"
    )
    vector: float = Field(description="contribution of the embedding as a whole; 0 if the spans include it")
    bias: float = Field(description="contribution that does not depend on the text")


class Prediction(BaseModel):
    """The prediction for one text."""

    label: str | None = Field(
        default=None,
        description="null if the classifier abstains or the text cannot be classified; omitted if texts may have "
        "several labels",
    )
    confidence: float | None = Field(
        default=None,
        description="confidence in the label, rounded down; null if there is an error, omitted if texts may "
        "have several labels",
    )
    labels: list[Likely] | None = Field(
        default=None, description="the labels of the text, if it may have several; omitted otherwise"
    )
    top: list[Likely] | None = Field(default=None, description="the most likely labels, if top_k was given")
    label_set: list[Likely] | None = Field(
        default=None, description="the labels that hold the true one with the coverage, if coverage was given"
    )
    error: str | None = Field(default=None, description="why the text cannot be classified; omitted otherwise")
    explanation: Explanation | None = Field(
        default=None, description="if explain was true and the classifier weighs words; omitted otherwise"
    )


class Predictions(BaseModel):
    """One prediction per text, in the order of the texts."""

    predictions: list[Prediction]


class Problem(BaseModel):
    """The reason for an error response."""

    detail: str


class Status(BaseModel):
    """The status of the service."""

    status: str


class Health(Status):
    """Whether the process is alive, and which model it serves."""

    model: str | None = Field(
        default=None, description="SHA-256 of the model file; omitted if a token is required or there is no file"
    )


class ModelFile(BaseModel):
    """The model file in use."""

    name: str
    sha256: str
    modified: str = Field(description="when the file was last modified, in UTC")
    loaded: str = Field(description="when the service loaded it, in UTC")


class Embedder(BaseModel):
    """The model that vectors come from."""

    provider: str
    model: str
    dimensions: int | None = Field(description="length of a vector")
    endpoint: str | None = Field(description="the server's URL; null if the model runs in the service")
    task: str | None = Field(
        default=None, description="what the model is told that vectors are for; omitted if it is not"
    )
    prompt: str | None = Field(default=None, description="what is put before each text; omitted if nothing is")


class HeldOut(BaseModel):
    """Quality measured on texts that the classifier was not trained on."""

    # Figures that only some classifiers have, such as those of labels in a tree.
    model_config = ConfigDict(extra="allow")

    accuracy: float
    macro_f1: float
    ece: float = Field(description="expected calibration error")
    n_examples: int
    coverage: float | None = Field(description="share answered at the threshold; null without a threshold")
    answered_accuracy: float | None = Field(description="accuracy on these; null if there are none")
    out_of_scope_recall: float | None = Field(description="share of the out-of-scope texts that are rejected")
    baseline_accuracy: float | None = Field(description="accuracy of always predicting the commonest label")
    words_accuracy: float | None = Field(description="accuracy of words alone")


class Model(BaseModel):
    """The classifier: what it is made of, and how good it is."""

    # What a later version knows about a classifier is passed on.
    model_config = ConfigDict(extra="allow")

    classes: list[str]
    features: Literal["embedding", "words", "both"]
    embedder: Embedder
    head: Literal["logistic", "centroid"]
    threshold: float | None = Field(description="the confidence below which it abstains; null if there is none")
    out_of_scope_label: str | None = Field(description="the label of the texts that it learned to reject")
    n_examples: int = Field(description="number of training texts")
    held_out: HeldOut | None = Field(description="null if no texts were held out")
    regularization: float | None = Field(description="scikit-learn's C")
    temperature: float = Field(description="what scores were divided by for calibration")
    word_scale: float = Field(description="weight of the words relative to the embedding; 0 without words")
    text_column: str = Field(description="column of the texts in the training file")
    label_column: str = Field(description="column of the labels in the training file")
    version: str = Field(description="version of embedclf that trained the classifier")
    file: ModelFile | None = Field(default=None, description="the file in use; omitted if there is none")


class Reloaded(BaseModel):
    """The model file that was loaded."""

    file: ModelFile


def _integral(number: object) -> object:
    """Return 2 for 2.0, since JSON does not distinguish them."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


TopK = Annotated[int, Field(ge=1), BeforeValidator(_integral)] | None
_TOP_K: Any = Field(default=None, description="also return this many of the most likely labels")
Coverage = Annotated[float, Field(gt=0, lt=1)] | None
_COVERAGE: Any = Field(
    default=None, description="also return the smallest set of labels that holds the true one in this share of cases"
)


def predict_body(limits: Limits) -> Any:
    """Return the pydantic type of the body of a request to ``/predict``, with its limits.

    It has either ``texts`` or ``text``; `pydantic` picks the model by that, so that errors are about one of them only.
    """

    def check_text(text: object) -> str | None:
        if is_missing(text):  # an error of that text only
            return None
        if not isinstance(text, str):
            raise ValueError("a text must be a string")  # pydantic does not report a TypeError as a validation error
        if len(text) > limits.characters:
            raise ValueError(f"{len(text):,} characters exceed the limit of {limits.characters:,} per text")
        return text

    # pydantic's own str rejects the whole request for a lone surrogate; here, it is an error of that text only.
    json_schema = WithJsonSchema({"anyOf": [{"type": "string", "maxLength": limits.characters}, {"type": "null"}]})
    checked_text = Annotated[str | None, PlainValidator(check_text), json_schema]

    class Body(BaseModel):
        model_config = ConfigDict(extra="forbid", strict=True)

        @model_validator(mode="before")
        @classmethod
        def check_fields(cls, body: object) -> object:
            # pydantic reports each unknown field, which would take a second for as many as fit into a body.
            if isinstance(body, dict) and len(body) > _MAX_FIELDS:
                *names, last = cls.model_fields
                raise ValueError(f"the body has {len(body):,} fields, expected only {', '.join(names)} and {last}")
            return body

    class Texts(Body):
        """Texts to classify."""

        texts: list[checked_text] = Field(
            min_length=1, max_length=limits.texts, examples=[["I was charged twice this month"]]
        )
        top_k: TopK = _TOP_K
        coverage: Coverage = _COVERAGE

    class OneText(Body):
        """One text to classify; the response is that for a list of one."""

        text: checked_text = Field(examples=["I was charged twice this month"])
        top_k: TopK = _TOP_K
        coverage: Coverage = _COVERAGE
        explain: bool = Field(default=False, description="also return how much each word contributed")

    def kind(body: object) -> str:
        return "text" if isinstance(body, dict) and "text" in body and "texts" not in body else "texts"

    return Annotated[Annotated[Texts, Tag("texts")] | Annotated[OneText, Tag("text")], Discriminator(kind)]


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": description}
    for status, description in {
        400: "The body cannot be read as JSON.",
        408: "The request took too long to arrive.",
        409: "The model in use cannot reach the coverage; the detail says why.",
        413: "The request is too large.",
        422: "The request is invalid; the detail says where and why.",
        500: "Internal error; see the service's log.",
        502: "The embedder failed; see the service's log.",
        503: "Too many requests in progress, the service is shutting down, or the embedder is not accepting requests.",
        504: "The embedder timed out.",
    }.items()
}
"""Error responses of `/predict`, for the OpenAPI description."""
