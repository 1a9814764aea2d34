"""Trains the tokenizer of bloom-mini: byte-level BPE over whole fields, not over words.

Titles are not split at blanks: a much-rated film becomes one or two tokens, and a line of a prompt
about 8 instead of 20. Ratings, line ends and short features are split off, so that each is one
token in any context.
"""

from collections.abc import Iterable, Iterator, Sequence

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from tasks.templates import Compact, count_strings, prior_strings

BEGIN, END, PAD = "<s>", "</s>", "<pad>"
PHRASE_WEIGHT = 100
# Never merged with their neighbours: line ends, the words before a rating, ratings, features.
ISOLATED = r"\n|, Rating:? ?|, (?:film|user|guess) (?:\d\.\d|new)| x\d+|\d\.\d(?=\n)"


def train_tokenizer(
    texts: Iterable[str], *, scale: Sequence[float], vocabulary: int
) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE with `vocabulary` tokens on `texts`.

    Raises ValueError where a rating of `scale` is not one token.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(ISOLATED), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[BEGIN, END, PAD],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_with_phrases(texts, scale), trainer)
    for value in scale:
        if len(found := tokenizer.encode(f", Rating: {value:.1f}\n").tokens) != 3:
            raise ValueError(
                f"the rating {value:.1f} is not one token of a vocabulary of {vocabulary} "
                f"(its line ends in {found[1:]}): increase base.mini.vocabulary"
            )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=BEGIN, eos_token=END, pad_token=PAD
    )


def _with_phrases(texts: Iterable[str], scale: Sequence[float]) -> Iterator[str]:
    """Yield the texts, and the fixed phrases of prompts often enough to be merged."""
    yield from texts
    ratings = [f"{words}{value:.1f}\n" for value in scale for words in (", Rating: ", ", Rating ")]
    phrases = [*ratings * 10, *count_strings("film"), *count_strings("user"), *prior_strings()]
    yield from (phrase for phrase in phrases for _ in range(PHRASE_WEIGHT))
    yield from (Compact().recommend for _ in range(PHRASE_WEIGHT))
