"""What a report shows of requirements on facts and of the application, in a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from advisor import Decision, advise
from tests.reports.decisions import HOSTILE, asking_facts, hostile

pytestmark = pytest.mark.browser

Write = Callable[[Decision], Path]
Open = Callable[..., Page]

_HIDDEN = """[...document.querySelectorAll('#requirements .scroll')]
    .filter((box) => box.scrollWidth > box.clientWidth + 1).length"""


@pytest.fixture(scope="module")
def facts() -> Decision:
    return asking_facts()


def test_the_matrix_says_what_a_fact_is_and_what_nobody_verified(
    facts: Decision, report: Write, open_page: Open
) -> None:
    page = open_page(report(facts))
    rows = page.locator("#requirements tbody tr")
    wavlm = rows.filter(has_text="WavLM Base+").inner_text()
    assert "cannot be judged" in wavlm
    assert "unverified: no licence is tagged" in wavlm
    base = rows.filter(has_text="wav2vec 2.0 Base").inner_text()
    assert "not met" in base
    assert "en (arXiv:2006.11477)" in base
    assert "nothing: a fact rules it out" in base
    assert "as of 2026-11" in page.locator("#requirements caption").inner_text()
    assert page.evaluate(_HIDDEN) == 0, "all columns fit on a desk"
    found = Axe().run(page, context="#requirements").response["violations"]
    assert not [v["id"] for v in found if v["impact"] in {"serious", "critical"}]


def test_a_requirement_on_a_fact_can_be_dropped_in_the_page(
    facts: Decision, report: Write, open_page: Open
) -> None:
    page = open_page(report(facts))
    switches = page.locator("#explore input[type=checkbox]")
    assert switches.count() == len(facts.requirements)
    for index in range(2):
        switches.nth(index).click()
    first = page.locator("#ranking-table tbody tr").first
    assert first.get_attribute("data-candidate") == facts.priorities_ranking[0] != facts.choice


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_in_facts_do_nothing(
    facts: Decision, report: Write, open_page: Open, text: str
) -> None:
    page = open_page(report(hostile(facts, text)))
    assert page.title() not in {"owned", "1"}
    assert page.locator("#requirements img, #requirements script").count() == 0


def test_the_page_says_whom_it_judges_what_no_evidence_is_of_and_what_to_ask(
    report: Write, open_page: Open
) -> None:
    page = open_page(report(advise("call_centre")))
    why = page.locator("#why")
    said = why.inner_text()
    assert "customers, employees" in said
    assert "No evidence here is of speech over the telephone" in said
    assert "Ask your counsel whether judging employees" in said
    assert "These are questions, not legal advice." in said
    found = Axe().run(page, context="#why").response["violations"]
    assert not [v["id"] for v in found if v["impact"] in {"serious", "critical"}]
    phone = open_page(report(advise("call_centre")), viewport={"width": 360, "height": 700})
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_page_that_says_nothing_of_its_application_has_no_such_card(
    edge: Decision, report: Write, open_page: Open
) -> None:
    page = open_page(report(edge))
    assert page.get_by_text("Before it is used").count() == 0
    assert page.locator("#why > dl").count() == 0


def test_the_matrix_says_how_each_differs_from_the_baseline(report: Write, open_page: Open) -> None:
    page = open_page(report(advise("model_upgrade")))
    rows = page.locator("#requirements tbody tr")
    assert "it is the baseline" in rows.filter(has_text="Whisper Tiny").inner_text()
    small = rows.filter(has_text="Whisper Small").inner_text()
    assert "67.0 %, +3.3 points (+2.9 to +3.7)" in small
    assert "the interval holds both better and worse (let through with a warning)" in small
    assert "worse than the baseline" in rows.filter(has_text="TERA").inner_text()
    caption = page.locator("#requirements caption").inner_text()
    assert caption.startswith("Of a comparison with the baseline, the figure and how it differs")
    assert page.evaluate(_HIDDEN) == 0
