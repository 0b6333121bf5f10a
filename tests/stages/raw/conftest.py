"""A registry on loopback that can drop the connection, and archives made on the spot."""

import io
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from stages.raw import download


@dataclass
class Registry:
    """Serves `body` at every path; the first answers end after `drops` bytes or are the `statuses`."""

    body: bytes
    drops: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    honours_range: bool = True
    ranges: list[str | None] = field(default_factory=list)
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        registry = self.server.registry
        asked = self.headers.get("Range")
        registry.ranges.append(asked)
        if registry.statuses:
            return self.send_error(registry.statuses.pop(0))
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and registry.honours_range else 0
        body = registry.body[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(registry.body) - 1}/{len(registry.body)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: registry.drops.pop(0)] if registry.drops else body)
        self.close_connection = True

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def registry(monkeypatch, tmp_path) -> Iterator[Registry]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(download, "PAUSE_S", 0.001)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        registry = server.registry = Registry(body=b"", url=f"http://127.0.0.1:{server.server_port}/thing-1.0.tgz")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield registry
        server.shutdown()
        thread.join()


def member(name: str, *, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    """Describe a tar member by hand, as no honest program would."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mtime = kind, target, 1_700_000_000
    return info


def write_tgz(path: Path, contents: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for info, data in contents:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path
