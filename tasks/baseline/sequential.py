"""Trains SASRec, and lists the films that it expects next."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from tasks.baseline.config import SASRec
from tasks.baseline.interactions import Entries, Interactions, Ints, as_entries
from tasks.baseline.sasrec import SASRecModel
from tasks.progress import track

WARMUP = 50  # steps


@dataclass(frozen=True)
class SequentialLists:
    """Films that a user has not rated. A user without ratings has no list."""

    settings: SASRec

    def __call__(self, training: Interactions, users: Ints, k: int) -> Entries:
        """User, rank, film and score of each entry, by user and rank."""
        with _reproducible(self.settings.seed):
            for _, model in track(self._passes(training), "sasrec", self.settings.epochs, "epochs"):
                last = model
            return list_films(last, training, users, k, self.settings.window)

    def stop_early(
        self, training: Interactions, users: Ints, k: int, loss: Callable[[Entries], float]
    ) -> list[float]:
        """The loss of the lists after each epoch, until `patience` epochs have not lowered it."""
        losses: list[float] = []
        with _reproducible(self.settings.seed):
            for epoch, model in self._passes(training):
                losses.append(loss(list_films(model, training, users, k, self.settings.window)))
                if epoch - int(np.argmin(losses)) >= self.settings.patience:
                    break
        return losses

    def _passes(self, training: Interactions) -> Iterator[tuple[int, SASRecModel]]:
        """The model after each epoch, which shows a random window of each user's history."""
        settings, rng = self.settings, np.random.default_rng(self.settings.seed)
        model = SASRecModel(training.films, settings)
        optimiser = torch.optim.AdamW(
            model.parameters(), lr=settings.learning_rate, weight_decay=0.0, betas=(0.9, 0.98)
        )
        warmup = torch.optim.lr_scheduler.LinearLR(optimiser, 1 / WARMUP, total_iters=WARMUP)
        for epoch in range(settings.epochs):
            model.train()
            windows = torch.from_numpy(draw_windows(training, settings.window, rng))
            for rows in windows.split(settings.users_per_step):
                shown, following = rows[:, :-1], rows[:, 1:]
                known = following >= 0
                logits = model.scores(model(shown)[known])
                optimiser.zero_grad()
                F.cross_entropy(logits, following[known]).backward()
                optimiser.step()
                warmup.step()
            yield epoch, model.eval()


def draw_windows(training: Interactions, window: int, rng: np.random.Generator) -> Ints:
    """[users, window + 1] consecutive films of each user, -1 behind the last, users in any order.

    A user of more films gets a random window, one of a single film none.
    """
    length, first = _histories(training)
    users = rng.permutation(np.flatnonzero(length > 1))
    start = rng.integers(0, np.maximum(length[users] - window, 1))
    return _take(training, first[users] + start, first[users] + length[users], window + 1)


@torch.inference_mode()
def list_films(
    model: SASRecModel, training: Interactions, users: Ints, k: int, window: int
) -> Entries:
    """The k films that the model expects next, among those that the user has not rated."""
    length, first = _histories(training)
    users, lists = users[length[users] > 0], []
    for some in np.array_split(users, max(1, len(users) // 256)):
        known = np.minimum(length[some], window)
        end = first[some] + length[some]
        histories = _take(training, end - known, end, window)
        states = model(torch.from_numpy(histories))[np.arange(len(some)), known - 1]
        scores = model.scores(states).double().numpy()
        for row, user in enumerate(some):
            scores[row, training.film[first[user] : first[user] + length[user]]] = np.nan
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k]  # NaN comes last
        lists.append((best, np.take_along_axis(scores, best, axis=1)))
    film, score = (np.concatenate(parts) for parts in zip(*lists, strict=True))
    return as_entries(users, film, score)


def _histories(training: Interactions) -> tuple[Ints, Ints]:
    """Number of ratings of each user, and the place of the first."""
    length = np.bincount(training.user, minlength=training.users)
    return length, np.cumsum(length) - length


def _take(training: Interactions, start: Ints, end: Ints, width: int) -> Ints:
    """[rows, width] films from `start`, -1 from `end` on."""
    place = start[:, None] + np.arange(width)
    there: NDArray[np.bool_] = place < end[:, None]
    return np.where(there, training.film[np.minimum(place, len(training.film) - 1)], -1)


@contextmanager
def _reproducible(seed: int) -> Iterator[None]:
    """One thread and a seed of its own: the same digits on any number of cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)
