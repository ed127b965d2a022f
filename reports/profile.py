"""Profiles as one self-contained HTML file: everything a run measured, table by table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from profiles_db.criteria import ASPECT_TITLES, CRITERIA
from profiles_db.errors import EvidenceError
from profiles_db.files import write_text
from profiles_db.profile import Profile
from profiles_db.run_rows import RunRows
from reports.page import render_page
from reports.profile_pictures import (
    amounts_picture,
    attack_picture,
    attack_title,
    depths_picture,
    epochs_picture,
    profile_picture,
)
from reports.profile_view import ProfilesView
from reports.wording import INTERVALS, ORIGINS


def write_profile(
    profiles: Sequence[Profile],
    path: Path,
    *,
    made_at: str | None = None,
    rows: Mapping[str, RunRows] | None = None,
) -> None:
    """Write the report of `profiles` to `path`, atomically.

    Parameters
    ----------
    profiles : sequence of Profile
        With all their measurements, details (recall by class, the confusion matrix, layer
        weights, figures per fold and attack) among them.
    path : Path
        The HTML file; its folder must exist.
    made_at : str or None
        Time of making as the report shall print it, or None to leave it out.
    rows : mapping, optional
        Of each run the rows that are drawn; without them there are no pictures of these.

    Raises
    ------
    EvidenceError
        If there is no profile to report.
    OutputError
        If the file cannot be written.
    """
    write_text(path, render_profile(profiles, made_at=made_at, rows=rows))


def render_profile(
    profiles: Sequence[Profile],
    *,
    made_at: str | None = None,
    rows: Mapping[str, RunRows] | None = None,
) -> str:
    """The report of `profiles` as the text of an HTML file; see `write_profile`."""
    if not profiles:
        raise EvidenceError(
            "no profile to report", remedy="profile a backbone first, or name another database"
        )
    view = ProfilesView(profiles, rows or {})
    return render_page(
        "profile.html.j2",
        {
            "view": view,
            "made_at": made_at,
            "radars": {p.name: profile_picture(p, view.color(p.name)) for p in view.profiles},
            "attack_curves": {p.name: attack_picture(p) for p in view.profiles},
            "attack_title": attack_title,
            "amounts": {p.name: amounts_picture(p) for p in view.profiles},
            "epochs": {p.name: epochs_picture(p) for p in view.profiles},
            "embeddings": {p.name: p.embeddings for p in view.profiles},
            "depths_picture": depths_picture,
            "criteria": CRITERIA,
            "aspect_titles": ASPECT_TITLES,
            "intervals": INTERVALS,
            "origins": ORIGINS,
        },
    )
