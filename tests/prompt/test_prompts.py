"""Prompts: no leak in any fold, tokens and spans that match the text, the same bytes again."""

import itertools
import re

import numpy as np
import polars as pl
import pytest

from tasks.base.tokenizer import train_tokenizer
from tasks.prompt.config import Prompt
from tasks.prompt.task import write_candidate_prompts, write_prompts
from tasks.store.artifacts import Candidates, SplitRatings, Tokenizer, ValidatedRatings
from tasks.store.store import Store
from tasks.templates import Compact, Original, film_texts

FOLDS = ["train", "validation", "test"]
SCALE = [1.0, 2.0, 3.0, 4.0, 5.0]
FILMS = pl.DataFrame(
    {
        "film_id": [1, 2, 5, 7, 8, 11],
        "title": ["Heat (1995)", "Usual Suspects, The (1995)", "8½ (1963)", "Alien", "Ran", "M"],
        "year": [1995, 1995, 1963, None, None, 1931],
        "genres": ["Action|Crime", "Crime", "Drama", "", "Drama|War", "Crime"],
    },
    schema_overrides={"film_id": pl.Int32, "year": pl.Int16},
)


def _ratings(users: int = 5, seed: int = 3) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [
        (user, film, float(rng.integers(1, 6)), 1_000_000 * int(rng.integers(0, 40)))
        for user in range(users)
        for film in rng.permutation(FILMS["film_id"].to_numpy())[: 5 + user % 2]
    ]
    schema = {"user_id": pl.Int32, "film_id": pl.Int32, "rating": pl.Float32, "rated_at": pl.Int64}
    moment = pl.col("rated_at").cast(pl.Datetime("us", "UTC"))
    table = pl.DataFrame(rows, schema=schema, orient="row").with_columns(moment)
    return table.sort("user_id", "rated_at", "film_id")


def _with_folds(ratings: pl.DataFrame) -> pl.DataFrame:
    """The last rating is a test target, the one before it a validation target."""
    from_end = pl.len().over("user_id") - pl.int_range(pl.len()).over("user_id")
    return ratings.with_columns(
        position=pl.int_range(pl.len(), dtype=pl.Int32).over("user_id"),
        fold=pl.when(from_end == 1)
        .then(pl.lit("test"))
        .when(from_end == 2)
        .then(pl.lit("validation"))
        .otherwise(pl.lit("train")),
        role=pl.when(from_end <= 2).then(pl.lit("target")).otherwise(pl.lit("context")),
        cold=pl.lit(False),
    )


@pytest.fixture
def inputs(store):
    """Split and valid ratings, and a tokenizer trained on their films."""
    ratings = _ratings()

    def write_ratings(draft):
        ratings.write_parquet(draft / "ratings.parquet")
        FILMS.write_parquet(draft / "films.parquet")
        columns = ValidatedRatings.tables["quarantine"].columns
        types = {"string": pl.String, "uint32": pl.UInt32}
        schema = {name: types[kind] for name, (kind, _) in columns.items()}
        pl.DataFrame(schema=schema).write_parquet(draft / "quarantine.parquet")
        return {"dataset": "tiny", "scale": SCALE}

    def write_split(draft):
        _with_folds(ratings).write_parquet(draft / "ratings.parquet")
        return {"dataset": "tiny", "scale": SCALE, "protocol": "leave-last-1"}

    def write_tokenizer(draft):
        train_tokenizer(film_texts(FILMS) * 50, scale=SCALE, vocabulary=2048).save_pretrained(draft)

    valid = store.build(ValidatedRatings, recipe={}, write=write_ratings)
    split = store.build(SplitRatings, recipe={}, parents=[valid], write=write_split)
    tokenizer = store.build(Tokenizer, recipe={}, parents=[valid], write=write_tokenizer)
    return split, valid, tokenizer


COMPACT = Prompt(context_films=3, stride=2, list_length=1)
HEADING = (
    "### CONTEXT\nGiven a user's past movie ratings in the format: Title, Genres, Rating.\n"
    "Ratings range from 1.0 to 5.0\n\n"
)
QUESTION = "\n\n### QUESTION\nWhat will be some more movies this user might like?\n\n### ANSWER\n"
ORIGINAL = Prompt(template=Original(), learn_from="targets", context_films=3, list_length=1)


def _examples(inputs, store, config=COMPACT) -> pl.DataFrame:
    return write_prompts.fn(*inputs, config=config, store=store).scan("examples").collect()


def _decode(inputs, tokens) -> str:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(inputs[2].path).decode(tokens)


@pytest.mark.parametrize("config", [COMPACT, ORIGINAL])
def test_tokens_spell_the_text(inputs, store, config):
    for row in _examples(inputs, store, config).iter_rows(named=True):
        assert _decode(inputs, row["prefix_tokens"]) == row["context"] + row["question"]
        assert [_decode(inputs, t) for t in row["branch_tokens"]] == row["answers"]


