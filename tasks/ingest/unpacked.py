"""Folders that were unpacked from a download carry hashes, which are compared at each use."""

import logging
from pathlib import Path

from tasks.store.checksum import dump_json, hash_file, parse_json
from tasks.store.durable import discard_folder, durable_rename

HASHES = ".hashes.json"
log = logging.getLogger(__name__)


def is_intact(folder: Path) -> bool:
    """Whether a folder is there, with its files as they were unpacked; a warning says why not."""
    if not folder.is_dir():
        return False
    if reason := _find_damage(folder):
        log.warning("%s %s: unpacking it again", folder, reason)
    return reason is None


def list_unpacked(folder: Path) -> list[Path]:
    """The files of an intact folder that were unpacked into it."""
    return [folder / name for name in _read_hashes(folder)]


def commit_unpacked(draft: Path, folder: Path) -> None:
    """Write the hashes of its files into a draft; it replaces a folder that is not intact."""
    hashes = {path.name: hash_file(path) for path in draft.iterdir()}
    (draft / HASHES).write_text(dump_json({"files": hashes}))
    if folder.exists():
        discard_folder(folder)
    durable_rename(draft, folder)


def _find_damage(folder: Path) -> str | None:
    try:
        hashes = _read_hashes(folder)
    except (OSError, ValueError, KeyError) as error:
        return f"has no list of hashes that can be read ({error})"
    for name, expected in hashes.items():
        try:
            if hash_file(folder / name) != expected:
                return f"is damaged ({name} has changed)"
        except OSError as error:
            return f"is damaged ({name} cannot be read: {error.strerror})"
    return None


def _read_hashes(folder: Path) -> dict[str, str]:
    """By file name, in order."""
    return dict(sorted(parse_json((folder / HASHES).read_bytes())["files"].items()))
