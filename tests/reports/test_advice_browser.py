"""The advice report in a real browser: alone, for everybody, and right when it recomputes."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from advisor import Decision, advise, parse_scenario
from advisor.ranking.methods import METHODS
from advisor.records import ScenarioText
from reports.advice import write_advice
from tests.reports.decisions import (
    HOSTILE,
    flagged,
    hostile,
    renamed,
    untrained,
    with_unknown,
)

pytestmark = pytest.mark.browser

Write = Callable[[Decision], Path]
Open = Callable[..., Page]

_NO_SIDEWAYS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
_ELEMENTS = "[...document.querySelectorAll('*')].map((node) => node.localName).join(' ')"
_SERIOUS = {"serious", "critical"}


def _scenario(priorities: dict[str, float], *, method: str, floor: bool) -> str:
    lines = ["version: 1", "title: tried", "evidence: published", f"method: {method}"]
    lines += ["priorities:", *(f"  {key}: {value!r}" for key, value in priorities.items())]
    # Narrow enough that some scores are cut to 0, which the product treats by a rule of its own.
    lines += ["scales:", "  uar: {worst: 64 %, best: 68 %, why: narrow}"]
    if floor:
        lines += ["requirements:", "  - criterion: uar", "    at_least: 64 %"]
    return "\n".join(lines) + "\n"


def _decide(priorities: dict[str, float], *, method: str, floor: bool = True) -> Decision:
    text = _scenario(priorities, method=method, floor=floor)
    return advise(parse_scenario((ScenarioText("tried.yaml", text),)))


_EQUAL = dict.fromkeys(
    ("system_performance", "privacy", "safety", "fairness", "sustainability"), 3.0
)

_READ = """() => [...document.querySelectorAll('#ranking-table tbody tr')].map((row) => ({
    name: row.dataset.candidate,
    score: row.dataset.score,
    position: row.dataset.position,
    contributions: Object.fromEntries([...document.querySelectorAll(
        `#contributions-table tr[data-index="${row.dataset.index}"] [data-criterion]`
    )].map((cell) => [cell.dataset.criterion, cell.dataset.value])),
}))"""

_SET = """([raw, on]) => {
    document.querySelectorAll('#explore input[type=range]').forEach((slider, i) => {
        slider.value = raw[i];
        slider.dispatchEvent(new Event('input'));
    });
    document.querySelectorAll('#explore input[type=checkbox]').forEach((box) => {
        if (box.checked !== on) box.click();
    });
}"""


def _shown(page: Page) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = page.evaluate(_READ)
    return rows


def _assert_shows(rows: list[dict[str, Any]], decision: Decision) -> None:
    assert [row["name"] for row in rows] == [c.name for c in decision.candidates]
    for row, candidate in zip(rows, decision.candidates, strict=True):
        assert float(row["score"]) == pytest.approx(candidate.score, abs=1e-12)
        assert row["position"] == str(candidate.position or "")
        for name, share in candidate.contributions.items():
            assert float(row["contributions"][name]) == pytest.approx(share, abs=1e-12)


@pytest.mark.parametrize("method", list(METHODS))
def test_the_page_recomputes_as_python_does(method: str, tmp_path: Path, open_page: Open) -> None:
    path = tmp_path / "report.html"
    write_advice(_decide(_EQUAL, method=method), path)
    page = open_page(path)
    rng = random.Random(f"weights {method}")  # noqa: S311
    for _ in range(15):
        raw = [rng.randint(0, 100) / 10 for _ in _EQUAL]
        raw[rng.randrange(5)] = 10.0  # at least one counts
        floor = rng.random() < 0.5
        page.evaluate(_SET, [raw, floor])
        priorities = dict(zip(_EQUAL, raw, strict=True))
        _assert_shows(_shown(page), _decide(priorities, method=method, floor=floor))


def test_before_anything_is_moved_it_shows_the_decision(
    edge: Decision, report: Write, open_page: Open
) -> None:
    page = open_page(report(edge))
    _assert_shows(_shown(page), edge)
    assert page.locator("#reset").is_disabled()


def test_a_setting_travels_by_link_and_can_be_taken_back(
    edge: Decision, report: Write, open_page: Open
) -> None:
    path = report(edge)
    page = open_page(path)
    before = page.locator("#ranking").inner_text()
    page.evaluate(_SET, [[9, 9, 9, 9, 0.5], False])
    changed = _shown(page)
    assert "With these settings the choice would be" in page.locator("#verdict").inner_text()
    link = page.locator("#setting-link").evaluate("(link) => link.hash")
    assert page.evaluate("location.hash") == link
    assert _shown(open_page(path, link)) == changed
    page.locator("#reset").click()
    assert page.locator("#ranking").inner_text() == before
    _assert_shows(_shown(page), edge)


def test_a_slider_moved_by_keyboard_recomputes_and_keeps_the_setting(
    edge: Decision, report: Write, open_page: Open
) -> None:
    page = open_page(report(edge))
    page.get_by_role("slider", name="System performance").press("ArrowRight")
    assert page.evaluate("location.hash") == "#set&w.uar=3.1"
    assert "With these settings" in page.locator("#verdict").inner_text()
    assert not page.locator("#reset").is_disabled()


@pytest.mark.parametrize(
    "fragment", ["#set&w.uar=NaN&w.macs=-1", "#set&w.uar=1e999&off=<b>", "#set&%ff", "#nowhere"]
)
def test_a_broken_link_shows_the_decision(
    fragment: str, edge: Decision, report: Write, open_page: Open
) -> None:
    _assert_shows(_shown(open_page(report(edge), fragment)), edge)


def test_no_weight_at_all_is_said(edge: Decision, report: Write, open_page: Open) -> None:
    page = open_page(report(edge))
    page.evaluate(_SET, [[0, 0, 0, 0, 0], True])
    assert "Nothing can be scored" in page.locator("#verdict").inner_text()
    assert {row["score"] for row in _shown(page)} == {""}
    assert "NaN" not in page.locator("main").inner_text()


def test_what_is_unknown_stays_unknown_until_it_has_no_weight(
    edge: Decision, report: Write, open_page: Open
) -> None:
    page = open_page(report(with_unknown(edge, "apc", "gender_accuracy", "no labels")))
    page.evaluate(_SET, [[5, 5, 5, 5, 5], False])
    assert {row["name"]: row["score"] for row in _shown(page)}["apc"] == ""
    row = page.locator('#ranking-table tr[data-candidate="apc"]')
    assert "unknown" in row.inner_text()
    assert row.locator(".f-unknown").count() == 1
    page.evaluate(_SET, [[5, 0, 5, 5, 5], False])
    assert float({row["name"]: row["score"] for row in _shown(page)}["apc"]) > 0


def test_what_is_flagged_stays_without_a_score(report: Write, open_page: Open) -> None:
    """Whatever the weights, the flagged safety earns nothing and its piece is hatched."""
    page = open_page(report(flagged()))
    page.evaluate(_SET, [[1, 1, 10], True])
    row = next(row for row in _shown(page) if row["name"] == "vacuous")
    assert float(row["contributions"]["attack_success_rate"]) == 0
    bar = page.locator('#ranking-table tr[data-candidate="vacuous"]')
    assert bar.locator(".f-unknown").count() == 1
    assert "Attack success rate flagged" in str(bar.locator(".bar").get_attribute("aria-label"))
    assert "× 0.000, flagged" in str(page.locator("#contributions-table").text_content())


@pytest.mark.parametrize("explored", [False, True])
def test_a_number_in_a_sentence_leads_to_its_row(
    explored: bool, edge: Decision, report: Write, open_page: Open
) -> None:
    """Into a folded table too; a setting that is being tried stays in the address."""
    page = open_page(report(edge))
    if explored:
        page.evaluate(_SET, [[9, 1, 2, 3, 4], True])
        page.evaluate("document.querySelector('#weight-1').dispatchEvent(new Event('change'))")
    address = page.url
    link = page.locator('a.cited[href^="#row-contribution-"]').first
    row = page.locator(str(link.get_attribute("href")))
    assert not row.is_visible()
    link.click()
    assert row.is_visible()
    assert page.evaluate(
        "(id) => { const box = document.querySelector(id).getBoundingClientRect();"
        " return box.top >= 0 && box.bottom <= innerHeight; }", link.get_attribute("href")
    )  # fmt: skip
    assert (page.url == address) == explored


def test_no_request_leaves_the_page(edge: Decision, report: Write, browser: Browser) -> None:
    context = browser.new_context()
    requested: list[str] = []
    context.on("request", lambda request: requested.append(request.url))
    page = context.new_page()
    address = report(edge).as_uri()
    page.goto(address)
    page.evaluate(_SET, [[9, 1, 9, 1, 9], False])
    for link in page.locator("nav a").all():
        link.click()
    assert {url.partition("#")[0] for url in requested} == {address}
    context.close()


def test_the_policy_stops_what_would_leave_or_run(
    edge: Decision, report: Write, browser: Browser
) -> None:
    page = browser.new_page()
    page.goto(report(edge).as_uri())
    page.evaluate("""() => {
        window.stopped = [];
        document.addEventListener('securitypolicyviolation',
            (event) => window.stopped.push(event.effectiveDirective));
        const picture = new Image(); picture.src = 'http://127.0.0.1:9/x.png';
        const code = document.createElement('script'); code.textContent = 'window.ran = true';
        document.body.append(code);
        fetch('http://127.0.0.1:9/').catch(() => {});
    }""")
    page.wait_for_function("window.stopped.length >= 3")
    stopped = set(page.evaluate("window.stopped"))
    assert stopped == {"img-src", "script-src-elem", "connect-src"}
    assert page.evaluate("window.ran") is None
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["edge", "marked"])
def test_axe_finds_nothing_serious(
    scheme: Literal["light", "dark"], kind: str, edge: Decision, report: Write, browser: Browser
) -> None:
    decision = edge if kind == "edge" else untrained(edge)
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)  # axe is put in by script
    page = context.new_page()
    page.goto(report(decision).as_uri())
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    found = Axe().run(page).response["violations"]
    serious = [(v["id"], v["nodes"][0]["html"]) for v in found if v["impact"] in _SERIOUS]
    assert serious == []
    context.close()


def test_it_says_the_same_without_javascript(
    cloud: Decision, report: Write, open_page: Open
) -> None:
    path = report(cloud)
    plain = open_page(path, java_script_enabled=False)
    text = plain.locator("body").inner_text()
    assert cloud.summary in text
    assert not plain.locator("#explore").is_visible()
    assert plain.locator("#ranking-table tbody tr").count() == len(cloud.candidates)
    live = open_page(path).locator("#ranking-table").inner_text()
    assert plain.locator("#ranking-table").inner_text() == live


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_it_never_scrolls_sideways(
    width: int, cloud: Decision, report: Write, open_page: Open
) -> None:
    page = open_page(report(cloud), viewport={"width": width, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert page.evaluate(_NO_SIDEWAYS)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_are_words(text: str, edge: Decision, report: Write, open_page: Open) -> None:
    narrow = {"width": 360, "height": 800}
    page = open_page(report(hostile(edge, text)), viewport=narrow)
    elements = page.evaluate(_ELEMENTS)
    assert page.locator("h1 bdi").text_content() == text.replace("\x00", "")
    assert page.evaluate(_NO_SIDEWAYS)
    assert elements == open_page(report(hostile(edge, "harmless"))).evaluate(_ELEMENTS)


@pytest.mark.parametrize("text", [*HOSTILE, "__proto__", "constructor"])
def test_a_hostile_name_is_ranked_like_any_other(
    text: str, edge: Decision, report: Write, open_page: Open
) -> None:
    page = open_page(report(renamed(edge, "apc", text)))
    page.evaluate(_SET, [[9, 1, 2, 3, 4], False])
    changed = {row["name"]: (row["score"], row["position"]) for row in _shown(page)}
    page = open_page(report(edge))
    page.evaluate(_SET, [[9, 1, 2, 3, 4], False])
    harmless = {row["name"]: (row["score"], row["position"]) for row in _shown(page)}
    assert changed.pop(text.replace("\x00", "\ufffd")) == harmless.pop("apc")
    assert changed == harmless


def test_it_prints_without_losing_a_page(edge: Decision, report: Write, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(report(edge).as_uri())
    printed = page.pdf(prefer_css_page_size=True)
    assert printed.startswith(b"%PDF")
    page.emulate_media(media="print")
    assert not page.locator("#explore").is_visible()
    assert not page.locator("nav").is_visible()
    assert page.locator("#contributions-table").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.close()
