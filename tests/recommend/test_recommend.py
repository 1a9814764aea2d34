"""Recommendations for a user of the data, and for ratings typed by hand."""

import datetime as dt
import re

import polars as pl
import pytest

from flows.recommend import make_request, recommend_for
from tasks.predict.config import Predict
from tasks.predict.task import predict_ratings
from tasks.prompt.config import Prompt
from tasks.prompt.task import write_candidate_prompts
from tasks.rank.config import Rank, Retrieve
from tasks.rank.features import FEATURES
from tasks.rank.interactions import (
    compute_recency_similarity,
    count_recent_ratings,
    select_most_rated,
)
from tasks.rank.ranking import LAST
from tasks.rank.task import rank_candidates, retrieve_candidates
from tasks.read.task import read_prompts
from tasks.readout.config import Inference
from tasks.recommend.config import RecommendRequest
from tasks.recommend.format import _find_title
from tasks.recommend.request import add_to_split
from tasks.recommend.task import add_request
from tasks.store.artifacts import RatingPredictions
from tasks.templates import film_texts
from tasks.titles import TitleMatch

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def rank(store, ratings, tokenizer, adapter, base, prompts):
    """`rank(split, llm)`: candidates, predictions, readings and the ranked lists of a split."""
    wording = Prompt.model_validate(prompts.manifest["recipe"])
    config = Rank(list_length=12)
    model = {"inference": Inference(), "store": store}

    def run(split, llm, mix_of=None):
        candidates = retrieve_candidates.fn(split, config=Retrieve(candidates=12), store=store)
        candidate_prompts = write_candidate_prompts.fn(
            split, ratings, tokenizer, candidates, config=wording, store=store
        )
        readings = read_prompts.fn(adapter, base, None, candidate_prompts, **model)
        predictions = predict_ratings.fn(
            readings, split, config=Predict(), store=store, role="candidate", calibrated_by=llm
        )
        inputs = (candidates, predictions, readings)
        lists = rank_candidates.fn(
            split, ratings, *inputs, config=config, store=store, mix_of=mix_of
        )
        return *inputs, lists

    return run


@pytest.fixture(scope="module")
def ranked(store, rank, split, base, adapter, prompts):
    """The ranked lists of a run."""
    readings = read_prompts.fn(adapter, base, prompts, inference=Inference(), store=store)
    llm = predict_ratings.fn(readings, split, config=Predict(), store=store)
    return rank(split, llm)[-1]


@pytest.fixture
def recommend(store, ranked):
    def run(**request):
        return recommend_for(RecommendRequest(at=NOW, **request), ranked.fingerprint, store)

    return run


def test_a_user_gets_films_not_yet_rated(recommend, split):
    made = recommend(user=3, list_length=5)
    rated = split.scan("ratings").filter(user_id=3).collect()["film_id"].to_list()
    films = [film.film_id for film in made.films]
    assert len(set(films)) == 5
    assert not set(films) & set(rated)
    titles = [f"Film, the {n} ({1960 + n})" for n in (n if n != 9 else 8 for n in rated)]
    for film in made.films:
        assert 1 <= film.pi80_low <= film.expected <= film.pi80_high <= 5
        assert all(reason["title"] in titles for reason in film.reasons)
    assert any(film.reasons for film in made.films)
    assert made.heading == "for user 3"


def test_typed_ratings_are_those_of_a_new_user(recommend):
    made = recommend(ratings=("film the 3=5", "Film, the 12 (1972)=1"), list_length=5)
    assert made.user is None
    assert [one["film_id"] for one in made.typed] == [3, 12]
    assert not {film.film_id for film in made.films} & {3, 12}
    assert made.heading == ("for a person who rated Film, the 3 (1963): 5; Film, the 12 (1972): 1")
    assert len(made.rows()) == 5


def test_a_typed_rating_replaces_the_users_own(recommend, split):
    row = split.scan("ratings").filter(user_id=1).sort("position").first().collect()
    film, stars = row["film_id"][0], row["rating"][0]
    title = f"Film, the {film} ({1960 + film})"
    made = recommend(user=1, ratings=(f"{title}=1",), list_length=3)
    assert made.heading == f"for user 1, with {title}: 1 instead of {stars:g}"


def test_a_request_has_one_rating_a_film_and_gapless_positions(split):
    table = split.scan("ratings").collect()
    own = table.filter(user_id=1)
    film = own.sort("position")["film_id"][2]
    after = add_to_split(table, 1, [TitleMatch("typed", film, "Film", 1.0)], NOW)
    mine = after.filter(user_id=1, role="context")
    assert mine.filter(film_id=film)["rating"].to_list() == [1.0]
    assert len(mine) == len(own)
    assert after.filter(user_id=1)["position"].to_list() == list(range(len(own) + 1))


