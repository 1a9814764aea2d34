"""SASRec: causal self-attention over the films that a user has rated, in order of time.

Kang and McAuley, 2018, ICDM; learnt by cross-entropy over all films, as in Klenitskiy and Vasilev,
2023, RecSys, and with layer norms before attention. BLOOM's blocks do not fit: they have ALiBi and
packed rows, which this model's learnt positions and equal windows do without.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tasks.baseline.config import SASRec


class SASRecModel(nn.Module):
    """Films by code from 0, -1 where a history has ended; `films` is their number."""

    def __init__(self, films: int, settings: SASRec) -> None:
        super().__init__()
        hidden = settings.hidden
        self.films = nn.Embedding(films, hidden)
        self.positions = nn.Embedding(settings.window, hidden)
        self.bias = nn.Parameter(torch.zeros(films))
        nn.init.normal_(self.films.weight, std=0.05)
        nn.init.normal_(self.positions.weight, std=0.02)
        self.dropout = nn.Dropout(settings.dropout)
        blocks = [
            nn.TransformerEncoderLayer(
                hidden, settings.heads, 2 * hidden, settings.dropout, F.gelu,
                batch_first=True, norm_first=True,
            )
            for _ in range(settings.layers)
        ]  # fmt: skip
        for block in blocks:
            block.self_attn.dropout = 0.0  # with it, torch has no fast attention on a CPU
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(hidden)

    def forward(self, histories: Tensor) -> Tensor:
        """States [rows, window, hidden] of histories [rows, window], each padded at its end.

        A film attends to those before it, never to padding.
        """
        width = histories.shape[1]
        x = self.dropout(self.films(histories.clamp(min=0)) + self.positions.weight[:width])
        mask = nn.Transformer.generate_square_subsequent_mask(width)
        for block in self.blocks:
            x = block(x, src_mask=mask, is_causal=True)
        return self.norm(x)

    def scores(self, states: Tensor) -> Tensor:
        """Logits [..., films] of the next film."""
        return states @ self.films.weight.T + self.bias
