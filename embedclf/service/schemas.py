"""Requests and answers, as JSON."""

from typing import Any

from pydantic import BaseModel, Field


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
    return int(number) if isinstance(number, float) and number.is_integer() else number


_PROBLEMS: dict[int | str, dict[str, Any]] = {
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