def test_typed_ratings_find_an_id_where_the_largest_is_taken(split):
    table = split.scan("ratings").collect()
    table = table.with_columns(pl.col("user_id").replace(24, 2**31 - 1))
    after = add_to_split(table, None, [TitleMatch("typed", 1, "Film", 1.0)], NOW)
    assert after.filter(fold="test")["user_id"].to_list() == [24]
    assert after["user_id"].is_sorted()


def test_a_request_leaves_the_store_as_it_was(recommend, store, ranked):
    before = {path: path.stat().st_mtime_ns for path in store.root.rglob("*")}
    recommend(user=5, list_length=3)
    assert {path: path.stat().st_mtime_ns for path in store.root.rglob("*")} == before


def test_an_unknown_user_is_an_error(recommend):
    with pytest.raises(ValueError, match="no user 99: there are users from 1 to 24"):
        recommend(user=99)


@pytest.mark.parametrize(
    ("user", "count", "message"),
    [
        (None, 10, 'nobody to recommend to: name a user, or ratings ("Heat (1995)=4")'),
        (1, 0, "no list of 0 films: count must be 1 or more"),
    ],
)
def test_a_request_for_nobody_or_nothing_is_an_error_of_one_line(user, count, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make_request(user, None, count)


def test_the_mix_is_that_of_the_run(store, rank, ranked, split, ratings):
    """One user's scores by hand: standardised among the candidates, weighted as in the run."""
    request = RecommendRequest(user=3, at=NOW)
    person = add_request.fn(split, ratings, config=request, store=store)
    llm = store.ancestor(RatingPredictions, ranked)
    *inputs, lists = rank(person, llm, mix_of=ranked)
    weights = ranked.metadata["weights"]
    assert lists.metadata["weights"] == weights
    features = read_features(person, *inputs, ranked)
    table = lists.scan("lists").sort("film_id").collect()
    known = sum(
        weights[name] * (values - values.mean()) / (values.std() + 1e-9)
        for name, values in features.items()
    )
    own = person.scan("ratings").filter(user_id=3, role="context").collect()["rating"].mean()
    last = LAST * (table["rating"] < own)  # what is expected below the own mean comes last
    assert (known - last).to_list() == pytest.approx(table["score"].to_list(), abs=1e-6)
    assert table.sort("rank")["score"].is_sorted(descending=True)


def read_features(person, candidates, predictions, readings, ranked):
    """The features of each candidate, by film."""
    read = readings.scan("readings").sort("film_id").collect()
    means = pl.read_parquet(ranked.path / "mean_likelihoods.parquet").filter(fold="test")
    joined = read.join(means, on="film_id", how="left", maintain_order="left")
    likelihood = read["log_likelihood"]
    expected = predictions.scan("ratings").sort("film_id").collect()["mean"]  # there is no prior
    known = person.scan("ratings").filter(role="context").collect()
    films, pairs = select_most_rated(known, 10_000), joined.with_columns(moment=pl.lit(NOW))
    features = {
        "recency_similarity": compute_recency_similarity(known, pairs, films, 5),
        "recent_popularity": count_recent_ratings(known, pairs, films, 60),
        "retrieval_score": candidates.scan("candidates").sort("film_id").collect()["score"],
        "expected_rating": expected,
        "llm_rating": expected,
        "log_likelihood": likelihood,
        "likelihood_lift": (likelihood - joined["mean_log_likelihood"]).fill_null(0.0),
    }
    assert set(features) == set(FEATURES)
    return features


def test_two_films_of_one_title_are_not_both_recommended(recommend, split):
    """Films 8 and 9, to the users who have rated neither."""
    rated = split.scan("ratings").group_by("user_id").agg("film_id").collect()
    users = [user for user, films in rated.sort("user_id").rows() if not {8, 9} & set(films)]
    assert users
    for user in users:
        titles = [film.title for film in recommend(user=user, list_length=12).films]
        assert titles.count("Film, the 8 (1968)") == 1


@pytest.mark.parametrize("title", ["Heat  (1995)", "Heat\u00a0(1995)", " Heat (1995)", "Heat, A"])
def test_a_reason_names_the_film_as_the_catalogue_does(title):
    films = pl.DataFrame({"title": [title, "Heat"], "genres": ["Action|Crime", "Drama"]})
    titles = dict(zip(film_texts(films), films["title"], strict=True))
    line = f"{film_texts(films)[0]}, prior 3.7, Rating: 4.0"
    assert _find_title(line, titles) == title
