"""One spoke of a trust profile: the figure that stands for an aspect, on its fixed scale."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.evidence.averaging import as_figure
from advisor.explanation.directions import better, counted, reading
from advisor.explanation.grading import ends, grade
from advisor.records import Figure, Grade
from profiles_db.criteria import ASPECTS, Aspect, Scale, Unit
from profiles_db.measurement import Measurement
from reports import wording
from reports.radar import Spoke


@dataclass(frozen=True, slots=True)
class TrustAxis:
    """The figure that stands for an aspect, for one candidate or profile.

    `number` is that of the aspect's colour; `figure` is None where the study has none.
    `distrusted` says that the figure is flagged and counts as the worst end of its scale.
    """

    number: int
    title: str
    criterion: str
    figure: Figure | Measurement | None
    unit: Unit
    scale: Scale
    distrusted: bool = False

    @property
    def score(self) -> float | None:
        """Score of the value; None where it is unknown, 0 where it earns nothing."""
        if self.distrusted or self.guessed:
            return 0.0
        return self._score(self.figure.value if self.figure else None)

    @property
    def aspect(self) -> Aspect:
        """The aspect that the figure stands for."""
        return ASPECTS[self.number]

    @property
    def guessed(self) -> bool:
        """Whether guessing would do as well."""
        return self.figure is not None and as_figure(self.figure).guessed

    @property
    def grade(self) -> Grade:
        """How good the figure is by itself."""
        figure = None if self.figure is None else as_figure(self.figure)
        return grade(figure, "distrust" if self.distrusted else "accept")

    @property
    def ends(self) -> Scale | None:
        """What the figure could be at worst and at best, between which it is graded."""
        return None if self.figure is None else ends(as_figure(self.figure))

    @property
    def place(self) -> tuple[float, float, float] | None:
        """Where the value and the two ends of its interval lie between `ends`, in [0, 1].

        None where the value is unknown or not relied on.
        """
        figure = self.figure
        if self.ends is None or figure is None or figure.value is None or self.distrusted:
            return None
        low = figure.value if figure.low is None else figure.low
        high = figure.value if figure.high is None else figure.high
        here, *sides = (self.ends.score(value) for value in (figure.value, low, high))
        return here, min(sides), max(sides)

    @property
    def off_scale(self) -> bool:
        """Whether the value lies beyond an end of its scale, so that its score was cut."""
        earns = not self.distrusted and not self.guessed
        value = self.figure.value if self.figure and earns else None
        return value is not None and not self.scale.holds(value)

    @property
    def flags(self) -> tuple[str, ...]:
        """Reasons not to believe the figure."""
        return self.figure.flags if self.figure else ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know of the figure that is no reason to doubt it."""
        return self.figure.notes if self.figure else ()

    @property
    def spoke(self) -> Spoke:
        """The same as the radar draws it."""
        drawn = self.figure if not self.distrusted and not self.guessed else None
        ends = [self._score(end) for end in (drawn.low, drawn.high)] if drawn else []
        known = sorted(end for end in ends if end is not None)
        low, high = known if len(known) == 2 else (None, None)  # noqa: PLR2004
        flagged = ", flagged" if self.distrusted else ""
        value = self.figure.value if self.figure else None
        said = reading(self.criterion, value, self.baseline)
        return Spoke(self.title, said + flagged, self.score, low, high)

    @property
    def counted(self) -> str:
        """What the figure counts."""
        return counted(self.criterion)

    @property
    def better(self) -> str:
        """Which way is better."""
        return better(self.criterion)

    @property
    def baseline(self) -> float | None:
        """What the figure would be by chance, where the study says so."""
        return self.figure.baseline if self.figure else None

    @property
    def reading(self) -> str:
        """The value in words."""
        return wording.quantity(self.figure.value if self.figure else None, self.unit)

    @property
    def interval(self) -> str:
        """The interval in words, with a mark where it is assumed; empty where there is none."""
        if self.figure is None:
            return ""
        text = wording.interval(self.figure.low, self.figure.high, self.unit)
        return f"{text} (assumed)" if text and self.figure.interval == "assumed" else text

    @property
    def certainty(self) -> str:
        """The interval in words, or that there is none."""
        exact = self.figure is not None and self.figure.interval == "exact"
        return self.interval or ("exact" if exact else "no interval")

    def _score(self, value: float | None) -> float | None:
        return None if value is None else self.scale.score(value)


def profile_alt(title: str, spokes: list[Spoke], marks: list[str]) -> str:
    """The text alternative of a radar: every value and score."""
    parts = [
        f"{spoke.title}: {spoke.reading}, "
        + ("score unknown" if spoke.score is None else f"score {spoke.score:.2f}")
        for spoke in spokes
    ]
    said = f" ({', '.join(marks)})" if marks else ""
    return f"Trust profile of {title}{said}: {'; '.join(parts)}."
