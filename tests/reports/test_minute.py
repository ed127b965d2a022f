"""The first part of a report: short, in plain words, and true to the decision."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from html import escape
from pathlib import Path

import pytest
from playwright.sync_api import Page

from advisor import Decision, advise
from profiler.backbones.catalogue import CATALOGUE
from profiler.measures.registry import measures
from profiles_db.criteria import CRITERIA
from profiles_db.encoder_facts import described_encoders
from reports.advice import render_advice
from reports.advice_view import View
from reports.auditing import populations
from reports.minute import PROFILED, measure_of, minute, plain_risk
from tests.advisor.tables import profile_of, scenario_of
from tests.reports.decisions import flagged, with_unknown
from trustser.app import app

Write = Callable[[Decision], Path]
Open = Callable[..., Page]

_MOST_WORDS = 250
_IMPOSSIBLE = "budget: {macs: 1 GMAC}\nrequirements: [{criterion: uar, at_least: 60 %}]\n"
_UNJUDGED = "requirements: [{criterion: gender_auc, at_most: 80 %}]\n"


@pytest.mark.browser
@pytest.mark.parametrize("name", ["edge", "cloud", "call_centre"])
def test_it_is_read_in_a_minute(name: str, report: Write, open_page: Open) -> None:
    page = open_page(report(advise(name)))
    said, command = (page.locator(where).inner_text() for where in ("#minute", "#minute .command"))
    assert command in said
    assert len(said.replace(command, "").split()) <= _MOST_WORDS, "a command is copied, not read"


@pytest.mark.browser
def test_three_parts_follow_one_another_without_a_script(
    cloud: Decision, report: Write, open_page: Open
) -> None:
    page = open_page(report(cloud), java_script_enabled=False)
    parts = page.locator("nav .of a").all_inner_texts()
    assert parts == ["In one minute", "Engineers", "Auditors"]
    tops = [page.locator(f"#{name}").bounding_box() for name in ("minute", "engineers", "auditors")]
    found = [box["y"] for box in tops if box is not None]
    assert found == sorted(found)
    for name in ("why", "ranking", "requirements", "profiles", "certainty", "trade-off", "scales"):
        assert page.locator(f"#engineers #{name}").count() == 1
    for name in ("evidence", "limits", "record", "sign-off"):
        assert page.locator(f"#auditors #{name}").count() == 1
    page.locator("nav").get_by_role("link", name="Auditors").click()
    assert page.url.endswith("#auditors")


@pytest.mark.browser
@pytest.mark.parametrize("name", ["cloud", "call_centre"])
def test_on_paper_it_is_the_first_page_and_alone_there(
    name: str, report: Write, open_page: Open, tmp_path: Path
) -> None:
    from pypdf import PdfReader  # noqa: PLC0415 - imports slowly

    page = open_page(report(advise(name)))
    page.pdf(path=tmp_path / "printed.pdf", prefer_css_page_size=True, format="A4")
    first, second = (PdfReader(tmp_path / "printed.pdf").pages[n].extract_text() for n in (0, 1))
    assert "What to measure next" in first
    assert "For engineers" not in first
    assert "For engineers" in second


def test_every_figure_of_those_that_are_level_stands_in_it(cloud: Decision) -> None:
    view = View(cloud)
    said = minute(view)
    assert [candidate.name for candidate in said.shown] == list(cloud.tie_groups[0])
    for risk in said.risks:
        for candidate, axis, word in zip(said.shown, risk.axes, risk.graded, strict=True):
            assert axis.figure == candidate.figures[axis.criterion]
            assert word == candidate.grades[risk.aspect]
    assert {risk.aspect for risk in said.risks} == {c.aspect for c in cloud.criteria}


def test_what_would_change_it_is_what_the_decision_found(cloud: Decision) -> None:
    changes = minute(View(cloud)).changes
    assert cloud.flip is not None
    (between,) = changes["What would decide between them"]
    assert between.result == cloud.candidate(cloud.flip.to).title
    assert f"{100 * cloud.flip.moved:.1f}" in between.cause
    assert "from safety to sustainability" in between.cause
    (other,) = changes["What would change it"]
    assert other.result == cloud.candidate("whisper_tiny").title
    assert cloud.requirements[0].text in other.cause


def test_the_next_measurement_is_the_likeliest_to_change_the_choice(cloud: Decision) -> None:
    step, sway = minute(View(cloud)).next_step, cloud.sways[0]
    assert step is not None
    assert cloud.candidate(sway.candidate).title in step.what
    assert f"{100 * sway.probability:.0f}\N{SPACE}%" in step.gain.replace("\xa0", " ")
    assert f"--backbone {sway.candidate}" in step.command
    assert f"--backbone {cloud.choice}" in step.command
    assert step.gain.startswith("Could change the choice: ")
    for name in cloud.tie_groups[0]:
        assert f"--backbone {name} " in step.command


def test_what_is_unknown_and_could_change_it_comes_first(edge: Decision) -> None:
    decision = advise(scenario_of(_UNJUDGED))
    assert decision.choice is None
    said = minute(View(decision))
    assert said.risks == ()
    assert said.next_step is not None
    assert "unknown" in said.next_step.what
    assert said.next_step.gain == "Known, it could give a choice."
    assert with_unknown(edge, "apc", "uar", "lost").candidate("apc").score is None


def test_where_nothing_is_chosen_it_says_what_would_let_one_in() -> None:
    decision = advise(scenario_of(_IMPOSSIBLE))
    (changes,) = minute(View(decision)).changes.values()
    near = decision.candidate("whisper_tiny").relaxations[0]
    texts = [change.cause for change in changes if change.result == "Whisper Tiny"]
    assert all("instead of 1.00 GMAC" in text for text in texts)
    assert [near.to_text in text for text in texts] == [True]


def test_with_one_that_qualifies_it_says_that_the_choice_is_the_same_without_a_requirement() -> (
    None
):
    decision = advise("multilingual_assistant")
    assert sum(candidate.eligible for candidate in decision.candidates) == 1
    assert [r.choice_without for r in decision.requirements] == [decision.choice]
    assert minute(View(decision)).unchanged == (
        "No other candidate qualifies, and without any one requirement the choice is the same."
    )


def test_the_baseline_is_measured_with_those_that_are_held_against_it() -> None:
    decision = advise("model_upgrade")
    assert "whisper_tiny" not in decision.tie_groups[0]
    step = minute(View(decision)).next_step
    assert step is not None
    assert "--backbone whisper_tiny " in step.command


def test_an_assumed_band_is_said_to_be_assumed(cloud: Decision) -> None:
    assert cloud.study.assumed
    caption = View(cloud).costs_caption
    assert "95 % interval, assumed where nobody measured it." in caption
    assert escape(caption) in render_advice(cloud)
    assert "assumed" not in View(_measured()).costs_caption


def test_figures_that_differ_are_said_in_different_words() -> None:
    assert plain_risk("macs") != plain_risk("paper_macs")
    assert "Clips" not in plain_risk("gender_uar")


def test_a_command_breaks_between_its_options_only(cloud: Decision) -> None:
    step = minute(View(cloud)).next_step
    assert step is not None
    (line,) = step.pieces
    assert " ".join(line) == step.command
    assert all(piece.count("--") == 1 for piece in line[1:])
    assert f'<pre class="command"><span>{line[0]}</span> <span>{line[1]}</span>' in render_advice(
        cloud
    )


def test_one_more_is_and_two_more_are(cloud: Decision) -> None:
    said = minute(View(cloud))
    found = [replace(said, further=count).level_too for count in (0, 1, 2)]
    assert found == ["", "1 more is level.", "2 more are level."]


def test_no_command_is_given_that_would_raise_the_same_flag_again() -> None:
    step = minute(View(flagged())).next_step
    assert step is not None
    assert "flagged" in step.what
    assert step.command == ""


def _measured(**figures: tuple[float, float, float]) -> Decision:
    profiles = [
        profile_of("whisper_tiny", {"uar": (0.60, 0.62, 0.64), **figures}),
        profile_of("fbank", {"uar": (0.59, 0.615, 0.64), **figures}),
    ]
    text = "evidence: measured\npriorities: {system_performance: high}\n"
    return advise(scenario_of(text), profiles)


def test_measured_figures_are_sharpened_by_more_speech() -> None:
    step = minute(View(_measured())).next_step
    assert step is not None
    assert "more.csv" in step.command
    assert step.note == ""


def test_a_run_of_some_folds_goes_on_where_it_was() -> None:
    profile = profile_of("fbank", {"uar": (0.59, 0.615, 0.64)})
    part = replace(profile, corpus="demo", folds=1, folds_total=5)
    text = "evidence: measured\npriorities: {system_performance: high}\n"
    step = minute(View(advise(scenario_of(text), [part]))).next_step
    assert step is not None
    assert "--backbone fbank --dataset demo --measures performance" in step.command
    assert step.note == "With the settings of the run, so that it goes on."


def test_every_command_is_one_that_the_program_has(cloud: Decision, edge: Decision) -> None:
    import typer.main  # noqa: PLC0415

    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for decision in (cloud, edge, _measured()):
        step = minute(View(decision)).next_step
        assert step is not None
        for line in step.command.splitlines():
            program, name, *arguments = shlex.split(line)
            assert program == "trustser"
            commands[name].make_context(name, arguments)


def test_it_knows_which_measure_takes_what_and_what_can_be_profiled() -> None:
    for name in CRITERIA:
        assert name in measures()[measure_of(name)].criteria
    assert set(described_encoders()) & set(CATALOGUE) == PROFILED


def test_who_is_untested_is_not_among_those_who_are(cloud: Decision) -> None:
    for one in populations(cloud.study):
        assert not set(one.held) & set(one.untested)
    age = next(one for one in populations(cloud.study) if one.title == "Age")
    assert age.untested == ("children",)
    assert age.silent == ("MSP-Podcast",)
