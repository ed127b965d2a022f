"""The picture of the embeddings: points to be coloured by emotion, speaker or gender.

All three colourings are classes of one drawing, so that the page switches between them by its style
sheet alone, and shows the first where it cannot.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from profiles_db.measurement import Measurement
from profiles_db.records import EmbeddingPoint

COLORS: Final = 8
WIDTH: Final = 520
HEIGHT: Final = 400
_MARGIN: Final = 14
FEW: Final = 400
"""Points up to which each is drawn larger."""
_PROPERTIES: Final = {"label": "Emotion", "speaker": "Speaker", "gender": "Gender"}


@dataclass(frozen=True, slots=True)
class Kind:
    """One emotion, speaker or gender, and the number of its colour, None for those in grey."""

    name: str
    color: int | None


@dataclass(frozen=True, slots=True)
class Colouring:
    """One way to colour the points, and what the figures say of it."""

    key: str
    title: str
    kinds: tuple[Kind, ...]
    others: int
    agreement: Measurement | None
    silhouette: Measurement | None

    def color_of(self, value: str | None) -> int | None:
        """The number of the colour of a value, None for grey."""
        return next((kind.color for kind in self.kinds if kind.name == value), None)


@dataclass(frozen=True, slots=True)
class Spot:
    """A point on the page: its place, its classes and its name."""

    x: float
    y: float
    classes: str
    title: str


@dataclass(frozen=True, slots=True)
class EmbeddingPicture:
    """All that the page shows of the embeddings of one run."""

    method: str
    layer: int | None
    colourings: tuple[Colouring, ...]
    spots: tuple[Spot, ...]
    shown: int
    among: int
    held: tuple[float, ...]
    neighbours: int

    @property
    def radius(self) -> float:
        """Of a point: the smaller, the more there are."""
        return 4.0 if len(self.spots) <= FEW else 2.6

    @property
    def said(self) -> str:
        """What the picture is, in words."""
        state = "last hidden state" if self.layer is None else f"hidden state {self.layer}"
        way = {"pca": "first two principal components", "tsne": "t-SNE"}.get(
            self.method, self.method
        )
        return f"{way} of the {state}, mean over the frames of each clip"


def embedding_picture(
    points: Sequence[EmbeddingPoint],
    figures: Sequence[Measurement],
    settings: dict[str, object],
) -> EmbeddingPicture | None:
    """The picture of `points`, None where there are none.

    Parameters
    ----------
    points : sequence of EmbeddingPoint
    figures : sequence of Measurement
        Those of the measure.
    settings : dict
        Of the measure.
    """
    if not points:
        return None
    colourings = tuple(_colouring(key, points, figures) for key in _PROPERTIES)
    shares = {m.statistic: m.value for m in figures if m.criterion == "variance_shown"}
    held = tuple(v for name in ("first axis", "second axis") if (v := shares.get(name)) is not None)
    layer, neighbours = settings.get("layer"), settings.get("neighbours")
    return EmbeddingPicture(
        str(settings.get("method", "pca")),
        layer if isinstance(layer, int) else None,
        colourings,
        tuple(_spots(points, colourings)),
        len(points),
        points[0].among,
        held,
        neighbours if isinstance(neighbours, int) else 0,
    )


def _colouring(
    key: str, points: Sequence[EmbeddingPoint], figures: Sequence[Measurement]
) -> Colouring:
    """The most frequent kinds in colours, the rest in grey."""
    counts = Counter(value for point in points if (value := getattr(point, key)) is not None)
    often = sorted(counts, key=lambda name: (-counts[name], name))[:COLORS]
    kinds = tuple(Kind(name, color) for color, name in enumerate(sorted(often)))
    found = {m.criterion: m for m in figures if m.statistic == key}
    return Colouring(
        key,
        _PROPERTIES[key],
        kinds,
        len(counts) - len(kinds),
        found.get("neighbour_agreement"),
        found.get("silhouette"),
    )


def _spots(points: Sequence[EmbeddingPoint], colourings: Sequence[Colouring]) -> list[Spot]:
    """The points, both axes at one scale, in the middle of the drawing."""
    left, right = _ends([point.x for point in points])
    low, high = _ends([point.y for point in points])
    room = WIDTH - 2 * _MARGIN, HEIGHT - 2 * _MARGIN
    scale = min(room[0] / (right - left), room[1] / (high - low))
    found = []
    for point in points:
        colors = [(one.key[0], one.color_of(getattr(point, one.key))) for one in colourings]
        classes = " ".join(f"{letter}{'n' if c is None else c}" for letter, c in colors)
        about = (point.utterance, point.label, point.speaker, point.gender)
        found.append(
            Spot(
                WIDTH / 2 + scale * (point.x - (left + right) / 2),
                HEIGHT / 2 - scale * (point.y - (low + high) / 2),
                classes,
                ", ".join(word for word in about if word),
            )
        )
    return found


def _ends(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 1.0, high + 1.0)
