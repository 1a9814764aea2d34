"""One remote file that several machines replace in turn, by compare-and-swap."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tasks.store.checksum import hash_file
from tasks.store.durable import durable_rename
from tasks.store.remote.errors import RemoteError
from tasks.store.remote.remote_store import RemoteStore


@dataclass(frozen=True)
class SharedFile:
    """The local copy at `path` of the remote's file `name`.

    A file beside the copy holds the version it was taken from, and its hash at that time.
    `find_damage(file)` says why a file cannot be used, `install(draft, path)` replaces the copy.
    """

    path: Path
    remote: RemoteStore
    name: str
    find_damage: Callable[[Path], str | None]
    install: Callable[[Path, Path], None]

    def is_current(self) -> bool:
        """Whether the remote has no other version than the copy's, or none."""
        with self.remote.connect() as files:
            return files.version(self.name) in (None, self._base.get("version"))

    def pull(self) -> str | None:
        """Replace the copy by the remote's file where that is another; return its version or None.

        Raises RemoteError where the remote's file is damaged, and where the copy holds changes that
        the remote never had: the copy stays then.
        """
        with self.remote.connect() as files:
            version = files.version(self.name)
            if version is None or version == self._base.get("version"):
                return version
            draft = self.path.with_name(f".fetched-{self.path.name}")
            files.download({self.name: draft})  # of that version or a later one
        if reason := self.find_damage(draft):
            raise RemoteError(
                f"{self.name} in {self.remote} cannot be used ({reason}): {self.path} stays as it "
                f"is; put a whole copy there, such as that of the machine that published last"
            )
        remote_hash = hash_file(draft)
        if self.path.exists() and hash_file(self.path) not in (self._base.get("hash"), remote_hash):
            raise RemoteError(
                f"{self.path} and the one in {self.remote} each have what the other lacks: move "
                f"the first away, then repeat the runs that only it has"
            )
        self._install(draft, version, remote_hash)
        return version

    def push(self, draft: Path, expected_version: str | None) -> None:
        """Replace the remote's file by a draft if it has the expected version, then the copy.

        Raises ConflictError where another machine was first: nothing is replaced then.
        """
        with self.remote.connect() as files:
            version = files.compare_and_swap(self.name, draft, expected_version)
        self._install(draft, version, hash_file(draft))

    def _install(self, draft: Path, version: str, content_hash: str) -> None:
        self.install(draft, self.path)
        draft.write_text(json.dumps({"version": version, "hash": content_hash}))
        durable_rename(draft, self._base_file)

    @property
    def _base_file(self) -> Path:
        return self.path.with_name(f".version-{self.path.name}")

    @property
    def _base(self) -> dict[str, str]:
        """Version and hash; empty where there is no copy."""
        if not self.path.exists() or not self._base_file.exists():
            return {}
        return dict(json.loads(self._base_file.read_text()))
