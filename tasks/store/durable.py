"""Renames files and folders so that a power failure leaves the old content or the new, whole."""

import os
import shutil
import uuid
from pathlib import Path


def durable_rename(draft: Path, target: Path) -> None:
    """Flush a draft to disk, rename it over `target`, and flush the rename.

    A draft is a file, or a folder with all that it holds. Every rename of the project is this one:
    without the first flush a new name can stand for empty blocks, without the second the old name
    can come back.
    """
    for path in (*draft.rglob("*"), draft) if draft.is_dir() else (draft,):
        _fsync(path)
    os.replace(draft, target)
    _fsync(target.parent)


def discard_folder(folder: Path) -> None:
    """Delete a folder: renamed first, so that nobody sees a part of it under its name."""
    hidden = folder.with_name(f".gone-{folder.name.lstrip('.')}-{uuid.uuid4().hex[:8]}")
    durable_rename(folder, hidden)
    shutil.rmtree(hidden)


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
