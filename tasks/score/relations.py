"""Creates the relations in DuckDB that sql/slices and sql/metrics select from.

`users`: one row per user with targets. `film_facts`: one row per film, with its ratings before the
test. `placements`: one row per predictor and score, the millionths of p_like (else of the mean):
the share of films that were not liked below it and of liked ones above it, equal ones by half, and
the AUC, all three in millionths. `targets`: one row per test rating, by user and film.
`predicted_ratings`: the targets with the predictions of one predictor. `listed`: one row per
predictor, user, k and rank. `judged`: the same for each relevance (rated, liked) and the users who
have relevant films. `targets` and `predicted_ratings` hold one block of whole users at a
time.
"""

from collections.abc import Sequence

import duckdb
import polars as pl

from tasks.duckdb_paths import escape_glob
from tasks.liked import Liked, judge_targets
from tasks.score.derived_columns import add_derived_columns
from tasks.score.halves import Half, keep_half
from tasks.store.artifacts import RankedLists, RatingPredictions, SplitRatings, ValidatedRatings

BLOCK = 250_000  # targets per block: bounds memory, at about 500 bytes a target
Block = tuple[int, int]  # first and last user id


class MissingPredictionError(Exception):
    """A predictor lacks a prediction for a target, or a list for a user."""


def create_relations(
    db: duckdb.DuckDBPyConnection,
    split: SplitRatings,
    ratings: ValidatedRatings,
    predictions: Sequence[RatingPredictions],
    half: Half | None = None,
    seed: int = 0,
) -> None:
    """Create `users`, of one half or all, `film_facts` and `placements` in an empty database."""
    db.execute("set timezone = 'UTC'; set enable_progress_bar = false")
    for name, files in {
        "split_ratings": split.files("ratings"),
        "films": ratings.files("films"),
        "predicted": [file for made in predictions for file in made.files("ratings")],
    }.items():
        db.from_parquet([escape_glob(file) for file in files]).create_view(name)
    scale = split.metadata["scale"]
    db.execute("create table ratings_scale as select ?::float[] as scale", [scale])
    db.execute(FILM_FACTS)
    db.execute(USERS)
    if half:
        keep_half(db, half, seed)
    of_half = "semi join users using (user_id)" if half else ""
    db.execute(f"create view all_ratings as from predicted {of_half}")
    db.execute(PLACEMENTS)


def create_listed(
    db: duckdb.DuckDBPyConnection,
    split: SplitRatings,
    lists: Sequence[RankedLists],
    ks: Sequence[int],
    rule: Liked,
) -> None:
    """Create `listed` and `judged`, after `create_relations`.

    Raises MissingPredictionError where a predictor has lists, but none for some user.
    """
    files = [escape_glob(file) for made in lists for file in made.files("lists")]
    db.from_parquet(files).create_view("all_lists")
    db.execute("create table list_lengths as select unnest(?::integer[]) as k", [list(ks)])
    db.register("all_outcomes", judge_targets(split.scan("ratings"), "test", rule).to_arrow())
    db.execute("create table outcomes as from all_outcomes semi join users using (user_id)")
    for statement in (PROFILES, ENTRIES, LISTED, RELEVANT, JUDGED):
        db.execute(statement)
    missing = db.execute("""
        select predictor, count(*) from (select distinct predictor from listed) cross join users
        anti join listed using (predictor, user_id) group by predictor order by predictor""")
    if found := ", ".join(f"{name} for {count} users" for name, count in missing.fetchall()):
        raise MissingPredictionError(f"lists are missing: {found}; predict a list for every user")


def user_blocks(db: duckdb.DuckDBPyConnection) -> list[Block]:
    """Ranges of users with up to BLOCK targets in each."""
    return db.execute("""
        select min(user_id), max(user_id) from (
            select user_id, sum(targets) over (order by user_id) // ? as block from users)
        group by block order by block""", [BLOCK]).fetchall()  # fmt: skip


def load_targets(db: duckdb.DuckDBPyConnection, block: Block) -> pl.DataFrame:
    """Fill `targets` with a block's; return user_id, film_id and rating of each."""
    db.execute(TARGETS, block)
    return db.sql("select user_id, film_id, rating from targets").pl()


def load_predictions(
    db: duckdb.DuckDBPyConnection, predictor: str, block: Block, targets: pl.DataFrame
) -> None:
    """Make `predicted_ratings` one predictor's rows of a block.

    Raises MissingPredictionError where these are not exactly the block's targets.
    """
    predicted = db.sql(PREDICTED, params=[predictor, *block]).to_arrow_table()
    found = pl.DataFrame(predicted.select(targets.columns))
    if not found.equals(targets):
        raise MissingPredictionError(
            f"predictor {predictor} has {len(found)} rows for users {block[0]} to {block[1]}, "
            f"which differ from the {len(targets)} targets: predict each target once, sorted by "
            "user and film"
        )
    db.register("predicted_ratings", add_derived_columns(predicted))


