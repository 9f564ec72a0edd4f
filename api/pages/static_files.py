"""What browsers fetch once: our own CSS and modules, and the vendored libraries, under an address that names their
content. One digest of all files stands in the path, so relative imports between modules keep working."""

import gzip
import hashlib
import mimetypes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import Depends, FastAPI, Request
from fastapi.responses import Response

from api.deps import anyone
from city.errors import NotFound

DIRECTORY = Path(__file__).parent / "static"
FOR_EVER = "public, max-age=31536000, immutable"
_TYPES = {".mjs": "text/javascript", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file as it is sent: its type, its bytes, and the same compressed ("" where that gains nothing)."""

    type: str
    data: bytes
    packed: bytes


@dataclass(frozen=True, slots=True)
class StaticFiles:
    """All files by path, and the digest of all of them."""

    version: str
    files: Mapping[str, StaticFile]

    def url(self, path: str) -> str:
        """The address of a file; "" if it is not there (a vendored library that was never installed)."""
        return f"/static/{self.version}/{path}" if path in self.files else ""

    def size(self, path: str) -> int:
        """Bytes on the wire for a browser that takes gzip."""
        file = self.files[path]
        return len(file.packed or file.data)


@cache
def load(directory: Path = DIRECTORY) -> StaticFiles:
    """Every file below `directory`, read and packed once in a process."""
    files = {path: _read(directory / path) for path in sorted(_paths(directory))}
    digest = hashlib.sha256()
    for path, file in files.items():
        digest.update(path.encode() + b"\0" + hashlib.sha256(file.data).digest())
    return StaticFiles(digest.hexdigest()[:12], files)


def mount_static(app: FastAPI) -> None:
    """Serve the files under /static/, and let pages find their addresses at `app.state.static_files`."""
    loaded = load()
    app.state.static_files = loaded

    @app.get("/static/{version}/{path:path}", include_in_schema=False, dependencies=[Depends(anyone)])
    def static_file(version: str, path: str, request: Request) -> Response:
        file = loaded.files.get(path)
        if file is None:
            raise NotFound("There is no such page.", field="path", rule="exists")
        headers = {"Cache-Control": FOR_EVER if version == loaded.version else "no-cache", "Vary": "Accept-Encoding",
                   "X-Content-Type-Options": "nosniff"}
        if file.packed and "gzip" in request.headers.get("accept-encoding", ""):
            return Response(file.packed, media_type=file.type, headers={**headers, "Content-Encoding": "gzip"})
        return Response(file.data, media_type=file.type, headers=headers)

    @app.get("/favicon.ico", include_in_schema=False, dependencies=[Depends(anyone)])
    def favicon() -> Response:
        return Response(loaded.files["icon.svg"].data, media_type="image/svg+xml",
                        headers={"Cache-Control": "public, max-age=86400"})


def _paths(directory: Path) -> Iterator[str]:
    for file in directory.rglob("*"):
        path = file.relative_to(directory)
        if file.is_file() and not any(part.startswith(".") for part in path.parts):
            yield path.as_posix()


def _read(file: Path) -> StaticFile:
    data = file.read_bytes()
    packed = gzip.compress(data, 6, mtime=0)
    guessed = _TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return StaticFile(guessed, data, packed if len(packed) < len(data) * 0.9 else b"")
