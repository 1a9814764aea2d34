"""Keeps account of the alerts on rejected adapters."""

from contextlib import suppress
from typing import NamedTuple

from tasks.metrics_db import atomic_update, open_readonly
from tasks.metrics_location import metrics_location, migrated_metrics
from tasks.store.remote.errors import ConflictError
from tasks.store.store import Store


class Rejection(NamedTuple):
    """A rejected adapter's run, the reason, and whether the two were compared by figures."""

    run_id: str
    reason: str
    compared: bool


def find_unsent(store: Store) -> list[Rejection]:
    """The rejections without an alert yet, the oldest first."""
    path = migrated_metrics(store)
    if not path.exists():
        return []
    with open_readonly(path) as db:
        rows = db.execute(
            "select run_id, reason, exists (from checks where run_id = champions.run_id) "
            "from champions where previous_champion is not null and not promoted "
            "and run_id not in (select run_id from sent_alerts) order by decided_at"
        ).fetchall()
    return [Rejection(*row) for row in rows]


def mark_sent(rejections: list[Rejection], store: Store) -> None:
    """Note that the alerts were sent. If another machine publishes meanwhile, they go again."""
    if rejections:
        with suppress(ConflictError), atomic_update(*metrics_location(store)) as db:
            rows = [[one.run_id] for one in rejections]
            db.executemany("insert or ignore into sent_alerts values (?, now())", rows)
