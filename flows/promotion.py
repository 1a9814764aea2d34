"""Compares a run's adapter with the champion on its test users, and publishes the decision."""

import dataclasses
import logging
from typing import NamedTuple

from flows.alerts import alert_on_rejections
from flows.ask import ask_where_open
from flows.commit import project_commit
from flows.events import emit_decision
from flows.prepare import PreparedData
from flows.ranking import rate_and_rank
from flows.settings import Settings
from flows.stages import CANDIDATE_PRIORS, OPPONENT, Stages
from tasks.baseline.task import blend_opponent
from tasks.prior.config import Prior
from tasks.prior.task import fit_priors
from tasks.prompt.config import Prompt
from tasks.prompt.task import write_prompts
from tasks.publish.contest import Contest
from tasks.publish.opponent import ChampionChangedError, find_opponent
from tasks.publish.task import publish
from tasks.score.halves import Half
from tasks.score.task import score
from tasks.store.artifacts import (
    Adapter,
    Artifact,
    Base,
    Candidates,
    Prompts,
    RankedLists,
    RatingPredictions,
    RatingPriors,
    Scores,
    Tokenizer,
)
from tasks.store.store import Store

CONTESTS = 5  # publishing takes seconds: so many other champions meanwhile are a fault
log = logging.getLogger(__name__)


class Served(NamedTuple):
    """The predictions and lists that are served of an adapter."""

    ratings: list[RatingPredictions]
    lists: list[RankedLists]


def contest(
    profile: str,
    settings: Settings,
    store: Store,
    stages: Stages,
    data: PreparedData,
    adapter: Adapter,
    predictions: list[RatingPredictions],
    lists: list[RankedLists],
) -> Scores:
    """Compare the adapter with the champion, score and publish; return the scores.

    `predictions` are the language model's, those of the others, and last the blend. Where another
    champion is promoted meanwhile, the adapter is compared with that one. Raises
    ChampionChangedError where that happens again and again.
    """
    made = list(stages.artifacts)
    for attempts_left in reversed(range(CONTESTS)):
        stages.artifacts = list(made)
        challenge = find_opponent(
            adapter, data.split, data.raw,
            margins=settings.promotion, store=store, served_lists=settings.rank.predictor,
        )  # fmt: skip
        others = predictions[1:-1]
        champion = predict_served(settings, store, stages, data, challenge.champion, others)
        best = predict_served(settings, store, stages, data, challenge.best, others, "best")
        scores = stages("score", score)(
            data.split, data.ratings,
            [*predictions, *champion.ratings], [*champion.lists, *lists],
            config=settings.score, liked=settings.liked, store=store,
        )  # fmt: skip
        rivals = Served([*champion.ratings, *best.ratings], [*champion.lists, *best.lists])
        own = Served([predictions[0], predictions[-1]], [one for one in lists if _is_ranked(one)])
        halves = score_halves(settings, store, stages, data, own, rivals)
        if halves:
            by_hand = ask_where_open(challenge, halves, data.ratings, store)
            challenge = dataclasses.replace(challenge, by_hand=by_hand)
        try:
            stages("publish", publish)(
                scores, [one for one in dict.fromkeys(stages.artifacts) if not _is_score(one)],
                profile=profile, commit=project_commit(),
                challenge=challenge, contest=halves, store=store,
            )  # fmt: skip
            break
        except ChampionChangedError as error:
            if not attempts_left:
                raise
            log.warning("%s: comparing again", error)
    emit_decision(scores.fingerprint, store)
    alert_on_rejections(store)
    return scores


def score_halves(
    settings: Settings,
    store: Store,
    stages: Stages,
    data: PreparedData,
    own: Served,
    rivals: Served,
) -> Contest | None:
    """What is served of the adapter beside the same of its rivals; None without any."""
    if not rivals.ratings:
        return None
    ratings, lists = "blend", settings.rank.predictor
    config = settings.score.model_copy(update={"compared": (ratings, lists)})
    halves: tuple[Half, Half] = ("decides", "reports")
    decides, reports = (
        stages(f"score (half that {half})", score)(
            data.split, data.ratings,
            [*own.ratings, *rivals.ratings], [*own.lists, *rivals.lists],
            config=config, liked=settings.liked, half=half, store=store,
        )
        for half in halves
    )  # fmt: skip
    return Contest(decides, reports, ratings, lists, settings.predict.predictor)


def predict_served(
    settings: Settings,
    store: Store,
    stages: Stages,
    data: PreparedData,
    adapter: Adapter | None,
    others: list[RatingPredictions],
    role: str = "champion",
) -> Served:
    """What would be served of an earlier adapter: its lists, and its ratings blended with others.

    Its prompts are in the wording that it was trained on. Without an adapter nothing.
    """
    if adapter is None:
        stages.skip(*(OPPONENT if role == "champion" else ()))
        return Served([], [])
    wording = Prompt.model_validate(store.recipe(Prompts, adapter))
    tokenizer, base = store.ancestor(Tokenizer, adapter), store.ancestor(Base, adapter)
    predict = settings.predict.model_copy(update={"predictor": role, "greedy": False})
    rank_as = {
        name: f"{getattr(settings.rank, name)}_{role}" for name in ("predictor", "without_llm")
    }
    theirs = settings.model_copy(
        update={"predict": predict, "rank": settings.rank.model_copy(update=rank_as)}
    )
    with stages.of(role):
        priors = data.priors
        if wording.needs_priors and priors is None:
            config = Prior.model_validate(store.recipe(RatingPriors, adapter))
            priors = stages("fit priors", fit_priors)(
                data.split, data.ratings, config=config, store=store
            )
        if priors is None:
            stages.skip(f"{CANDIDATE_PRIORS}, {role}")
        prompts = stages("write prompts", write_prompts)(
            data.split, data.ratings, tokenizer, priors, config=wording, store=store
        )
        own = dataclasses.replace(data, tokenizer=tokenizer, prompts=prompts, priors=priors)
        rated, ranked = rate_and_rank(theirs, store, stages, own, base, adapter)
        blend = stages("blend predictions", blend_opponent)(
            data.split, [rated, *others],
            replaced=settings.predict.predictor, opponent=role,
            config=settings.baseline, store=store,
        )  # fmt: skip
    return Served([rated, blend], [ranked])


def _is_ranked(lists: RankedLists) -> bool:
    return any(parent["kind"] == Candidates.kind() for parent in lists.manifest["parents"])


def _is_score(artifact: Artifact) -> bool:
    return isinstance(artifact, Scores)
