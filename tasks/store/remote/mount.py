"""A folder that several machines mount. A file comes there beside its place, and is renamed."""

import os
import shutil
import socket
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tasks.store.remote.errors import File, OvertakenError, RemoteError


@dataclass(frozen=True)
class Mount:
    """Files by their names below `root`."""

    root: Path

    @classmethod
    def opened(cls, path: str) -> "Mount":
        """Raises RemoteError where there is no such folder: making it might fill the own disk."""
        if not os.path.isdir(path):
            raise RemoteError(f"there is no folder {path} to keep artifacts in: mount or make it")
        return cls(Path(path).absolute())

    def find(self, under: str) -> dict[str, File]:
        """All files below a folder."""
        found = {}
        for path in (self.root / under).rglob("*"):
            with suppress(FileNotFoundError):  # renamed or taken away by another machine
                if path.is_file():
                    told = path.stat()
                    found[str(path.relative_to(self.root))] = File(told.st_size, told.st_mtime)
        return found

    def read(self, name: str) -> bytes:
        """A small file."""
        return (self.root / name).read_bytes()

    def get(self, wanted: Mapping[str, Path]) -> None:
        """Bring files here."""
        for name, path in wanted.items():
            shutil.copyfile(self.root / name, path)

    def put(self, given: Mapping[str, Path]) -> None:
        """Bring files there."""
        for name, path in given.items():
            os.replace(self._beside(name, path), self.root / name)

    def remove(self, names: Iterable[str]) -> None:
        """Take files away, and the folders that are empty then."""
        for name in names:
            (self.root / name).unlink(missing_ok=True)
            with suppress(OSError):  # not empty yet
                for parent in Path(name).parents[:-1]:
                    (self.root / parent).rmdir()

    def version(self, name: str) -> str | None:
        """What tells a file from those before and after it; None where there is none."""
        try:
            with open(self.root / name) as file:  # opened, so that NFS asks its server
                told = os.fstat(file.fileno())
        except FileNotFoundError:
            return None
        return f"{told.st_ino}-{told.st_mtime_ns}-{told.st_size}"

    def swap(self, name: str, path: Path, seen: str | None) -> str:
        """Replace a file if it is still of the version that was seen; return the new version.

        Raises OvertakenError.
        """
        draft = self._beside(name, path)
        try:
            with self._locked(name):
                if self.version(name) != seen:
                    raise OvertakenError(f"another machine has replaced {self.root / name}")
                os.replace(draft, self.root / name)
                return str(self.version(name))
        finally:
            draft.unlink(missing_ok=True)

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        """For the moment of a rename: every mount lets one only make a file, few know flock."""
        lock = self.root / f"{name}.lock"
        try:
            with lock.open("x") as file:
                file.write(f"process {os.getpid()} of {socket.gethostname()}")
        except FileExistsError:
            by = lock.read_text()
            raise OvertakenError(
                f"{by} is replacing {self.root / name}: if it has died, remove {lock}"
            ) from None
        try:
            yield
        finally:
            lock.unlink()

    def _beside(self, name: str, path: Path) -> Path:
        """A copy of a file in the folder where it will be renamed to `name`."""
        draft = (self.root / name).with_name(f".part-{uuid.uuid4().hex}")
        draft.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, draft)
        return draft
