"""Reads a rating off a language model: the probability of each string that spells one.

A tokenizer may spell "4.0" in one token or in several, so the spellings of a scale form a trie of
tokens. Its nodes with several children are the only choices, and a rating's probability is the
product of the choices on its path. The scale 1 to 5 has one choice, the root, in any usual
tokenizer, so one forward pass reads it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from tasks.nn.packing import TokenPath


@dataclass(frozen=True)
class RatingTrie:
    """`paths[v]` are the tokens of the v-th value of the ascending `scale`."""

    scale: tuple[float, ...]
    paths: tuple[TokenPath, ...]

    def __post_init__(self) -> None:
        """Raises ValueError where one spelling is another, or the beginning of another."""
        for i, path in enumerate(self.paths):
            for j, other in enumerate(self.paths):
                if i != j and other[: len(path)] == path:
                    raise ValueError(
                        f"the tokenizer spells {self.scale[i]} as {path}, with which it begins "
                        f"{self.scale[j]} too: a rating cannot be read off its tokens"
                    )

    @classmethod
    def from_tokenizer(
        cls,
        tokenizer: PreTrainedTokenizerBase,
        scale: Sequence[float],
        rating_prefix: str = ", Rating: ",
    ) -> "RatingTrie":
        """The trie of a scale as spelt behind `rating_prefix` at the end of a line.

        A token that holds the blank before a rating belongs to the rating.
        """
        return cls(tuple(scale), tuple(_path(tokenizer, rating_prefix, value) for value in scale))

    @property
    def probe_suffixes(self) -> tuple[TokenPath, ...]:
        """The paths to the nodes with a choice, the shortest first."""
        return tuple(path for path, tokens in self._children().items() if len(tokens) > 1)

    @property
    def choices(self) -> tuple[TokenPath, ...]:
        """The tokens to choose from behind each probe suffix."""
        return tuple(tuple(tokens) for tokens in self._children().values() if len(tokens) > 1)

    def _children(self) -> dict[TokenPath, list[int]]:
        children: dict[TokenPath, list[int]] = {}
        for path in sorted(self.paths):
            for depth, token in enumerate(path):
                tokens = children.setdefault(path[:depth], [])
                if token not in tokens:
                    tokens.append(token)
        return dict(sorted(children.items(), key=lambda item: (len(item[0]), item[0])))

    def log_probabilities(self, hidden: Tensor, head: nn.Linear) -> Tensor:
        """Log-probability of each value, given that a rating is spelt: [ratings, values] in fp32.

        From the hidden states at the probe suffixes, [ratings, suffixes, width].
        """
        return self.spell(self.log_choices(hidden, head))

    def log_choices(self, hidden: Tensor, head: nn.Linear) -> Tensor:
        """Log-probabilities of the tokens to choose from behind each suffix: [ratings, tokens].

        Of the output layer `head` only the rows of these tokens are computed.
        """
        log_ps = [
            torch.log_softmax(_logits(head, hidden[:, i], tokens).float(), dim=-1)
            for i, tokens in enumerate(self.choices)
        ]
        if not log_ps:  # a scale of one value
            return hidden.new_zeros(len(hidden), 0, dtype=torch.float32)
        return torch.cat(log_ps, dim=-1)

    def spell(self, log_choices: Tensor) -> Tensor:
        """The log-probability of each value, [ratings, values], by those of all choices."""
        return log_choices @ self._path_matrix().to(log_choices)

    def expectation(self, log_probabilities: Tensor) -> Tensor:
        """The expected rating in stars: [ratings]."""
        values = torch.tensor(self.scale, device=log_probabilities.device)
        return log_probabilities.exp() @ values

    def _path_matrix(self) -> Tensor:
        """[choices, values]: 1 where a choice lies on the path of a value."""
        edges = [
            (*suffix, token)
            for suffix, tokens in zip(self.probe_suffixes, self.choices, strict=True)
            for token in tokens
        ]
        rows = [[float(path[: len(edge)] == edge) for path in self.paths] for edge in edges]
        return torch.tensor(rows).reshape(len(edges), len(self.paths))


def _path(tokenizer: PreTrainedTokenizerBase, rating_prefix: str, value: float) -> TokenPath:
    text = f"{value:.1f}"
    encoded = tokenizer(
        f"{rating_prefix}{text}\n", add_special_tokens=False, return_offsets_mapping=True
    )
    start, end = len(rating_prefix), len(rating_prefix) + len(text)
    return tuple(
        token
        for token, (first, last) in zip(
            encoded["input_ids"], encoded["offset_mapping"], strict=True
        )
        if last > start and first < end
    )


def _logits(head: nn.Linear, hidden: Tensor, tokens: TokenPath) -> Tensor:
    """The logits of some tokens: [..., tokens]."""
    rows = torch.tensor(tokens, device=hidden.device)
    bias = None if head.bias is None else head.bias[rows]
    return nn.functional.linear(hidden, head.weight[rows], bias)
