"""Requests and answers, as JSON."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema, model_validator

from embedclf.service.limits import Limits

# Of a request's body; of more fields, none is named.
_MAX_FIELDS = 16


class Likely(BaseModel):
    """One of the likeliest labels."""

    label: str
    confidence: float


class Prediction(BaseModel):
    """What is said about one text."""

    label: str | None = Field(description="null where the classifier abstains, or the text cannot be labelled")
    confidence: float | None = Field(description="of the likeliest label, rounded down; null if there is an error")
    top: list[Likely] | None = Field(default=None, description="the likeliest labels, if top_k was given")
    error: str | None = Field(default=None, description="why the text cannot be labelled; else left out")


class Predictions(BaseModel):
    """One prediction a text, in their order."""

    predictions: list[Prediction]


class Problem(BaseModel):
    """Why there is no answer."""

    detail: str


class Status(BaseModel):
    """How the service is."""

    status: str


def _whole(number: object) -> object:
    """Return 2 for 2.0, which is a whole number in JSON."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


def predict_body(limits: Limits) -> type[BaseModel]:
    """Return the model of the body of a request to ``/predict``, with its limits."""

    def check_text(text: object) -> str:
        if not isinstance(text, str):
            raise ValueError("a text is a string")  # pydantic does not count a TypeError as a fault of the input
        if len(text) > limits.characters:
            raise ValueError(f"the text has {len(text):,} characters, and {limits.characters:,} are allowed")
        return text

    # pydantic's own str refuses half a character and with it the whole request; here, that is one text's error.
    json_schema = WithJsonSchema({"type": "string", "maxLength": limits.characters})
    text = Annotated[str, PlainValidator(check_text), json_schema]

    class Asked(BaseModel):
        """Texts to label."""

        model_config = ConfigDict(extra="forbid", strict=True)

        @model_validator(mode="before")
        @classmethod
        def check_fields(cls, asked: object) -> object:
            # pydantic reports each unknown field, which takes a second for as many as fit into a body.
            if isinstance(asked, dict) and len(asked) > _MAX_FIELDS:
                known = " and ".join(cls.model_fields)
                raise ValueError(f"the body has {len(asked):,} fields, where there are only {known}")
            return asked

        texts: list[text] = Field(min_length=1, max_length=limits.texts, examples=[["I was charged twice this month"]])
        top_k: Annotated[int, Field(ge=1), BeforeValidator(_whole)] | None = Field(
            default=None, description="also give so many of the likeliest labels"
        )

    return Asked


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": description}
    for status, description in {
        400: "The body cannot be read as JSON.",
        408: "The request took too long to arrive.",
        413: "The request is too large.",
        422: "The request is not as it should be; the detail says where and why.",
        500: "The service failed; its log says where.",
        502: "The embedder failed; the service's log says why.",
        503: "Too many requests are in hand, the service is about to end, or the embedder takes no more.",
        504: "The embedder did not answer in time.",
    }.items()
}
"""What `/predict` answers other than predictions, for the description."""
