"""What a place tells of its files, and what may be wrong with it."""

from typing import NamedTuple


class File(NamedTuple):
    """`moment` is when it came there, in seconds since 1970."""

    bytes: int
    moment: float


class RemoteError(Exception):
    """The remote cannot be used, or what it has cannot."""


class DamagedError(RemoteError):
    """A folder of the remote is not as its manifest says."""


class OvertakenError(RemoteError):
    """Another machine has replaced the file in the meantime, or is about to."""
