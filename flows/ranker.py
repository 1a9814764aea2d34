"""Ranks films as a champion's own run did, for any users and by any later ratings."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from prefect import Task

from flows.stages import CANDIDATE_PRIORS, READ
from tasks.predict.config import Predict
from tasks.predict.task import predict_ratings
from tasks.prior.task import predict_candidate_priors
from tasks.prompt.config import Prompt
from tasks.prompt.task import write_candidate_prompts
from tasks.rank.config import OF_LIKELIHOOD, Rank, Retrieve
from tasks.rank.task import rank_candidates, retrieve_candidates
from tasks.read.task import read_prompts
from tasks.readout.config import Inference
from tasks.store.artifacts import (
    Adapter,
    Base,
    CandidatePrompts,
    Candidates,
    Prompts,
    RankedLists,
    RatingPredictions,
    RatingPriors,
    Readings,
    SplitRatings,
    Tokenizer,
    ValidatedRatings,
)
from tasks.store.store import Store

Call = Callable[[str, Task], Callable[..., Any]]  # a task under a label, to be called


class NoFilmLeftError(ValueError):
    """Every user with a request has rated every film."""


def call_directly(_label: str, task: Task) -> Callable[..., Any]:
    """The task's function, without Prefect."""
    return task.fn


class Ranked(NamedTuple):
    """Ranked candidates, with their expected ratings and the prompts that these were read from."""

    lists: RankedLists
    predictions: RatingPredictions
    prompts: CandidatePrompts


@dataclass(frozen=True)
class Ranker:
    """An adapter, and what its run has fitted beside it: prior, calibration, mix of scores."""

    fitted: RankedLists
    adapter: Adapter
    base: Base
    tokenizer: Tokenizer
    rated: RatingPredictions  # with the calibration
    priors: RatingPriors | None
    fitted_on: ValidatedRatings | None  # the priors
    by_priors: bool  # whether the priors of candidates are scores in the mix
    wording: Prompt
    retrieve: Retrieve
    predict: Predict
    rank: Rank
    whole_ratings: int | None  # of `Inference`, by which its own candidates were read

    @classmethod
    def load(cls, fitted: RankedLists, store: Store) -> "Ranker":
        """That of ranked lists. Raises StoreError where something of it is missing."""
        wording = Prompt.model_validate(store.recipe(Prompts, fitted))
        rated = store.ancestor(RatingPredictions, fitted)
        retrieve = Retrieve.model_validate(store.recipe(Candidates, fitted))
        predict = {k: v for k, v in rated.manifest["recipe"].items() if k in Predict.model_fields}
        by_priors = any(p["kind"] == RatingPriors.kind() for p in fitted.manifest["parents"])
        priors = None
        if wording.needs_priors or by_priors:
            # The fit behind the candidates' priors: newer than that of the adapter's own prompts
            # where a champion was ranked beside a challenger.
            nearest = store.ancestor(RatingPriors if by_priors else Prompts, fitted)
            priors = store.ancestor(RatingPriors, nearest)
        rank = fitted.manifest["recipe"] | {"list_length": retrieve.candidates}
        rank.pop("liked", None)  # decides what the mix is fitted to
        # Champions of before were read whole, and some by a stage that is no more.
        read = [p for p in fitted.manifest["parents"] if p["kind"] == Readings.kind()]
        inference = store.recipe(Readings, fitted)["inference"] if read else {}
        return cls(
            fitted=fitted,
            adapter=store.ancestor(Adapter, fitted),
            base=store.ancestor(Base, fitted),
            tokenizer=store.ancestor(Tokenizer, fitted),
            rated=rated,
            priors=priors,
            by_priors=by_priors,
            fitted_on=store.ancestor(ValidatedRatings, priors) if priors else None,
            wording=wording,
            retrieve=retrieve,
            predict=Predict.model_validate(predict),
            rank=Rank.model_validate(rank),
            whole_ratings=inference.get("whole_ratings"),
        )

    @property
    def weighs_likelihood(self) -> bool:
        """Whether the mix needs the candidates' likelihoods."""
        return any(self.fitted.metadata["weights"].get(name) for name in OF_LIKELIHOOD)

    def own(self, candidates: Candidates | None) -> Candidates | None:
        """The candidates, if they were retrieved by the same settings."""
        same = candidates and candidates.manifest["recipe"] == self.retrieve.model_dump(mode="json")
        return candidates if same else None

    def rank_requests(
        self,
        requests: SplitRatings,
        ratings: ValidatedRatings,
        *,
        inference: Inference,
        store: Store,
        retrieved: Candidates | None = None,
        call: Call = call_directly,
    ) -> Ranked:
        """All candidates of the users with a request, ranked.

        Each user is read alone, so that nobody's list depends on who else is served. With
        `retrieved` the retriever is that of these candidates, and is not fitted again. Raises
        NoFilmLeftError where nobody has a candidate.
        """
        own = {"pack_length": 1, "whole_ratings": self.whole_ratings}
        inference = inference.model_copy(update=own)
        candidates = call("retrieve candidates", retrieve_candidates)(
            requests, config=self.retrieve, store=store, fitted=retrieved
        )
        if candidates.is_empty:
            raise NoFilmLeftError("no film is left that a user with a request has not rated")
        of_candidates, priors = None, list[RatingPriors]()
        if self.priors:
            of_candidates = call(CANDIDATE_PRIORS, predict_candidate_priors)(
                self.priors, requests, ratings, candidates, fitted_on=self.fitted_on, store=store
            )
            priors = [self.priors, of_candidates] if self.wording.needs_priors else []
        prompts = call("write prompts (candidates)", write_candidate_prompts)(
            requests, ratings, self.tokenizer, candidates, priors,
            config=self.wording, store=store,
        )  # fmt: skip
        readings = call(READ, read_prompts)(
            self.adapter, self.base, None, prompts,
            inference=inference, store=store, likelihoods=self.weighs_likelihood,
        )  # fmt: skip
        predictions = call("predict candidates", predict_ratings)(
            readings, requests,
            config=self.predict, store=store, role="candidate", calibrated_by=self.rated,
        )  # fmt: skip
        lists = call("rank candidates", rank_candidates)(
            requests, ratings, candidates, predictions, readings,
            of_candidates if self.by_priors else None,
            config=self.rank, store=store, mix_of=self.fitted,
        )  # fmt: skip
        return Ranked(lists, predictions, prompts)
