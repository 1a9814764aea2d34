"""Every row is accounted for: kept, deduplicated, or quarantined with its rule."""

import datetime as dt
import itertools
import re

import polars as pl
import pytest

from tasks.store.artifacts import RawRatings
from tasks.validate import expectations
from tasks.validate.enforce_limits import UnfitDataError
from tasks.validate.rules import RULES
from tasks.validate.task import Validate, validate_ratings

DAY = dt.datetime(2005, 4, 2, tzinfo=dt.UTC)
FILMS = [(1, "Toy Story (1995)", 1995, "Comedy"), (2, "Heat (1995)", 1995, "Crime")]
RATINGS = [(user, film, 4.0, DAY) for user, film in itertools.product((1, 2, 3), (1, 2))]
VIOLATIONS = {  # rule: (relation, the row that violates it and no other rule that quarantines)
    "film_ids": ("films", (0, "Nothing (1995)", 1995, "Drama")),
    "title": ("films", (3, " ", 1995, "Drama")),
    "title_form": ("films", (5, "Toy\tStory (1995)", 1995, "Drama")),
    "title_length": ("films", (7, "A" * 301, 1995, "Drama")),
    "genres_length": ("films", (8, "Heat (1995)", 1995, "|".join(["Drama"] * 51))),
    "genres_form": ("films", (6, "Heat (1995)", 1995, "[{'id': 18, 'name': ]")),
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


def with_lines(rows, types, source):
    """The rows with their place in the source: the header is line 1."""
    table = pl.DataFrame(rows, schema=types, orient="row").with_row_index("line", offset=2)
    return table.with_columns(source=pl.lit(source, pl.UInt16)).select(*types, "source", "line")


@pytest.fixture
def validated(store):
    """`validated(ratings, films, rejects)`: validate_ratings of these rows."""

    def run(ratings=(), films=(), rejects=(), allowed=1.0, now=None):
        def write(draft):
            with_lines([*RATINGS, *ratings], RATING_TYPES, 0).write_parquet(
                draft / "ratings.parquet"
            )
            with_lines([*FILMS, *films], FILM_TYPES, 1).write_parquet(draft / "films.parquet")
            table = pl.DataFrame(list(rejects), schema=REJECT, orient="row")
            table.write_parquet(draft / "rejects.parquet")
            return {"dataset": "hand", "sources": [{"name": "ratings.csv"}, {"name": "movies.csv"}]}

        raw = store.build(RawRatings, recipe={"rows": repr((ratings, films))}, write=write)
        config = Validate(max_quarantined=allowed)
        return validate_ratings.fn(raw, config=config, store=store, now=now)

    return run


def test_the_data_docs_load_nothing(validated):
    docs = validated().path / "measured-docs"
    texts = {page: page.read_text() for page in docs.rglob("*.html")}
    for text in texts.values():
        assert "<script" not in text
        assert "default-src 'none'" in text.split("</head>")[0]
        tags = re.findall(r"<(?:link|img|source|iframe|object|embed)\b[^>]*>", text)
        assert not [tag for tag in tags if "//" in tag]
    assert not [rule for rule in RULES if not any(rule.sentence in t for t in texts.values())]
    linked = set(re.findall('href="([^"]+)"', texts[docs / "index.html"]))
    assert {docs / name for name in linked} == set(texts) - {docs / "index.html"}


def test_every_rule_that_quarantines_has_a_violation_here():
    assert set(VIOLATIONS) == {rule.name for rule in RULES if rule.severity == "quarantine"}


def test_each_rule_quarantines_exactly_the_row_that_violates_it(validated):
    ratings = [row for relation, row in VIOLATIONS.values() if relation == "ratings"]
    films = [row for relation, row in VIOLATIONS.values() if relation == "films"]
    reject = ("ratings", 0, 77, "typed", "no rating can be read")
    found = validated(ratings, films, [reject])
    lines = {"films": itertools.count(4), "ratings": itertools.count(8)}
    names = {"films": "movies.csv", "ratings": "ratings.csv"}
    wanted = {(of, names[of], next(lines[of]), rule) for rule, (of, _) in VIOLATIONS.items()} | {
        ("ratings", "ratings.csv", 77, "typed")
    }
    quarantine = found.scan("quarantine").collect()
    assert set(quarantine.drop("detail").rows()) == wanted
    assert len(quarantine) == len(wanted)
    kept = found.scan("ratings").select("user_id", "film_id").collect().rows()
    assert kept == [row[:2] for row in RATINGS]
    assert found.scan("films").collect().rows() == FILMS
    violations = {rule["rule"]: rule["violations"] for rule in found.metadata["rules"]}
    assert {rule: violations[rule] for rule in VIOLATIONS} == dict.fromkeys(VIOLATIONS, 1)
    for counts in found.metadata["rows"].values():
        assert counts["read"] == counts["kept"] + counts["quarantined"] + counts["deduplicated"]
    assert found.metadata["rows"]["ratings"] == {
        "read": 13,
        "quarantined": 7,
        "deduplicated": 0,
        "kept": 6,
    }
    assert found.metadata["rows"]["films"] == {
        "read": 9,
        "quarantined": 7,
        "deduplicated": 0,
        "kept": 2,
    }


def test_the_newest_rating_of_a_film_is_kept_and_of_equal_times_the_last(validated):
    older, newer = DAY - dt.timedelta(days=1), DAY + dt.timedelta(days=1)
    found = validated([(1, 1, 1.0, newer), (1, 2, 2.0, older), (2, 1, 3.0, DAY)])
    stars = found.scan("ratings").select("user_id", "film_id", "rating").collect().rows()
    assert {(1, 1, 1.0), (1, 2, 4.0), (2, 1, 3.0)} <= set(stars)
    counts = found.metadata["rows"]["ratings"]
    assert counts == {"read": 9, "quarantined": 0, "deduplicated": 3, "kept": 6}


def test_a_rating_from_the_future_is_valid_once_its_day_has_come(validated):
    """On any later day the ratings are the same artifact, and so is all that is made from them."""
    rated, film = (4, 1, 4.0, DAY + dt.timedelta(days=3)), (3, "To come (2015)", 2015, "Drama")
    days = [validated([rated], [film], now=DAY + dt.timedelta(days=n)) for n in (0, 1, 2, 9, 99)]
    assert [len(day.scan("ratings").collect()) for day in days] == [6, 6, 7, 7, 7]
    assert len({day.fingerprint for day in days}) == 2
    assert validated(now=DAY).fingerprint == validated(now=DAY + dt.timedelta(9)).fingerprint


def test_what_replaced_ratings_lack_is_logged_by_user_and_film(validated, caplog):
    validated([(4, 1, 4.0, DAY)])
    validated([(5, 1, 4.0, DAY)])
    assert "1 of the 7 ratings of the last run are missing" in caplog.text
    caplog.clear()
    validated([(4, 1, 4.0, DAY), (5, 1, 4.0, DAY)])
    assert "missing" not in caplog.text


@pytest.mark.parametrize(("star", "scale"), [(4.0, 5), (3.5, 10)])
def test_whole_stars_give_a_scale_of_five_and_one_half_star_one_of_ten(validated, star, scale):
    assert len(validated([(9, 1, star, DAY)]).metadata["scale"]) == scale


def test_rows_that_violate_a_warning_are_kept(validated):
    found = validated(films=[(3, "Unknown", None, "")])
    assert found.scan("films").collect().rows()[-1] == (3, "Unknown", None, "")
    violations = {rule["rule"]: rule["violations"] for rule in found.metadata["rules"]}
    assert (violations["year"], violations["genres"]) == (1, 1)


def test_too_many_violations_stop_the_run_and_name_the_rule(validated):
    with pytest.raises(UnfitDataError, match=r"1 of 7 ratings .* 5% allowed; .*multiple of 0.5"):
        validated([VIOLATIONS["step"][1]], allowed=0.05)


def test_a_rule_that_cannot_be_evaluated_raises(tmp_path):
    with pytest.raises(expectations.SuiteError, match=r'could not be run: .*"film_id" not found'):
        expectations.evaluate({"films": "select 1 as another_column"}, tmp_path)


def test_a_relation_of_which_no_row_could_be_typed_has_no_violations(tmp_path):
    columns = "1 as film_id, '' as title, 1 as year, '' as genres, 2 as line, 1 as first_line"
    empty = f"select {columns}, 2000 as latest_year where false"
    violations = expectations.run_suite({"films": empty}, tmp_path)
    assert violations
    assert set(violations.values()) == {0}
