"""On demand: titles as people type them, and answers for whoever asks."""

import datetime as dt

import polars as pl
import pytest

from tasks.predict.config import Ask, Predict
from tasks.predict.task import answer, predict, propose, take_question
from tasks.predict.telling import advice_of
from tasks.predict.titles import TitleError, understand
from tasks.prompt.config import Prompt
from tasks.prompt.task import write_candidates

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
def advise(house, histories, trusted, tokenizer, base, adapter, prompts):
    night = predict.fn(
        adapter, base, prompts, histories, config=Predict(list_length=4), store=house
    )

    def walk(ask):
        asked = take_question.fn(histories, trusted, config=ask, store=house)
        films = propose.fn(asked, config=ask, store=house)
        wording = Prompt.model_validate(prompts.manifest["recipe"])
        candidates = write_candidates.fn(
            asked, trusted, tokenizer, films, config=wording, store=house
        )
        found = answer.fn(adapter, base, candidates, asked, night, config=ask, store=house)
        return advice_of(found, asked, trusted)

    return walk


def test_a_user_is_told_of_films_not_yet_rated(advise, histories):
    advice = advise(Ask(user=3, at=NOW, list_length=5))
    rated = histories.scan("histories").filter(user_id=3).collect()["film_id"].to_list()
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


def test_an_unknown_user_is_named(advise):
    with pytest.raises(ValueError, match="no user 99: there are users from 1 to 24"):
        advise(Ask(user=99, at=NOW))
