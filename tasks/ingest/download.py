"""Brings one file over HTTP: resumed where it broke off, held to its hash, whole or not at all."""

import hashlib
import http.client
import logging
import os
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from tasks.progress import progress

log = logging.getLogger(__name__)
BLOCK = 1 << 20


class SourceError(ValueError):
    """The data cannot be had, or is not laid out in any known way."""


class UnreachableError(SourceError):
    """The outside world did not answer, or broke off: trying again may help."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for a silent server (seconds), and how often to go on where it broke off."""

    silence: float = 60
    attempts: int = 5
    pause: float = 2  # doubled each time


def download(
    url: str,
    file: Path,
    *,
    size: int | None = None,
    md5: str | None = None,
    patience: Patience = Patience(),
) -> None:
    """Bring `url` to `file`, which appears only when its size and MD5 are as expected.

    What has come stays in a hidden `.part` beside it, so that a later call goes on from there.
    Raises UnreachableError where the server does not send it all, SourceError where it sends
    something else (which is removed), or says that there is no such file.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    for attempt in range(patience.attempts):
        try:
            _go_on(url, part, size, patience.silence)
            break
        except UnreachableError as error:
            if attempt + 1 == patience.attempts:
                raise
            log.warning("%s; going on where it broke off", error)
            time.sleep(patience.pause * 2**attempt)
    if md5 and (found := _md5(part)) != md5:
        _discard(part)
        raise SourceError(f"{url} has MD5 {found}, not {md5}: removed; see whether it has changed")
    os.replace(part, file)
    _discard(part)


def _go_on(url: str, part: Path, size: int | None, silence: float) -> None:
    """Ask for what is still lacking of the version begun with, or for all of another one."""
    have, version = _begun(part)
    request = urllib.request.Request(url)
    if have:
        request.add_header("Range", f"bytes={have}-")
        request.add_header("If-Range", version)
    try:
        with urllib.request.urlopen(request, timeout=silence) as answer:
            resumed = answer.status == http.client.PARTIAL_CONTENT
            have = have if resumed else 0
            total = _total(answer, have)
            if size is not None and total not in (None, size):
                raise SourceError(f"{url} has {total} bytes, not {size}: not downloaded")
            if resumed and not (answer.headers["Content-Range"] or "").startswith(f"bytes {have}-"):
                _discard(part)
                raise UnreachableError(f"{url} goes on elsewhere than it was asked to")
            version = answer.headers["ETag"] or answer.headers["Last-Modified"] or ""
            _version_file(part).write_text(version)
            _append(answer, part, have, total)
    except urllib.error.HTTPError as error:
        _refused(url, part, error)
    except (OSError, http.client.HTTPException) as error:
        raise UnreachableError(f"{url} broke off: {error or type(error).__name__}") from None
    got, wanted = part.stat().st_size, size if total is None else total
    if wanted is not None and got != wanted:
        raise UnreachableError(f"{url} broke off after {got} of {wanted} bytes")


def _begun(part: Path) -> tuple[int, str]:
    """Bytes that have come, and of which version; none of a version that cannot be named."""
    try:
        version = _version_file(part).read_text()
        return (part.stat().st_size, version) if version else (0, "")
    except FileNotFoundError:
        return 0, ""


def _append(answer: http.client.HTTPResponse, part: Path, have: int, total: int | None) -> None:
    with part.open("r+b" if have else "wb") as written, progress("download", total, "B") as bar:
        written.seek(have)
        bar.update(have)
        while block := answer.read1(BLOCK):
            written.write(block)
            bar.update(len(block))


def _total(answer: http.client.HTTPResponse, have: int) -> int | None:
    length = answer.headers.get("Content-Length")
    return None if length is None else have + int(length)


def _refused(url: str, part: Path, error: urllib.error.HTTPError) -> None:
    """A server that cannot at the moment may be asked again; one that has no such file may not."""
    if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
        _discard(part)  # longer than what the server has: begin anew
        raise UnreachableError(f"{url} has changed since the download began") from None
    if error.code >= 500 or error.code == http.client.TOO_MANY_REQUESTS:
        raise UnreachableError(f"{url} answers {error.code} {error.reason}") from None
    raise SourceError(
        f"{url} answers {error.code} {error.reason}: see whether the address still holds, or "
        "download the file by other means and name the folder"
    ) from None


def _version_file(part: Path) -> Path:
    return part.with_suffix(".version")


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _version_file(part).unlink(missing_ok=True)


def _md5(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "md5").hexdigest()
