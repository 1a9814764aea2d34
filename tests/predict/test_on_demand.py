"""On demand: titles as people type them, and answers for whoever asks."""

import datetime as dt

import polars as pl
import pytest

from flows.recommend import recommend_for
from tasks.predict.config import Ask, Predict, Rank, Retrieve
from tasks.predict.task import predict, rank, retrieve, take_question, weigh
from tasks.prompt.config import Prompt
from tasks.prompt.task import write_candidates
from tasks.rank.mix import FEATURES
from tasks.store.artifacts import Predictions, Prompts
from tasks.titles import TitleError, understand

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
FILMS = pl.DataFrame(
    {
        "film_id": [1, 2, 3, 4, 5, 6],
        "title": [
            "Usual Suspects, The (1995)",
            "Heat (1995)",
            "Heat (1986)",
            "Misérables, Les (1998)",
            "Fish Called Wanda, A (1988)",
            "Postino, Il (Postman, The) (1994)",
        ],
        "count": [50, 40, 60, 10, 20, 30],
    }
)


@pytest.mark.parametrize(
    ("typed", "film"),
    [
        ("The Usual Suspects (1995)=5", 1),
        ("usual suspects, the=4.5", 1),
        ("USUAL SUSPECTS = 5", 1),
        ("heat=3", 3),  # the most rated of those that fit
        ("heat (1995)=3", 2),
        ("Les Misérables=1", 4),
        ("a fish caled wanda=2", 5),
        ("il postino=2", 6),
    ],
)
def test_titles_are_understood_as_people_type_them(typed, film):
    (found,) = understand([typed], FILMS, 0.5, 5)
    assert found.film_id == film
    assert found.rating == float(typed.rpartition("=")[2])


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["heat"], "does not end in a rating"),
        (["heat=6"], "from 0.5 to 5"),
        (["zzzzqqq=3"], "anything like"),
        (["unusual suspicions=3"], "did you mean"),
        (["heat=3", "Heat (1986)=4"], "both mean Heat"),
    ],
)
def test_what_is_not_understood_is_said(typed, words):
    with pytest.raises(TitleError, match=words):
        understand(typed, FILMS, 0.5, 5)


def test_somebody_must_ask():
    with pytest.raises(ValueError, match="nobody asks"):
        Ask(at=NOW)


@pytest.fixture(scope="module")
def night(house, histories, trusted, tokenizer, base, adapter, prompts):
    """The lists that a night ranks."""
    config = Predict(list_length=4)
    said = predict.fn(adapter, base, prompts, histories, config=config, store=house)
    films = retrieve.fn(histories, config=Retrieve(candidates=12), store=house)
    wording = Prompt.model_validate(prompts.manifest["recipe"])
    asked = write_candidates.fn(histories, trusted, tokenizer, films, config=wording, store=house)
    rated = predict.fn(adapter, base, asked, histories, config=config, store=house, calibrated=said)
    weighed = weigh.fn(adapter, base, asked, config=config, store=house)
    return rank.fn(histories, trusted, films, rated, weighed, config=Rank(), store=house)


@pytest.fixture
def advise(house, night):
    return lambda ask: recommend_for(ask, night.fingerprint, house)


def test_a_user_is_told_of_films_not_yet_rated(advise, histories):
    advice = advise(Ask(user=3, at=NOW, list_length=5))
    rated = histories.scan("ratings").filter(user_id=3).collect()["film_id"].to_list()
    named = [film.film_id for film in advice.films]
    assert len(set(named)) == 5
    assert not set(named) & set(rated)
    titles = [f"Film, the {n} ({1960 + n})" for n in (n if n != 9 else 8 for n in rated)]
    for film in advice.films:
        assert 1 <= film.low <= film.rating <= film.high <= 5
        assert all(reason["title"] in titles for reason in film.because)
    assert any(film.because for film in advice.films)


def test_a_history_told_by_hand_is_an_own_one(advise):
    told = ("film the 3=5", "Film, the 12 (1972)=1")
    advice = advise(Ask(told=told, at=NOW, list_length=5))
    assert advice.asker == 25
    assert [one["film_id"] for one in advice.understood] == [3, 12]
    assert not {film.film_id for film in advice.films} & {3, 12}
    assert "Film, the 3 (1963): 5" in advice.heading
    assert len(advice.rows()) == 5


def test_asking_leaves_the_nights_store_as_it_was(advise, house, night):
    before = {path: path.stat().st_mtime_ns for path in house.root.rglob("*")}
    advise(Ask(user=5, at=NOW, list_length=3))
    assert {path: path.stat().st_mtime_ns for path in house.root.rglob("*")} == before


def test_an_unknown_user_is_named(advise):
    with pytest.raises(ValueError, match="no user 99: there are users from 1 to 24"):
        advise(Ask(user=99, at=NOW))


def test_the_mix_is_the_nights_own(house, night, histories, trusted, tokenizer, adapter, base):
    """One user's scores by hand: standardised among the candidates, weighed as in the night."""
    asked = take_question.fn(histories, trusted, config=Ask(user=3, at=NOW), store=house)
    films = retrieve.fn(asked, config=Retrieve(candidates=12), store=house)
    prompts = house.parents(Prompts, house.parents(Predictions, night)[1])[0]
    wording = Prompt.model_validate(prompts.manifest["recipe"])
    candidates = write_candidates.fn(asked, trusted, tokenizer, films, config=wording, store=house)
    config, said = Predict(), house.parents(Predictions, night)[1]
    rated = predict.fn(
        adapter, base, candidates, asked, config=config, store=house, calibrated=said
    )
    weighed = weigh.fn(adapter, base, candidates, config=config, store=house)
    ranked = rank.fn(
        asked, trusted, films, rated, weighed, config=Rank(list_length=12), store=house, like=night
    )
    weights = night.metadata["weights"]
    assert ranked.metadata["weights"] == weights
    score = {
        name: column(name, films, rated, weighed, night) for name in FEATURES if name != "near"
    }
    score = {k: (v - v.mean()) / (v.std() + 1e-9) for k, v in score.items()}
    lists = ranked.scan("lists").sort("film_id").collect()
    told = sum(weights[name] * values for name, values in score.items())
    rest = lists["score"] - told  # what nearness adds, which is standardised as well
    assert rest.mean() == pytest.approx(0, abs=1e-6)
    assert rest.std() == pytest.approx(weights["near"], abs=1e-6)
    assert lists.sort("rank")["score"].is_sorted(descending=True)


def column(name, films, rated, weighed, night):
    """A feature of each candidate, by film."""
    if name == "retrieved":
        return films.scan("lists").sort("film_id").collect()["score"]
    if name == "expected":
        return rated.scan("ratings").sort("film_id").collect()["mean"]
    likely = weighed.scan("lists").sort("film_id").collect()
    if name == "likelihood":
        return likely["score"]
    usual = pl.read_parquet(night.path / "usual.parquet").filter(fold="test")
    found = likely.join(usual, on="film_id", how="left", maintain_order="left")
    return (found["score"] - found["usual"]).fill_null(0.0)


def test_two_films_of_one_title_are_not_both_named(advise):
    for user in range(1, 25):
        titles = [film.title for film in advise(Ask(user=user, at=NOW, list_length=12)).films]
        assert len(set(titles)) == len(titles)
