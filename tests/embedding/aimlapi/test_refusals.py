"""What a server's error means, by its words: what is sent next, and what a person is told."""

import json

import httpx
import pytest

from embedclf.embedding.aimlapi.refusals import Kind, from_status
from embedclf.embedding.base import EmbedderSpec

CONTENT, PASSING, RATE, FINAL = Kind.CONTENT, Kind.PASSING, Kind.RATE, Kind.FINAL
AGAIN = "try again, and report it to the provider if it persists"
SLOWER = "try again later, or lower --concurrency"
ANOTHER = "choose another model, or ask the provider for access to it"
TPM = "on tokens per min (TPM): Limit 40000, "
PLAN = "check the plan, or top up the account"
RENEWED = "quota used up: try again when it has been renewed"
GEMINI = "You exceeded your current quota, please check your plan and billing details."

# The status; what the server says (a code after "|"); what it means; the advice.
SAID: list[tuple[int, str, Kind, str]] = [
    (500, "input is too large to process. increase the physical batch size", CONTENT, AGAIN),
    (500, "Internal Server Error", PASSING, AGAIN),
    (500, "CUDA out of memory", PASSING, AGAIN),
    (501, "This server does not support embeddings. Start it with --embeddings", FINAL, ""),
    (503, "Loading model", PASSING, AGAIN),
    (504, "upstream timed out", PASSING, "try again, or lower --batch-size and --concurrency"),
    (529, "Overloaded", RATE, SLOWER),
    (424, "Backend failed", PASSING, ""),
    (429, f"{GEMINI}|insufficient_quota", FINAL, PLAN),
    (429, f"{GEMINI} Quota exceeded for metric: free_tier_requests, limit: 100. Please retry in 23.1s.", RATE, SLOWER),
    (429, "Resource has been exhausted (e.g. check quota).", RATE, SLOWER),
    (429, f"Request too large for x {TPM}Requested 52000.|tokens", CONTENT, "lower --batch-size"),
    (429, f"Rate limit reached for x {TPM}Used 35000, Requested 6000. Please try again in 1.5s.", RATE, SLOWER),
    (429, "Limit: 3 / min. Please try again in 20s. Please add a payment method to your account.", RATE, SLOWER),
    (
        429,
        "on requests per day (RPD): Limit 200, Used 200.",
        FINAL,
        RENEWED,
    ),
    (429, "on requests per day (RPD). Please try again in 7m12s.", FINAL, "quota used up: try again after "),
    (429, "Trial key, limited to 1000 API calls / month.", FINAL, RENEWED),
    (402, "Payment Required", FINAL, "top up the account"),
    (403, "You've run out of credits.", FINAL, "top up the account"),
    (400, "Your credit balance is too low.", CONTENT, "top up the account"),
    (403, "Country, region, or territory not supported", FINAL, "the provider does not serve the place"),
    (403, "Project `p` does not have access to model `m`|model_not_found", FINAL, ANOTHER),
    (403, "Your account has been suspended", FINAL, "ask the provider's support about the account"),
    (403, "Your IP address is not allowed", FINAL, "allow this machine's IP address in the provider's settings"),
    (403, "Missing scopes: model.request", FINAL, "check what AIMLAPI_API_KEY is allowed to do"),
    (403, "<html><title>Attention Required! | Cloudflare</title>", FINAL, "a firewall or proxy before the server"),
    (403, "Your input was flagged by moderation", CONTENT, ""),
    (401, "Incorrect API key provided", FINAL, "check AIMLAPI_API_KEY: it must be a key for this server"),
    (400, "API key not valid.", CONTENT, "check AIMLAPI_API_KEY: it must be a key for this server"),
    (400, "No connected db.", CONTENT, "check AIMLAPI_API_KEY: it must be a key for this server"),
    (400, "model not found", CONTENT, "check the model name"),
    (404, 'model "x" not found, try pulling it first', FINAL, "check the model name"),
    (404, "Cannot POST /embeddings", FINAL, "is /v1 missing from the base URL (https://api.example.com/v1)?"),
    (405, "<html><title>Not Allowed</title>", FINAL, "is /v1 missing from the base URL"),
]


@pytest.mark.parametrize(("status", "said", "kind", "advice"), SAID, ids=[f"{one[0]} {one[1][:40]}" for one in SAID])
def test_an_error_is_taken_at_its_word(
    monkeypatch: pytest.MonkeyPatch, status: int, said: str, kind: Kind, advice: str
):
    """Whatever its status."""
    monkeypatch.setenv("AIMLAPI_API_KEY", "test-key")
    refusal = _refusal(status, said)
    assert refusal.kind is kind
    assert advice in refusal.message
    assert ("top up" in refusal.message) == ("top up" in advice) or "try again after" in refusal.message


def test_a_server_that_fails_without_a_key_may_want_one():
    """As LiteLLM does."""
    wanted = "try again; if the server asks for a key, set AIMLAPI_API_KEY to it"
    assert wanted in _refusal(500, "Internal Server Error").message


@pytest.mark.parametrize(
    ("said", "most"),
    [
        ("List should have at most 10 items after validation, not 100", 10),
        ("invalid request: total number of texts must be at most 96 - received 100", 96),
        ("batch size 64 > maximum allowed batch size 32", 32),
        ("Value error, batch size is invalid, it should not be larger than 10.: input.contents", 10),
        ("Too many inputs. The max number of inputs is 16. We hope to increase it soon.", 16),
        ("'input': array too long. Expected an array with maximum length 50, but got one with length 100.", 50),
        ("Only 10 inputs per request are supported", 10),
        ("Too many inputs in request, split into more batches", None),
        ("This model's maximum context length is 50 tokens. However, you requested 60 tokens in the input", None),
        ("The prompt (length 60) is longer than the maximum model length of 50. Check the text.", None),
        ("Requested 90 tokens, max 80 tokens per request", None),
    ],
)
def test_the_number_of_texts_that_a_server_names(said: str, most: int | None):
    """Not that of tokens."""
    assert _refusal(400, said).most_texts(100) == most


def _refusal(status: int, said: str):
    message, _, code = said.partition("|") if not said.startswith("<") else (said, "", "")
    body = said if said.startswith("<") else json.dumps({"error": {"message": message, "code": code}})
    spec = EmbedderSpec("aimlapi", "m", None, "https://api.example.com")
    return from_status(httpx.Response(status, content=body), spec)
