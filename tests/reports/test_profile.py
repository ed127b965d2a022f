"""The profile report: every figure in its place, unknown as unknown, hostile words as words."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from profiles_db.criteria import ASPECTS
from profiles_db.dimensions import ERROR, PEARSON, TESTS
from profiles_db.errors import EvidenceError
from profiles_db.measurement import POOLED, Measurement
from profiles_db.profile import Profile
from reports.profile import render_profile, write_profile
from reports.profile_view import ProfilesView, ProfileView
from tests.reports.decisions import HOSTILE
from tests.reports.profiles import CLASSES, NO_GENDER, a_profile

Open = Callable[..., Page]


def _rows(page: Page, heading: str) -> list[list[str]]:
    """Cells of the table of the card with this heading, as shown."""
    card = page.locator(".card", has=page.get_by_role("heading", name=heading))
    rows: list[list[str]] = card.locator("tbody tr").evaluate_all(
        "(rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent.trim()))"
    )
    return rows


@pytest.fixture
def page(tmp_path: Path, open_page: Open) -> Page:
    path = tmp_path / "profile.html"
    write_profile([a_profile()], path)
    return open_page(path)


@pytest.mark.browser
def test_the_confusion_matrix_has_every_count_where_it_belongs(page: Page) -> None:
    rows = _rows(page, "Confusion matrix")
    assert [row[0] for row in rows] == list(CLASSES)
    for true, row in enumerate(rows):
        assert row[1:] == ["96" if predicted == true else "7" for predicted in range(4)]


@pytest.mark.browser
def test_recall_is_shown_by_class_and_gender(page: Page) -> None:
    rows = _rows(page, "Recall by class and gender")
    assert rows[3] == ["angry", "70.0\xa0%", "50.0\xa0%", "50.0\xa0%"]
    assert rows[4][0] == "Mean (UAR)"
    assert rows[4][2:] == ["60.0\xa0%", "60.0\xa0%"]


@pytest.mark.browser
def test_attacks_are_shown_as_a_table(page: Page) -> None:
    rows = _rows(page, "Under attack")
    assert ["FGSM35 dB", "90.0\xa0%", "6.0\xa0%", "35.25 dB"] in rows
    assert [row[0] for row in rows] == [
        "FGSM35 dB", "FGSM45 dB", "Gaussian noise35 dB", "Gaussian noise45 dB", "PGD35 dB",
    ]  # fmt: skip


@pytest.mark.browser
def test_layers_are_in_the_order_of_their_numbers(page: Page) -> None:
    assert [row[0] for row in _rows(page, "Which hidden states")] == [str(n) for n in range(1, 13)]


def test_flags_folds_and_further_figures_are_shown() -> None:
    text = render_profile([a_profile()])
    assert text.count("noise beats FGSM") >= 2
    assert "Fold 2" in text
    assert "deviation over folds" in text
    assert "2 of 5 folds" in text


def test_every_measurement_is_in_some_table() -> None:
    view = ProfileView(a_profile(), "profile-1")
    placed = [*view.criteria, *view.recalls.values(), *view.confusion.values(), *view.further]
    placed += view.layers.values()
    placed += [m for a in view.attacks for m in (a.success, a.accuracy, a.reached) if m]
    placed += [
        m
        for gender in view.genders
        for label in (None, *view.recalls)
        if (m := view.by_gender("recall" if label else "uar", gender, label))
    ]
    placed += [
        m for name in view.fold_criteria for fold in view.folds if (m := view.of_fold(name, fold))
    ]
    assert set(placed) == set(view.profile.measurements)


def test_labels_with_commas_and_equals_signs_stay_whole() -> None:
    odd = ("a,gender=x", "true=b,c", "class=")
    view = ProfileView(a_profile(classes=odd), "profile-1")
    assert tuple(view.recalls) == odd
    assert set(view.confusion) == {(one, other) for one in odd for other in odd}
    found = view.by_gender("recall", "male", odd[0])
    assert found is not None
    assert found.value == 0.5


def test_unknown_is_said_with_its_reason_and_drawn_as_a_gap() -> None:
    text = render_profile([a_profile(gender=False)])
    assert NO_GENDER in text
    assert "Privacy: Gender inferred: unknown, score unknown" in text
    radar = re.search(r'<svg class="picture".*?</svg>', text, re.DOTALL)
    assert radar is not None
    # Two of five corners are unknown and apart: of the outline's five sides one is left.
    assert radar[0].count('stroke="var(--backbone-0)" stroke-width="2.4"') == 1


def test_untrained_and_synthetic_are_shouted() -> None:
    text = render_profile([a_profile(kind="random", synthetic=True)])
    assert 'class="shout"' in text
    assert text.count("UNTRAINED WEIGHTS, SYNTHETIC SPEECH") == 2
    captions = re.findall(r"<caption>(.*?)</caption>", text, re.DOTALL)
    about = [c for c in captions if c not in {"Protocol", "Run"} and "what chance gives" not in c]
    assert about
    assert all("untrained weights" in c and "synthetic speech" in c for c in about)
    assert 'class="shout"' not in render_profile([a_profile()])


def test_profiles_of_two_studies_are_kept_apart() -> None:
    both = [a_profile("apc"), a_profile("tera", study="6" * 64)]
    assert "compared only within one" in render_profile(both)
    assert "compared only within one" not in render_profile(both[:1] * 2)
    other = dataclasses.replace(both[0], run="r2", protocol={"training": {"epochs": 3}})
    trained_otherwise = render_profile([both[0], other])
    assert "compared only within one" in trained_otherwise
    assert ", training 2</h3>" in trained_otherwise


def test_the_same_profiles_give_the_same_bytes() -> None:
    profiles = [a_profile(), a_profile("apc", gender=False)]
    assert render_profile(profiles) == render_profile(profiles)
    assert len(render_profile(profiles * 4).encode()) < 500_000


def test_nothing_to_report_is_one_line() -> None:
    with pytest.raises(EvidenceError, match="no profile"):
        render_profile([])


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(scheme: str, tmp_path: Path, browser: Browser) -> None:
    path = tmp_path / "profiles.html"
    write_profile([a_profile(kind="random"), a_profile("apc", gender=False)], path)
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(path.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    found = Axe().run(page).response["violations"]
    assert [v["id"] for v in found if v["impact"] in {"serious", "critical"}] == []
    context.close()


@pytest.mark.browser
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_are_words(text: str, tmp_path: Path, open_page: Open) -> None:
    path = tmp_path / "profile.html"
    profile = a_profile(text, classes=(text, "other"), notes=text, study=text)
    write_profile([profile], path, made_at=text)
    page = open_page(path, viewport={"width": 360, "height": 800})
    assert page.locator("h1 bdi").text_content() == text.replace("\x00", "")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.locator("img, script").count() == 0


def _at_depth(depth: int | None, uar: float, macs: float, **changes: Any) -> Profile:
    """A profile of one depth of an encoder, or of the whole where None."""
    name = "whisper_small" if depth is None else f"whisper_small@{depth}"
    whole = a_profile(name)
    values = {"uar": uar, "macs": macs}
    measurements = tuple(
        dataclasses.replace(m, value=values[m.criterion], low=None, high=None, interval="none")
        if m.criterion in values and m.stands_for_criterion and m.fold == POOLED
        else m
        for m in whole.measurements
    )
    weights = "sha256:a" if depth is None else f"sha256:a@{depth}"
    return dataclasses.replace(
        whole, measurements=measurements, **({"weights_id": weights} | changes)
    )


def test_depths_of_one_encoder_are_drawn_against_their_cost() -> None:
    profiles = [_at_depth(None, 0.6, 28e9), _at_depth(4, 0.61, 12e9), _at_depth(8, 0.7, 20e9)]
    (depths,) = ProfilesView([*profiles, a_profile("wavlm_base_plus")]).studies[0].depths
    assert depths.encoder == "whisper_small"
    assert [depth.title for depth in depths.members] == ["4", "8", "whole"]
    page = render_profile(profiles)
    assert "Depths of <bdi>whisper_small</bdi>" in page
    alt = "Unweighted average recall by layers of whisper_small: "
    figures = {
        "4": "61.0 % at 12.00 GMAC",
        "8": "70.0 % at 20.00 GMAC",
        "whole": "60.0 % at 28.00 GMAC",
    }
    told = "; ".join(f"{depth}: {figure}" for depth, figure in figures.items())
    assert f"{alt}{told}." in page.replace("\xa0", " ")
    picture = page[page.index(alt) :].partition("</svg>")[0]
    assert picture.count('fill="var(--paper)"') == 1  # hollow: a cheaper depth scores as high
    assert picture.count('fill="var(--backbone-0)"') == 2


@pytest.mark.parametrize(
    "others",
    [
        [],
        [_at_depth(4, 0.6, 12e9, weights_id="sha256:b@4")],  # of other weights
        [_at_depth(4, 0.6, 12e9, weights_id="sha256:a")],  # a whole encoder that is called so
        [_at_depth(4, 0.6, 12e9, corpus="iemocap")],
        [_at_depth(4, 0.6, 12e9, study="6" * 64)],
        [dataclasses.replace(_at_depth(4, 0.6, 12e9), measurements=())],
    ],
)
def test_no_picture_where_no_two_depths_compare(others: list[Profile]) -> None:
    assert "Depths of" not in render_profile([_at_depth(None, 0.6, 28e9), *others])


def _robust(profile: Profile) -> Profile:
    """With two kinds of corruption, one of two levels and one of none."""
    identity: dict[str, Any] = {
        "study": profile.study, "backbone": profile.backbone, "weights": "w", "corpus": "ravdess",
    }  # fmt: skip
    rows: list[dict[str, Any]] = [
        {"criterion": "robustness_mean_change", "value": 0.061, "low": 0.03, "high": 0.09},
        {"criterion": "stress_tests_passed", "value": 0.5},
    ]
    for level, lost, passed in ((10.0, 0.21, None), (20.0, -0.015, 1.0), (None, 0.0975, None)):
        about: dict[str, Any] = {"corruption": "babble", "level": level}
        rows.append({**about, "criterion": "uar_lost", "value": lost, "baseline": 0.2})
        rows.append({**about, "criterion": "unchanged_predictions", "value": 0.8})
        if passed is not None:
            rows.append(
                {**about, "criterion": "stress_test_passed", "value": passed, "notes": ("rule",)}
            )
    reason = "no clip went through it"
    rows.append({"corruption": "room", "criterion": "uar_lost", "value": None, "unknown": reason})
    made = tuple(Measurement(**identity, **row) for row in rows)
    return replace(profile, measurements=(*profile.measurements, *made))


def test_robustness_is_a_sixth_aspect_where_it_was_measured_and_no_gap_elsewhere() -> None:
    plain, robust = a_profile(), _robust(a_profile("wavlm"))
    alone = render_profile([plain])
    assert "Five aspects" in alone
    assert "obustness" not in alone
    text = render_profile([robust])
    assert "Six aspects" in text
    assert text.count("aspect-5") > 0
    assert [a.aspect for a in ProfileView(plain, "p").axes] == list(ASPECTS[:5])
    assert [a.aspect for a in ProfileView(robust, "p").axes] == list(ASPECTS)
    both = render_profile([plain, robust])
    heads = re.findall(r'<th scope="col"><span class="swatch aspect-(\d)"', both)
    assert heads == list("012345"), "both stand in one table of the study"
    radars = re.findall(r'aria-label="(Trust profile of [^"]*)"', both)
    assert ["Robustness" in alt for alt in radars] == [False, True]


def test_corruptions_stand_kind_by_kind_and_level_by_level() -> None:
    babble, room = ProfileView(_robust(a_profile()), "p").corruptions
    assert (babble.title, babble.said) == ("Babble of other speakers", "10 dB, 20 dB")
    assert (babble.tests, room.tests) == ("1 of 1", "")
    assert babble.mean.lost is not None
    assert babble.mean.lost.value == 0.0975
    assert [one.level for one in babble.levels] == [10.0, 20.0]
    assert [one.level for one in room.levels] == [None]
    text = render_profile([_robust(a_profile())])
    section = text.split("Under corruptions</h3>")[1].split("Which hidden states")[0]
    assert "\N{MINUS SIGN}1.5" in section
    assert "no clip went through it" in section
    assert "uar lost" not in text.split("Further figures")[1], "it has a table of its own"


def _rated(profile: Profile, *, genders: bool = True) -> Profile:
    """With clips rated on arousal and valence."""
    identity: dict[str, Any] = {
        "study": profile.study, "backbone": profile.backbone, "weights": "w", "corpus": "ravdess",
    }  # fmt: skip
    rows: list[dict[str, Any]] = [
        {"criterion": "ccc_dominance", "value": None, "unknown": "no clip rated"}
    ]
    for name, value in (("arousal", 0.71), ("valence", -0.06), ("mean", 0.325)):
        about: dict[str, Any] = {"criterion": f"ccc_{name}"}
        rows.append({**about, "value": value, "low": value - 0.05, "high": value + 0.05})
        rows.append({**about, "value": 0.81, "statistic": PEARSON})
        rows.append({**about, "value": 0.11, "baseline": 0.19, "statistic": ERROR})
        notes = ("3 tests", "failed: CCC at least 0.5")
        rows.append({**about, "value": 2 / 3, "statistic": TESTS, "notes": notes})
        rows.append({**about, "value": 0.015625, "statistic": "deviation over folds"})
        if genders:
            rows.append({**about, "value": 0.69, "gender": "female"})
            rows.append({**about, "value": 0.56, "gender": "male"})
            gap = None if name == "mean" else name
            rows.append({"criterion": "ccc_gender_gap", "value": 0.125, "statistic": gap})
    made = tuple(Measurement(**identity, **row) for row in rows)
    return replace(profile, measurements=(*profile.measurements, *made))


def test_dimensions_stand_in_a_table_of_their_own() -> None:
    arousal, valence, mean = ProfileView(_rated(a_profile()), "p").dimensions
    assert (arousal.title, valence.title, mean.title) == ("Arousal", "Valence", "Mean")
    assert mean.gap is not None
    assert mean.gap.value == 0.125
    text = render_profile([_rated(a_profile())])
    section = text.split("Dimensions of emotion</h3>")[1].split("Under attack</h3>")[0]
    for said in ("0.710", "\N{MINUS SIGN}0.060", "0.810", "of the training mean 0.190", "66.7",
                 "0.690", "0.560", "failed: CCC at least 0.5"):  # fmt: skip
        assert said in section, said
    further = text.split("Further figures", 1)[1]
    assert "Pearson" not in further, "it has a table of its own"
    assert "deviation over folds" in further
    assert "Dimensions of emotion" not in render_profile([a_profile()])


def test_genders_of_ratings_are_no_genders_of_recalls_nor_the_other_way_round() -> None:
    rated = render_profile([_rated(a_profile(gender=False))])
    assert "Recall by class</h3>" in rated
    assert "CCC, female" in rated
    without = render_profile([_rated(a_profile(), genders=False)])
    assert "Recall by class and gender</h3>" in without
    assert "CCC, female" not in without


def test_folders_of_the_machine_that_measured_are_in_no_report() -> None:
    folder = {"path": "/home/somebody/sounds", "digest": "sha256:77"}
    profile = replace(a_profile(), protocol={"robustness": {"background": folder, "gain_db": [1]}})
    text = render_profile([profile])
    assert "somebody" not in text
    assert "sha256:77" in text
