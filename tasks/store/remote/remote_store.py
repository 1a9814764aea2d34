"""Keeps finished folders in a place that other machines see, and brings them back.

A folder there is finished when it has its manifest, which comes last and goes first. What is
brought back is held to the hashes of its manifest.
"""

import json
import os
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tasks.store.manifest import damage, into_place
from tasks.store.remote.bucket import Bucket
from tasks.store.remote.errors import DamagedError, File, RemoteError
from tasks.store.remote.mount import Mount

BEHIND_BUCKETS = ("botocore", "aiobotocore", "aiohttp")  # whose errors are not all OSError


@dataclass(frozen=True)
class Folder:
    """A folder of the remote; moments are in seconds since 1970, `finished` None if it is not."""

    bytes: int
    touched: float
    finished: float | None


@dataclass(frozen=True)
class Remote:
    """What lies below `s3://bucket/prefix` or the path of a mount, by names such as a store's.

    Every method raises RemoteError where it cannot be reached.
    """

    url: str

    def folders(self, under: str) -> dict[str, Folder]:
        """All folders `home/kind/fingerprint` below `home` or `home/kind`, by that name."""
        with self.reached() as place:
            found = place.find(under)
        files: dict[str, dict[str, File]] = defaultdict(dict)
        for name, file in found.items():
            parts = name.split("/")
            if len(parts) > 3:  # the metric file lies beside the kinds
                files["/".join(parts[:3])]["/".join(parts[3:])] = file
        return {name: _folder(of) for name, of in files.items()}

    def has(self, name: str) -> bool:
        """Whether a folder is finished there."""
        with self.reached() as place:
            return place.version(f"{name}/manifest.json") is not None

    def manifest(self, name: str) -> dict[str, Any]:
        """The manifest of a folder that is finished there."""
        with self.reached() as place:
            return dict(json.loads(place.read(f"{name}/manifest.json")))

    def fetch(self, name: str, folder: Path) -> bool:
        """Bring a finished folder here, in one step; False where there is none.

        Its manifest keeps the moment of its end. Raises DamagedError where a file has not the
        hash that the manifest says.
        """
        if not self.has(name):
            return False
        draft = folder.with_name(f".draft-fetched-{folder.name}")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        with self.reached() as place:
            found = {str(Path(f).relative_to(name)): file for f, file in place.find(name).items()}
            wanted = {f"{name}/{f}": draft / f for f in found if not _is_hidden(f)}
            for path in wanted.values():
                path.parent.mkdir(parents=True, exist_ok=True)
            place.get(wanted)
            os.utime(draft / "manifest.json", (found["manifest.json"].moment,) * 2)
        if harm := damage(draft):
            raise DamagedError(f"{name} in {self} is damaged ({harm})")
        into_place(draft, folder)
        return True

    def keep(self, folder: Path, name: str) -> None:
        """Bring a finished folder there, if it is not there."""
        if self.has(name):
            return
        found = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
        manifest = found.pop("manifest.json")
        with self.reached() as place:
            place.put({f"{name}/{file}": path for file, path in found.items()})
            place.put({f"{name}/manifest.json": manifest})

    def remove(self, name: str) -> None:
        """Take a folder away; who is killed at it leaves one that is not finished."""
        with self.reached() as place:
            files = set(place.find(name))
            if (manifest := f"{name}/manifest.json") in files:
                place.remove([manifest])
            if rest := files - {manifest}:
                place.remove(rest)

    @contextmanager
    def reached(self) -> Iterator[Bucket | Mount]:
        """The place behind it. Says in one line what went wrong on the way there or back."""
        try:
            yield _opened(self.url, os.getpid())
        except Exception as error:
            if not isinstance(error, OSError) and _package(error) not in BEHIND_BUCKETS:
                raise
            what = getattr(error, "strerror", None) or type(error).__name__  # not the address
            raise RemoteError(
                f"{self} cannot be used ({what}): see to its address, the network and the "
                f"credentials, then start again; what is finished here is kept"
            ) from None

    def __str__(self) -> str:
        """For people: an address that holds a password must not tell it."""
        return f"the remote {re.sub('//[^/]*@', '//', self.url)}"


@cache
def _opened(url: str, process: int) -> Bucket | Mount:
    """Once a process: a fork must not share connections."""
    scheme, _, path = url.rpartition("://")
    if scheme == "s3":
        return Bucket.opened(url)
    if scheme in ("", "file"):
        return Mount.opened(path)
    raise RemoteError(f'no remotes of "{scheme}://": there are s3://bucket/prefix, and paths')


def _folder(files: dict[str, File]) -> Folder:
    manifest = files.get("manifest.json")
    return Folder(
        bytes=sum(file.bytes for file in files.values()),
        touched=max(file.moment for file in files.values()),
        finished=manifest.moment if manifest else None,
    )


def _is_hidden(name: str) -> bool:
    """Whether part of it begins with a dot: half-written files, and ways out of the folder."""
    return any(part.startswith(".") for part in name.split("/"))


def _package(error: Exception) -> str:
    return type(error).__module__.split(".")[0]
