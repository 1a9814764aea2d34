"""The artifacts that stages exchange, with the columns of their tables: the data dictionary.

An artifact is a handle on a finished folder. Only `store.build` makes one, after it has verified
that the tables exist and have the columns stated here.
"""

from tasks.store.artifacts.artifact import Artifact, Table
from tasks.store.artifacts.data import (
    FILM,
    ORIGIN,
    RATING,
    RawRatings,
    SplitRatings,
    ValidatedRatings,
)
from tasks.store.artifacts.models import Adapter, Base, FilmStates, StageForecast
from tasks.store.artifacts.predictions import (
    Candidates,
    RankedLists,
    RatingPredictions,
    RatingPriors,
    Readings,
    Recommendations,
    ServedLists,
)
from tasks.store.artifacts.prompts import CandidatePrompts, PerturbedPrompts, Prompts, Tokenizer
from tasks.store.artifacts.scores import AblationScores, MemorizationScores, Report, Scores

KINDS: tuple[type[Artifact], ...] = (
    RawRatings,
    ValidatedRatings,
    SplitRatings,
    RatingPriors,
    Tokenizer,
    Prompts,
    CandidatePrompts,
    PerturbedPrompts,
    Base,
    FilmStates,
    StageForecast,
    Adapter,
    Candidates,
    Readings,
    RatingPredictions,
    RankedLists,
    Recommendations,
    ServedLists,
    Scores,
    AblationScores,
    MemorizationScores,
    Report,
)
__all__ = [
    "FILM",
    "KINDS",
    "ORIGIN",
    "RATING",
    "AblationScores",
    "Adapter",
    "Artifact",
    "Base",
    "CandidatePrompts",
    "Candidates",
    "FilmStates",
    "MemorizationScores",
    "PerturbedPrompts",
    "Prompts",
    "RankedLists",
    "RatingPredictions",
    "RatingPriors",
    "RawRatings",
    "Readings",
    "Recommendations",
    "Report",
    "Scores",
    "ServedLists",
    "SplitRatings",
    "StageForecast",
    "Table",
    "Tokenizer",
    "ValidatedRatings",
]
