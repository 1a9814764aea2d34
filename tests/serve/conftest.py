"""Forty films, a model of random weights, and what ranks with it."""

import datetime as dt

import polars as pl
import pytest

from flows.ranker import Ranker
from tasks.predict.config import Predict
from tasks.predict.task import predict_ratings
from tasks.prompt.config import Prompt
from tasks.prompt.task import write_candidate_prompts, write_prompts
from tasks.rank.config import Rank, Retrieve
from tasks.rank.task import rank_candidates, retrieve_candidates
from tasks.read.task import read_prompts
from tasks.readout.config import Inference
from tasks.recommend.task import add_everyone
from tasks.serve.task import Serving, compose_recommendations
from tasks.store.artifacts import SplitRatings
from tasks.templates import Compact
from tests.pipeline_world import (  # noqa: F401
    adapter,
    base,
    ratings,
    split,
    store,
    tokenizer,
)

WHOLE = 7  # not the default
ANY = Serving(max_film_share=1.0)


@pytest.fixture(scope="module")
def prompts(store, ratings, split, tokenizer):  # noqa: F811
    """Without features: what others rate is in nobody's prompt."""
    config = Prompt(template=Compact(features=()), context_films=8, users_per_shard=10)
    return write_prompts.fn(split, ratings, tokenizer, config=config, store=store)


@pytest.fixture(scope="module")
def ranker(store, split, ratings, tokenizer, adapter, base, prompts):  # noqa: F811
    """Of the ranked lists of a run."""
    model = {"inference": Inference(whole_ratings=WHOLE), "store": store}
    candidates = retrieve_candidates.fn(split, config=Retrieve(candidates=40), store=store)
    wording = Prompt.model_validate(prompts.manifest["recipe"])
    prompts_of_candidates = write_candidate_prompts.fn(
        split, ratings, tokenizer, candidates, config=wording, store=store
    )
    readings = read_prompts.fn(adapter, base, prompts, prompts_of_candidates, **model)
    predict = {"config": Predict(), "store": store}
    llm = predict_ratings.fn(readings, split, **predict)
    predictions = predict_ratings.fn(
        readings, split, **predict, role="candidate", calibrated_by=llm
    )
    ranked = rank_candidates.fn(
        split, ratings, candidates, predictions, readings, config=Rank(), store=store
    )
    return Ranker.load(ranked, store)


@pytest.fixture(scope="module")
def serve(store, ratings, ranker):  # noqa: F811
    """`serve(split, at)`: the requests and the lists of everyone, in a store."""

    def run(split, at=store, active_days=None):  # noqa: F811
        requests = add_everyone.fn(split, active_days=active_days, store=at)
        ranked = ranker.rank_requests(requests, ratings, inference=Inference(), store=at)
        lists = compose_recommendations.fn(
            requests, ratings, ranked.lists, ranked.predictions, config=ANY, store=at
        )
        return requests, lists

    return run


@pytest.fixture(scope="module")
def tonight(serve, split):  # noqa: F811
    """The requests and the lists of everyone."""
    return serve(split)


@pytest.fixture(scope="module")
def sated(store, split, ratings):  # noqa: F811
    """The split after user 3, and nobody else of late, has rated every film."""

    def write(draft):
        table = split.scan("ratings").collect()
        own = table.filter(user_id=3)
        left = ratings.scan("films").select("film_id").collect().join(own, on="film_id", how="anti")
        new = own.tail(1).drop("film_id").join(left, how="cross").select(own.columns)
        new = new.with_columns(
            rated_at=table["rated_at"].max() + dt.timedelta(minutes=1),
            position=pl.int_range(pl.len(), dtype=own.schema["position"]) + len(own),
        )
        pl.concat([table, new]).sort("user_id", "position").write_parquet(draft / "ratings.parquet")
        return split.metadata

    return store.build(SplitRatings, recipe={"sated": 3}, parents=[split], write=write)


@pytest.fixture(scope="module")
def grown(store, split, tonight):  # noqa: F811
    """The split after user 3 has rated the first film of their list."""
    served = tonight[1].scan("recommendations").collect()
    film = served.filter(user_id=3, rank=1)["film_id"][0]

    def write(draft):
        table = split.scan("ratings").collect()
        own = table.filter(user_id=3).sort("position")
        new = own.tail(1).with_columns(
            film_id=pl.lit(film, pl.Int32),
            rated_at=pl.col("rated_at") + dt.timedelta(minutes=1),
            position=pl.col("position") + 1,
        )
        grown = pl.concat([table, new]).sort("user_id", "position")
        grown.write_parquet(draft / "ratings.parquet")
        return split.metadata

    return store.build(SplitRatings, recipe={"grown": 1}, parents=[split], write=write)
