"""Estimates how much harder the test fold is to predict than the validation fold.

Validation covers some of the users, at an earlier time. A damped bias prediction from strictly
earlier ratings has a known residual for every rating but the test targets. The size of residuals is
compared between the validation targets and each user's last known ratings, and its trend along the
histories is extrapolated by one step.
"""

import numpy as np
import polars as pl

FILM_DAMPING, USER_DAMPING = 5.0, 10.0  # prior ratings at the global mean
STEPS = 5  # blocks of a history, each as long as the user's test targets, that the trend spans


def bias_residuals(split: pl.LazyFrame) -> pl.DataFrame:
    """Ratings of users with targets, but the test targets, with `residual`: stars above the damped
    bias prediction, and whether each is a validation target, `validated`.

    The prediction is the global mean + the film's bias, of all users' ratings, + the user's bias,
    all from earlier rows. One copy of the ratings is held at a time: a large set has gigabytes.
    """
    target = pl.col("role") == "target"
    hidden = (pl.col("fold") == "test") & target
    known = split.filter(~hidden, pl.col("fold") != "unused").select(
        "user_id", "film_id", "rated_at", "position", left=pl.col("rating"),
        validated=(pl.col("fold") == "validation") & target,
    )  # fmt: skip
    known = known.with_columns(pl.col("left") - pl.col("left").mean())
    known = known.sort("rated_at", "user_id", "position")
    known = known.with_columns(left=pl.col("left") - _mean_before("left", "film_id", FILM_DAMPING))
    users = split.filter(target, pl.col("fold").is_in(["validation", "test"])).select("user_id")
    known = known.join(users, on="user_id", how="semi").sort("user_id", "position")
    return known.with_columns(
        residual=pl.col("left") - _mean_before("left", "user_id", USER_DAMPING)
    ).collect()


def validation_level(split: pl.LazyFrame, coverage: float) -> float:
    """The share of validation targets that intervals must hold to hold `coverage` of the test's.

    Assumes all residuals scale by the same factor, the damped bias prediction's.
    """
    known = bias_residuals(split)
    residual = known.filter("validated")["residual"].abs().to_numpy()
    if not len(residual):
        return coverage
    bound = np.quantile(residual, coverage, method="higher")
    return float((residual <= difficulty_ratio(split, known) * bound).mean())


def difficulty_ratio(split: pl.LazyFrame, known: pl.DataFrame) -> float:
    """Expected root mean squared residual of test targets over that of validation targets.

    `known` are the residuals of the split's other ratings.
    """
    targets = split.filter(pl.col("fold") == "test", pl.col("role") == "target")
    counts = targets.group_by("user_id").agg(targets=pl.len()).collect()
    back = (pl.len() - 1 - pl.int_range(pl.len())).over("user_id")
    known_of_tested = known.with_columns(back=back).join(counts, on="user_id")
    known_of_tested = known_of_tested.with_columns(step=pl.col("back") // pl.col("targets"))
    before = known.filter("validated")
    if before.is_empty() or known_of_tested.is_empty():
        return 1.0
    whole = (pl.col("back").max() + 1 >= STEPS * pl.col("targets").first()).over("user_id")
    steps = known_of_tested.filter(whole, pl.col("step") < STEPS)
    steps = steps.group_by("step").agg(_rms).sort("step")
    slope = 0.0
    if len(steps) == STEPS:
        slope = -float(np.polyfit(np.arange(STEPS), np.log(steps["residual"].to_numpy()), 1)[0])
    last = known_of_tested.filter(step=0).select(_rms).item()
    return float(last / before.select(_rms).item() * np.exp(slope))


_rms = pl.col("residual").pow(2).mean().sqrt()


def _mean_before(name: str, group: str, damping: float) -> pl.Expr:
    """Damped mean of the earlier rows of the same group, in the order of the frame."""
    value = pl.col(name)
    return (value.cum_sum() - value).over(group) / (pl.int_range(pl.len()).over(group) + damping)
