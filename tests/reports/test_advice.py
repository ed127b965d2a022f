"""The advice report as a file: whole, small, the same twice, and honest about what it lacks."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from advisor import Decision, advise
from profiles_db.errors import InputError, OutputError
from reports.advice import render_advice, write_advice
from reports.embedded import as_script, read_decision
from tests.reports.decisions import FLAG, HOSTILE, flagged, hostile, untrained, with_unknown
from trustser.__main__ import run

Write = Callable[[Decision], Path]


class _Tags(HTMLParser):
    """Every start tag with its attributes, and the text of style and script elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.code: dict[str, list[str]] = {"style": [], "script": []}
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = tag if tag in self.code and dict(attrs).get("type") is None else ""

    def handle_data(self, data: str) -> None:
        if self._open:
            self.code[self._open].append(data)

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        self._open = ""


def test_the_same_decision_gives_the_same_bytes(edge: Decision) -> None:
    assert render_advice(edge) == render_advice(edge)


def test_another_process_gives_the_same_bytes(edge: Decision) -> None:
    code = (
        "import sys; from advisor import advise; from reports.advice import render_advice;"
        "sys.stdout.buffer.write(render_advice(advise('edge')).encode())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert run.stdout == render_advice(edge).encode()


def test_the_time_of_making_is_all_that_differs(edge: Decision) -> None:
    dated = render_advice(edge, made_at="2026-11-20 10:00")
    assert "2026-11-20 10:00" in dated
    mark = '<meta name="trustser-made-at" content="2026-11-20 10:00">\n'
    assert dated.replace(" on 2026-11-20 10:00", "").replace(mark, "") == render_advice(edge)


@pytest.mark.parametrize("name", ["edge", "cloud"])
def test_it_is_smaller_than_500_kb(name: str, request: pytest.FixtureRequest) -> None:
    assert len(render_advice(request.getfixturevalue(name)).encode()) < 500_000


def test_it_carries_its_decision(edge: Decision, report: Write) -> None:
    carried = read_decision(report(edge))
    assert carried == json.loads(edge.to_json())
    assert Decision.from_json(json.dumps(carried)) == edge


@pytest.mark.parametrize("text", HOSTILE)
def test_it_carries_hostile_words_unchanged(edge: Decision, report: Write, text: str) -> None:
    decision = hostile(edge, text)
    assert read_decision(report(decision)) == json.loads(decision.to_json())


@pytest.mark.parametrize(
    "content",
    [
        "",
        "<p>no report</p>",
        '<script id="trustser-decision">{}</script>',
        as_script("[1]"),
        as_script("{"),
        as_script("[" * 100_000),
        as_script("{}")[:-4],
    ],
)
def test_another_file_is_refused_by_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "other.html"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="decision inside"):
        read_decision(path)


def test_two_decisions_in_one_file_are_refused(edge: Decision, report: Write) -> None:
    path = report(edge)
    path.write_text(path.read_text("utf-8") * 2, encoding="utf-8")
    with pytest.raises(InputError, match="more than one"):
        read_decision(path)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "picture.html"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="byte 0 is not UTF-8"):
        read_decision(path)


