import pytest

from tasks.training.config import TrainingConfig
from tasks.training.schedule import lr_factor


@pytest.mark.parametrize(
    ("warmup", "decay", "step", "expected"),
    [
        (100, "none", 49, 0.5),  # the original: it warms up for as long as it lasts
        (0.1, "cosine", 0, 0.1),
        (0.1, "cosine", 55, 0.5),
        (0.1, "linear", 55, 0.5),
        (0, "none", 99, 1.0),
    ],
)
def test_learning_rates_follow_warm_up_and_decay(warmup, decay, step, expected):
    config = TrainingConfig(warmup=warmup, decay=decay)
    assert lr_factor(step, 100, config) == pytest.approx(expected, abs=0.01)
