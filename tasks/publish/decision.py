"""Reads a published decision about an adapter, with the checks behind it."""

from pathlib import Path
from typing import NamedTuple

from tasks.metrics_db import open_readonly
from tasks.publish.promotion import Check


class PublishedDecision(NamedTuple):
    """Fingerprints of the adapter and the champion then, if any; whether and why it replaced it."""

    adapter: str
    previous_champion: str | None
    promoted: bool
    reason: str
    checks: list[Check]

    @property
    def drifted(self) -> list[Check]:
        """The checks of the data that failed."""
        return [check for check in self.checks if check.check_name == "data" and not check.passed]


def read_decision(path: Path, run_id: str) -> PublishedDecision | None:
    """The decision of a run in the metrics database; None where the run decided nothing."""
    with open_readonly(path) as db:
        columns = "adapter, previous_champion, promoted, reason"
        found = db.execute(f"select {columns} from champions where run_id = ?", [run_id]).fetchone()
        if found is None:
            return None
        query = "select check_name, slice_value, value, threshold from checks where run_id = ?"
        checks = [Check(*each) for each in db.execute(query, [run_id]).fetchall()]
    adapter, previous_champion, promoted, reason = found
    return PublishedDecision(adapter, previous_champion, promoted, reason, checks)