def test_the_policy_allows_its_own_style_and_script_alone(edge: Decision) -> None:
    tags = _Tags(render_advice(edge))
    policy = next(
        attrs["content"] or ""
        for tag, attrs in tags.tags
        if tag == "meta" and attrs.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "http" not in policy
    for kind in ("style", "script"):
        (code,) = tags.code[kind]
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_nothing_in_it_loads_or_runs_anything(edge: Decision) -> None:
    loading = {"src", "srcset", "data", "action", "background", "poster", "style"}
    for tag, attrs in _Tags(render_advice(edge)).tags:
        assert tag not in {"img", "link", "iframe", "object", "embed", "form", "base"}
        assert not loading & set(attrs)
        assert not [name for name in attrs if name.startswith("on")]
        assert (attrs.get("href") or "#").startswith("#")


def test_ids_are_unique_and_references_lead_somewhere(cloud: Decision) -> None:
    tags = _Tags(render_advice(cloud)).tags
    ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    referred = [value for _, attrs in tags for name, value in attrs.items() if name == "for"]
    anchors = [(attrs.get("href") or "")[1:] for tag, attrs in tags if tag == "a"]
    assert set(referred) | set(anchors) <= set(ids)


def test_every_picture_has_words(cloud: Decision) -> None:
    pictures = [attrs for tag, attrs in _Tags(render_advice(cloud)).tags if tag == "svg"]
    shown = [attrs for attrs in pictures if attrs.get("aria-hidden") != "true"]
    assert len(shown) > 10
    assert all(len(attrs.get("aria-label") or "") > 5 for attrs in shown)


def test_unknown_is_said_and_never_drawn_as_zero(edge: Decision) -> None:
    decision = with_unknown(edge, "apc", "gender_accuracy", "nobody labelled gender here")
    text = render_advice(decision)
    row = re.search(r'<tr role="row" data-index="1" data-candidate="apc".*?</tr>', text, re.DOTALL)
    assert row is not None
    assert ">unknown<" in row[0]
    assert 'data-score=""' in row[0]
    assert "f-aspect-1" not in row[0]
    assert "f-unknown" in row[0]
    assert "Gender inference accuracy unknown" in row[0]
    assert "nobody labelled gender here" in text
    assert "unknown, score unknown" in text


def test_an_unknown_aspect_of_the_choice_is_hatched_not_empty(edge: Decision) -> None:
    assert edge.choice is not None
    text = render_advice(with_unknown(edge, edge.choice, "gender_accuracy", "no labels"))
    tile = re.search(r"<li>\s*<h3>(?:(?!</li>).)*Privacy.*?</li>", text, re.DOTALL)
    assert tile is not None
    assert '<p class="value unknown">unknown</p>' in tile[0]
    assert 'class="f-unknown" x="0" y="0" width="100.000%"' in tile[0]
    assert tile[0].endswith("<p>Score unknown</p>\n</li>")


def test_evidence_that_is_none_is_shouted_everywhere(edge: Decision) -> None:
    quiet, loud = render_advice(edge), render_advice(untrained(edge))
    assert 'class="shout"' not in quiet
    assert "UNTRAINED" not in quiet
    assert 'class="shout"' in loud
    for picture in re.findall(r'<svg class="picture".*?</svg>', loud, re.DOTALL):
        assert "UNTRAINED WEIGHTS, SYNTHETIC SPEECH" in picture
    captions = re.findall(r"<(?:caption|figcaption)>(.*?)</", loud, re.DOTALL)
    unmarked = [caption for caption in captions if 'class="mark"' not in caption]
    assert all("scales are fixed" in caption for caption in unmarked)


def test_assumed_intervals_are_marked(edge: Decision) -> None:
    text = render_advice(edge)
    assumed = sum(
        figure.interval == "assumed" and figure.value is not None
        for candidate in edge.candidates
        for figure in candidate.figures.values()
    )
    assert assumed > 20
    assert text.count("<em>assumed</em>") >= assumed / 2
    for reason in edge.study.assumed.values():
        assert reason.split(". ")[0][:40] in text.replace("&#39;", "'")


def test_a_folder_that_is_not_there_is_one_line(edge: Decision, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        write_advice(edge, tmp_path / "nowhere" / "report.html")


def test_a_failed_write_leaves_what_was_there(edge: Decision, tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        write_advice(edge, tmp_path / "report.html")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_neither_torch_nor_pyplot_is_imported() -> None:
    code = (
        "import sys; from advisor import advise; from reports.advice import render_advice;"
        "render_advice(advise('edge'));"
        "heavy = {'torch', 'matplotlib.pyplot', 'matplotlib.figure'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert run.stdout.strip() == "[]"


def test_a_flag_is_shown_with_what_it_did() -> None:
    """The flag beside the figure, a hatched piece of the bar, a score of 0, and the sentence."""
    page = render_advice(flagged())
    row = page.split('data-candidate="vacuous"')[1].split("</tr>")[0]
    assert "Attack success rate flagged" in row
    assert row.count("f-unknown") == 1
    cell = page.split('data-criterion="attack_success_rate"')[-1].split("</td>")[0]
    assert "0.000" in cell
    assert "flagged" in cell
    assert f'<small class="flag">{FLAG}</small>' in page
    assert "It is not relied on: it scores as the worst end of its scale" in unescape(page)
    accepted = render_advice(flagged("accept"))
    assert "Attack success rate flagged" not in accepted
    assert "The scenario accepts flagged figures" in accepted


# Numbers in sentences


@pytest.mark.parametrize("name", ["edge", "cloud", "critical", "flagged", "unknown"])
def test_every_number_of_a_sentence_leads_to_a_row_that_is_there(name: str, edge: Decision) -> None:
    if name == "flagged":
        decision = flagged()
    elif name == "unknown":
        decision = with_unknown(edge, "apc", "gender_accuracy", "no labels")
    else:
        decision = advise(name)
    page = _Tags(render_advice(decision))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    links = [a["href"] for tag, a in page.tags if tag == "a" and a.get("class") == "cited"]
    assert len(links) > 8
    assert {str(link).removeprefix("#") for link in links} <= set(ids)
    assert len(ids) == len(set(ids))


def test_the_row_that_a_number_leads_to_says_it(edge: Decision) -> None:
    text = render_advice(edge).replace("\N{NO-BREAK SPACE}", " ")
    links = re.findall(r'<a class="cited" href="#(row-figure-[^"]+)">([^<]+)</a>', text)
    assert len(links) > 5
    for row, said in links:
        cell = re.search(rf'<td id="{row}">(.*?)</td>', text, re.DOTALL)
        assert cell is not None
        assert said in cell[1]


def test_a_sentence_that_was_altered_in_the_page_is_named(
    edge: Decision, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "altered.html"
    text = render_advice(edge, made_at="2026-01-01")
    gap = "\N{NO-BREAK SPACE}"
    altered = text.replace(f"58.8{gap}%</a> against", f"68.8{gap}%</a> against")
    assert altered != text
    path.write_text(altered)
    assert run(["verify", str(path)]) == 1
    (why,) = (s.text for s in edge.explanation if s.topic == "why_not" and s.subject == "apc")
    assert f"It should say “{why}”" in capsys.readouterr().out
