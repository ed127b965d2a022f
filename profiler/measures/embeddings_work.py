"""The points of a picture of the embeddings, and who is nearest to whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from profiler.corpora.base import Fold, Utterance
from profiler.measures.base import StatesWork
from profiler.measures.pooling import AVERAGE
from profiler.measures.probes import Standard
from profiler.measures.statistics import Floats, Ints
from profiler.pipeline.context import Context, Parts
from profiler.training.learner import Learner, Seen
from profiles_db.records import EmbeddingNeighbour, EmbeddingPoint
from profiles_db.row_tables import Row

if TYPE_CHECKING:
    from profiler.measures.embeddings import EmbeddingsSettings

SEED: Final = 0
PERPLEXITY: Final = 30.0
"""Of t-SNE, or a third of the clips where these are fewer than 90."""


class EmbeddingsWork(StatesWork):
    """All clips of the first fold in the first repetition; nothing in the others."""

    learners: Mapping[str, Learner]

    def __init__(
        self,
        context: Context,
        fold: Fold,
        parts: Parts,
        repetition: int,
        settings: EmbeddingsSettings,
    ) -> None:
        self.learners = {}
        self._context, self._fold, self._settings = context, fold, settings
        first = repetition == 0 and fold.number == context.plan.folds[0].number
        clips = [*parts.train, *parts.dev, *parts.test] if first else []
        self._among = len(clips)
        drawn = np.random.default_rng(SEED).permutation(len(clips))[: settings.points]
        self._clips = [clips[place] for place in sorted(drawn.tolist())]

    def tested(self) -> Mapping[str, Sequence[str]]:
        """No head of its own."""
        return {}

    def result(self, emotion: Seen, own: Mapping[str, Seen]) -> Sequence[Row]:  # noqa: ARG002
        """The points and their neighbours; nothing where there is no such hidden state, or all
        clips are the same there."""
        vectors = self._vectors()
        if vectors is None:
            return []
        return rows_of(self._clips, vectors, self._settings, self._fold.number, self._among)

    def _vectors(self) -> Floats | None:
        """The standardised mean states, shape (clips, features), None where there are none."""
        pooling = self._context.pooling
        layer = self._settings.layer or pooling.layers
        if layer > pooling.layers or len(self._clips) < 2:  # noqa: PLR2004
            return None
        name = AVERAGE if pooling.layers == 1 else f"layer {layer}"
        pooled = self._context.pooled_vectors(self._clips, name)
        means, rounding = pooled[:, : pooling.features], pooling.rounding(pooled)
        standard = Standard.of(means, rounding[: pooling.features])
        return None if standard is None else standard(means)


def rows_of(
    clips: Sequence[Utterance],
    vectors: Floats,
    settings: EmbeddingsSettings,
    fold: int,
    among: int,
) -> list[EmbeddingPoint | EmbeddingNeighbour]:
    """The rows of a picture of `clips`.

    Parameters
    ----------
    clips : sequence of Utterance, at least 2
    vectors : array, shape (clips, features)
    settings : EmbeddingsSettings
    fold : int
    among : int
        How many clips they were drawn from.
    """
    from sklearn.metrics import euclidean_distances  # noqa: PLC0415 - loads slowly

    centred = vectors - vectors.mean(axis=0)
    places = principal(centred) if settings.method == "pca" else _neighbourly(centred)
    distances = euclidean_distances(centred)
    of_label = _silhouettes(distances, [clip.label for clip in clips])
    of_speaker = _silhouettes(distances, [clip.speaker for clip in clips])
    of_gender = _silhouettes(distances, [clip.gender for clip in clips])
    points = [
        EmbeddingPoint(
            0,
            fold,
            clip.id,
            clip.speaker,
            clip.gender,
            clip.label,
            float(x),
            float(y),
            float(spread),
            of_label[index],
            of_speaker[index],
            of_gender[index],
            among,
        )
        for index, (clip, (x, y), spread) in enumerate(
            zip(clips, places, (centred**2).sum(axis=1), strict=True)
        )
    ]
    nearest = nearest_to_each(distances, settings.neighbours)
    return points + [
        EmbeddingNeighbour(0, fold, clip.id, rank, clips[other].id)
        for clip, others in zip(clips, nearest, strict=True)
        for rank, other in enumerate(others, start=1)
    ]


def principal(centred: Floats) -> Floats:
    """The first two principal components, shape (clips, 2); 0 where there is no second.

    Each axis points to where its largest loading is positive, so that the picture is the same
    whichever sign a processor's library gives it.

    Examples
    --------
    >>> principal(np.array([[-1.0, 0.0], [1.0, 0.0]]))[:, 0].round(6).tolist()
    [-1.0, 1.0]
    """
    left, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    found = np.zeros((len(centred), 2))
    for axis in range(min(2, len(sizes))):
        loadings = axes[axis]
        sign = np.sign(loadings[np.abs(loadings).argmax()])
        found[:, axis] = sign * left[:, axis] * sizes[axis]
    return found


def _neighbourly(centred: Floats) -> Floats:
    """t-SNE from the principal components, shape (clips, 2)."""
    from sklearn.manifold import TSNE  # noqa: PLC0415 - loads slowly

    perplexity = min(PERPLEXITY, (len(centred) - 1) / 3)
    start = principal(centred)
    start /= max(float(start[:, 0].std()), np.finfo(float).tiny) / 1e-4
    found: Floats = TSNE(
        2, perplexity=perplexity, init=start, random_state=SEED, n_jobs=1
    ).fit_transform(centred)
    return found.astype(np.float64)


def nearest_to_each(distances: Floats, most: int) -> Ints:
    """The others nearest to each clip, the nearest first, of equals the first in order.

    Returns
    -------
    array of int, shape (clips, at most `most`)
    """
    apart = distances.copy()
    np.fill_diagonal(apart, np.inf)
    found: Ints = np.argsort(apart, axis=1, kind="stable")[:, : min(most, len(apart) - 1)]
    return found


def _silhouettes(distances: Floats, kinds: Sequence[str | None]) -> list[float | None]:
    """The silhouette of each clip whose kind is known, where there are two kinds and some share one
    (Rousseeuw, Journal of Computational and Applied Mathematics 20, 1987)."""
    from sklearn.metrics import silhouette_samples  # noqa: PLC0415 - loads slowly

    known = [place for place, kind in enumerate(kinds) if kind is not None]
    named = [str(kinds[place]) for place in known]
    found: list[float | None] = [None] * len(kinds)
    if not 2 <= len(set(named)) < len(known):  # noqa: PLR2004
        return found
    own = distances[np.ix_(known, known)]
    np.fill_diagonal(own, 0.0)
    values = silhouette_samples(own, named, metric="precomputed")
    for place, value in zip(known, values, strict=True):
        found[place] = float(value)
    return found
