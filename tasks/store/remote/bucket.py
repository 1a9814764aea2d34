"""A bucket of S3, or of what speaks like it. An object is there when all of it has come."""

import errno
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.store.remote.errors import File, OvertakenError, RemoteError

# Of a large file 4 pieces of 16 MB travel at once, of 4 files at most: 256 MB of memory, and with
# the 10,000 pieces that S3 allows, files of up to 160 GB.
AT_ONCE = {"batch_size": 4, "chunksize": 16 << 20, "max_concurrency": 4}
ONE_REQUEST = 5 << 30  # bytes that S3 takes so; what comes in pieces cannot have conditions


@dataclass(frozen=True)
class Bucket:
    """Objects by their names below `root`, which is `bucket/prefix`."""

    fs: Any  # s3fs.S3FileSystem
    root: str

    @classmethod
    def opened(cls, url: str) -> "Bucket":
        """Of `s3://bucket/prefix`. Keys, region and endpoint come from AWS's own settings."""
        import fsspec

        fs = fsspec.filesystem("s3", use_listings_cache=False)  # other machines write there too
        root = url.removeprefix("s3://").strip("/")
        fs.call_s3("list_objects_v2", Bucket=root.split("/")[0], MaxKeys=1)
        return cls(fs, root)

    def find(self, under: str) -> dict[str, File]:
        """All files below a folder."""
        found = self.fs.find(f"{self.root}/{under}", detail=True)
        return {
            path.removeprefix(f"{self.root}/"): File(told["size"], told["LastModified"].timestamp())
            for path, told in found.items()
            if told["type"] == "file"
        }

    def read(self, name: str) -> bytes:
        """A small file."""
        return bytes(self.fs.cat_file(f"{self.root}/{name}"))

    def get(self, wanted: Mapping[str, Path]) -> None:
        """Bring files here."""
        names = [f"{self.root}/{name}" for name in wanted]
        self.fs.get(names, [str(path) for path in wanted.values()], **AT_ONCE)

    def put(self, given: Mapping[str, Path]) -> None:
        """Bring files there."""
        names = [f"{self.root}/{name}" for name in given]
        self.fs.put([str(path) for path in given.values()], names, **AT_ONCE)

    def remove(self, names: Iterable[str]) -> None:
        """Take files away."""
        self.fs.rm([f"{self.root}/{name}" for name in names])

    def version(self, name: str) -> str | None:
        """What tells a file from those before and after it; None where there is none."""
        try:
            return str(self.fs.info(f"{self.root}/{name}")["ETag"])
        except FileNotFoundError:
            return None

    def swap(self, name: str, path: Path, seen: str | None) -> str:
        """Replace a file if it is still of the version that was seen; return the new version.

        Raises OvertakenError; RemoteError where the bucket replaces files whatever it is told.
        """
        probe = f"{name}.probe"
        self.fs.pipe_file(f"{self.root}/{probe}", b"")
        if self._put_if(None if seen is None else '"none"', probe, b""):
            raise RemoteError(
                f"the bucket of {self.root} does not heed If-Match and If-None-Match: two machines "
                f"would lose each other's nights there; take another, or a mount"
            )
        if version := self._put_if(seen, name, path.read_bytes()):
            return version
        raise OvertakenError(f"another machine has replaced {self.root}/{name}")

    def _put_if(self, seen: str | None, name: str, content: bytes) -> str | None:
        """Put an object if it is of a version, or not there; return its new one, None if not."""
        condition = {"mode": "create"} if seen is None else {"IfMatch": seen}
        try:
            told = self.fs.pipe_file(
                f"{self.root}/{name}", content, chunksize=ONE_REQUEST, **condition
            )
        except (FileExistsError, FileNotFoundError):
            return None
        except OSError as error:
            if error.errno == errno.EINVAL:  # how s3fs tells of an If-Match that did not hold
                return None
            raise
        return str(told["ETag"])
