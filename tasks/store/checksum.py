"""Files that carry their own SHA-256: damage is noticed when they are read, not only when built.

In JSON it is the key `sha256`, over the rest; in other files the last 32 bytes, over those before.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from tasks.store.durable import durable_rename

KEY = "sha256"
SIZE = hashlib.sha256().digest_size
log = logging.getLogger(__name__)


class DamagedFileError(ValueError):
    """A file differs from its own SHA-256."""


def dump_json(content: Mapping[str, Any]) -> str:
    """The text of a JSON object with its SHA-256."""
    plain = json.loads(json.dumps(content))  # keys as they are read: strings
    return json.dumps(plain | {KEY: _hash_json(plain)}, indent=1, sort_keys=True)


def parse_json(text: str | bytes) -> dict[str, Any]:
    """What `dump_json` was given. Raises ValueError where the text is damaged.

    A text without a hash was written before there was one, and is taken as it is.
    """
    content = json.loads(text)
    if not isinstance(content, dict) or content.pop(KEY, None) not in (None, _hash_json(content)):
        raise DamagedFileError("it differs from its own sha256")
    return content


def commit_file(draft: Path, path: Path) -> None:
    """Append the SHA-256 of a draft to it, and rename it over `path`."""
    digest = bytes.fromhex(hash_file(draft))
    with draft.open("ab") as file:
        file.write(digest)
    durable_rename(draft, path)


def read_file(path: Path) -> bytes:
    """What was committed. Raises DamagedFileError where it has changed since."""
    content = path.read_bytes()
    body, digest = content[:-SIZE], content[-SIZE:]
    if hashlib.sha256(body).digest() != digest:
        raise DamagedFileError(f"{path} has changed since it was written")
    return body


def discard_damaged(path: Path) -> bool:
    """Delete a committed file that has changed since, with a warning; whether it was deleted."""
    try:
        read_file(path)
    except DamagedFileError as error:
        log.warning("%s: deleting it, its work is done again", error)
        path.unlink(missing_ok=True)
        return True
    return False


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_unchanged_file(path: Path) -> str:
    """The same, read once by a process for as long as the file's size and time stay as they are.

    A laptop hashes 0.5 GB/s and more. Nothing is kept between processes: what a disk has damaged
    without a new time is noticed by the next one.
    """
    info = path.stat()
    return _hash_version(path, info.st_size, info.st_mtime_ns)


@lru_cache(maxsize=100_000)
def _hash_version(path: Path, _size: int, _mtime_ns: int) -> str:
    return hash_file(path)


def _hash_json(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
