"""A bucket of S3, or of a server with its API. An object appears when all of it was uploaded."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.store.remote.errors import ConflictError, RemoteError, RemoteFile

# At once 4 pieces of 16 MB of each of 4 files: 256 MB of memory. With the 10,000 pieces that S3
# allows, files of up to 160 GB.
AT_ONCE, PIECE = 4, 16 << 20
ATTEMPTS = 5  # at a piece that breaks off, and at a file that is replaced meanwhile
FAILED_CONDITION = ("PreconditionFailed", "412")
GONE = ("NoSuchKey", "404")
OVERTAKEN = ("ConditionalRequestConflict", "409", *GONE)
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
        """Copy remote files to local paths, each of one version.

        Raises ConflictError where another machine replaces one again and again.
        """
        from fsspec.asyn import sync

        sync(self.fs.loop, self._download, list(files.items()))

    def upload(self, files: Mapping[str, Path]) -> None:
        """Copy local paths to remote files."""
        names = [f"{self.root}/{name}" for name in files]
        sizes = {"batch_size": AT_ONCE, "chunksize": PIECE, "max_concurrency": AT_ONCE}
        self.fs.put([str(path) for path in files.values()], names, **sizes)

    def touch(self, name: str) -> bool:
        """Set the time of a file to now, by a copy onto itself; False where there is none."""
        bucket, key, _ = self.fs.split_path(f"{self.root}/{name}")
        source = {"Bucket": bucket, "Key": key}
        try:
            self.fs.call_s3("copy_object", **source, CopySource=source, MetadataDirective="REPLACE")
        except OSError as error:
            if _error_code(error) in GONE:
                return False
            raise
        return True

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

        Raises ConflictError where it has another or is being replaced, RemoteError where the bucket
        ignores conditions.
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
        """The new version of an object that had the expected one (None: no object), or None.

        Only a failed condition is None: another refusal says nothing about the object's version.
        Raises ConflictError where another machine writes it at the moment, or has deleted it.
        """
        condition = (
            {"mode": "create"} if expected_version is None else {"IfMatch": expected_version}
        )
        try:
            response = self.fs.pipe_file(
                f"{self.root}/{name}", content, chunksize=ONE_REQUEST, **condition
            )
        except OSError as error:
            if (code := _error_code(error)) in FAILED_CONDITION:
                return None
            if code in OVERTAKEN:
                raise ConflictError(f"another machine is replacing {self.root}/{name}") from None
            raise
        return str(response["ETag"])

    async def _download(self, files: Sequence[tuple[str, Path]]) -> None:
        for first in range(0, len(files), AT_ONCE):
            batch = files[first : first + AT_ONCE]
            await asyncio.gather(*(self._download_file(name, path) for name, path in batch))

    async def _download_file(self, name: str, path: Path) -> None:
        """In pieces: each is asked for with the ETag of the first look, so none is of another."""
        bucket, key, _ = self.fs.split_path(f"{self.root}/{name}")
        for _ in range(ATTEMPTS):
            head = await self.fs._call_s3("head_object", Bucket=bucket, Key=key)
            wanted = {"Bucket": bucket, "Key": key, "IfMatch": head["ETag"]}
            try:
                await self._download_version(wanted, int(head["ContentLength"]), path)
                return
            except OSError as error:
                if _error_code(error) not in FAILED_CONDITION:
                    raise
        raise ConflictError(f"another machine is replacing {self.root}/{name}")

    async def _download_version(self, wanted: Mapping[str, str], size: int, path: Path) -> None:
        ranges = [(start, min(start + PIECE, size)) for start in range(0, size, PIECE)]
        with path.open("wb") as file:
            for first in range(0, len(ranges), AT_ONCE):
                pieces = [self._read_range(wanted, *r) for r in ranges[first : first + AT_ONCE]]
                for piece in await asyncio.gather(*pieces):
                    file.write(piece)

    async def _read_range(self, wanted: Mapping[str, str], start: int, end: int) -> bytes:
        from s3fs.core import S3_RETRYABLE_ERRORS

        for attempt in range(ATTEMPTS):
            try:
                span = f"bytes={start}-{end - 1}"
                response = await self.fs._call_s3("get_object", Range=span, **wanted)
                piece = bytes(await response["Body"].read())
            except S3_RETRYABLE_ERRORS:
                if attempt + 1 == ATTEMPTS:
                    raise
            else:
                if len(piece) == end - start:
                    return piece
        raise OSError(f"{wanted['Key']} breaks off")


def _error_code(error: OSError) -> str | None:
    """S3's own, which s3fs turns into an errno that several have in common."""
    response = getattr(error.__cause__, "response", None) or {}
    return response.get("Error", {}).get("Code")
