"""A model hub on loopback, which serves the files of a folder as one repository, as huggingface_hub asks for them."""

import hashlib
import http.server
import json
import threading
from pathlib import Path
from typing import Any

COMMIT = 40 * "a"


class HubServer:
    """Use it as a context manager.

    Attributes
    ----------
    requests : list of str
        Every request so far, as ``METHOD path``.
    """

    def __init__(self, folder: Path, repository: str) -> None:
        self.folder, self.repository = folder, repository
        self.requests: list[str] = []
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                hub.requests.append(f"{self.command} {path}")
                found = hub._answer(path)
                content, headers = found or (b"", {})
                self.send_response(200 if found else 404)
                for name, value in {**headers, "content-length": len(content)}.items():
                    self.send_header(name, str(value))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(content)

            do_HEAD = do_GET  # noqa: N815 - the library's name

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "HubServer":
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, path: str) -> tuple[bytes, dict[str, Any]] | None:
        as_json = {"content-type": "application/json"}
        files = {file.relative_to(self.folder).as_posix(): file for file in self.folder.rglob("*") if file.is_file()}
        if path.startswith(f"/api/models/{self.repository}/tree/"):
            entries = [
                {"type": "file", "path": name, "size": file.stat().st_size, "oid": _etag(file.read_bytes())}
                for name, file in files.items()
            ]
            return json.dumps(entries).encode(), as_json
        if path.startswith(f"/api/models/{self.repository}"):
            about = {"id": self.repository, "sha": COMMIT, "siblings": [{"rfilename": name} for name in files]}
            return json.dumps(about).encode(), as_json
        name = path.removeprefix(f"/{self.repository}/resolve/{COMMIT}/")
        if name not in files:
            return None
        content = files[name].read_bytes()
        return content, {"etag": f'"{_etag(content)}"', "x-repo-commit": COMMIT}


def _etag(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()
