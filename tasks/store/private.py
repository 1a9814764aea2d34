"""Keeps what a process writes to the user it runs as."""

import errno
import os
from pathlib import Path

UMASK = 0o077  # new files and folders are their user's alone
FOLDERS = ("data", "artifacts")


def keep_private(root: Path) -> None:
    """Set the umask of this process, and close a store's folders to other users.

    Folders that belong to another user or lie on a read-only disk stay as they are.
    """
    os.umask(UMASK)
    for folder in (root / name for name in FOLDERS):
        if folder.is_dir() and folder.stat().st_uid == os.getuid():
            try:
                folder.chmod(0o700)
            except OSError as error:
                if error.errno != errno.EROFS:
                    raise
