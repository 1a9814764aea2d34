"""Titles are matched as people type them, and refused where they name no film."""

import unicodedata

import polars as pl
import pytest

from tasks.titles import TitleError, make_key, match_titles

FILMS = pl.DataFrame(
    [
        (1, "Usual Suspects, The (1995)", 50),
        (2, "Heat (1995)", 40),
        (3, "Heat (1986)", 60),
        (4, "Misérables, Les (1998)", 10),
        (5, "Fish Called Wanda, A (1988)", 20),
        (6, "Postino, Il (Postman, The) (1994)", 30),
        (7, "!!! (2011)", 5),
        (8, "💥 (2020)", 5),
        (9, "Die Hard (1988)", 90),
        (10, "Hard (1998)", 2),
        (11, "Toy  Story\u00a0(1995)", 80),
        (12, "Welle, Die (2008)", 8),
        (13, "(500) Days of Summer (2009)", 8),
        (14, "Rocky 2 (1979)", 8),
        (15, "हम (2010)", 3),
        (16, "हिम (2011)", 4),
    ],
    ["film_id", "title", "count"],
    orient="row",
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
        (unicodedata.normalize("NFD", "Les Misérables=1"), 4),
        ("les miserables=1", 4),
        ("a fish caled wanda=2", 5),
        ("il postino=2", 6),
        ("!!!=2", 7),
        ("💥=2", 8),
        ("die hard=2", 9),
        ("hard=2", 10),
        ("toy story=2", 11),
        ("Toy  Story\u00a0(1995)=2", 11),
        ("die welle=2", 12),
        ("500 days of summer=2", 13),
        ("हम=2", 15),
        ("हिम=2", 16),
    ],
)
def test_a_title_is_matched_as_people_type_it(typed, film):
    (match,) = match_titles([typed], FILMS, 0.5, 5)
    assert match.film_id == film
    assert match.rating == float(typed.rpartition("=")[2])


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["heat"], "no title with a rating"),
        (["=5"], "no title with a rating"),
        ([" \u00a0=5"], "no title with a rating"),
        (["heat=6"], "from 0.5 to 5"),
        (["heat=nan"], "from 0.5 to 5"),
        (["???=5"], "anything like"),
        (["🎉=5"], "anything like"),
        (["❤️=5"], "anything like"),
        (["zzzzqqq=3"], "anything like"),
        (["unusual suspicions=3"], "did you mean Usual Suspects, The"),
        (["rocky 3=3"], "did you mean Rocky 2"),
        (["heat=3", "Heat (1986)=4"], "both mean Heat"),
    ],
)
def test_a_text_that_names_no_film_is_refused(typed, message):
    with pytest.raises(TitleError, match=message):
        match_titles(typed, FILMS, 0.5, 5)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Die Hard", "Hard"), ("!!!", "???"), ("❤️", "✈️"), ("が", "か"), ("(1995)", "(1996)")],
)
def test_different_titles_have_different_keys(one, other):
    assert make_key(one) != make_key(other)
