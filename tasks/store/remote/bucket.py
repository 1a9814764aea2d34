"""A bucket of S3, or of a server with its API. An object appears when all of it was uploaded."""

import errno
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.store.remote.errors import ConflictError, RemoteError, RemoteFile

# At once 4 pieces of 16 MB of each of 4 files: 256 MB of memory. With the 10,000 pieces that S3
# allows, files of up to 160 GB.
CONCURRENCY = {"batch_size": 4, "chunksize": 16 << 20, "max_concurrency": 4}
ONE_REQUEST = 5 << 30  # bytes; the most S3 takes in one. An upload in pieces has no conditions.


@dataclass(frozen=True)
class Bucket:
    """Objects by their names below `root`, which is `bucket/prefix`."""

    fs: Any  # s3fs.S3FileSystem
    root: str

    @classmethod
    def open(cls, url: str) -> "Bucket":
        """Of `s3://bucket/prefix`. Keys, region and endpoint come from AWS's own settings."""
        import fsspec

        fs = fsspec.filesystem("s3", use_listings_cache=False)  # other machines write there too
        root = url.removeprefix("s3://").strip("/")
        fs.call_s3("list_objects_v2", Bucket=root.split("/")[0], MaxKeys=1)
        return cls(fs, root)

    def list_files(self, under: str) -> dict[str, RemoteFile]:
        """All files below a folder."""
        found = self.fs.find(f"{self.root}/{under}", detail=True)
        return {
            path.removeprefix(f"{self.root}/"): RemoteFile(
                info["size"], info["LastModified"].timestamp()
            )
            for path, info in found.items()
            if info["type"] == "file"
        }

    def read(self, name: str) -> bytes:
        """A small file."""
        return bytes(self.fs.cat_file(f"{self.root}/{name}"))

    def download(self, files: Mapping[str, Path]) -> None:
        """Copy remote files to local paths."""
        names = [f"{self.root}/{name}" for name in files]
        self.fs.get(names, [str(path) for path in files.values()], **CONCURRENCY)

    def upload(self, files: Mapping[str, Path]) -> None:
        """Copy local paths to remote files."""
        names = [f"{self.root}/{name}" for name in files]
        self.fs.put([str(path) for path in files.values()], names, **CONCURRENCY)

    def delete(self, names: Iterable[str]) -> None:
        """Delete files."""
        self.fs.rm([f"{self.root}/{name}" for name in names])

    def version(self, name: str) -> str | None:
        """The ETag of a file; None where there is none."""
        try:
            return str(self.fs.info(f"{self.root}/{name}")["ETag"])
        except FileNotFoundError:
            return None

    def compare_and_swap(self, name: str, path: Path, expected_version: str | None) -> str:
        """Replace a file if it still has the expected version; return the new one.

        Raises ConflictError where it has another, RemoteError where the bucket ignores conditions.
        """
        probe = f"{name}.probe"
        self.fs.pipe_file(f"{self.root}/{probe}", b"")
        if self._put_if(None if expected_version is None else '"none"', probe, b""):
            raise RemoteError(
                f"the bucket of {self.root} ignores If-Match and If-None-Match: two machines would "
                f"overwrite each other's runs; use another bucket, or a mount"
            )
        if version := self._put_if(expected_version, name, path.read_bytes()):
            return version
        raise ConflictError(f"another machine has replaced {self.root}/{name}")

    def _put_if(self, expected_version: str | None, name: str, content: bytes) -> str | None:
        """The new version of an object that had the expected one (None: no object), or None."""
        condition = (
            {"mode": "create"} if expected_version is None else {"IfMatch": expected_version}
        )
        try:
            response = self.fs.pipe_file(
                f"{self.root}/{name}", content, chunksize=ONE_REQUEST, **condition
            )
        except (FileExistsError, FileNotFoundError):
            return None
        except OSError as error:
            if error.errno == errno.EINVAL:  # s3fs's error for an If-Match that did not hold
                return None
            raise
        return str(response["ETag"])
