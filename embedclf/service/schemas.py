"""JSON schemas of requests and responses."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema, model_validator

from embedclf.service.limits import Limits

# A body with more fields is rejected without naming each unknown one.
_MAX_FIELDS = 16


class Likely(BaseModel):
    """One of the most likely labels."""

    label: str
    confidence: float


class Prediction(BaseModel):
    """The prediction for one text."""

    label: str | None = Field(description="null if the classifier abstains or the text cannot be classified")
    confidence: float | None = Field(
        description="confidence in the most likely label, rounded down; null if there is an error"
    )
    top: list[Likely] | None = Field(default=None, description="the most likely labels, if top_k was given")
    error: str | None = Field(default=None, description="why the text cannot be classified; omitted otherwise")


class Predictions(BaseModel):
    """One prediction per text, in the order of the texts."""

    predictions: list[Prediction]


class Problem(BaseModel):
    """The reason for an error response."""

    detail: str


class Status(BaseModel):
    """The status of the service."""

    status: str


def _integral(number: object) -> object:
    """Return 2 for 2.0, since JSON does not distinguish them."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


def predict_body(limits: Limits) -> type[BaseModel]:
    """Return the pydantic model of the body of a request to ``/predict``, with its limits."""

    def check_text(text: object) -> str:
        if not isinstance(text, str):
            raise ValueError("a text must be a string")  # pydantic does not report a TypeError as a validation error
        if len(text) > limits.characters:
            raise ValueError(f"{len(text):,} characters exceed the limit of {limits.characters:,} per text")
        return text

    # pydantic's own str rejects the whole request for a lone surrogate; here, it is an error of that text only.
    json_schema = WithJsonSchema({"type": "string", "maxLength": limits.characters})
    text = Annotated[str, PlainValidator(check_text), json_schema]

    class PredictBody(BaseModel):
        """Texts to classify."""

        model_config = ConfigDict(extra="forbid", strict=True)

        @model_validator(mode="before")
        @classmethod
        def check_fields(cls, body: object) -> object:
            # pydantic reports each unknown field, which would take a second for as many as fit into a body.
            if isinstance(body, dict) and len(body) > _MAX_FIELDS:
                known = " and ".join(cls.model_fields)
                raise ValueError(f"the body has {len(body):,} fields, expected only {known}")
            return body

        texts: list[text] = Field(min_length=1, max_length=limits.texts, examples=[["I was charged twice this month"]])
        top_k: Annotated[int, Field(ge=1), BeforeValidator(_integral)] | None = Field(
            default=None, description="also return this many of the most likely labels"
        )

    return PredictBody


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": description}
    for status, description in {
        400: "The body cannot be read as JSON.",
        408: "The request took too long to arrive.",
        413: "The request is too large.",
        422: "The request is invalid; the detail says where and why.",
        500: "Internal error; see the service's log.",
        502: "The embedder failed; see the service's log.",
        503: "Too many requests in progress, the service is shutting down, or the embedder is not accepting requests.",
        504: "The embedder timed out.",
    }.items()
}
"""Error responses of `/predict`, for the OpenAPI description."""
