"""Takes from an earlier artifact what was read of an example that is the same now.

Only where each example is read in rows of its own (`pack_length` 1): then its bytes do not depend
on the other examples.
"""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import polars as pl
import pyarrow as pa

from tasks.readout.resumable_batches import COLUMNS, Batch, MakeTable
from tasks.store.artifacts import Artifact, Prompts

READINGS = "readings.parquet"
KEY = "example_hash"
HASHED = [name for name in COLUMNS if name != "example"]  # its number says nothing of it


def reuse_readings(
    load: Callable[[], MakeTable],
    prompts: Prompts,
    earlier: Artifact | None,
    extra_columns: tuple[str, ...] = (),
) -> MakeTable:
    """A function that makes the table of a batch, with a column KEY.

    Rows of examples that are in the readings `earlier` are taken from there; the model is loaded
    when the first other one is met.
    """
    load = cache(load)
    known = None if earlier is None else pl.read_parquet(earlier.path / READINGS, glob=False)
    wording = f"{prompts.metadata['scale']} {prompts.manifest['recipe']['template']}"

    def make(batch: Batch) -> pl.DataFrame:
        hashes = hash_examples(batch.examples, wording, extra_columns)
        keys = pl.DataFrame(batch.examples.select(["fold", "user_id"])).with_columns(
            pl.Series(KEY, hashes)
        )
        taken = [] if known is None else [known.filter(pl.col(KEY).is_in(hashes))]
        found = set(taken[0][KEY]) if taken else set()
        new = [place for place, key in enumerate(hashes) if key not in found]
        if new:
            made = load()(batch._replace(examples=batch.examples.take(new)))
            made = made.join(keys, on=["fold", "user_id"], maintain_order="left")
            taken = [made, *(part.select(made.columns) for part in taken)]
        return pl.concat(taken)

    return make


def hash_examples(
    examples: pa.Table, wording: str, extra_columns: tuple[str, ...] = ()
) -> list[str]:
    """The SHA-256 of the wording and of what each example holds, but for its number."""
    table = examples.select([*HASHED, *extra_columns])
    hashes = []
    for place in range(len(table)):
        digest = hashlib.sha256(wording.encode())
        for column in table.take([place]).columns:
            digest.update(repr(column.to_pylist()).encode())
        hashes.append(digest.hexdigest())
    return hashes


def write_readings(table: pl.DataFrame, draft: Path) -> None:
    """Keep readings for a later run."""
    table.sort("fold", "user_id", "film_id").write_parquet(draft / READINGS)
