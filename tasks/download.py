"""Downloads one file over HTTP: resumable, verified by size and MD5, visible only when complete."""

import hashlib
import http.client
import logging
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from tasks.progress import progress
from tasks.store.durable import durable_rename

log = logging.getLogger(__name__)
BLOCK = 1 << 20
MAX_BYTES = 2 * 10**9  # of a file whose size is not known beforehand; the largest zip has 0.3


class SourceError(ValueError):
    """The data cannot be fetched, or has no known format."""


class UnreachableError(SourceError):
    """A server did not answer, or broke off: a retry may help."""


@dataclass(frozen=True)
class RetryPolicy:
    """Socket timeout in seconds, number of attempts, and seconds before the second attempt."""

    timeout: float = 60
    attempts: int = 5
    backoff: float = 2  # doubled after each attempt


def download(
    url: str,
    file: Path,
    *,
    size: int | None = None,
    md5: str | None = None,
    retry: RetryPolicy = RetryPolicy(),
) -> None:
    """Download `url` to `file`, which appears only with the expected size and MD5.

    Partial data stays in a hidden `.part` beside it, from which a later call resumes.
    Raises UnreachableError where the server does not send everything, SourceError where the file
    differs (it is removed) or does not exist there.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    for attempt in range(retry.attempts):
        try:
            _resume(url, part, size, retry.timeout)
            break
        except UnreachableError as error:
            if attempt + 1 == retry.attempts:
                raise
            log.warning("%s; resuming", error)
            time.sleep(retry.backoff * 2**attempt)
    if md5 and (found := hash_md5(part)) != md5:
        _discard_part(part)
        raise SourceError(
            f"{url} has MD5 {found}, not {md5}: removed; check whether the file has changed"
        )
    durable_rename(part, file)
    _discard_part(part)


def _resume(url: str, part: Path, size: int | None, timeout: float) -> None:
    """Request the missing bytes of the version in `part`, or all of a changed one."""
    received, version = _partial_state(part)
    if not url.startswith(("https://", "http://")):
        raise SourceError(f"{url} is no address of the web: use https")
    request = urllib.request.Request(url)  # noqa: S310
    if received:
        request.add_header("Range", f"bytes={received}-")
        request.add_header("If-Range", version)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:  # noqa: S310
            resumed = response.status == http.client.PARTIAL_CONTENT
            received = received if resumed else 0
            total = _total_size(response, received)
            if size is not None and total not in (None, size):
                raise SourceError(f"{url} has {total} bytes, not {size}: not downloaded")
            limit = MAX_BYTES if size is None else size
            if resumed and not (response.headers["Content-Range"] or "").startswith(
                f"bytes {received}-"
            ):
                _discard_part(part)
                raise UnreachableError(f"{url} resumes at another offset than requested")
            version = response.headers["ETag"] or response.headers["Last-Modified"] or ""
            _version_file(part).write_text(version)
            _append_body(response, part, received, total, limit)
    except urllib.error.HTTPError as error:
        _raise_for_status(url, part, error)
    except (OSError, http.client.HTTPException) as error:
        raise UnreachableError(f"{url} broke off: {error or type(error).__name__}") from None
    size_found, size_expected = part.stat().st_size, size if total is None else total
    if size_expected is not None and size_found != size_expected:
        raise UnreachableError(f"{url} broke off after {size_found} of {size_expected} bytes")


def _partial_state(part: Path) -> tuple[int, str]:
    """The bytes in `part` and their version (ETag); (0, "") where the version is unknown."""
    try:
        version = _version_file(part).read_text()
        return (part.stat().st_size, version) if version else (0, "")
    except FileNotFoundError:
        return 0, ""


def _append_body(
    response: http.client.HTTPResponse, part: Path, received: int, total: int | None, limit: int
) -> None:
    """Raises SourceError where more than `limit` bytes come or are announced."""
    with part.open("r+b" if received else "wb") as written, progress("download", total, "B") as bar:
        written.seek(received)
        bar.update(received)
        while block := response.read1(BLOCK):
            received += len(block)
            if max(received, total or 0) > limit:
                _discard_part(part)
                raise SourceError(f"{response.url} sends more than {limit} bytes: not downloaded")
            written.write(block)
            bar.update(len(block))


def _total_size(response: http.client.HTTPResponse, received: int) -> int | None:
    length = response.headers.get("Content-Length")
    return None if length is None else received + int(length)


def _raise_for_status(url: str, part: Path, error: urllib.error.HTTPError) -> None:
    """Raise UnreachableError where a retry may help, else SourceError."""
    if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
        _discard_part(part)  # the part is longer than the file: start again
        raise UnreachableError(f"{url} has changed since the download began") from None
    if error.code >= 500 or error.code == http.client.TOO_MANY_REQUESTS:
        raise UnreachableError(f"{url} answers {error.code} {error.reason}") from None
    raise SourceError(
        f"{url} answers {error.code} {error.reason}: check the address, or download the "
        "file by other means and set `data` to its folder"
    ) from None


def _version_file(part: Path) -> Path:
    return part.with_suffix(".version")


def _discard_part(part: Path) -> None:
    part.unlink(missing_ok=True)
    _version_file(part).unlink(missing_ok=True)


def hash_md5(file: Path) -> str:
    """MD5 of a file's bytes, in hex: what GroupLens publishes."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "md5").hexdigest()
