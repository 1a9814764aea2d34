"""Ratios of speeds leave out peers for which memory ran out."""

from bench.train import OWN, ratios

FIGURES = {
    "original": {"samples_per_second": 2.0, "peak_bytes": 4.0},
    "trl": {"samples_per_second": 3.0, "peak_bytes": 9.0},
    "trl, not packed": {"samples_per_second": 1.0, "peak_bytes": 2.0},
    OWN: {"samples_per_second": 12.0, "peak_bytes": 6.0},
}


def without(*peers):
    return ratios("1b7", {peer: row for peer, row in FIGURES.items() if peer not in peers})


def test_a_peer_without_figures_takes_no_others_with_it():
    whole = {"speedup_original_1b7": 6.0, "memory_ratio_1b7": 1.5, "speedup_trl_1b7": 4.0}
    assert without() == whole
    assert without("original") == {"speedup_trl_1b7": 4.0}
    assert without("trl")["speedup_trl_1b7"] == 12.0
    assert without("trl", "trl, not packed").keys() == {"speedup_original_1b7", "memory_ratio_1b7"}
    assert without(OWN) == {}
