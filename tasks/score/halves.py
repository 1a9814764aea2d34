"""Divides the users by a seeded hash: one half decides about promotion, the other reports."""

from typing import Literal

import duckdb
import numpy as np

from tasks.seeded_hash import uniform

Half = Literal["decides", "reports"]


def keep_half(db: duckdb.DuckDBPyConnection, half: Half, seed: int) -> None:
    """Delete the users of the other half from `users`. A user is in one half in every run."""
    users = db.execute("select user_id from users").fetchnumpy()["user_id"]
    decides = uniform(seed, "promotion", np.asarray(users)) < 0.5
    other = users[decides] if half == "reports" else users[~decides]
    db.execute("delete from users where user_id in (select unnest(?))", [other.tolist()])
