"""What a remote lists of its files, and the errors of using one."""

from typing import NamedTuple


class RemoteFile(NamedTuple):
    """Size in bytes, and when it was uploaded, in seconds since 1970."""

    bytes: int
    modified_at: float


class RemoteError(Exception):
    """The remote, or what it holds, cannot be used."""


class UnreachableRemoteError(RemoteError):
    """The remote did not answer: a retry may help."""


class CorruptArtifactError(RemoteError):
    """A folder of the remote differs from its manifest."""


class ConflictError(RemoteError):
    """Another machine has replaced the file since it was read, or is about to."""
