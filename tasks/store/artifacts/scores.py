"""Metrics, ablations and the page of a run."""

from tasks.store.artifacts.artifact import Artifact, Table


class Scores(Artifact):
    """Every metric of every predictor, with intervals, and the differences between predictors."""

    top_level = "artifacts"
    tables = {
        "metrics": Table(
            "metrics.parquet",
            "one row a (predictor, metric, k, relevance, slice, its value), sorted by them",
            {
                "predictor": ("string", "llm, bias, ..."),
                "metric": ("string", "name of a file in sql/metrics"),
                "k": ("int32", "list length; null for metrics of ratings"),
                "relevance": (
                    "string",
                    "which films count as hits: liked or rated; null where none do",
                ),
                "slice": ("string", "name of a file in sql/slices"),
                "slice_value": ("string", "which part of that slice; everyone has one: all"),
                "value": ("double", "the metric"),
                "ci95_low": (
                    "double",
                    "2.5 % point of the bootstrap over users; null for what is no mean over users",
                ),
                "ci95_high": ("double", "97.5 % point"),
                "n": ("int64", "ratings, or lists, that it is a mean of"),
            },
        ),
        "comparisons": Table(
            "comparisons.parquet",
            "one row a (predictor, against, metric, k, relevance, slice, its value), sorted",
            {
                "predictor": ("string", "predictor that is compared"),
                "against": ("string", "predictor that it is compared with, on the same users"),
                "metric": ("string", "name of a file in sql/metrics"),
                "k": ("int32", "list length; null for metrics of ratings"),
                "relevance": (
                    "string",
                    "which films count as hits: liked or rated; null where none do",
                ),
                "slice": ("string", "name of a file in sql/slices"),
                "slice_value": ("string", "which part of that slice"),
                "difference": ("double", "value of predictor minus value of against"),
                "ci95_low": ("double", "2.5 % point of the paired bootstrap over users"),
                "ci95_high": ("double", "97.5 % point"),
                "p_adjusted": (
                    "double",
                    "p-value over the same resamples, adjusted by max-T for all comparisons of the "
                    "metric, k, relevance and slice",
                ),
                "n": ("int64", "ratings, or lists, that both are means of"),
            },
        ),
    }


class AblationScores(Artifact):
    """The language model's error behind perturbed contexts."""

    top_level = "artifacts"
    tables = {
        "ablations": Table(
            "ablations.parquet",
            "one row an ablation, sorted by it",
            {
                "ablation": ("string", "how contexts were perturbed; none: not at all"),
                "predictor": ("string", "whose error"),
                "n": ("int64", "ratings"),
                "rmse": ("double", "of the expected rating, in stars"),
                "difference": ("double", "to none, on the same ratings"),
                "ci95_low": ("double", "2.5 % point of the paired bootstrap over users"),
                "ci95_high": ("double", "97.5 % point"),
            },
        )
    }


class MemorizationScores(Artifact):
    """How many rows of the data a base model completes from memory."""

    top_level = "artifacts"
    tables = {
        "memorization": Table(
            "memorization.parquet",
            "one row a kind, sorted by it",
            {
                "kind": (
                    "string",
                    "film: the title behind its id; rating: stars and time behind user and film",
                ),
                "n": ("int64", "rows asked for"),
                "memorized": ("int64", "rows that greedy decoding completes exactly"),
                "share": ("double", "memorized divided by n"),
                "ci95_low": ("double", "2.5 % point by Wilson"),
                "ci95_high": ("double", "97.5 % point"),
            },
        )
    }


class Report(Artifact):
    """One self-contained page, report.html, made from the metrics database and the files it names.

    Beside it summary.txt has its first sentences, and rmse.svg, ndcg.svg, calibration.svg and
    training.svg its main plots.
    """

    top_level = "artifacts"
