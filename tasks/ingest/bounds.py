"""How much a source may hold: what is beyond any real data set is refused before it fills a disk.

MovieLens' zips unpack to 5 times their size, its largest file has 34 million ratings.
"""

from pathlib import Path

import pyarrow.parquet as pq

from tasks.download import SourceError

MAX_EXPANSION = 200  # times that a packed file may grow, beyond FREE_BYTES
FREE_BYTES = 10**8
MAX_UNPACKED_BYTES = 20 * 10**9
MAX_ROWS = {"ratings": 2 * 10**9, "films": 10**7}  # of one file
ROWS_PER_BYTE = 2  # of Parquet, beyond FREE_ROWS; MovieLens' ratings take 6 bytes each
FREE_ROWS = 10**7


def check_expansion(name: str, packed: int, unpacked: int) -> None:
    """Raise SourceError where so many bytes would grow too much."""
    if unpacked > max(MAX_EXPANSION * packed, FREE_BYTES):
        raise SourceError(
            f"{name} would grow from {packed} to {unpacked} bytes, more than {MAX_EXPANSION} "
            "times: not unpacked"
        )
    if unpacked > MAX_UNPACKED_BYTES:
        raise SourceError(
            f"{name} would grow to {unpacked} bytes, more than {MAX_UNPACKED_BYTES}: not unpacked"
        )


def check_rows(name: str, relation: str, rows: int) -> None:
    """Raise SourceError where a file has more rows than a run can take."""
    if rows > MAX_ROWS[relation]:
        raise SourceError(
            f"{name} has {rows} {relation}, more than {MAX_ROWS[relation]}: use a part of it"
        )


def check_parquet(file: Path, relation: str) -> None:
    """Raise SourceError where few bytes of Parquet stand for very many: runs of one value."""
    found, size = pq.read_metadata(file), file.stat().st_size
    unpacked = sum(found.row_group(i).total_byte_size for i in range(found.num_row_groups))
    check_expansion(file.name, size, unpacked)
    check_rows(file.name, relation, found.num_rows)
    if found.num_rows > max(ROWS_PER_BYTE * size, FREE_ROWS):
        raise SourceError(
            f"{file.name} has {found.num_rows} rows in {size} bytes, more than {ROWS_PER_BYTE} a "
            "byte: not read"
        )


def check_link(file: Path) -> None:
    """Raise SourceError where a file is a link that leads out of its folder."""
    if file.is_symlink() and file.exists() and file.resolve().parent != file.parent.resolve():
        raise SourceError(f"{file.name} is a link to a file elsewhere: copy the file")
