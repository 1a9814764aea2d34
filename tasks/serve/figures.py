"""Measures lists: how full and how varied they are, and what changed since the last ones."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl

from tasks.duckdb_paths import escape_glob
from tasks.serve.config import Serving
from tasks.store.artifacts import ServedLists, SplitRatings, ValidatedRatings

METRICS = Path(__file__).resolve().parents[2] / "sql" / "metrics"
CATALOGUE = {
    "catalogue_coverage": "catalogue/catalogue_coverage.sql",
    "exposure_gini": "catalogue/exposure_gini.sql",
    "popularity_lift": "lists/popularity_lift.sql",
}
PERSISTENCE = 0.9  # of a reader: the chance to go on to the next place
LISTED = """
create table listed as
with popular as (select film_id, count(*) as popularity from known group by film_id),
profile as (
    select user_id, avg(popularity) as profile_popularity
    from known join popular using (film_id) group by user_id)
select 'served' as predictor, ? as k, user_id, rank, film_id, popularity, profile_popularity
from recommendations left join popular using (film_id) left join profile using (user_id)
"""


@dataclass(frozen=True)
class Figures:
    """Of all lists of a night. `overlap` and `changed` are None without lists to compare with."""

    users: int  # who asked
    full_share: float  # of the users, with as many films as asked for
    films: int  # named in any list
    coverage: float  # share of the catalogue
    exposure_gini: float
    popularity_lift: float
    max_film_share: float  # share of the lists that name the film that most of them name
    overlap: float | None  # mean rank-biased overlap with the last lists of the same users
    changed: int | None  # users with other films, in another order, or without a list before

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def measure(
    served: ServedLists,
    requests: SplitRatings,
    ratings: ValidatedRatings,
    last: pl.DataFrame | None,
) -> Figures:
    """The figures of lists beside the last ones: user_id, rank and film_id."""
    table, metadata = served.scan("recommendations").collect(), served.metadata
    users, length = metadata["users"], metadata["list_length"]
    lengths = table.group_by("user_id").len()
    named = table.group_by("film_id").len()
    overlap, changed = (None, None) if last is None else _compare(table, last, length)
    of_catalogue = _catalogue_figures(served, requests, ratings, length)
    return Figures(
        users=users,
        full_share=len(lengths.filter(len=length)) / users if users else 1.0,
        films=len(named),
        coverage=of_catalogue["catalogue_coverage"],
        exposure_gini=of_catalogue["exposure_gini"],
        popularity_lift=of_catalogue["popularity_lift"],
        max_film_share=int(named["len"].max() or 0) / max(users, 1),  # type: ignore[arg-type]
        overlap=overlap,
        changed=changed,
    )


def find_violations(figures: Figures, config: Serving) -> list[str]:
    """Why these lists may not be served; empty where they may."""
    violations = []
    if figures.full_share < config.min_full_share:
        violations.append(
            f"{figures.full_share:.1%} of the users have full lists, "
            f"{config.min_full_share:.1%} required"
        )
    if figures.max_film_share > config.max_film_share:
        violations.append(
            f"one film is in {figures.max_film_share:.1%} of the lists, "
            f"{config.max_film_share:.1%} allowed"
        )
    return violations


def rank_biased_overlap(one: pl.DataFrame, other: pl.DataFrame, depth: int) -> pl.DataFrame:
    """user_id and overlap, from 0 to 1, of the lists of users who have one in both tables.

    Webber, Moffat and Zobel, 2010, ACM TOIS 28(4), cut at `depth` and divided by the overlap of
    equal lists of that depth.
    """
    depths = np.arange(1, depth + 1)
    weight = PERSISTENCE**depths / (PERSISTENCE**depths).sum() / depths
    # A film adds to the agreement at every depth from the deeper of its two places on.
    gain = pl.Series(np.cumsum(weight[::-1])[::-1], dtype=pl.Float64)
    key = ["user_id", "film_id"]
    shared = one.join(other.select(*key, other_rank="rank"), on=key)
    deeper = shared.select(pl.max_horizontal("rank", "other_rank") - 1).to_series()
    shared = shared.select("user_id", overlap=gain.gather(deeper))
    both = one.select("user_id").unique().join(other, on="user_id", how="semi").sort("user_id")
    sums = shared.group_by("user_id").agg(pl.col("overlap").sum())
    return both.join(sums, on="user_id", how="left", maintain_order="left").fill_null(0.0)


def _compare(table: pl.DataFrame, last: pl.DataFrame, depth: int) -> tuple[float | None, int]:
    """The mean overlap, and the number of users whose list is not the last one."""
    overlaps = rank_biased_overlap(table, last.filter(pl.col("rank") <= depth), depth)["overlap"]
    mean = overlaps.mean()
    key = ["user_id", "rank", "film_id"]
    moved = table.join(last, on=key, how="anti")["user_id"].n_unique()
    return None if mean is None else float(mean), moved  # type: ignore[arg-type]


def _catalogue_figures(
    served: ServedLists, requests: SplitRatings, ratings: ValidatedRatings, length: int
) -> dict[str, float]:
    """The metrics of that name of sql/metrics, over all users."""
    with duckdb.connect() as db:
        for name, files in {
            "recommendations": served.files("recommendations"),
            "films": ratings.files("films"),
            "requests": requests.files("ratings"),
        }.items():
            db.from_parquet([escape_glob(file) for file in files]).create_view(name)
        db.execute("create view known as select * from requests where role = 'context'")
        db.execute(LISTED, [length])
        return {name: _mean_value(db, METRICS / file) for name, file in CATALOGUE.items()}


def _mean_value(db: duckdb.DuckDBPyConnection, file: Path) -> float:
    """The mean over users of a metric; 0 without any list."""
    ((value,),) = db.sql(file.read_text()).aggregate("coalesce(avg(value), 0)").fetchall()
    return float(value)