@pytest.mark.parametrize("config", [COMPACT, ORIGINAL])
def test_each_rating_span_spells_its_rating(inputs, store, config):
    seen = 0
    for row in _examples(inputs, store, config).iter_rows(named=True):
        for span in row["spans"]:
            of = (row["branch_tokens"] + [row["prefix_tokens"]])[span["branch"]]
            text = _decode(inputs, of[span["start"] : span["end"]])
            if span["rating"] is not None:
                seen += 1
                assert text.strip() == f"{span['rating']:.1f}"
    assert seen > 20


def test_every_train_rating_has_a_loss_exactly_once(inputs, store):
    supervised = (
        _examples(inputs, store)
        .filter(fold="train", kind="rate")
        .explode("spans")
        .select("user_id", pl.col("spans").struct.field("rating"))
    )
    train = inputs[0].scan("ratings").filter(pl.col("fold") == "train").collect()
    by_user = ["user_id", "rating"]
    assert supervised.sort(by_user).rows() == train.select(by_user).sort(by_user).rows()


def test_every_token_of_a_list_has_a_loss(inputs, store):
    row = _examples(inputs, store).filter(fold="train", kind="recommend").row(0, named=True)
    spans = row["spans"]
    assert spans[0]["start"] == 0
    assert all(a["end"] == b["start"] for a, b in itertools.pairwise(spans))
    assert spans[-1]["end"] == len(row["branch_tokens"][0])


def test_no_context_names_a_target_or_a_film_of_its_own_or_a_later_fold(inputs, store):
    ratings = inputs[0].scan("ratings").collect().join(FILMS, on="film_id")
    for row in _examples(inputs, store).iter_rows(named=True):
        number = FOLDS.index(row["fold"])
        later = pl.col("fold").is_in(FOLDS[max(number, 1) :])
        hidden = ratings.filter(later | pl.col("film_id").is_in(row["film_ids"]))
        titles = hidden.filter(user_id=row["user_id"])["title"]
        assert len(titles) >= 2 - number // 2
        assert not [title for title in titles if f"{title}, " in row["context"]]


@pytest.mark.parametrize("prior", ["bias", "neighbours"])
@pytest.mark.parametrize("as_of", ["rating", "fold"])
@pytest.mark.parametrize("fold", FOLDS)
def test_no_prompt_changes_with_the_targets_of_its_own_or_a_later_fold(
    inputs, store, fold, as_of, prior
):
    _, ratings, tokenizer = inputs
    template = Compact(features=("film", "user", "prior"))
    update = {"template": template, "features_as_of": as_of, "prior": prior}
    config = COMPACT.model_copy(update=update)
    number = FOLDS.index(fold)
    hidden = (pl.col("role") == "target") & pl.col("fold").is_in(FOLDS[number:])

    def prompts(rating: pl.Expr) -> pl.DataFrame:
        def write(draft):
            table = inputs[0].scan("ratings").with_columns(rating.cast(pl.Float32).alias("rating"))
            table.collect().write_parquet(draft / "ratings.parquet")
            return inputs[0].metadata

        recipe = {"rating": str(rating)}
        split = store.build(SplitRatings, recipe=recipe, parents=[ratings], write=write)
        return _examples((split, ratings, tokenizer), store, config).filter(kind="rate")

    rating = pl.col("rating")
    before, after = prompts(rating), prompts(pl.when(hidden).then(6 - rating).otherwise(rating))
    earlier, later = (pl.col("fold").is_in(of) for of in (FOLDS[:number], FOLDS[number + 1 :]))
    assert before.filter(earlier).equals(after.filter(earlier))
    own = [
        table.filter(fold=fold).select(
            "context",
            "question",
            "prefix_tokens",
            pl.col("answers").list.eval(pl.element().str.replace(r"\d\.\d\n$", "")),
        )
        for table in (before, after)
    ]
    assert len(own[0]) >= 5
    assert own[0].equals(own[1])
    assert before.filter(later).equals(after.filter(later)) == (fold == "test")


@pytest.mark.parametrize("selection", ["recent", "top", "mixed"])
def test_a_context_keeps_its_length_in_films_and_in_tokens(inputs, store, selection):
    lines = _examples(inputs, store, COMPACT.model_copy(update={"context_selection": selection}))
    assert lines["context"].str.count_matches("\n").max() <= 3
    bounded = COMPACT.model_copy(update={"context_selection": selection, "context_tokens": 30})
    short = _examples(inputs, store, bounded).filter(kind="rate")
    assert 0 < short["prefix_tokens"].list.len().max() <= 30
    assert short["context"].str.ends_with("\n").any()
    starts = tuple(film_texts(FILMS))
    assert all(text.startswith(starts) for text in short["context"] if text)


