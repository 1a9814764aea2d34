"""Promotes an earlier adapter again, by the decision of a person."""

from datetime import datetime

import duckdb

from tasks.publish.serving import list_champions


def promote_again(db: duckdb.DuckDBPyConnection, to: str, at: datetime) -> str:
    """Insert a decision for an earlier adapter of the data set and split that serve; return it.

    `to` is the beginning of the fingerprint of an earlier champion or of a rejected adapter; empty
    for the champion before. Raises LookupError where not exactly one adapter begins so.
    """
    serving = next((row for row in list_champions(db) if row.serves), None)
    if serving is None:
        raise LookupError("there is no champion yet: run `make nightly` first")
    earlier = db.execute(
        "select adapter, arg_max(run_id, decided_at) from champions join runs using (run_id) "
        "where (promoted or ?) and adapter <> ? and dataset = ? and ? in (split_recipe, protocol) "
        "group by adapter order by max(decided_at) desc",
        [bool(to), serving.adapter, serving.dataset, serving.split_recipe],
    ).fetchall()
    matches = [row for row in earlier if row[0].startswith(to)]
    if not matches or (to and len(matches) > 1):
        known = ", ".join(adapter for adapter, _ in earlier) or "none"
        raise LookupError(f'{len(matches)} earlier champions begin with "{to}": there are {known}')
    adapter, run_id = matches[0]
    row = [run_id, at, adapter, serving.adapter, True, "put back by hand"]
    db.execute("insert into champions values (?, ?, ?, ?, ?, ?)", row)
    # The champion's run may be of before recipes were known, and this one's not.
    db.execute("insert into serving values (?, ?)", [at, run_id])
    return str(adapter)
