"""Private parts of other packages on which the service relies: whether they are still as they were.

If a test here fails after an upgrade, the service may no longer enforce its limits. Its message says what to read.
"""

import inspect
from typing import Any

import h11
import pytest
import uvicorn
from starlette._utils import get_route_path
from uvicorn.protocols.http import auto
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol

import embedclf
from embedclf.service.asgi import route_path
from embedclf.service.connections import HEAD_BYTES, bounded_protocol

CONNECTIONS = "read embedclf/service/connections.py"
SERVER = "read embedclf/service/server.py"
EXTENDED = {"__init__", "connection_made", "connection_lost", "data_received", "send_400_response",
            "_unsupported_upgrade_warning", "pause_writing", "resume_writing"}  # fmt: skip
OF_CONNECTION = {"loop", "connections", "transport", "headers", "cycle", "flow"}
OF_CYCLE = {"response_complete", "response_started", "more_body", "disconnected", "message_event"}


def httptools_protocol() -> Any:
    return pytest.importorskip("uvicorn.protocols.http.httptools_impl").HttpToolsProtocol


def connection_of(protocol: Any) -> Any:
    """A connection that is not open, and has not been asked for anything."""
    config = uvicorn.Config(lambda: None, log_config=None, ws="none")
    config.load()
    return protocol(config, uvicorn.server.ServerState(), {}, _loop=object())


def parameters(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


def check_names(protocol: Any, extended: set[str], attributes: set[str]) -> None:
    name = f"uvicorn's {protocol.__name__}"
    for method in extended:
        assert method in vars(protocol), f"{name} has no {method} any more; {CONNECTIONS}"
    assert parameters(protocol.__init__)[:2] == ["self", "config"], f"{name} is made in another way; {CONNECTIONS}"
    assert parameters(protocol.send_400_response) == ["self", "msg"], f"{name} refuses in another way; {CONNECTIONS}"
    opened = connection_of(protocol)
    for attribute in attributes:
        assert hasattr(opened, attribute), f"{name} has no attribute {attribute} any more; {CONNECTIONS}"
    cycle = inspect.getsource(inspect.getmodule(protocol).RequestResponseCycle.__init__)
    for attribute in OF_CYCLE:
        assert f"self.{attribute}" in cycle, f"a cycle of {name} has no {attribute} any more; {CONNECTIONS}"


def test_uvicorn_reads_requests_with_httptools_or_h11():
    """And with nothing else, for which there would be no limits."""
    known = {"HttpToolsProtocol", "H11Protocol"}
    assert auto.AutoHTTPProtocol.__name__ in known, f"uvicorn has another protocol class; {CONNECTIONS}"
    made = bounded_protocol(embedclf.Limits())
    assert issubclass(made, auto.AutoHTTPProtocol), CONNECTIONS


def test_what_is_extended_of_uvicorn_with_httptools():
    protocol = httptools_protocol()
    callbacks = {"on_headers_complete", "on_body", "on_message_complete"}
    check_names(protocol, EXTENDED | callbacks, OF_CONNECTION | {"pipeline"})
    assert len(connection_of(protocol).pipeline) == 0, f"the pipeline is no sequence any more; {CONNECTIONS}"


def test_what_is_extended_of_uvicorn_with_h11():
    """By `on_headers_complete` the two are told apart."""
    check_names(H11Protocol, EXTENDED | {"handle_events"}, OF_CONNECTION | {"conn"})
    assert not hasattr(H11Protocol, "on_headers_complete"), f"it is taken for httptools' protocol; {CONNECTIONS}"


def test_the_flow_of_a_connection():
    """Whether its responses are not read, and how it is read from again."""
    assert "resume_reading" in vars(FlowControl), f"uvicorn's FlowControl has no resume_reading any more; {CONNECTIONS}"
    source = inspect.getsource(FlowControl.__init__)
    assert "self.write_paused" in source, f"uvicorn's FlowControl has no write_paused any more; {CONNECTIONS}"


def test_httptools_calls_as_it_parses():
    """Each time that it has made something of the bytes: what came before them no longer counts."""
    httptools = pytest.importorskip("httptools")
    calls = []

    class Noting:
        def on_headers_complete(self) -> None:
            calls.append("head")

        def on_body(self, body: bytes) -> None:
            calls.append("body")

        def on_message_complete(self) -> None:
            calls.append("end")

    parser = httptools.HttpRequestParser(Noting())
    parser.feed_data(b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\na")
    assert calls == ["head", "body"], f"httptools calls back in another way; {CONNECTIONS}"
    parser.feed_data(b"b")
    assert calls == ["head", "body", "body", "end"], f"httptools calls back in another way; {CONNECTIONS}"


def test_h11_tells_what_it_has_not_parsed():
    """In the states in which it waits for more, and with the limit that uvicorn's setting hands to it."""
    parser = h11.Connection(h11.SERVER)
    parser.receive_data(b"GET / HT")
    assert parser.next_event() is h11.NEED_DATA
    said = f"h11 shows what is not parsed in another way; {CONNECTIONS}"
    assert (parser.their_state, parser.trailing_data) == (h11.IDLE, (b"GET / HT", False)), said
    parser.receive_data(b"TP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nabc")
    assert isinstance(parser.next_event(), h11.Request)
    assert isinstance(parser.next_event(), h11.Data)
    assert (parser.their_state, parser.trailing_data) == (h11.SEND_BODY, (b"", False)), said


def test_uvicorn_hands_h11_its_limit(monkeypatch: pytest.MonkeyPatch):
    """From the setting that is made for it."""
    monkeypatch.setattr(auto, "AutoHTTPProtocol", H11Protocol)
    made = connection_of(bounded_protocol(embedclf.Limits()))
    made.conn.receive_data(b"GET / HTTP/1.1\r\na: " + b"b" * (HEAD_BYTES - 19))
    assert made.conn.next_event() is h11.NEED_DATA, f"h11 has another limit than the service's; {CONNECTIONS}"
    made.conn.receive_data(b"bb")
    with pytest.raises(h11.RemoteProtocolError):
        made.conn.next_event()


def test_what_is_extended_of_uvicorns_server():
    """Its shutdown, of which the first part is ours."""
    server = uvicorn.Server(uvicorn.Config(lambda: None, log_config=None))
    for name in ("should_exit", "force_exit", "server_state"):
        assert hasattr(server, name), f"uvicorn's Server has no {name} any more; {SERVER}"
    assert isinstance(server.server_state.connections, set), f"uvicorn keeps connections in another way; {SERVER}"
    assert parameters(uvicorn.Server.shutdown) == ["self", "sockets"], f"uvicorn shuts down in another way; {SERVER}"
    assert "self.servers" in inspect.getsource(uvicorn.Server.startup), f"uvicorn's Server has no servers; {SERVER}"
    source = inspect.getsource(uvicorn.Server)
    assert "await self.shutdown(" in source, f"uvicorn does not call shutdown any more; {SERVER}"
    assert "signal.raise_signal(" in source, f"uvicorn does not raise signals again at its end; {SERVER}"


@pytest.mark.parametrize("root", ["", "/", "/pre", "/predict", "/a/b"])
@pytest.mark.parametrize("path", ["/", "/predict", "/predict/", "/pre/predict", "/predict/predict", "/a/b/model", ""])
def test_the_token_is_asked_for_by_the_path_that_starlette_routes(path: str, root: str):
    """Else one path could be looked at by the middleware, and another be answered."""
    scope = {"type": "http", "path": path, "root_path": root}
    said = "Starlette reads the path in another way: read embedclf/service/asgi.py"
    assert route_path(scope) == get_route_path(scope), said
