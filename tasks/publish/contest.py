"""Describes the contest of a challenger with champions: the scores of what is served."""

from dataclasses import dataclass

import duckdb

from tasks.duckdb_paths import escape_glob
from tasks.store.artifacts import Scores


@dataclass(frozen=True)
class Contest:
    """What is served of the challenger beside the same of the champion, and of the best so far.

    `decides` are scores of one half of the users, `reports` of the other. `ratings` and `lists` are
    the predictors that are served; those of an opponent have its role behind the name, such as
    `blend_champion`. `llm` is the predictor whose intervals are checked.
    """

    decides: Scores
    reports: Scores
    ratings: str
    lists: str
    llm: str

    @property
    def variables(self) -> dict[str, object]:
        """For sql/warehouse/checks.sql."""
        files: dict[str, object] = {
            name: [escape_glob(file) for file in self.decides.files(name)]
            for name in ("comparisons", "metrics")
        }
        return files | {
            "served_ratings": self.ratings,
            "served_lists": self.lists,
            "llm": self.llm,
        }


def insert_contest(db: duckdb.DuckDBPyConnection, run_id: str, contest: Contest) -> None:
    """Insert what the half that reports says, over everyone."""
    db.execute(
        "insert into contests by name "
        "select ? as run_id, * exclude (slice, slice_value, p_adjusted) from read_parquet(?) "
        "where slice = 'everyone' and predictor in (?, ?) "
        "and against in (predictor || '_champion', predictor || '_best')",
        [
            run_id,
            [escape_glob(file) for file in contest.reports.files("comparisons")],
            contest.ratings,
            contest.lists,
        ],
    )
