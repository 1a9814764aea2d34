"""What a run's figures say in words: who is better than whom, and what cannot be told apart."""

from typing import Any

import duckdb

LEAD = [("rmse", None), ("mae", None), ("within_half", None), ("ndcg", 10), ("recall", 10)]


def rows_of(db: duckdb.DuckDBPyConnection, query: str, *values: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    """The answer to a query, a dictionary a row."""
    found = db.execute(query, list(values))
    names = [column[0] for column in found.description or []]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def in_words(db: duckdb.DuckDBPyConnection, run_id: str) -> list[str]:
    """What each compared predictor's RMSE is beside the best other's, and what that tells."""
    rows = rows_of(
        db,
        """
        select c.predictor, c.against, c.difference, c.low, c.high, m.value
        from comparisons as c join leaderboard as m
            on m.run_id = c.run_id and m.predictor = c.against and m.metric = c.metric
        where c.run_id = ? and c.metric = 'rmse' and c.slice = 'everyone'
            and c.against not like 'llm%' and c.against <> 'blend'
        qualify m.value = min(m.value) over (partition by c.predictor)
        order by c.predictor""",
        run_id,
    )
    return [_sentence(row) for row in rows]


def _sentence(row: dict[str, Any]) -> str:
    apart = row["low"] > 0 or row["high"] < 0
    side = "below" if row["difference"] < 0 else "above"
    told = (
        f"The RMSE of {row['predictor']} is {row['value'] + row['difference']:.4f}, "
        f"{abs(row['difference']):.4f} ({abs(row['difference']) / row['value']:.1%}) {side} "
        f"that of {row['against']}, the best baseline by this figure. "
    )
    interval = f"The 95 % interval of the difference is {row['low']:+.4f} to {row['high']:+.4f}: "
    return told + interval + ("the two are told apart." if apart else "they cannot be told apart.")


def verdicts_of(db: duckdb.DuckDBPyConnection, run_id: str) -> list[dict[str, Any]]:
    """What is and what is not told apart, of those compared against each other predictor."""
    leading = " or ".join(
        f"(metric = '{m}' and k is not distinct from {k or 'null'})" for m, k in LEAD
    )
    return rows_of(
        db,
        f"""
        select predictor, metric, k, against, difference, low, high, verdict from verdicts
        where run_id = ? and ({leading})
        order by predictor, metric, k nulls first, against""",
        run_id,
    )