KNOWN = "fold <> 'unused' and not (fold = 'test' and role = 'target')"
FILM_FACTS = f"""
    create table film_facts as
    select f.film_id, f.year, f.genres, coalesce(r.n, 0) as known_ratings,
        ntile(10) over (order by coalesce(r.n, 0), f.film_id) as popularity_decile
    from films as f
    left join (select film_id, count(*) as n from split_ratings where {KNOWN} group by film_id) as r
        using (film_id)
    order by f.film_id"""
# The variance is taken in half-stars: sums of integers are the same in every order.
USERS = f"""
    create table users as
    select user_id,
        count(*) filter (not ({KNOWN})) as targets,
        count(*) filter ({KNOWN}) as known_ratings,
        max(rated_at) filter ({KNOWN}) as last_rated_at,
        coalesce(sqrt(greatest(0,
            known_ratings * sum((rating * 2)::bigint ** 2) filter ({KNOWN})
            - (sum((rating * 2)::bigint) filter ({KNOWN})) ** 2)) / known_ratings / 2, 0)
            as rating_deviation,
        percent_rank() over (order by known_ratings) as activity
    from split_ratings where fold <> 'unused'
    group by user_id having targets > 0 order by user_id"""
# A film that a list names twice is a hit only once.
ENTRIES = f"""
    create table entries as
    select l.predictor, l.user_id, l.rank, l.film_id, l.rating as expected,
        r.film_id is not null as was_seen,
        o.film_id is not null and 1 = row_number() over (
            partition by l.predictor, l.user_id, l.film_id order by l.rank) as is_hit,
        case when is_hit then o.rating end as stars, o.liked, o.disliked
    from all_lists as l
    left join (select user_id, film_id from split_ratings where {KNOWN}) as r
        using (user_id, film_id)
    left join outcomes as o using (user_id, film_id)
    where l.fold = 'test'"""
LISTED = """
    create table listed as
    select l.predictor, l.user_id, n.k, l.rank, l.film_id, l.expected, l.stars,
        l.disliked as was_disliked, l.was_seen, o.own_mean,
        f.popularity_decile, f.known_ratings as popularity, p.profile_popularity,
        -log2(greatest(f.known_ratings, 1) / (select count(*) from users)) as self_information,
        string_split(f.genres, '|') as genres
    from entries as l
    join list_lengths as n on l.rank <= n.k
    join users as u using (user_id)
    join profiles as p using (user_id)
    join (select distinct user_id, own_mean from outcomes) as o using (user_id)
    left join film_facts as f using (film_id)"""
RELEVANT = """
    create table relevant_films as
    select user_id, relevance, count(*) as relevant
    from (
        select user_id, 'rated' as relevance from outcomes
        union all select user_id, 'liked' from outcomes where liked)
    group by user_id, relevance"""
JUDGED = """
    create table judged as
    select *, sum(is_hit) over (
        partition by predictor, user_id, k, relevance order by rank) as hits_so_far
    from (
        select l.predictor, l.user_id, n.k, r.relevance, l.rank, r.relevant,
            cast(l.is_hit and (r.relevance = 'rated' or l.liked) as integer) as is_hit
        from entries as l
        join list_lengths as n on l.rank <= n.k
        join relevant_films as r using (user_id))"""
TARGETS = """
    create or replace temp table targets as
    select r.user_id, r.film_id, r.rating, r.rated_at, u.last_rated_at
    from split_ratings as r
    join users as u using (user_id)
    where r.fold = 'test' and r.role = 'target' and r.user_id between ? and ?
    order by r.user_id, r.film_id"""
SCORE = "cast(round(coalesce(p_like, mean) * 1000000) as bigint) as score"
PLACEMENTS = f"""
    create table placements as
    select predictor, score, others_below, liked_above,
        coalesce(sum(liked * others_below) over whole
            // nullif(sum(liked) over whole, 0), 0) as auc
    from (
        select predictor, score, liked,
            coalesce(cast(round(1000000 * (sum(others) over up_to - others / 2)
                / nullif(sum(others) over whole, 0)) as bigint), 0) as others_below,
            coalesce(cast(round(1000000 * (1 - (sum(liked) over up_to - liked / 2)
                / nullif(sum(liked) over whole, 0))) as bigint), 0) as liked_above
        from (
            select predictor, {SCORE}, count(*) filter (rating >= 4) as liked,
                count(*) filter (rating < 4) as others
            from all_ratings where fold = 'test' group by all)
        window whole as (partition by predictor),
            up_to as (partition by predictor order by score))
    window whole as (partition by predictor)"""
# The known ratings of the films that a user has rated; of all users where one has rated none.
PROFILES = f"""
    create table profiles as
    select user_id,
        coalesce(avg(f.known_ratings), avg(avg(f.known_ratings)) over ()) as profile_popularity
    from users
    left join (select user_id, film_id from split_ratings where {KNOWN}) using (user_id)
    left join film_facts as f using (film_id)
    group by user_id"""
PREDICTED = f"""
    select * exclude fold, {SCORE} from all_ratings
    where predictor = ? and fold = 'test' and user_id between ? and ?"""
