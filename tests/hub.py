"""A hub of a few files on this machine, for the hub's own client."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from huggingface_hub import constants

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """What the hub holds, and what it was asked for.

    Attributes:
        files: Contents by ``owner/name/path``.
        gated: Repositories that only those with access may read.
        asked: The files that were downloaded.
    """

    files: dict[str, bytes]
    gated: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Return the status, the hub's own error code and the content."""
        repo, _, rest = path.removeprefix("/datasets/").partition("/resolve/")
        commit, _, name = rest.partition("/")
        if not any(key.startswith(f"{repo}/") for key in self.files):
            return 401, "RepoNotFound", b""
        if repo in self.gated:
            return 403, "GatedRepo", b""
        if commit != COMMIT:
            return 404, "RevisionNotFound", b""
        content = self.files.get(f"{repo}/{name}")
        return (404, "EntryNotFound", b"") if content is None else (200, "", content)


def connect(hub: Hub, patch: pytest.MonkeyPatch) -> None:
    """Have the hub's client ask this hub."""
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE
    local = template.replace(constants.ENDPOINT, hub.url)
    patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", local)
    patch.setattr(constants, "ENDPOINT", hub.url)
    patch.setattr(constants, "HF_HUB_OFFLINE", False)
    patch.setenv("NO_PROXY", "127.0.0.1")


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve the hub, with its address in ``url``, inside the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, code, content = hub.answer(self.path)
            self.send_response(status)
            for key, value in {
                "X-Error-Code": code,
                "X-Repo-Commit": COMMIT,
                "ETag": f'"{abs(hash(content))}"',
                "Content-Length": str(len(content)),
            }.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)
                if "/resolve/" in self.path:
                    hub.asked.append(self.path)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Keep the tests' output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
