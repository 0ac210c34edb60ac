"""Where the site is published: a bucket of S3, Google or Azure by one client, or a folder."""

from __future__ import annotations

import gzip
import mimetypes
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from synthprobe.errors import ReportError
from synthprobe.files import write_whole
from synthprobe.tools import needs

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_PACKED = ("text/", "application/json", "application/javascript", "image/svg+xml")
_PAYS_FROM = 1_400  # bytes: below it an answer is one packet anyway
_TRIES = 2
_OF_THE_CLOUD = ("169.254.169.254", "/latest/api/token")
"""What an address has at which clouds give their machines credentials."""


class Held(Struct, frozen=True, kw_only=True):
    """An object of a store: its bytes, its kind, and a tag by which a change by somebody else is noticed."""

    data: bytes
    media_type: str
    tag: Any


class Seen(Struct, frozen=True, kw_only=True):
    """An object that a store lists: its path, when it was written, and its bytes."""

    path: str
    at: datetime
    size: int


class Store(Protocol):
    """What publishing and serving need of a place."""

    shown: str

    def get(self, path: str) -> Held | None:
        """An object; nothing when there is none."""

    def put(self, path: str, data: bytes) -> None:
        """Write an object, whole or not at all."""

    def replace(self, path: str, data: bytes, tag: Any) -> bool:
        """Write an object unless somebody changed it since it was read; ``None`` stands for none."""

    def delete(self, paths: Sequence[str]) -> None:
        """Remove objects; those that are gone already are none the less gone."""

    def listed(self, prefix: str) -> Iterator[Seen]:
        """What stands below a prefix."""

    def is_open(self, path: str) -> bool:
        """Whether the place answers whoever asks, without credentials."""


def open_store(url: str, *, timeout_s: float = 45.0) -> Store:
    """The place an address names; credentials come from where its own tools look for them."""
    if url.startswith("file://"):
        return FolderStore(Path(unquote(urlsplit(url).path)))
    return BucketStore(url, timeout_s)


