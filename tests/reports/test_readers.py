"""What somebody who only looks takes away from a report, in a real browser and from its text."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page

from advisor import Decision, advise
from profiles_db.criteria import CRITERIA
from reports.advice import render_advice
from reports.profile import render_profile
from tests.advisor.tables import scenario_of
from tests.reports.decisions import with_unknown
from tests.reports.profiles import a_profile

Write = Callable[[Decision], Path]
Open = Callable[..., Page]

_UNJUDGED = (
    "requirements:\n  - {criterion: uar, at_least: 60 %}\n"
    "  - {criterion: gender_auc, at_most: 80 %}\n"
)
_IMPOSSIBLE = "budget: {macs: 1 GMAC}\nrequirements: [{criterion: uar, at_least: 99 %}]\n"


def _text(page: str) -> str:
    """The words of a page, its data and pictures left out."""
    body = re.sub(r"<(script|style|svg).*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
def test_every_tile_says_what_is_counted_and_which_way_is_better(
    width: int, cloud: Decision, report: Write, open_page: Open
) -> None:
    page = open_page(report(cloud), viewport={"width": width, "height": 900})
    page.evaluate(_OPEN)
    tiles = [tile.inner_text().replace("\xa0", " ") for tile in page.locator(".tiles li").all()]
    assert len(tiles) == 5
    assert "Gender inferred\n\n97.4 %\nlower is better" in tiles[1]
    assert "Emotions recognised (UAR)\n\n67.0 %\nhigher is better" in tiles[0]
    assert all("is better" in tile for tile in tiles)


@pytest.mark.browser
def test_a_dot_lies_where_its_figure_does(cloud: Decision, report: Write, open_page: Open) -> None:
    """97.4 % of the genders, on a line from 100 % (worst) to 50 % (best): at its left end."""
    page = open_page(report(cloud))
    page.evaluate(_OPEN)
    tile = page.locator(".tiles li").nth(1)
    line, dot = (tile.locator(f".dots {part}").bounding_box() for part in (".track", "circle"))
    assert line is not None
    assert dot is not None
    place = (dot["x"] + dot["width"] / 2 - line["x"]) / line["width"]
    assert place == pytest.approx((1 - 0.974) / 0.5, abs=0.01)
    ends = tile.locator(".ends").inner_text().replace("\xa0", " ").split("\n")
    assert ends == ["100 %", "best: 50 %"]


def test_a_radar_names_the_scores_that_it_draws(edge: Decision) -> None:
    """The figure of a leak beside a short spoke would be two meanings in one picture."""
    page = render_advice(edge)
    radar = re.search(r'<svg class="picture".*?</svg>', page, re.DOTALL)
    assert radar is not None
    written = re.findall(r">([^<>]+)</text>", radar[0])
    assert sum(text.startswith("score ") for text in written) == 5
    assert not any("%" in text for text in written)
    assert "Privacy: Gender inferred 92.2 %, lower is better, score" in radar[0]


def test_every_row_of_the_evidence_says_its_direction(edge: Decision) -> None:
    rows = unescape(render_advice(edge).split('id="evidence"')[1])
    for name in edge.candidates[0].figures:
        way = "higher" if CRITERIA[name].direction == "maximise" else "lower"
        title = re.escape(CRITERIA[name].title)
        row = re.search(rf'<th scope="row">{title}<(.*?)</th>', rows, re.DOTALL)
        assert row is not None, name
        assert f"{way} is better" in row[1]


def test_a_profile_report_says_directions_and_baselines() -> None:
    text = _text(render_profile([a_profile()])).replace("\xa0", " ")
    assert "Gender inferred 93.0 % 90.0–95.0 % baseline 50.0 %, lower is better" in text
    assert text.count("Lower is better.") >= 4
    assert "poor" in text


def test_the_thresholds_of_the_grades_are_in_the_report(edge: Decision) -> None:
    text = _text(render_advice(edge)).replace("\xa0", " ")
    assert "strong from 75 %, fair from 50 %, weak from 25 % of the way" in text
    assert "poor below" in text


@pytest.mark.browser
def test_a_tie_heads_the_page(cloud: Decision, report: Write, open_page: Open) -> None:
    page = open_page(report(cloud))
    assert page.locator("h1").inner_text() == "Whisper Small, WavLM Base+ or Whisper Base"
    assert page.locator(".eyebrow").inner_text() == "Level on this evidence"
    assert "What would decide between them" in page.locator("header.top").inner_text()


@pytest.mark.browser
def test_a_report_of_nothing_shows_no_green(report: Write, open_page: Open) -> None:
    """Six methods that all find nobody do not agree on a choice."""
    decision = advise(scenario_of(_IMPOSSIBLE))
    page = open_page(report(decision))
    assert page.locator("h1").inner_text() == "No candidate meets the requirements"
    assert page.locator(".pass").count() == 0
    words = page.locator("main").inner_text()
    assert "the choice would be the same" not in words
    assert "agrees" not in words
    assert "there would still be no choice" in words


@pytest.mark.browser
def test_who_cannot_be_judged_is_not_said_to_fail(report: Write, open_page: Open) -> None:
    page = open_page(report(advise(scenario_of(_UNJUDGED))))
    assert page.locator("h1").inner_text() == "No candidate can be said to meet the requirements"
    assert "2 fail a requirement, 5 cannot be judged" in page.locator(".facts").first.inner_text()
    for name, said in {"whisper_small": "cannot be judged", "apc": "out: fails a req"}.items():
        row = page.locator(f'#ranking-table tr[data-candidate="{name}"]')
        assert said in row.inner_text()
    bounds = page.locator("#requirements .points li").all_inner_texts()
    assert "Of 7, 2 fail it" in bounds[0]
    assert "Of 7, 7 cannot be judged by it" in bounds[1]
    matrix = page.locator("#requirements table").inner_text()
    assert "a figure of Gender inference AUC that can be relied on" in matrix
    gaps = page.locator("#certainty .points li").all_inner_texts()
    assert [text.count(",") for text in gaps] == [0, 3], "those who lack the same, together"
    # The page's own arithmetic says the same: with UAR let go, nobody fails any more.
    page.locator('#explore input[data-requirement="uar"]').click()
    assert (
        "cannot be judged" in page.locator('#ranking-table tr[data-candidate="apc"]').inner_text()
    )


_HIDDEN = """() => [...document.querySelectorAll('.scroll')]
    .filter((box) => box.scrollWidth > box.clientWidth + 1)
    .map((box) => box.getAttribute('aria-label'))"""
_OPEN = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"
_CROSSING = """() => [...document.querySelectorAll('.card table, .card svg, .card pre')]
    .filter((node) => node.getBoundingClientRect().right
        > node.closest('.card').getBoundingClientRect().right)
    .map((node) => node.textContent.trim().slice(0, 40))"""


@pytest.fixture(scope="module")
def two_criteria() -> Decision:
    """A decision without requirements, so that all seven candidates have a place."""
    return advise(scenario_of("priorities: {system_performance: high, sustainability: medium}\n"))


@pytest.mark.browser
@pytest.mark.parametrize("kind", ["cloud", "two"])
def test_no_table_hides_a_column_on_a_desk(
    kind: str, cloud: Decision, two_criteria: Decision, report: Write, open_page: Open
) -> None:
    decision = cloud if kind == "cloud" else two_criteria
    page = open_page(report(decision), viewport={"width": 1280, "height": 900})
    page.evaluate(_OPEN)
    assert page.evaluate(_HIDDEN) == []


@pytest.mark.browser
def test_nothing_crosses_its_card_on_paper(cloud: Decision, report: Write, open_page: Open) -> None:
    """A4 less its margins is 182 mm wide, 688 CSS pixels."""
    page = open_page(report(cloud), viewport={"width": 688, "height": 1000})
    page.emulate_media(media="print")
    page.evaluate(_OPEN)
    assert page.evaluate(_CROSSING) == []


@pytest.mark.browser
def test_colours_that_mean_something_stay_where_colours_are_forced(
    cloud: Decision, report: Write, open_page: Open
) -> None:
    page = open_page(report(cloud), forced_colors="active")
    seen = set()
    for number in range(5):
        swatch = page.locator(f"#legend .aspect-{number}")
        image = Image.open(BytesIO(swatch.screenshot())).convert("RGB")
        seen.add(image.getpixel((image.width // 2, image.height // 2)))
    assert len(seen) == 5


@pytest.mark.browser
def test_walking_through_the_page_keeps_the_shared_setting(
    cloud: Decision, report: Write, open_page: Open
) -> None:
    page = open_page(report(cloud), "#set&w.uar=3")
    address = page.url
    for link in page.locator("nav a").all():
        link.click()
        assert page.url == address
    page.get_by_role("link", name="Evidence").click()
    page.wait_for_function("document.querySelector('#evidence').getBoundingClientRect().top < 200")
    page.reload()
    assert "With these settings" in page.locator("#verdict").inner_text()


@pytest.mark.browser
def test_without_a_setting_links_are_links(cloud: Decision, report: Write, open_page: Open) -> None:
    page = open_page(report(cloud))
    page.get_by_role("link", name="Evidence").click()
    assert page.url.endswith("#evidence")


def test_a_profile_report_prints_no_python() -> None:
    protocol = {
        "classes": ["neutral", "happy"], "limit": None, "rate": 34.419076958000005,
        "normalised": True, "left": [], "steps": {"a": [1, 2.50, None]},
    }  # fmt: skip
    profile = replace(a_profile(), protocol=protocol, provenance={"seconds": 0.1 + 0.2})
    text = _text(render_profile([profile]))
    assert "classes neutral, happy limit not set rate 34.4191 normalised yes left none" in text
    assert "1, 2.5, not set" in text
    assert "seconds 0.3 " in text
    assert "None" not in text
    assert "34.419076958000005" not in text


def test_a_heat_scale_is_right_on_any_ground() -> None:
    """In the dark the larger share is the brighter cell."""
    assert "darker" not in render_profile([a_profile()])


_DOTS = """() => [...document.querySelectorAll('#dots-table tbody tr')].map((row) => ({
    name: row.dataset.candidate,
    cells: [...row.querySelectorAll('td')].map((cell) => {
        const box = (part) => {
            const node = cell.querySelector(part);
            return node && node.getBoundingClientRect();
        };
        const line = box('.track');
        const share = (x) => (x - line.left) / line.width;
        const [dot, band, bound] = [box('circle'), box('.band'), box('.bound')];
        return line && {
            dot: share(dot.left + dot.width / 2),
            band: band && [share(band.left), share(band.right)],
            bound: bound && share(bound.left),
        };
    }),
}))"""


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
def test_dots_bands_and_bounds_lie_at_their_scores(
    width: int, cloud: Decision, report: Write, open_page: Open
) -> None:
    page = open_page(report(cloud), viewport={"width": width, "height": 900})
    rows = page.evaluate(_DOTS)
    assert [row["name"] for row in rows] == [c.name for c in cloud.candidates]
    for row, candidate in zip(rows, cloud.candidates, strict=True):
        for cell, weighted in zip(row["cells"], cloud.criteria, strict=True):
            figure, span = candidate.figures[weighted.criterion], weighted.best - weighted.worst
            assert cell["dot"] == pytest.approx(candidate.scores[weighted.criterion], abs=0.01)
            assert figure.low is not None
            assert figure.high is not None
            ends = sorted((end - weighted.worst) / span for end in (figure.low, figure.high))
            assert cell["band"] == pytest.approx([min(1, max(0, end)) for end in ends], abs=0.01)
        assert row["cells"][0]["bound"] == pytest.approx((0.66 - 0.56) / 0.12, abs=0.01)
        assert not any(cell["bound"] for cell in row["cells"][1:])


def test_an_unknown_figure_has_no_dot(edge: Decision) -> None:
    page = render_advice(with_unknown(edge, "apc", "gender_accuracy", "nobody labelled it"))
    table = page.split('id="dots-table"')[1].split("</table>")[0]
    row = table.split('data-candidate="apc"')[1].split("</tr>")[0]
    assert row.count("<circle") == 4
    assert "nobody labelled it" in row


def test_who_is_out_is_in_the_matrix_and_not_in_sentences(cloud: Decision) -> None:
    page = render_advice(cloud)
    why = _text(page.split('id="why"')[1].split("</section>")[0])
    assert " is out: " not in why
    assert "4 fail a requirement" in why
    matrix = page.split('id="requirements"')[1].split("</section>")[0]
    assert matrix.count("✗ not met") == 4
    assert "63.7 %, \N{MINUS SIGN}2.3 points" in _text(matrix).replace("\xa0", " ")


def test_nothing_is_told_twice(cloud: Decision) -> None:
    """What a table or picture below shows is no sentence above it."""
    text = _text(render_advice(cloud))
    for sentence in (*cloud.sentences("sensitivity"), *cloud.sentences("method")):
        assert sentence not in text
    for reason in cloud.study.aspect_reasons.values():
        assert text.count(reason) == 1
