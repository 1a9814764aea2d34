"""What predictors say of films: ratings, candidates, lists."""

import polars as pl

from tasks.store.artifacts.artifact import Artifact, Table


class Readings(Artifact):
    """What a language model makes of films behind a user's context, not calibrated yet."""

    top_level = "artifacts"
    tables = {
        "readings": Table(
            "readings.parquet",
            "one row a (role, fold, user, film), sorted by them",
            {
                "role": ("string", "target: of the fold; candidate: retrieved"),
                "fold": ("string", "validation or test"),
                "user_id": ("int32", "whose context"),
                "film_id": ("int32", "which film"),
                "rating": ("float", "the true rating; null of a candidate"),
                "log_p": (
                    "list<float>",
                    "what the model adds to the log-probability of each value of the scale",
                ),
                "log_prior": ("list<float>", "the prior's log-probabilities; 0 without a prior"),
                "log_likelihood": (
                    "double",
                    "of a candidate's line as the first of a list, in nats; null where not read",
                ),
                "user_hash": (
                    "string",
                    "of all questions about the user; null where users share rows",
                ),
            },
        ),
    }

    @property
    def has_likelihoods(self) -> bool:
        """Whether candidates' lines were read."""
        return bool(self.manifest["recipe"]["likelihoods"])


class RatingPredictions(Artifact):
    """Predicted ratings of held-out films: the same columns for a model and a mean."""

    top_level = "artifacts"
    tables = {
        "ratings": Table(
            "ratings*.parquet",
            "one row a (predictor, fold, user, film), sorted by them",
            {
                "predictor": ("string", "llm, bias, global_mean, ..."),
                "fold": ("string", "validation or test"),
                "user_id": ("int32", "whose rating"),
                "film_id": ("int32", "of which film"),
                "rating": ("float", "the true rating"),
                "mean": ("double", "expected rating, for RMSE; clipped to the scale"),
                "median": ("double", "for MAE"),
                "mode": ("double", "most likely value of the scale"),
                "within_half": ("double", "the value with most probability within half a star"),
                "pi80_low": (
                    "double",
                    "lower end of the 80 % prediction interval; null without probabilities",
                ),
                "pi80_high": ("double", "its upper end; null without probabilities"),
                "p_like": ("double", "probability of 4 stars or more; null without probabilities"),
                "probabilities": (
                    "list<float>",
                    "over the scale, ascending; null where the predictor gives no distribution",
                ),
            },
        ),
    }


class RatingPriors(Artifact):
    """What is expected of each rating from earlier ratings alone, and the factors it is from."""

    top_level = "artifacts"
    tables = {
        "priors": Table(
            "priors.parquet",
            "one row a (fold, user, film) with a prior, sorted by them",
            {
                "fold": ("string", "of the rating: train, validation or test"),
                "user_id": ("int32", "whose rating"),
                "film_id": ("int32", "of which film"),
                "stretch": ("int16", "of the histories; what it is fitted on lies before it"),
                "machine_log_p": (
                    "list<float>",
                    "the factorisation machine's log-probability of each value of the scale",
                ),
                "log_p": ("list<float>", "the same, corrected by the residual trees: the prior"),
            },
        ),
    }


class Candidates(Artifact):
    """The films that a retriever proposes for each user of the validation and the test fold."""

    top_level = "artifacts"
    tables = {
        "candidates": Table(
            "candidates.parquet",
            "one row a (fold, user, rank), sorted by them",
            {
                "fold": ("string", "validation or test"),
                "user_id": ("int32", "the user"),
                "rank": ("int32", "from 1"),
                "film_id": ("int32", "null where no film was known before the user"),
                "score": ("double", "the retriever's, larger first"),
            },
        ),
    }

    @property
    def is_empty(self) -> bool:
        """Whether no user has one."""
        films = self.scan("candidates").select(pl.col("film_id").is_not_null().any())
        return not films.collect().item()


class RankedLists(Artifact):
    """Lists of films, best first."""

    top_level = "artifacts"
    tables = {
        "lists": Table(
            "lists*.parquet",
            "one row a (predictor, user, rank), sorted by them",
            {
                "predictor": ("string", "llm, popularity, ..."),
                "fold": ("string", "validation or test"),
                "user_id": ("int32", "the user"),
                "rank": ("int32", "from 1"),
                "film_id": ("int32", "null where the list names no film of the catalogue"),
                "title": ("string", "as named"),
                "rating": ("double", "expected rating; null where none was given"),
                "score": ("double", "what the list is ordered by, larger first"),
                "error": ("string", "null, or the name of what is wrong with the entry"),
            },
        ),
    }


class Recommendations(Artifact):
    """The first films of one person's list, with expected ratings and reasons (reasons.json)."""

    top_level = "artifacts"
    tables = {
        "lists": RankedLists.tables["lists"],
        "ratings": RatingPredictions.tables["ratings"],
    }


class ServedLists(Artifact):
    """The list of each user, on everything that was known: nothing is held out."""

    top_level = "artifacts"
    tables = {
        "recommendations": Table(
            "recommendations.parquet",
            "one row a (user, rank), sorted by them",
            {
                "user_id": ("int32", "whose list"),
                "rank": ("int32", "from 1"),
                "film_id": ("int32", "a film of the catalogue that the user has not rated"),
                "title": ("string", "with the year in brackets where it is known"),
                "genres": ("string", "joined by |; empty where none is listed"),
                "expected": ("double", "expected rating, in stars"),
                "pi80_low": ("double", "lower end of the 80 % prediction interval"),
                "pi80_high": ("double", "its upper end"),
                "p_like": ("double", "probability of 4 stars or more"),
                "score": ("double", "what the list is ordered by, larger first"),
            },
        ),
    }