class FolderStore:
    """A folder of this machine, or one that is mounted."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.shown = root.as_uri() if root.is_absolute() else str(root)

    def get(self, path: str) -> Held | None:
        """Read a file below the folder; what a link leads out of it to is not there."""
        place = self._root / path
        try:
            if not place.resolve().is_relative_to(self._root.resolve()) or not place.is_file():
                return None
            data = place.read_bytes()
            return Held(data=data, media_type=media_type(path), tag=data)
        except ValueError:  # a name that no file can have
            return None
        except OSError as error:
            raise ReportError(f"{self.shown} cannot be read: {error.strerror}. Check its rights.") from error

    def put(self, path: str, data: bytes) -> None:
        try:
            (self._root / path).parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._root / path, data)
        except OSError as error:
            raise ReportError(
                f"{self.shown} cannot be written: {error.strerror}. Check its rights and the free space."
            ) from error

    def replace(self, path: str, data: bytes, tag: Any) -> bool:
        from filelock import FileLock

        try:
            self._root.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._root / ".publishing.lock")
        except OSError as error:
            raise ReportError(f"{self.shown} cannot be written: {error.strerror}. Check its rights.") from error
        with lock:
            known = self.get(path)
            if (known.tag if known else None) != tag:
                return False
            self.put(path, data)
            return True

    def delete(self, paths: Sequence[str]) -> None:
        """Remove files, and folders that are empty then."""
        for path in paths:
            place = self._root / path
            with suppress(OSError):  # what cannot be removed stands there, and nothing leads to it
                place.unlink()
            for above in place.parents:
                if above == self._root or not above.is_relative_to(self._root):
                    break
                with suppress(OSError):  # is not empty, or gone
                    above.rmdir()

    def listed(self, prefix: str) -> Iterator[Seen]:
        for place in sorted((self._root / prefix).rglob("*")):
            with suppress(FileNotFoundError):  # somebody else removed it meanwhile
                found = place.stat()
                if S_ISREG(found.st_mode):
                    at = datetime.fromtimestamp(found.st_mtime, UTC)
                    yield Seen(path=place.relative_to(self._root).as_posix(), at=at, size=found.st_size)

    def is_open(self, path: str) -> bool:
        """A folder answers nobody by itself."""
        return False


class BucketStore:
    """A bucket, by obstore."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self.shown = url.rstrip("/")
        self._timeout_s = timeout_s
        self._store = self._opened()
        self.requests = 0
        self._counting = threading.Lock()

    def get(self, path: str) -> Held | None:
        """Read an object; one that is packed is unpacked."""
        import obstore
        from obstore.exceptions import NotFoundError

        with self._sentences(f"read {path}"):
            try:
                found = obstore.get(self._store, path)
            except (NotFoundError, FileNotFoundError):
                return None
            data, meta = bytes(found.bytes()), found.meta
            if found.attributes.get("Content-Encoding") == "gzip":
                data = gzip.decompress(data)
            kind = str(found.attributes.get("Content-Type") or media_type(path))
            tag = {name: meta[name] for name in ("e_tag", "version") if meta[name]}
            return Held(data=data, media_type=kind, tag=tag)

    def put(self, path: str, data: bytes) -> None:
        """Write an object in one request, so that nothing is left of a half one."""
        self._put(path, data, "overwrite")

    def replace(self, path: str, data: bytes, tag: Any) -> bool:
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        try:
            self._put(path, data, "create" if tag is None else tag)
        except (AlreadyExistsError, PreconditionError):
            return False
        return True

    def delete(self, paths: Sequence[str]) -> None:
        import obstore
        from obstore.exceptions import NotFoundError

        if not paths:
            return
        with self._sentences("remove what is kept no longer"):
            try:
                obstore.delete(self._store, list(paths))
            except (NotFoundError, FileNotFoundError):  # but for S3, an object that is gone ends it for the others
                for path in paths:
                    with suppress(NotFoundError, FileNotFoundError):
                        obstore.delete(self._store, path)

    def listed(self, prefix: str) -> Iterator[Seen]:
        import obstore

        with self._sentences(f"list {prefix}"):
            for found in obstore.list(self._store, prefix):
                for meta in found:
                    yield Seen(path=meta["path"], at=meta["last_modified"], size=meta["size"])

    def is_open(self, path: str) -> bool:
        """Ask as a stranger would; only a refusal shows that strangers are refused."""
        import obstore
        from obstore.exceptions import NotFoundError, PermissionDeniedError, UnauthenticatedError

        with self._sentences("see whether strangers are refused"):
            try:
                obstore.head(self._opened(skip_signature=True), path)
            except (PermissionDeniedError, UnauthenticatedError):
                return False
            except (NotFoundError, FileNotFoundError):
                return True
            return True

    def _put(self, path: str, data: bytes, mode: Any) -> None:
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        kind = media_type(path)
        attributes = {"Content-Type": kind, "Cache-Control": "no-cache"}
        if is_text(kind) and len(data) >= _PAYS_FROM:
            data, attributes["Content-Encoding"] = gzip.compress(data, mtime=0), "gzip"
        with self._sentences(f"write {path}", AlreadyExistsError, PreconditionError):
            obstore.put(self._store, path, data, attributes=attributes, mode=mode, use_multipart=False)

    def _opened(self, **more: Any) -> ObjectStore:
        with needs("publish", f"Publishing at {self.shown}", ReportError):
            from obstore.store import from_url
        if self.shown.startswith("s3://"):
            more["conditional_put"] = "etag"
        limit = timedelta(seconds=self._timeout_s)
        try:
            return from_url(
                self.shown,
                client_options={
                    "allow_http": True,
                    "timeout": limit,
                    "connect_timeout": min(limit, timedelta(seconds=5)),
                },
                retry_config={"max_retries": _TRIES, "retry_timeout": limit},
                **more,
            )
        except Exception as error:
            raise ReportError(f"{self.shown} is no place to publish at: {_first(error)}") from None

    @contextmanager
    def _sentences(self, doing: str, *through: type[Exception]) -> Iterator[None]:
        from obstore.exceptions import NotFoundError, PermissionDeniedError, UnauthenticatedError

        with self._counting:
            self.requests += 1
        try:
            yield
        except (PermissionDeniedError, UnauthenticatedError) as error:
            why = (
                "credentials of this machine are not accepted there, or its clock is wrong. Check both, and what the "
                "credentials may do."
            )
            if "RequestTimeTooSkewed" in str(error):
                why = "clock of this machine is wrong. Set it by a time server."
            raise ReportError(f"{self.shown} refused to {doing}: the {why}") from None
        except (NotFoundError, FileNotFoundError):
            raise ReportError(f"{self.shown} has no such bucket. Make it, or correct [publish] url.") from None
        except ReportError:
            raise
        except Exception as error:
            if isinstance(error, through):
                raise
            if any(part in str(error) for part in _OF_THE_CLOUD):
                raise ReportError(
                    f"At {self.shown} this could not be done: {doing}. No credentials stand in the environment, so the "
                    "cloud that this machine might belong to was asked for some, and gave none. Set those that the "
                    f"store's own tools use, AWS_ACCESS_KEY_ID and its like. ({_first(error)})"
                ) from None
            raise ReportError(
                f"At {self.shown} this could not be done: {doing}. {_first(error)} Check that it is reached "
                "from here and has room."
            ) from None


def is_text(kind: str) -> bool:
    """Whether packing pays."""
    return kind.startswith(_PACKED)


def media_type(path: str) -> str:
    kind, _ = mimetypes.guess_type(path)
    return kind or "application/octet-stream"


def _first(error: Exception) -> str:
    """What a client says, without the request it repeats below."""
    text = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return f"{text[:200].rstrip('.')}."
