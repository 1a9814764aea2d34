"""Every row is accounted for: kept, folded into a newer one, or set aside with its reason."""

import datetime as dt
import itertools

import polars as pl
import pytest

from tasks.store.artifacts import RawRatings
from tasks.validate import expectations, judge
from tasks.validate.rules import RULES, Rule
from tasks.validate.task import Validate, validate_ratings

DAY = dt.datetime(2005, 4, 2, tzinfo=dt.UTC)
FILMS = [(1, "Toy Story (1995)", 1995, "Comedy"), (2, "Heat (1995)", 1995, "Crime")]
RATINGS = [(user, film, 4.0, DAY) for user, film in itertools.product((1, 2, 3), (1, 2))]
BROKEN = {  # rule: (relation, the row that breaks it and no other rule that sets rows aside)
    "film_ids": ("films", (0, "Nothing (1995)", 1995, "Drama")),
    "title": ("films", (3, " ", 1995, "Drama")),
    "title_form": ("films", (5, "Toy\tStory (1995)", 1995, "Drama")),
    "one_film": ("films", (2, "Heat again (1995)", 1995, "Crime")),
    "ids": ("ratings", (0, 1, 4.0, DAY)),
    "range": ("ratings", (4, 1, 5.5, DAY)),
    "step": ("ratings", (4, 1, 3.25, DAY)),
    "past": ("ratings", (4, 1, 4.0, DAY.replace(year=1994))),
    "future": ("ratings", (4, 1, 4.0, DAY.replace(year=2999))),
    "film": ("ratings", (4, 99, 4.0, DAY)),
}
RATING_TYPES = {
    "user_id": pl.Int32,
    "film_id": pl.Int32,
    "rating": pl.Float32,
    "rated_at": pl.Datetime("us", "UTC"),
}
FILM_TYPES = {"film_id": pl.Int32, "title": pl.String, "year": pl.Int16, "genres": pl.String}
REJECT = {
    "relation": pl.String,
    "source": pl.UInt16,
    "line": pl.UInt32,
    "rule": pl.String,
    "detail": pl.String,
}


def lined(rows, types, source):
    """The rows with their place in the source: the header is line 1."""
    table = pl.DataFrame(rows, schema=types, orient="row").with_row_index("line", offset=2)
    return table.with_columns(source=pl.lit(source, pl.UInt16)).select(*types, "source", "line")


@pytest.fixture
def validated(store):
    """`validated(ratings, films, rejects)`: what the door makes of such raw ratings."""

    def run(ratings=(), films=(), rejects=(), allowed=1.0):
        def write(draft):
            lined([*RATINGS, *ratings], RATING_TYPES, 0).write_parquet(draft / "ratings.parquet")
            lined([*FILMS, *films], FILM_TYPES, 1).write_parquet(draft / "films.parquet")
            told = pl.DataFrame(list(rejects), schema=REJECT, orient="row")
            told.write_parquet(draft / "rejects.parquet")
            return {"dataset": "hand", "sources": [{"name": "ratings.csv"}, {"name": "movies.csv"}]}

        raw = store.build(RawRatings, recipe={"rows": repr((ratings, films))}, write=write)
        return validate_ratings.fn(raw, config=Validate(most_set_aside=allowed), store=store)

    return run


def test_every_rule_that_sets_aside_has_a_broken_row_here():
    assert set(BROKEN) == {rule.name for rule in RULES if rule.severity == "set aside"}


def test_each_rule_sets_aside_exactly_the_row_that_breaks_it(validated):
    ratings = [row for relation, row in BROKEN.values() if relation == "ratings"]
    films = [row for relation, row in BROKEN.values() if relation == "films"]
    reject = ("ratings", 0, 77, "typed", "no rating can be read")
    trusted = validated(ratings, films, [reject])
    lines = {"films": itertools.count(4), "ratings": itertools.count(8)}
    names = {"films": "movies.csv", "ratings": "ratings.csv"}
    wanted = {(of, names[of], next(lines[of]), rule) for rule, (of, _) in BROKEN.items()} | {
        ("ratings", "ratings.csv", 77, "typed")
    }
    quarantine = trusted.scan("quarantine").collect()
    assert set(quarantine.drop("detail").rows()) == wanted
    assert len(quarantine) == len(wanted)
    kept = trusted.scan("ratings").select("user_id", "film_id").collect().rows()
    assert kept == [row[:2] for row in RATINGS]
    assert trusted.scan("films").collect().rows() == FILMS
    counted = {rule["rule"]: rule["broken"] for rule in trusted.metadata["rules"]}
    assert {rule: counted[rule] for rule in BROKEN} == dict.fromkeys(BROKEN, 1)
    for account in trusted.metadata["rows"].values():
        assert account["came"] == account["kept"] + account["set_aside"] + account["folded"]
    assert trusted.metadata["rows"]["ratings"] == {
        "came": 13,
        "set_aside": 7,
        "folded": 0,
        "kept": 6,
    }
    assert trusted.metadata["rows"]["films"] == {"came": 6, "set_aside": 4, "folded": 0, "kept": 2}


def test_of_several_ratings_of_a_film_the_newest_stays_and_of_equals_the_last(validated):
    older, newer = DAY - dt.timedelta(days=1), DAY + dt.timedelta(days=1)
    trusted = validated([(1, 1, 1.0, newer), (1, 2, 2.0, older), (2, 1, 3.0, DAY)])
    stars = trusted.scan("ratings").select("user_id", "film_id", "rating").collect().rows()
    assert {(1, 1, 1.0), (1, 2, 4.0), (2, 1, 3.0)} <= set(stars)
    account = trusted.metadata["rows"]["ratings"]
    assert account == {"came": 9, "set_aside": 0, "folded": 3, "kept": 6}


@pytest.mark.parametrize(("star", "scale"), [(4.0, 5), (3.5, 10)])
def test_whole_stars_give_a_scale_of_five_and_one_half_star_one_of_ten(validated, star, scale):
    assert len(validated([(9, 1, star, DAY)]).metadata["scale"]) == scale


def test_what_is_only_warned_about_stays(validated):
    trusted = validated(films=[(3, "Unknown", None, "")])
    assert trusted.scan("films").collect().rows()[-1] == (3, "Unknown", None, "")
    counted = {rule["rule"]: rule["broken"] for rule in trusted.metadata["rules"]}
    assert (counted["year"], counted["genres"]) == (1, 1)


def test_too_much_set_aside_stops_the_night_and_says_why(validated):
    with pytest.raises(judge.UnfitDataError, match=r"1 of 7 ratings .* 5% allowed; .*half stars"):
        validated([BROKEN["step"][1]], allowed=0.05)


def test_a_broken_rule_that_stops_is_an_error():
    rule = Rule("few", "ratings", "stop", "nobody rates", "user_id = 1")
    told = [expectations.Outcome(rule, 2)]
    with pytest.raises(judge.UnfitDataError, match="2 rows break a rule: nobody rates"):
        judge.judge(None, told, {}, Validate())


def test_a_rule_that_cannot_be_evaluated_is_no_pass(tmp_path):
    with pytest.raises(expectations.SuiteError, match=r'could not be run: .*"film_id" not found'):
        expectations.evaluate({"films": "select 1 as nothing_that_is_asked"}, tmp_path)
