"""A folder that several machines mount. A file is copied beside its place, then renamed."""

import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import SoftFileLock, Timeout

from tasks.store.durable import durable_rename
from tasks.store.remote.errors import ConflictError, RemoteError, RemoteFile


@dataclass(frozen=True)
class Mount:
    """Files by their names below `root`."""

    root: Path

    @classmethod
    def open(cls, path: str) -> "Mount":
        """Raises RemoteError where there is no such folder: making it might fill the local disk."""
        if not os.path.isdir(path):
            raise RemoteError(f"there is no folder {path} to keep artifacts in: mount or make it")
        return cls(Path(path).absolute())

    def list_files(self, under: str) -> dict[str, RemoteFile]:
        """All files below a folder."""
        found = {}
        for path in (self.root / under).rglob("*"):
            with suppress(FileNotFoundError):  # renamed or deleted by another machine
                if path.is_file():
                    info = path.stat()
                    name = str(path.relative_to(self.root))
                    found[name] = RemoteFile(info.st_size, info.st_mtime)
        return found

    def read(self, name: str) -> bytes:
        """A small file."""
        return (self.root / name).read_bytes()

    def download(self, files: Mapping[str, Path]) -> None:
        """Copy remote files to local paths."""
        for name, path in files.items():
            shutil.copyfile(self.root / name, path)

    def upload(self, files: Mapping[str, Path]) -> None:
        """Copy local paths to remote files."""
        for name, path in files.items():
            durable_rename(self._copy_beside(name, path), self.root / name)

    def touch(self, name: str) -> bool:
        """Set the time of a file to now; False where there is none."""
        try:
            os.utime(self.root / name)
        except FileNotFoundError:
            return False
        return True

    def delete(self, names: Iterable[str]) -> None:
        """Delete files, and the folders that are empty then."""
        for name in names:
            (self.root / name).unlink(missing_ok=True)
            with suppress(OSError):  # not empty yet
                for parent in Path(name).parents[:-1]:
                    (self.root / parent).rmdir()

    def version(self, name: str) -> str | None:
        """Inode, modification time and size of a file; None where there is none."""
        try:
            with open(self.root / name) as file:  # opened, so that NFS asks its server
                info = os.fstat(file.fileno())
        except FileNotFoundError:
            return None
        return f"{info.st_ino}-{info.st_mtime_ns}-{info.st_size}"

    def compare_and_swap(self, name: str, path: Path, expected_version: str | None) -> str:
        """Replace a file if it still has the expected version; return the new one.

        Raises ConflictError where it has another, or another machine is replacing it.
        """
        draft = self._copy_beside(name, path)
        try:
            with self._lock(name):
                if self.version(name) != expected_version:
                    raise ConflictError(f"another machine has replaced {self.root / name}")
                durable_rename(draft, self.root / name)
                return str(self.version(name))
        finally:
            draft.unlink(missing_ok=True)

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        """Held for a rename, by creating a file: every mount does so exclusively, few know flock.

        The lock of a dead process of this machine is broken, that of another machine is not.
        """
        lock = self.root / f"{name}.lock"
        try:
            acquired = SoftFileLock(lock).acquire(timeout=0)
        except Timeout:
            pid, host, *_ = [*lock.read_text().split(), "?", "?"]
            raise ConflictError(
                f"process {pid} of {host} is replacing {self.root / name}: if it has died, "
                f"remove {lock}"
            ) from None
        with acquired:
            yield

    def _copy_beside(self, name: str, path: Path) -> Path:
        """A copy of a file in the folder where it will be renamed to `name`."""
        draft = (self.root / name).with_name(f".part-{uuid.uuid4().hex}")
        draft.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, draft)
        return draft