@pytest.mark.parametrize("prior", ["bias", "neighbours"])
def test_shards_hold_the_same_examples_however_they_are_cut(inputs, store, prior):
    config = COMPACT.model_copy(update={"prior": prior})
    whole = _examples(inputs, store, config)
    for users in (1, 2, 3):
        cut = _examples(inputs, store, config.model_copy(update={"users_per_shard": users}))
        keys = ["user_id", "fold", "kind", "context"]
        assert whole.drop("example").sort(keys).equals(cut.drop("example").sort(keys))


def test_the_same_inputs_give_the_same_bytes(inputs, store, tmp_path):
    first = write_prompts.fn(*inputs, config=COMPACT, store=store)
    written = {file: file.read_bytes() for file in first.path.glob("*.parquet")}
    (first.path / "films.parquet").write_bytes(b"")
    second = write_prompts.fn(*inputs, config=COMPACT, store=store)
    assert not second.cache_hit
    assert {file: file.read_bytes() for file in second.path.glob("*.parquet")} == written


def test_the_original_is_worded_to_the_character(inputs, store):
    film = r"[^\n]+, [A-Z(][^,\n]*"
    rows = _examples(inputs, store, ORIGINAL).filter(kind="recommend")
    assert set(rows["fold"]) == set(FOLDS)
    for row in rows.iter_rows(named=True):
        heading, lines = row["context"][: len(HEADING)], row["context"][len(HEADING) :]
        assert heading == HEADING
        assert re.fullmatch(rf"({film}, Rating [1-5]\.0\n){{1,3}}", lines)
        assert row["question"] == QUESTION
        assert re.fullmatch(rf"{film}, Rating: [1-5]\.0\n</s>", row["answers"][0])


def _candidates(store, split, films: dict[int, list[int]]) -> Candidates:
    """Films of the test fold by user, best first."""
    rows = [
        ("test", user, rank, f, 1.0) for user, own in films.items() for rank, f in enumerate(own, 1)
    ]
    schema = {"fold": pl.String, "user_id": pl.Int32, "rank": pl.Int32, "film_id": pl.Int32}
    table = pl.DataFrame(rows, schema | {"score": pl.Float64}, orient="row")
    recipe = {"films": {str(user): own for user, own in films.items()}}
    return store.build(
        Candidates,
        recipe=recipe,
        parents=[split],
        write=lambda draft: table.write_parquet(draft / "candidates.parquet"),
    )


@pytest.mark.parametrize("config", [COMPACT, ORIGINAL], ids=["compact", "original"])
def test_candidates_have_no_ratings_in_their_prompts(inputs, store, config):
    split, ratings, tokenizer = inputs
    candidates = _candidates(store, split, {0: [11, 7], 3: [5]})
    prompts = write_candidate_prompts.fn(
        split, ratings, tokenizer, candidates, config=config, store=store
    )
    rows = prompts.scan("examples").collect()
    assert rows["film_ids"].to_list() == [[11, 7], [5]]
    assert rows["ratings"].to_list() == [[None, None], [None]]
    words = config.template.target_separator + config.template.closing
    assert all(text.endswith(words) for text in rows["answers"].explode())
    for row in rows.iter_rows(named=True):
        assert [span["branch"] for span in row["spans"]] == list(range(len(row["film_ids"])))
        for tokens, span in zip(row["branch_tokens"], row["spans"], strict=True):
            assert (span["start"], span["end"], span["rating"]) == (len(tokens), len(tokens), None)


def test_a_loss_on_histories_needs_a_template_that_is_tokenised_per_line():
    with pytest.raises(ValueError, match='set learn_from="targets"'):
        Prompt(template=Original())


BIAS = COMPACT.model_copy(update={"prior": "bias"})


@pytest.mark.parametrize("config", [COMPACT, BIAS, ORIGINAL], ids=["compact", "bias", "original"])
def test_the_bytes_are_the_same_whoever_makes_the_shards(inputs, tmp_path, cluster, config):
    written = []
    for executor in ({"workers": 1}, {"workers": 5}, {"dask_address": cluster}):
        store = Store(tmp_path / str(len(written)))
        few = config.model_copy(update={"users_per_shard": 2, **executor})
        made = write_prompts.fn(*inputs, config=few, store=store)
        written.append({file.name: file.read_bytes() for file in made.path.glob("*.parquet")})
    assert len(written[0]) == 4
    assert written[0] == written[1] == written[2]


def test_a_line_of_the_original_is_cut_where_its_rating_would_begin(inputs, store):
    known = {
        film: tokens[: span["start"]]
        for row in _examples(inputs, store, ORIGINAL).filter(kind="rate").iter_rows(named=True)
        for film, tokens, span in zip(
            row["film_ids"], row["branch_tokens"], row["spans"], strict=True
        )
    }
    split, ratings, tokenizer = inputs
    candidates = _candidates(store, split, {0: sorted(known)[:3]})
    prompts = write_candidate_prompts.fn(
        split, ratings, tokenizer, candidates, config=ORIGINAL, store=store
    )
    (row,) = prompts.scan("examples").collect().iter_rows(named=True)
    assert row["branch_tokens"] == [known[film] for film in row["film_ids"]]
