"""The pictures of an advice report, each with its alternative in words."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from advisor.records import Candidate, Figure
from reports.advice_view import View
from reports.criterion_axis import criterion_axis
from reports.plots import Dot, Interval, scatter
from reports.radar import radar
from reports.trust_axis import profile_alt


@dataclass(frozen=True, slots=True)
class ProfilePicture:
    """The radar of one candidate."""

    candidate: Candidate
    picture: Markup


def profile_pictures(view: View) -> list[ProfilePicture]:
    """Radars of the choice and its runners-up; the later ones carry the choice as a reference."""
    pictures: list[ProfilePicture] = []
    for candidate in view.shown:
        reference = [] if not pictures else [axis.score for axis in view.axes(view.shown[0])]
        spokes = [axis.spoke for axis in view.axes(candidate)]
        color = f"backbone-{view.color(candidate.name)}"
        alt = profile_alt(candidate.title, spokes, view.shouts)
        stamp = ", ".join(view.shouts)
        picture = radar(spokes, color, alt, reference=reference, stamp=stamp)
        pictures.append(ProfilePicture(candidate, picture))
    return pictures


def plane_picture(view: View) -> Markup | None:
    """The Pareto plot; None where no candidate has both figures."""
    plane = view.decision.plane
    dots = [dot for name in view.candidates if (dot := _dot(view, name)) is not None]
    if not dots:
        return None
    x = criterion_axis(plane.x, [(dot.x, dot.x_interval) for dot in dots])
    y = criterion_axis(plane.y, [(dot.y, dot.y_interval) for dot in dots])
    return scatter(x, y, dots, _plane_alt(view, dots), stamp=", ".join(view.shouts))


def _plane_alt(view: View, dots: list[Dot]) -> str:
    plane = view.decision.plane
    front = ", ".join(view.title(name) for name in plane.front) or "none"
    return (
        f"{view.criterion_title(plane.y)} against {view.criterion_title(plane.x)} for "
        f"{len(dots)} candidates. On the Pareto front: {front}. The table below has the figures."
    )


def _dot(view: View, name: str) -> Dot | None:
    plane, candidate = view.decision.plane, view.candidates[name]
    x, y = candidate.figures.get(plane.x), candidate.figures.get(plane.y)
    if x is None or y is None or x.value is None or y.value is None:
        return None
    return Dot(
        candidate.title,
        x.value,
        y.value,
        _interval(x),
        _interval(y),
        f"backbone-{view.color(name)}",
        view.shape(name),
        name in plane.front,
        name == view.decision.choice,
    )


def _interval(figure: Figure) -> Interval | None:
    if figure.low is None or figure.high is None:
        return None
    return figure.low, figure.high
