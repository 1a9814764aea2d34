"""The relations that sql/slices and sql/metrics are written over, as tables in DuckDB.

`users` has one row a user with targets; `film_facts` one row a film, with what was known before;
`targets` one row a test rating, in order of user and film; `predicted_ratings` the targets beside
what one predictor says of them, in the same order; `listed` the entries of every predictor's lists,
for each k. The two of single ratings come in blocks of whole users, as temporary tables.
"""

from collections.abc import Sequence

import duckdb
import polars as pl

from tasks.duckdb_paths import escape_glob
from tasks.store.artifacts import RankedLists, RatingPredictions, SplitRatings, ValidatedRatings

BLOCK = 250_000  # targets at once: bounds the memory, at about 500 bytes a target


class MissingPredictionError(Exception):
    """A predictor has nothing to say where it was asked."""


def describe(
    db: duckdb.DuckDBPyConnection,
    split: SplitRatings,
    ratings: ValidatedRatings,
    predictions: Sequence[RatingPredictions],
) -> None:
    """Make the relations of users and films; those of single ratings come block by block."""
    db.execute("set timezone = 'UTC'; set enable_progress_bar = false")
    for name, files in {
        "split_ratings": split.files("ratings"),
        "films": ratings.files("films"),
        "all_ratings": [file for made in predictions for file in made.files("ratings")],
    }.items():
        db.from_parquet([escape_glob(file) for file in files]).create_view(name)
    scale = split.metadata["scale"]
    db.execute("create table ratings_scale as select ?::float[] as scale", [scale])
    for statement in DESCRIBED:
        db.execute(statement)


def describe_lists(
    db: duckdb.DuckDBPyConnection, lists: Sequence[RankedLists], ks: Sequence[int]
) -> None:
    """Make `listed`, where users and films are described.

    Raises MissingPredictionError where a predictor that makes lists left out a user.
    """
    files = [escape_glob(file) for made in lists for file in made.files("lists")]
    db.from_parquet(files).create_view("all_lists")
    db.execute("create table list_lengths as select unnest(?::integer[]) as k", [list(ks)])
    for statement in LISTED:
        db.execute(statement)
    gaps = db.execute("""
        select predictor, count(*) from (select distinct predictor from listed) cross join users
        anti join listed using (predictor, user_id) group by predictor order by predictor""")
    if told := ", ".join(f"{name} for {count} users" for name, count in gaps.fetchall()):
        raise MissingPredictionError(f"lists are missing: {told}; none may be left out")


def blocks(db: duckdb.DuckDBPyConnection) -> list[tuple[int, int]]:
    """First and last user of each block: as many whole users as fit into one."""
    return db.execute("""
        select min(user_id), max(user_id) from (
            select user_id, sum(asked) over (order by user_id) // ? as block from users)
        group by block order by block""", [BLOCK]).fetchall()  # fmt: skip


def ask(db: duckdb.DuckDBPyConnection, block: tuple[int, int]) -> pl.DataFrame:
    """Fill `targets` with a block; return user_id, film_id and rating of each."""
    db.execute(TARGETS, block)
    return db.sql("select user_id, film_id, rating from targets").pl()


def hear(
    db: duckdb.DuckDBPyConnection, predictor: str, block: tuple[int, int], asked: pl.DataFrame
) -> None:
    """Make `predicted_ratings` what a predictor says of the block.

    Raises MissingPredictionError where it left out a target.
    """
    said = db.sql(PREDICTED, params=[predictor, *block]).to_arrow_table()
    found = pl.DataFrame(said.select(asked.columns))
    if not found.equals(asked):
        raise MissingPredictionError(
            f"predictor {predictor} does not say exactly what was asked of users {block[0]} to "
            f"{block[1]}: its {len(found)} rows, sorted by user and film, part from the "
            f"{len(asked)} targets; predict each target once"
        )
    db.register("predicted_ratings", said)


KNOWN = "fold <> 'unused' and not (fold = 'test' and role = 'target')"
# Spread by whole half-stars: sums of integers are the same in every order.
DESCRIBED = (
    f"""
    create table film_facts as
    select f.film_id, f.year, f.genres, coalesce(h.known, 0) as film_known,
        ntile(10) over (order by coalesce(h.known, 0), f.film_id) as tenth
    from films as f
    left join (select film_id, count(*) as known from split_ratings
        where {KNOWN} group by film_id) as h
        using (film_id)
    order by f.film_id""",
    f"""
    create table users as
    select user_id,
        count(*) filter (not ({KNOWN})) as asked,
        count(*) filter ({KNOWN}) as known,
        max(rated_at) filter ({KNOWN}) as last_at,
        coalesce(sqrt(greatest(0,
            known * sum((rating * 2)::bigint ** 2) filter ({KNOWN})
            - (sum((rating * 2)::bigint) filter ({KNOWN})) ** 2)) / known / 2, 0) as spread
    from split_ratings where fold <> 'unused'
    group by user_id having asked > 0 order by user_id""",
)
LISTED = (
    # A film that is named twice is a hit once.
    f"""
    create table entries as
    select l.predictor, l.user_id, l.rank, l.film_id,
        h.film_id is not null and h.known as was_seen,
        cast(h.film_id is not null and not h.known and 1 = row_number() over (
            partition by l.predictor, l.user_id, l.film_id order by l.rank) as integer) as is_hit
    from all_lists as l
    left join (select user_id, film_id, {KNOWN} as known from split_ratings
        where fold <> 'unused') as h
        using (user_id, film_id)
    where l.fold = 'test'""",
    """
    create table listed as
    select l.predictor, l.user_id, n.k, l.rank, l.film_id, l.is_hit,
        sum(l.is_hit) over so_far as hits_so_far,
        l.was_seen, u.asked as relevant, f.tenth,
        -log2(greatest(f.film_known, 1) / (select count(*) from users)) as surprise,
        string_split(f.genres, '|') as genres
    from entries as l
    join list_lengths as n on l.rank <= n.k
    join users as u using (user_id)
    left join film_facts as f using (film_id)
    window so_far as (partition by l.predictor, l.user_id, n.k order by l.rank)""",
)
TARGETS = """
    create or replace temp table targets as
    select h.user_id, h.film_id, h.rating, h.rated_at, u.last_at
    from split_ratings as h
    join users as u using (user_id)
    where h.fold = 'test' and h.role = 'target' and h.user_id between ? and ?
    order by h.user_id, h.film_id"""
PREDICTED = """
    select * exclude (predictor, fold) from all_ratings
    where predictor = ? and fold = 'test' and user_id between ? and ?"""
