"""Uploads finished folders to a bucket or a mount that other machines see, and downloads them.

A remote folder is finished when it has its manifest, which is uploaded last and deleted first.
Downloads are verified against the hashes of the manifest.
"""

import errno
import os
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tasks.store.checksum import parse_json
from tasks.store.durable import durable_rename
from tasks.store.manifest import find_corruption
from tasks.store.remote.bucket import Bucket
from tasks.store.remote.errors import (
    CorruptArtifactError,
    RemoteError,
    RemoteFile,
    UnreachableRemoteError,
)
from tasks.store.remote.mount import Mount

TOUCHED = "cost.json"  # each artifact has one, and no hash covers it
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
# What s3fs makes of S3's 400, 405 and 501, and a file system of a name or size that it cannot have.
INVALID = (errno.EINVAL, errno.EPERM, errno.ENOSYS, errno.ENAMETOOLONG, errno.EMSGSIZE)
S3_CLIENTS = ("botocore", "aiobotocore", "aiohttp")  # packages whose errors are not all OSError


@dataclass(frozen=True)
class RemoteFolder:
    """Size in bytes; seconds since 1970 of the last upload and of the manifest, None without it."""

    bytes: int
    modified_at: float
    finished_at: float | None


@dataclass(frozen=True)
class RemoteStore:
    """Folders below `s3://bucket/prefix` or the path of a mount, named as in a store.

    Every method raises RemoteError where the remote cannot be reached.
    """

    url: str

    def list_folders(self, under: str) -> dict[str, RemoteFolder]:
        """All folders `top_level/kind/fingerprint` below `top_level` or `top_level/kind`."""
        with self.connect() as files:
            found = files.list_files(under)
        by_folder: dict[str, dict[str, RemoteFile]] = defaultdict(dict)
        for name, file in found.items():
            parts = name.split("/")
            if len(parts) > 3:  # the metrics database lies beside the kinds
                by_folder["/".join(parts[:3])]["/".join(parts[3:])] = file
        return {name: _summarize(files_of) for name, files_of in by_folder.items()}

    def is_finished(self, name: str) -> bool:
        """Whether a folder is there with its manifest."""
        with self.connect() as files:
            return files.version(f"{name}/manifest.json") is not None

    def read_manifest(self, name: str) -> dict[str, Any] | None:
        """The manifest of a finished folder, or None. Raises ValueError where it is damaged."""
        with self.connect() as files, suppress(FileNotFoundError):
            return parse_json(files.read(f"{name}/manifest.json"))
        return None

    def download(self, name: str, folder: Path) -> bool:
        """Copy a finished folder to `folder`, in one step; False where there is none.

        Its manifest keeps the time at which it was finished. Raises CorruptArtifactError where a
        file's hash differs from the manifest's.
        """
        if not self.is_finished(name):
            return False
        draft = folder.with_name(f".draft-fetched-{folder.name}")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        with self.connect() as files:
            found = {
                str(Path(f).relative_to(name)): file for f, file in files.list_files(name).items()
            }
            wanted = {f"{name}/{file}": draft / file for file in found if not _is_hidden(file)}
            for path in wanted.values():
                path.parent.mkdir(parents=True, exist_ok=True)
            files.download(wanted)
            os.utime(draft / "manifest.json", (found["manifest.json"].modified_at,) * 2)
        if reason := find_corruption(draft):
            raise CorruptArtifactError(f"{name} in {self} is corrupt ({reason})")
        durable_rename(draft, folder)
        return True

    def touch(self, name: str) -> bool:
        """Note that a finished folder is in use, so that no machine's gc takes it; whether it is.

        The file that is touched is not the manifest, whose time says when the folder was finished.
        """
        with self.connect() as files:
            return files.touch(f"{name}/{TOUCHED}") and self.is_finished(name)

    def last_used(self, name: str) -> float:
        """Of a folder, in seconds since 1970; 0 where it is not there."""
        with self.connect() as files:
            return max((file.modified_at for file in files.list_files(name).values()), default=0.0)

    def upload(self, folder: Path, name: str) -> None:
        """Copy a finished folder there; one that is there is touched."""
        if self.touch(name):
            return
        found = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
        manifest = found.pop("manifest.json")
        with self.connect() as files:
            files.upload({f"{name}/{file}": path for file, path in found.items()})
            files.upload({f"{name}/manifest.json": manifest})

    def delete(self, name: str) -> None:
        """Delete a folder, the manifest first: an interruption leaves an unfinished one."""
        with self.connect() as files:
            found = set(files.list_files(name))
            if (manifest := f"{name}/manifest.json") in found:
                files.delete([manifest])
            if rest := found - {manifest}:
                files.delete(rest)

    @contextmanager
    def connect(self) -> Iterator[Bucket | Mount]:
        """The bucket or mount. Turns its errors into a RemoteError of one line."""
        try:
            yield _open(self.url, os.getpid())
        except Exception as error:
            if not isinstance(error, OSError) and _package(error) not in S3_CLIENTS:
                raise
            # Its text may hold the address.
            reason = getattr(error, "strerror", None) or type(error).__name__
            kind = RemoteError if _is_permanent(error) else UnreachableRemoteError
            raise kind(
                f"{self} cannot be used ({reason}): check its address, the network and the "
                f"credentials, then repeat the run; finished artifacts are kept on this disk"
            ) from None

    def __str__(self) -> str:
        """For messages, without the password that an address may hold."""
        return f"the remote {re.sub('//[^/]*@', '//', self.url)}"


def _is_permanent(error: Exception) -> bool:
    """Whether the remote has refused: a right, a key, the address, the request, or its space."""
    refused = isinstance(error, PermissionError | FileNotFoundError)
    final = isinstance(error, OSError) and error.errno in (*FULL, *INVALID)
    return refused or final or "Credentials" in type(error).__name__


@cache
def _open(url: str, process: int) -> Bucket | Mount:
    """Once a process: a fork must not share connections."""
    scheme, _, path = url.rpartition("://")
    if scheme == "s3":
        return Bucket.open(url)
    if scheme in ("", "file"):
        return Mount.open(path)
    raise RemoteError(f'no remotes of "{scheme}://": there are s3://bucket/prefix, and paths')


def _summarize(files: dict[str, RemoteFile]) -> RemoteFolder:
    manifest = files.get("manifest.json")
    return RemoteFolder(
        bytes=sum(file.bytes for file in files.values()),
        modified_at=max(file.modified_at for file in files.values()),
        finished_at=manifest.modified_at if manifest else None,
    )


def _is_hidden(name: str) -> bool:
    """Whether part of it begins with a dot: half-written files, and ways out of the folder."""
    return any(part.startswith(".") for part in name.split("/"))


def _package(error: Exception) -> str:
    return type(error).__module__.split(".")[0]
