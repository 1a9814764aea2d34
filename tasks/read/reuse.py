"""Takes from an earlier artifact what was read of a user with the same questions.

Only where each user is read in rows of their own (`pack_length` 1): then the bytes do not depend
on the others.
"""

import hashlib
from collections.abc import Callable, Mapping
from functools import cache

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from tasks.readout.batches import Batch
from tasks.readout.resumable_batches import MakeTable
from tasks.store.artifacts import Prompts, Readings

KEY = "user_hash"
UNHASHED = {"example"}  # its number says nothing of it


def reuse_readings(
    load: Callable[[], MakeTable], prompts: Mapping[str, Prompts], earlier: Readings | None
) -> MakeTable:
    """A function that makes the table of a batch, with a column KEY.

    Rows of users that are in the readings `earlier` are taken from there; the model is loaded
    when the first other one is met.
    """
    load = cache(load)
    known = None if earlier is None else earlier.scan("readings").collect()
    wording = " ".join(
        f"{made.metadata['scale']} {made.manifest['recipe'].get('template')}"
        for made in prompts.values()
    )

    def make(batch: Batch) -> pl.DataFrame:
        keys = hash_users(batch.examples, wording)
        taken = [] if known is None else [known.filter(pl.col(KEY).is_in(keys[KEY].implode()))]
        found = taken[0][KEY].unique() if taken else pl.Series([], dtype=pl.String)
        new = keys.filter(~pl.col(KEY).is_in(found.implode()))
        if len(new):
            own = pc.is_in(batch.examples["user_id"], pa.array(new["user_id"]))
            made = load()(batch._replace(examples=batch.examples.filter(own)))
            made = made.drop(KEY).join(new, on="user_id", maintain_order="left")
            taken = [made, *(part.select(made.columns) for part in taken)]
        return pl.concat(taken)

    return make


def hash_users(examples: pa.Table, wording: str) -> pl.DataFrame:
    """user_id and KEY: the SHA-256 of the wording and of all that a user's examples hold."""
    users = examples["user_id"].to_numpy()
    table = examples.select([name for name in examples.column_names if name not in UNHASHED])
    rows = []
    for user in np.unique(users):
        first, end = np.searchsorted(users, [user, user + 1])
        own = table.slice(int(first), int(end - first))
        digest = hashlib.sha256(f"{wording} {own.to_pydict()}".encode())
        rows.append((int(user), digest.hexdigest()))
    return pl.DataFrame(rows, {"user_id": pl.Int32, KEY: pl.String}, orient="row")
