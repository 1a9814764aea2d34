"""Anchors the ratings that a language model spells to a prior.

log p(r) = log prior(r) + WEIGHT * log p_model(r) - log Z: a product of experts (Hinton, 2002,
Neural Computation 14(8)), in which the model learns what the prior lacks.
"""

import torch
from torch import Tensor

# What a good prior leaves is mostly noise, and a large step fits it: with 1.0 validation RMSE on
# MovieLens-100K rose from 0.929 to 0.946, with 0.3 to 0.931.
WEIGHT = 0.3


def anchor(log_p: Tensor, log_prior: Tensor) -> Tensor:
    """Anchored log-probabilities [ratings, values]; a `log_prior` without columns changes nothing.

    Rows of zeros in `log_prior` have no prior: their `log_p` stays as it is.
    """
    if not log_prior.shape[1]:
        return log_p
    anchored = torch.log_softmax(WEIGHT * log_p + log_prior, dim=-1)
    return torch.where((log_prior != 0).any(-1, keepdim=True), anchored, log_p)
