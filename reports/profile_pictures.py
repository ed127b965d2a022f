"""The pictures of a profile report, each with its alternative in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from profiles_db.criteria import CRITERIA
from profiles_db.measurement import Measurement
from reports import wording
from reports.criterion_axis import criterion_axis
from reports.plots import Axis, Curve, Dot, Interval, curves, scatter
from reports.profile_view import Attack, Depths, ProfileView
from reports.radar import radar
from reports.trust_axis import profile_alt

ATTACKS: Final = {
    "fgsm": ("FGSM", "aspect-2"),
    "pgd": ("PGD", "backbone-0"),
    "noise": ("Gaussian noise", "muted"),
}
"""Title and colour of each perturbation."""
MOST_TICKS: Final = 10
"""Epochs that an axis names."""
NARROW: Final = 0.1
"""Shares below have no room for their name on the axis."""


def profile_picture(view: ProfileView, color: int) -> Markup:
    """The radar of one profile."""
    spokes = [axis.spoke for axis in view.axes]
    alt = profile_alt(view.title, spokes, list(view.marks))
    return radar(spokes, f"backbone-{color}", alt, stamp=", ".join(view.marks))


def attack_picture(view: ProfileView) -> Markup | None:
    """Attack success against the signal-to-noise ratio; None where there is no such figure."""
    known = [
        attack for attack in view.attacks if attack.success and attack.success.value is not None
    ]
    if not known:
        return None
    ticks = sorted({attack.snr_db for attack in known})
    x = Axis("Signal-to-noise ratio, dB (right is quieter)", *_padded(ticks), "{:g}".format)
    y = Axis(
        wording.axis("Attack success rate", "fraction", "lower"), 0.0, 1.0,
        lambda value: wording.tick(value, "fraction"),
    )  # fmt: skip
    lines = [_curve(kind, number, known) for number, kind in enumerate(_kinds(known))]
    return curves(x, y, lines, _alt(known), ticks=ticks, stamp=", ".join(view.marks))


def depths_picture(depths: Depths, color: int) -> Markup:
    """Recall against multiply-accumulates along the depths of one encoder; those that score higher
    than every cheaper one are joined and filled."""
    dots: list[Dot] = []
    for depth in depths.members:
        macs, uar = depth.macs.value or 0.0, depth.uar.value or 0.0
        best = all(uar > dot.y for dot in dots)
        dots.append(
            Dot(
                depth.title,
                macs,
                uar,
                None,
                _interval_of(depth.uar),
                f"backbone-{color}",
                shape=0,
                front=best,
            )
        )
    x = criterion_axis("macs", [(dot.x, None) for dot in dots])
    y = criterion_axis("uar", [(dot.y, dot.y_interval) for dot in dots], name="UAR")
    parts = [
        f"{dot.name}: {wording.quantity(dot.y, 'fraction')} at "
        f"{wording.quantity(dot.x, CRITERIA['macs'].unit)}"
        for dot in dots
    ]
    alt = f"Unweighted average recall by layers of {depths.encoder}: {'; '.join(parts)}."
    return scatter(x, y, dots, alt, stamp=", ".join(depths.first.marks))


def epochs_picture(view: ProfileView) -> Markup | None:
    """Dev UAR by epoch, mean of the trainings and their deviation; None without two epochs."""
    scores = view.epochs
    if len(scores) < 2:  # noqa: PLR2004
        return None
    points = tuple((float(one.epoch), one.mean, _around(one.mean, one.deviation)) for one in scores)
    ends = [end for _, mean, spread in points for end in (mean, *(spread or ()))]
    first, last = scores[0], scores[-1]
    step = -(-len(scores) // MOST_TICKS)
    ticks = [float(one.epoch) for one in scores[::-1][::step]][::-1]
    x = Axis("Epoch", first.epoch - 0.5, last.epoch + 0.5, "{:g}".format)
    y = Axis(
        "UAR on the dev parts", min(ends), max(ends), lambda value: wording.tick(value, "fraction")
    )
    best = max(scores, key=lambda one: one.mean)
    alt = "Unweighted average recall on the dev parts: " + "; ".join(
        f"{wording.quantity(one.mean, 'fraction')} after epoch {one.epoch}"
        for one in dict.fromkeys((first, best, last))
    )
    line = Curve("", points, "aspect-0", 0)
    return curves(x, y, [line], f"{alt}.", ticks=ticks, stamp=", ".join(view.marks))


def amounts_picture(view: ProfileView) -> Markup | None:
    """UAR by the share of training speakers; None without two shares that are known."""
    known = {share: m for share, m in view.amounts.items() if m.value is not None}
    if len(known) < 2:  # noqa: PLR2004
        return None
    points = tuple((share, m.value or 0.0, _interval_of(m)) for share, m in known.items())
    ends = [end for _, value, interval in points for end in (value, *(interval or ()))]
    x = Axis("Share of the training speakers", 0.0, 1.05, lambda share: f"{100 * share:.3g} %")
    y = Axis("UAR", min(ends), max(ends), lambda value: wording.tick(value, "fraction"))
    told = "; ".join(
        f"{wording.quantity(value, 'fraction')} with {100 * share:.3g} %"
        for share, value, _ in points
    )
    alt = f"Unweighted average recall by share of the training speakers: {told}."
    line = Curve("", points, "aspect-0", 0)
    ticks = [share for share in known if share >= NARROW]
    return curves(x, y, [line], alt, ticks=ticks, stamp=", ".join(view.marks))


def _around(mean: float, deviation: float | None) -> Interval | None:
    return None if deviation is None else (mean - deviation, mean + deviation)


def attack_title(kind: str) -> str:
    """Name of a perturbation for people."""
    return ATTACKS.get(kind, (kind, ""))[0]


def _kinds(attacks: Sequence[Attack]) -> list[str]:
    return list(dict.fromkeys(attack.kind for attack in attacks))


def _padded(ticks: Sequence[float]) -> Interval:
    margin = (ticks[-1] - ticks[0]) * 0.08 or 1.0
    return ticks[0] - margin, ticks[-1] + margin


def _curve(kind: str, number: int, known: Sequence[Attack]) -> Curve:
    title, color = ATTACKS.get(kind, (kind, "ink"))
    points = tuple(
        (attack.snr_db, attack.success.value, _interval_of(attack.success))
        for attack in known
        if attack.kind == kind and attack.success and attack.success.value is not None
    )
    return Curve(title, points, color, number)


def _interval_of(figure: Measurement | None) -> Interval | None:
    if figure is None or figure.low is None or figure.high is None:
        return None
    return figure.low, figure.high


def _alt(known: Sequence[Attack]) -> str:
    parts = [
        f"{attack_title(attack.kind)} at {attack.snr_db:g} dB "
        f"{wording.quantity(attack.success.value if attack.success else None, 'fraction')}"
        for attack in known
    ]
    return f"Attack success rate by signal-to-noise ratio: {'; '.join(parts)}."
