"""The picture of the embeddings: where the clips lie in the hidden states, and what lies together.

Each clip is the mean over its frames of one hidden state, standardised over the clips, and drawn in
two dimensions: the first two principal components, or t-SNE (van der Maaten and Hinton, JMLR 9,
2008). Pictures show clusters to whoever looks for them, and in two dimensions more than there are.
So beside the picture stands, from the space itself, how often a clip's nearest neighbours have its
emotion, its speaker, its speaker's gender, and how often they would by chance.

Chance differs with what is asked. Emotions are permuted within each speaker, and speakers within
each emotion, so that the one does not pass for the other; genders over the speakers, since a clip
whose neighbours are its own speaker's has neighbours of one gender whatever a voice gives away.
What these permutations give on average follows from counts alone, so none is drawn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final, Literal, TypeAlias

import numpy as np
from pydantic import Field

from profiler.measures.base import Evidence, Figure, OnHiddenStates, StatesWork
from profiler.measures.statistics import Floats, jackknife, ratio
from profiler.measures.tables import UNKNOWN_GENDER, record
from profiler.settings import Settings
from profiles_db.measurement import Measurement
from profiles_db.records import EmbeddingNeighbour, EmbeddingPoint, LayerWeight

if TYPE_CHECKING:
    from profiler.corpora.base import Fold
    from profiler.pipeline.context import Context, Parts

Property: TypeAlias = Literal["label", "speaker", "gender"]
PROPERTIES: Final[tuple[Property, ...]] = ("label", "speaker", "gender")
CONSTANT: Final = "the mean states of all clips are the same, to the rounding of half precision"
MOST_POINTS: Final = 5000

Pair: TypeAlias = tuple[EmbeddingPoint, EmbeddingPoint]
"""A clip and one of its nearest neighbours."""


class EmbeddingsSettings(Settings):
    """Which clips are drawn, of which hidden state, and how."""

    layer: int | None = Field(default=None, ge=1, le=1000)
    """Number of the hidden state, from 1; the last where None."""
    method: Literal["pca", "tsne"] = "pca"
    """Two principal components, or t-SNE."""
    points: int = Field(default=2000, ge=10, le=MOST_POINTS)
    """At most so many clips, drawn at random."""
    neighbours: int = Field(default=10, ge=1, le=100)
    """Nearest neighbours of each clip, as far as there are so many other clips."""


class Embeddings(OnHiddenStates):
    """Where the clips lie in the hidden states."""

    name = "embeddings"
    title = "Embeddings"
    aspect = "privacy"
    settings = EmbeddingsSettings
    rows: ClassVar[tuple[type, ...]] = (EmbeddingPoint, EmbeddingNeighbour)
    by_default = False
    criteria = ()
    pools = True

    def epochs(self, settings: EmbeddingsSettings) -> int:  # noqa: ARG002 - nothing is trained
        """None: nothing is trained."""
        return 0

    def work(
        self,
        context: Context,
        fold: Fold,
        parts: Parts,
        repetition: int,
        settings: EmbeddingsSettings,
    ) -> StatesWork:
        """The picture, once: hidden states depend neither on the fold nor on the repetition."""
        from profiler.measures.embeddings_work import EmbeddingsWork  # noqa: PLC0415 - needs torch

        return EmbeddingsWork(context, fold, parts, repetition, settings)

    def figures(self, evidence: Evidence, settings: EmbeddingsSettings) -> list[Measurement]:
        """How often neighbours are alike, how well clusters are apart, and what the axes hold."""
        points = evidence.rows(EmbeddingPoint)
        if not points:
            layers = max((row.layer for row in evidence.rows(LayerWeight)), default=0)
            lacks = settings.layer is not None and settings.layer > layers
            reason = f"no hidden state number {settings.layer}, the last is {layers}"
            return list(_unknown(reason if lacks else CONSTANT, evidence.figure))
        neighbours = evidence.rows(EmbeddingNeighbour)
        return embeddings(points, neighbours, evidence.figure, settings.method)


def _unknown(reason: str, measure: Figure) -> Iterator[Measurement]:
    for criterion in ("neighbour_agreement", "silhouette"):
        for name in PROPERTIES:
            yield measure(criterion=criterion, statistic=name, value=None, unknown=reason)


def embeddings(
    points: Sequence[EmbeddingPoint],
    neighbours: Sequence[EmbeddingNeighbour],
    measure: Figure,
    method: str,
) -> list[Measurement]:
    """All figures of a picture, from its points and who is nearest to whom."""
    named = {point.utterance: point for point in points}
    pairs = [(named[row.utterance], named[row.neighbour]) for row in neighbours]
    found = [_agreement(name, points, pairs, measure) for name in PROPERTIES]
    found += [_silhouette(name, points, measure) for name in PROPERTIES]
    if method == "pca":
        found += _variances(points, measure)
    return found


def value_of(name: Property, point: EmbeddingPoint) -> str | None:
    """The emotion, the speaker or the gender of a clip; None where it is unknown."""
    found: str | None = getattr(point, name)
    return found


def _agreement(
    name: Property, points: Sequence[EmbeddingPoint], pairs: Sequence[Pair], measure: Figure
) -> Measurement:
    """How often neighbours are alike, of pairs of which both sides are known."""
    known = [pair for pair in pairs if all(value_of(name, side) is not None for side in pair)]
    about = {"criterion": "neighbour_agreement", "statistic": name}
    if len({value_of(name, point) for point in points} - {None}) < 2:  # noqa: PLR2004
        words = "no clip's gender is known" if name == "gender" and not known else f"one {name}"
        return measure(**about, value=None, unknown=words)
    speakers = sorted({point.speaker for point, _ in known})
    place = {speaker: index for index, speaker in enumerate(speakers)}
    counts = np.zeros((len(speakers), 2))
    for point, neighbour in known:
        alike = value_of(name, point) == value_of(name, neighbour)
        counts[place[point.speaker]] += (alike, 1)
    gender = {point.speaker: point.gender or UNKNOWN_GENDER for point in points}

    def share(weights: Floats) -> Floats:
        return ratio(weights @ counts[:, 0], weights @ counts[:, 1])

    estimate = jackknife(share, [gender[speaker] for speaker in speakers], trained=False)
    chance = _CHANCE[name](points)
    return record(
        measure,
        estimate=estimate,
        n=len({point.utterance for point, _ in known}),
        baseline=float(np.mean([chance(*pair) for pair in known])),
        **about,
    )


Chance: TypeAlias = Callable[[EmbeddingPoint, EmbeddingPoint], float]
"""How probable it is that two clips are alike, of whom one lies nearest to the other."""


def _exchanged(points: Sequence[EmbeddingPoint], name: Property, within: Property) -> Chance:
    """Chance where clips alike in `within` exchange their values of `name`.

    Of one kind, two of its n clips are alike with the probability sum c (c - 1) / (n (n - 1)) over
    the counts c of each value; of two kinds, with the sum of the products of the shares.
    """
    counts: dict[str | None, Counter[str | None]] = {}
    for point in points:
        counts.setdefault(value_of(within, point), Counter())[value_of(name, point)] += 1

    def chance(one: EmbeddingPoint, other: EmbeddingPoint) -> float:
        first, second = counts[value_of(within, one)], counts[value_of(within, other)]
        size, others = first.total(), second.total()
        if first is second:
            return sum(count * (count - 1) for count in first.values()) / (size * (size - 1))
        return sum(count * second[value] for value, count in first.items()) / (size * others)

    return chance


def _genders_of_speakers(points: Sequence[EmbeddingPoint]) -> Chance:
    """Chance where the speakers exchange their genders; those of unknown gender stay out."""
    genders = Counter({p.speaker: p.gender for p in points if p.gender is not None}.values())
    speakers = genders.total()
    alike = sum(count * (count - 1) for count in genders.values())
    apart = alike / max(1, speakers * (speakers - 1))
    return lambda one, other: 1.0 if one.speaker == other.speaker else apart


_CHANCE: Final[Mapping[Property, Callable[[Sequence[EmbeddingPoint]], Chance]]] = {
    "label": lambda points: _exchanged(points, "label", "speaker"),
    "speaker": lambda points: _exchanged(points, "speaker", "label"),
    "gender": _genders_of_speakers,
}


def _silhouette(name: Property, points: Sequence[EmbeddingPoint], measure: Figure) -> Measurement:
    """Mean over the clips of how much nearer their own kind is than the next one, in [-1, 1]."""
    values = [getattr(point, f"{name}_silhouette") for point in points]
    known = [value for value in values if value is not None]
    return measure(
        criterion="silhouette",
        statistic=name,
        value=float(np.mean(known)) if known else None,
        unknown=None if known else f"fewer than two kinds of {name}",
        n=len(known),
    )


def _variances(points: Sequence[EmbeddingPoint], measure: Figure) -> Iterator[Measurement]:
    """Share of the variance of the states that each axis holds."""
    whole = float(np.mean([point.spread for point in points]))
    for name, axis in (("first axis", "x"), ("second axis", "y")):
        held = float(np.var([getattr(point, axis) for point in points]))
        yield measure(criterion="variance_shown", statistic=name, value=held / whole, n=len(points))
