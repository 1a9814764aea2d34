"""Names the settings that are selected for each baseline, with their ranges.

The bias model keeps its published damping.
"""

from dataclasses import dataclass, field

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

Settings = dict[str, float]  # dotted name in tasks/baseline/config.py, and value


@dataclass(frozen=True)
class SearchSpace:
    """The range of each setting, and the library's own values where the default has others."""

    ranges: dict[str, BaseDistribution]
    of_library: Settings = field(default_factory=dict)


def _factor(low: float, high: float) -> FloatDistribution:
    return FloatDistribution(low, high, log=True)


def _number(low: int, high: int) -> IntDistribution:
    return IntDistribution(low, high, log=True)


SPACES = {
    "ease": SearchSpace(
        {"ease_regularisation": _factor(1, 5000)}, of_library={"ease_regularisation": 1.0}
    ),
    "funk_svd": SearchSpace({"funk_regularisation": _factor(0.005, 0.2)}),
    "implicit_als": SearchSpace(
        {
            "implicit_als.factors": _number(32, 160),
            "implicit_als.regularisation": _factor(0.01, 200),
            "implicit_als.alpha": _factor(0.5, 50),
        },
        of_library={
            "implicit_als.factors": 100,
            "implicit_als.regularisation": 0.01,
            "implicit_als.alpha": 1.0,
        },
    ),
    "implicit_item_knn": SearchSpace(
        {"list_neighbours": _number(10, 400)}, of_library={"list_neighbours": 20}
    ),
    "implicit_mf": SearchSpace({"list_weight": _factor(1, 100)}, of_library={"list_weight": 40.0}),
    "item_knn": SearchSpace({"neighbours": _number(5, 200)}),
    "matrix_factorisation": SearchSpace({"regularisation": _factor(0.01, 1)}),
    "svdpp": SearchSpace(
        {
            "svdpp.epochs": _number(10, 50),
            "svdpp.learning_rate": _factor(0.02, 0.2),
            "svdpp.regularisation": _factor(0.02, 0.5),
        }
    ),
}
