"""One file that several machines replace in turn: nobody overwrites what it has not seen."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from tasks.store.manifest import file_hash
from tasks.store.remote.errors import RemoteError
from tasks.store.remote.remote_store import Remote


@dataclass(frozen=True)
class Shared:
    """The copy of this machine at `path`, of what the remote has under `name`.

    Beside the copy is noted which version it is of, and its hash at that time.
    """

    path: Path
    remote: Remote
    name: str

    def is_newest(self) -> bool:
        """Whether the remote has nothing else than what this machine took or put there last."""
        with self.remote.reached() as place:
            return place.version(self.name) in (None, self._noted.get("version"))

    def refresh(self) -> str | None:
        """Make the copy the remote's where that is another; return its version, None without one.

        Raises RemoteError where this machine's copy has what the remote's never had.
        """
        with self.remote.reached() as place:
            version = place.version(self.name)
            if version is None or version == self._noted.get("version"):
                return version
            draft = self.path.with_name(f".fetched-{self.path.name}")
            place.get({self.name: draft})  # of that version or a later one, never of an earlier
        fetched = file_hash(draft)
        if self.path.exists() and file_hash(self.path) not in (self._noted.get("hash"), fetched):
            raise RemoteError(
                f"{self.path} and the one in {self.remote} each have what the other lacks: move "
                f"the first away, then run the nights again that only it knows"
            )
        self._take(draft, version, fetched)
        return version

    def replace(self, draft: Path, seen: str | None) -> None:
        """Put a draft in the place of the version that was seen, there and then here.

        Raises OvertakenError where another machine was quicker: nothing is replaced then.
        """
        with self.remote.reached() as place:
            version = place.swap(self.name, draft, seen)
        self._take(draft, version, file_hash(draft))

    def _take(self, draft: Path, version: str, hashed: str) -> None:
        draft.chmod(0o600)
        os.replace(draft, self.path)
        draft.write_text(json.dumps({"version": version, "hash": hashed}))
        os.replace(draft, self._note)

    @property
    def _note(self) -> Path:
        return self.path.with_name(f".version-{self.path.name}")

    @property
    def _noted(self) -> dict[str, str]:
        """Nothing where there is no copy: what is noted is of one that has gone."""
        if not self.path.exists() or not self._note.exists():
            return {}
        return dict(json.loads(self._note.read_text()))
