"""The page of PDF: one A4 page whose text can be selected and says what the decision says."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PdfReader

from advisor import Decision, advise
from profiles_db.errors import OutputError
from reports.advice_view import View
from reports.minute import minute
from reports.one_page import render_one_page, write_page
from tests.advisor.tables import scenario_of
from tests.reports.decisions import HOSTILE, hostile, untrained

_TIME = "2026-11-21T10:00:00+00:00"
_A4 = (595, 842)
_IMPOSSIBLE = "budget: {macs: 1 GMAC}\nrequirements: [{criterion: uar, at_least: 60 %}]\n"


def _read(content: bytes) -> str:
    """The text of the one page, on one line."""
    (page,) = PdfReader(BytesIO(content)).pages
    assert (round(page.mediabox.width), round(page.mediabox.height)) == _A4
    return " ".join(page.extract_text().split())


def test_it_says_every_figure_of_the_first_part(cloud: Decision) -> None:
    text, said = _read(render_one_page(cloud, made_at=_TIME)), minute(View(cloud))
    for candidate in said.shown:
        assert candidate.title in text
    for risk in said.risks:
        assert risk.words in text
        for axis, word in zip(risk.axes, risk.graded, strict=True):
            assert f"{axis.reading}, {word}" in text
            assert axis.interval in text
    for title, changes in said.changes.items():
        assert title in text
        for change in changes:
            assert f"{change.cause} {change.result}" in text
    assert said.next_step is not None
    assert said.next_step.what in text
    assert said.next_step.gain in text
    assert said.next_step.command in text
    assert "64 % of 10,000 draws" in text
    assert cloud.hash in text
    assert _TIME in text


def test_the_same_decision_gives_the_same_bytes(edge: Decision) -> None:
    assert render_one_page(edge, made_at=_TIME) == render_one_page(edge, made_at=_TIME)


def test_evidence_that_is_none_is_said_first(edge: Decision) -> None:
    text = _read(render_one_page(untrained(edge), made_at=_TIME))
    assert text.startswith("Do not choose by this page: untrained weights and synthetic speech.")
    assert "Do not choose" not in _read(render_one_page(edge, made_at=_TIME))


def test_where_nothing_is_chosen_it_says_what_would_let_one_in() -> None:
    decision = advise(scenario_of(_IMPOSSIBLE))
    text = _read(render_one_page(decision, made_at=_TIME))
    assert "No candidate meets the requirements" in text
    assert "What would let one in" in text
    assert "What it does and costs" not in text
    assert "instead of 60.0 %" in text or "instead of 1.00 GMAC" in text


def test_what_nobody_knows_is_unknown_and_no_zero() -> None:
    decision = advise("worst_case")
    text = _read(render_one_page(decision, made_at=_TIME))
    assert "away unknown" in text
    assert " 0.0 %" not in text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_stay_on_the_page(text: str, edge: Decision) -> None:
    assert "It scores 0.782" in _read(render_one_page(hostile(edge, text), made_at=_TIME))


def test_letters_that_no_font_has_are_not_left_out(edge: Decision) -> None:
    scenario = dataclasses.replace(edge.scenario, title="Gerät 机")
    decision = dataclasses.replace(edge, scenario=scenario).sealed()
    assert "Gerät \N{REPLACEMENT CHARACTER}" in _read(render_one_page(decision, made_at=_TIME))


def test_a_failed_write_leaves_nothing(edge: Decision, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        write_page(edge, tmp_path / "nowhere" / "page.pdf", made_at=_TIME)
    write_page(edge, tmp_path / "page.pdf", made_at=_TIME)
    assert [path.name for path in tmp_path.iterdir()] == ["page.pdf"]


def test_what_writes_pdf_is_loaded_only_for_it() -> None:
    code = (
        "import sys; from advisor import advise; from reports.advice import render_advice;"
        "import reports.one_page; render_advice(advise('edge'));"
        "print(sorted({'fpdf', 'torch'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert run.stdout.strip() == "[]"
