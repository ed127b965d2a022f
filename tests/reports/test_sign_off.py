"""The sign-off: filled in and kept with the file in a real browser, and what `verify` says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page
from typer.testing import CliRunner

from advisor import Decision
from reports.advice import render_advice, shown_otherwise, write_advice
from reports.same_page import entries, first_difference
from tests.reports.decisions import HOSTILE, flagged, hostile, untrained
from trustser.app import app

Write = Callable[[Decision], Path]
Open = Callable[..., Page]

_CONDITIONS = 'Only in English; <b>"ask" & log</b>.\nNot for children.'

_READ_DIFFERENTLY = (
    (r'(<textarea id="scenario-text"[^>]*)></textarea>', r"\1/>"),
    ('<circle([^>]*) cx="', r'<circle\1 cx=="'),
    ('<circle([^>]*) cx="', '<circle\\1 cx=\N{NO-BREAK SPACE}"'),
    (r"(?<=<strong>)(\d)(\d)", "\\1\N{REPLACEMENT CHARACTER}\\2"),
    ("<td ", "<td\N{NO-BREAK SPACE}"),
    ("</h1>", "</ h1>"),
    ("</h1>", "</h1/>"),
    ("<div>", "<div/>"),
)
"""Patterns and what to put there: alterations that parsers do not read alike."""


def _fill(page: Page) -> None:
    page.get_by_label("Conditions", exact=True).fill(_CONDITIONS)
    page.get_by_label("Approve with conditions").check()
    page.get_by_label("Who watches it in use").fill("The quality team")
    page.get_by_label("Reviewer", exact=True).fill("Ada Löveless")
    page.get_by_label("Date (YYYY-MM-DD)").fill("2026-11-21")


def _saved(page: Page, path: Path) -> Path:
    with page.expect_download() as download:
        page.get_by_role("button", name="Save a copy").click()
    assert download.value.suggested_filename == "report-signed.html"
    download.value.save_as(path)
    return path


def _verified(path: Path) -> tuple[int, str]:
    run = CliRunner().invoke(app, ["verify", str(path)])
    return run.exit_code, run.output


@pytest.mark.browser
def test_entries_are_kept_with_the_file_and_it_still_holds(
    cloud: Decision, report: Write, open_page: Open, tmp_path: Path
) -> None:
    """Saved after the page was played with, opened again, altered there, and saved again."""
    page = open_page(report(cloud))
    page.get_by_role("slider", name="Privacy").press("ArrowRight")
    _fill(page)
    copy = _saved(page, tmp_path / "report-signed.html")
    code, said = _verified(copy)
    assert code == 0, said
    assert "The page shows what its data says." in said
    assert "Entered, and not checked: Decision: Approve with conditions\n" in said
    assert "Entered, and not checked: Reviewer: Ada Löveless\n" in said
    again = open_page(copy)
    assert again.get_by_label("Conditions", exact=True).input_value() == _CONDITIONS
    assert again.get_by_label("Approve with conditions").is_checked()
    assert again.locator("#verdict").inner_text().startswith("These are the priorities")
    again.get_by_label("Reject").check()
    again.get_by_label("Reviewer", exact=True).fill("")
    assert entries(_saved(again, tmp_path / "second.html").read_text("utf-8")) == {
        "Decision": "Reject",
        "Conditions": _CONDITIONS,
        "Who watches it in use": "The quality team",
        "Date (YYYY-MM-DD)": "2026-11-21",
    }
    assert _verified(tmp_path / "second.html")[0] == 0


@pytest.mark.browser
@pytest.mark.parametrize("kind", ["marked", "flagged", 2, 4, 6])
def test_a_saved_copy_holds_whatever_the_report_says(
    kind: str | int, edge: Decision, report: Write, open_page: Open, tmp_path: Path
) -> None:
    decision = (
        hostile(edge, HOSTILE[kind])
        if isinstance(kind, int)
        else untrained(edge)
        if kind == "marked"
        else flagged()
    )
    copy = _saved(open_page(report(decision)), tmp_path / "copy.html").read_text("utf-8")
    assert shown_otherwise(copy, "copy") is None


@pytest.mark.browser
def test_an_alteration_of_a_saved_copy_is_found(
    edge: Decision, report: Write, open_page: Open, tmp_path: Path
) -> None:
    page = open_page(report(edge))
    _fill(page)
    copy = _saved(page, tmp_path / "copy.html")
    text = copy.read_text("utf-8")
    for true, false in (
        ("Whisper Tiny</bdi></h1>", "WavLM Base+</bdi></h1>"),
        (">poor<", ">strong<"),
        ("</main>", "<!-- --></main>"),
        ('data-entry="Reviewer"', 'data-entry="Reviewer" data-entry="x"'),
        ("</textarea>", "</textarea><b>Approved</b>"),
        ("<footer>", "<footer>Approved"),
        *_READ_DIFFERENTLY,
    ):
        altered, count = re.subn(true, false, text, count=1)
        assert count == 1, true
        assert shown_otherwise(altered, "copy") is not None, true
    copy.write_text(text.replace(">poor<", ">strong<", 1), encoding="utf-8")
    code, said = _verified(copy)
    assert code == 1
    assert "The page was altered: its data gives another line" in said


@pytest.mark.browser
def test_without_a_script_it_is_filled_in_and_printed(
    edge: Decision, report: Write, open_page: Open
) -> None:
    page = open_page(report(edge), java_script_enabled=False)
    assert not page.get_by_role("button", name="Save a copy").is_visible()
    _fill(page)
    page.emulate_media(media="print")
    for name in ("Reviewer", "Role", "Conditions"):
        field = page.get_by_label(name, exact=True)
        assert field.is_visible()
        assert field.evaluate("(one) => getComputedStyle(one).borderBottomWidth") != "0px"
    assert page.get_by_label("Reviewer", exact=True).input_value() == "Ada Löveless"
    conditions = page.get_by_label("Conditions", exact=True)
    conditions.fill("A condition that takes a line.\n" * 12)
    assert conditions.evaluate("(one) => one.scrollHeight <= one.clientHeight"), "none is cut off"


def test_entries_written_into_the_file_by_hand_are_entries(edge: Decision, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_advice(edge, path)
    text = path.read_text("utf-8")
    empty = 'data-entry="Role" value=""'
    assert text.count(empty) == 1
    path.write_text(text.replace(empty, 'data-entry="Role" value="Judge\x1b[31m"'), "utf-8")
    code, said = _verified(path)
    assert code == 0
    assert "Entered, and not checked: Role: Judge\\x1b[31m" in said


@given(st.text(max_size=40))
@settings(max_examples=60, deadline=None)
def test_no_words_pass_for_other_words(words: str) -> None:
    """Escaped in whatever way, text is itself; other text is another page."""
    from html import escape  # noqa: PLC0415

    kept = words.translate({0: None, 0xFFFD: None}).strip()
    page = f"<p>{escape(words)}.</p>"
    numbered = "".join(f"&#{ord(c)};" if c in "&<>\"'" else c for c in words)
    assert first_difference(f"<p >{numbered}.</p >", page) is None
    assert first_difference(f"<p>{escape(words)}!</p>", page) is not None
    assert first_difference(f'<p title="{escape(kept)}">', "<p>") is not None


@pytest.mark.parametrize(("true", "false"), _READ_DIFFERENTLY)
def test_what_parsers_do_not_read_alike_is_a_difference(
    true: str, false: str, edge: Decision
) -> None:
    altered, count = re.subn(true, false, render_advice(edge), count=1)
    assert count == 1
    assert shown_otherwise(altered, "page") is not None


@pytest.mark.parametrize("kept", ["", "\N{REPLACEMENT CHARACTER}"])
def test_what_browsers_make_of_a_character_that_no_page_shows_is_no_difference(kept: str) -> None:
    page = '<p title="{0}1">6{0}3 %</p>'
    for expected in ("\x00", "\N{REPLACEMENT CHARACTER}"):
        assert first_difference(page.format(kept), page.format(expected)) is None
    assert (first_difference(page.format(kept), page.format("")) is None) == (kept == "")


def test_a_missing_end_is_a_difference(edge: Decision) -> None:
    page = render_advice(edge)
    whole, data, _ = page.rpartition("</footer>")
    assert shown_otherwise(page, "page") is None
    assert first_difference(whole, page) is not None
    assert first_difference(page, whole + data) is not None
