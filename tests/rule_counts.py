"""Counts violations of the rules in SQL alone: Great Expectations takes a second each time."""

import duckdb

from tasks.validate import expectations


def count_violations(relations, docs):
    """In place of `expectations.evaluate`, which writes Data Docs into `docs`."""
    with duckdb.connect() as db:
        db.execute("set timezone = 'UTC'")
        return [
            expectations.Outcome(
                rule,
                db.execute(
                    f"select count(*) from ({relations[rule.relation]}) "
                    f"where coalesce({rule.violation}, true)"
                ).fetchone()[0],
            )
            for rule in expectations.RULES
        ]
