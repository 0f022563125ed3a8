"""What we use of other libraries though it is private there: a canary for each tie.

Should one fail under a new version of a library, its message names the file of ours to read.
"""

import io
from importlib.util import find_spec
from pathlib import Path

import joblib
import numpy as np
import openai
import pytest
from langchain_openai import OpenAIEmbeddings

from aimlapi_server import AimlapiServer, error
from embedclf.embedding.aimlapi.client import Client
from embedclf.embedding.aimlapi.settings import Settings
from embedclf.embedding.base import EmbedderSpec
from embedclf.embedding.cache.keys import as_numbers, hash_texts
from embedclf.embedding.cache.segments import write_segment
from embedclf.embedding.usage import Meter
from embedclf.embedding.wordllama import _TOKENIZER, _WEIGHTS

CLIENT = "read embedclf/embedding/aimlapi/client.py"
DEADLINES = "read embedclf/embedding/aimlapi/deadlines.py"
LAYOUT = "read embedclf/embedding/cache/segment_layout.py"


@pytest.fixture
def embeddings(monkeypatch: pytest.MonkeyPatch) -> OpenAIEmbeddings:
    """LangChain's, with headers from the environment."""
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "x-own: value")
    return OpenAIEmbeddings(model="m", base_url="http://127.0.0.1:9", api_key=lambda: "a key")


def test_langchains_embeddings_hold_openais_resource_and_that_its_client(embeddings: OpenAIEmbeddings):
    """Requests go to the one, and the headers of the other are cleared."""
    assert isinstance(embeddings.client, openai.resources.Embeddings), CLIENT
    assert isinstance(getattr(embeddings.client, "_client", None), openai.OpenAI), CLIENT


def test_openais_client_keeps_the_headers_of_the_environment_where_they_are_cleared(embeddings: OpenAIEmbeddings):
    """From OPENAI_CUSTOM_HEADERS: one that cannot be sent would fail before our own are put in their places."""
    if not getattr(embeddings.client._client, "_custom_headers", None):
        pytest.fail(f"_custom_headers no longer holds what OPENAI_CUSTOM_HEADERS says; {CLIENT}")
    assert "x-own" in embeddings.client._client._custom_headers, CLIENT


def test_openais_client_says_how_often_it_tried_and_asks_for_the_raw_answer(api: AimlapiServer):
    """By headers of its own, of which one is read and removed, and the other has to stay."""
    seen: list[dict[str, str]] = []

    class Watched(openai.DefaultHttpxClient):
        def send(self, request, **kwargs):
            seen.append(dict(request.headers))
            return super().send(request, **kwargs)

    with Watched() as http_client:
        embeddings = OpenAIEmbeddings(
            model="text-embedding-3-small", base_url=api.base_url, api_key=lambda: "test-key", http_client=http_client
        )
        embeddings.client.with_raw_response.create(model="text-embedding-3-small", input=["a"])
    assert seen[0].get("x-stainless-retry-count") == "0", CLIENT
    assert "x-stainless-raw-response" in seen[0], CLIENT


def test_openais_client_leaves_out_what_is_omitted_and_heeds_that_it_should_not_retry(api: AimlapiServer):
    """``openai.Omit`` in the body, and the header ``x-should-retry`` of an answer."""
    api.fault = lambda request: error(500, "no", x_should_retry="false")
    embeddings = OpenAIEmbeddings(
        model="text-embedding-3-small", base_url=api.base_url, api_key=lambda: "test-key", max_retries=3
    )
    body = {"input": ["a"], "encoding_format": openai.Omit()}
    with pytest.raises(openai.InternalServerError):
        embeddings.client.create(model="text-embedding-3-small", input="", extra_body=body)
    assert len(api.requests) == 1, CLIENT
    assert api.requests[0].body == {"model": "text-embedding-3-small", "input": ["a"]}, CLIENT


def test_openais_client_does_not_try_again_what_is_no_exception(api: AimlapiServer):
    """A ``BaseException`` from its HTTP client comes through: so a run is stopped, and a hopeless request given up."""

    class GiveUpError(BaseException):
        pass

    class Hopeless(openai.DefaultHttpxClient):
        n_sent = 0

        def send(self, request, **kwargs):
            Hopeless.n_sent += 1
            raise GiveUpError

    with Hopeless() as http_client:
        embeddings = OpenAIEmbeddings(
            model="m", base_url=api.base_url, api_key=lambda: "test-key", http_client=http_client, max_retries=3
        )
        with pytest.raises(GiveUpError):
            embeddings.client.create(model="m", input=["a"])
    assert Hopeless.n_sent == 1, f"{CLIENT} and embedclf/embedding/requests/cancellation.py"


def test_httpx_has_its_transports_and_httpcore_its_backend_where_they_are_replaced():
    """And the backend of a new client is httpcore's own, whose streams have the methods that are wrapped."""
    with openai.DefaultHttpxClient() as http_client:
        transports = [http_client._transport, *http_client._mounts.values()]
        for transport in transports:
            backend = getattr(getattr(transport, "_pool", None), "_network_backend", None)
            assert callable(getattr(backend, "connect_tcp", None)), DEADLINES
            package = __import__(type(backend).__module__.partition(".")[0])
            assert issubclass(package.ReadTimeout, Exception), DEADLINES
            stream = package.NetworkStream
            assert {name for name in vars(stream) if not name.startswith("_")} == {
                "read",
                "write",
                "close",
                "start_tls",
                "get_extra_info",
            }, DEADLINES


def test_an_answer_has_the_stream_of_its_connection(api: AimlapiServer):
    """In the extension ``network_stream``; ours, since the backend was replaced."""
    spec = EmbedderSpec("aimlapi", "text-embedding-3-small", 1536, api.base_url)
    client = Client(spec, Meter(None), Settings(base_url=api.base_url))
    response = client.response(["a"], {}, 1536, 0, lambda: None)
    stream = response.extensions.get("network_stream")
    assert getattr(stream, "read_since_written", None) is True, f"{DEADLINES} and bounds.py beside it"


def test_wordllamas_package_holds_its_tokenizer_and_weights():
    """Its files are read without importing it."""
    package = find_spec("wordllama")
    assert package is not None
    for name in (_TOKENIZER, _WEIGHTS):
        assert (Path(package.origin).parent / name).is_file(), "read embedclf/embedding/wordllama.py"


def test_joblib_writes_arrays_as_segments_have_them():
    """Byte for byte, so that joblib.load reads them."""
    keys = hash_texts(["a", "b", "c"])
    vectors = np.eye(3, 8, dtype=np.float32)
    file = io.BytesIO()
    write_segment(file, keys, vectors, 7)
    content = joblib.load(io.BytesIO(file.getvalue()))
    assert (content["keys"] == as_numbers(keys)).all(), LAYOUT
    dumped = io.BytesIO()
    joblib.dump(content, dumped, protocol=4)
    assert dumped.getvalue() == file.getvalue(), LAYOUT
