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
from profiles_db.profile import Measured, Profile
from profiles_db.records import EmbeddingPoint, Epoch
from profiles_db.run_rows import RunRows
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


def test_shares_that_are_no_criteria_are_shown_in_percent() -> None:
    base = a_profile()
    share = Measurement(base.study, base.backbone, "w", base.corpus, "words_share", 0.125)
    there = replace(share, criterion="cross_corpus_recall", label="sad", statistic="on crema_d")
    text = render_profile([replace(base, measurements=(*base.measurements, share, there))])
    further = re.sub(r"<[^>]+>|\s", " ", text.partition("Further figures")[2])
    assert re.search(r"words share\s+12\.5\s*%", further)
    assert re.search(r"cross corpus recall\s+class=sad,on crema_d\s+12\.5\s*%", further)


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
    about = [c for c in captions if c not in {"Protocol", "Run"} and "Value with its" not in c]
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


def _by_groups(profile: Profile, value: str = "north") -> Profile:
    """With two accents, of which one is unknown, the speakers, and two of these by bootstraps."""
    identity: dict[str, Any] = {
        "study": profile.study, "backbone": profile.backbone, "weights": "w", "corpus": "ravdess",
    }  # fmt: skip
    few = "1 speaker, 2 needed"
    rows: list[dict[str, Any]] = [{"criterion": "speaker_uar_deviation", "value": 0.083}]
    for name, gap in (("speaker", 0.31), ("accent", 0.26)):
        about: dict[str, Any] = {
            "statistic": name, "notes": (f"highest: {value}, lowest: west",),
        }  # fmt: skip
        rows.append({**about, "criterion": "group_uar_gap", "value": gap, "baseline": 0.04})
        rows.append({**about, "criterion": "excess_group_uar_gap", "value": gap - 0.04})
        rows.append({**about, "criterion": "largest_fair_group_uar_gap", "value": 0.11})
    for group, uar in ((value, 0.71), ("west=1", None)):
        about = {"statistic": f"accent={group}", "n": 960}
        unknown = {"unknown": few if uar is None else None}
        rows.append({**about, **unknown, "criterion": "group_uar", "value": uar})
        for label, recall in (("happy", 0.62), ("sad", 0.43)):
            for criterion in ("group_recall", "group_precision"):
                known = {**about, **unknown, "criterion": criterion, "label": label}
                rows.append({**known, "value": None if uar is None else recall})
    rows += [
        {"criterion": "speaker_uar", "statistic": f"speaker={who}", "value": uar, "n": 240}
        for who, uar in (("1001", 0.7), ("1002", 0.5))
    ]
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


def test_groups_stand_attribute_by_attribute_with_what_a_fair_model_would_score() -> None:
    view = ProfileView(_by_groups(a_profile()), "p")
    accent, speaker = view.attributes
    assert (accent.title, speaker.title) == ("accent", "speaker")
    assert [group.value for group in accent.groups] == ["north", "west=1"]
    assert accent.classes == ["happy", "sad"]
    assert accent.groups[0].precision["sad"].value == 0.43
    assert [m for m in (accent.gap, accent.excess, accent.most) if m is None] == []
    assert list(view.speakers) == ["1002", "1001"]
    text = render_profile([_by_groups(a_profile())]).replace("\xa0", " ")
    section = text.split("By group</h3>")[1].split("Which hidden states")[0]
    for words in ("26.0 %", "4.0 % on average", "11.0 % at most", "22.0 %", "highest: north"):
        assert words in section
    assert "1 speaker, 2 needed" in section
    assert "group uar" not in text.split("Further figures")[1], "it has a table of its own"
    assert "By group" not in render_profile([a_profile()])


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_groups_fit_the_page_and_can_be_read(
    scheme: str, width: int, tmp_path: Path, browser: Browser
) -> None:
    path = tmp_path / "profiles.html"
    write_profile([_by_groups(a_profile(), HOSTILE[0])], path)
    context = browser.new_context(
        color_scheme=scheme,  # type: ignore[arg-type]
        bypass_csp=True,
        viewport={"width": width, "height": 900},
    )
    page = context.new_page()
    page.goto(path.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page).response["violations"]
    assert [v["id"] for v in found if v["impact"] in {"serious", "critical"}] == []
    context.close()


def test_folders_of_the_machine_that_measured_are_in_no_report() -> None:
    folder = {"path": "/home/somebody/sounds", "digest": "sha256:77"}
    profile = replace(a_profile(), protocol={"robustness": {"background": folder, "gain_db": [1]}})
    text = render_profile([profile])
    assert "somebody" not in text
    assert "sha256:77" in text


def _trained(repetitions: int) -> RunRows:
    """Two folds, three epochs; the second training is 4 points better throughout."""
    return RunRows(
        epochs=tuple(
            Epoch(repetition, fold, epoch, 1.0, 1.0, 0.4 + 0.1 * epoch + 0.04 * repetition, 1e-3)
            for repetition in range(repetitions)
            for fold in (1, 2)
            for epoch in (1, 2, 3)
        )
    )


def test_dev_scores_are_averaged_over_folds_and_vary_between_trainings() -> None:
    view = ProfileView(a_profile(), "p", _trained(2))
    assert [one.epoch for one in view.epochs] == [1, 2, 3]
    assert [one.mean for one in view.epochs] == pytest.approx([0.52, 0.62, 0.72])
    spread = [one.deviation or 0 for one in view.epochs]
    assert spread == pytest.approx([0.04 / 2**0.5] * 3)
    profile = replace(a_profile(), repetitions=2)
    text = render_profile([profile], rows={profile.run: _trained(2)}).replace("\xa0", " ")
    assert "parts: 52.0 % after epoch 1; 72.0 % after epoch 3." in text
    assert "one standard deviation between the trainings" in text
    single = render_profile([profile], rows={profile.run: _trained(1)})
    assert "how much trainings differ is unknown" in single
    assert "How stable" not in render_profile([profile])


def test_less_data_is_a_curve_and_a_table() -> None:
    profile = a_profile()
    identity: dict[str, Any] = {
        "study": profile.study, "backbone": profile.backbone, "weights": "w", "corpus": "ravdess",
        "criterion": "uar_by_data",
    }  # fmt: skip
    rows: list[dict[str, Any]] = [
        {"level": 1.0, "value": 0.61, "low": 0.5, "high": 0.7},
        {"level": 0.125, "value": 0.42, "notes": ("3 speakers, 40 clips on average",)},
        {"level": 0.5, "value": 0.55, "flags": ("1 of 6 heads had no clip of some class",)},
    ]
    made = [Measurement(**identity, **row, statistic=f"{row['level']}") for row in rows]
    profile = replace(profile, measurements=(*profile.measurements, *made))
    assert list(ProfileView(profile, "p").amounts) == [0.125, 0.5, 1.0]
    text = render_profile([profile]).replace("\xa0", " ")
    section = text.split("How much data</h3>")[1].split("Which hidden states")[0]
    assert "speakers: 42.0 % with 12.5 %; 55.0 % with 50 %; 61.0 % with 100 %." in section
    for words in ("12.5 %", "3 speakers, 40 clips on average", "1 of 6 heads had no clip"):
        assert words in section
    assert "uar by data" not in text.split("Further figures")[1]


def _point(number: int, **changes: Any) -> EmbeddingPoint:
    given: dict[str, Any] = {
        "speaker": f"s{number % 12:02d}", "gender": "female", "label": CLASSES[number % 4],
        "x": float(number % 7), "y": float(number % 5), "among": 100,
    }  # fmt: skip
    own = given | changes
    return EmbeddingPoint(
        repetition=0, fold=1, utterance=f"clip-{number}", spread=30.0, label_silhouette=0.1,
        speaker_silhouette=-0.2, gender_silhouette=None, **own,
    )  # fmt: skip


def _pictured(words: str = "angry") -> tuple[Profile, dict[str, RunRows]]:
    profile = replace(
        a_profile(kind="random"),
        measured=(Measured("embeddings", 1, {"method": "pca", "neighbours": 5}, "b", "2026"),),
    )
    identity: dict[str, Any] = {
        "study": profile.study, "backbone": profile.backbone, "weights": "w", "corpus": "ravdess",
    }  # fmt: skip
    rows: list[dict[str, Any]] = [
        {"criterion": "neighbour_agreement", "value": 0.41, "baseline": 0.25},
        {"criterion": "silhouette", "value": -0.05},
    ]
    made = [Measurement(**identity, **row, statistic="label") for row in rows]
    made.append(
        Measurement(
            **identity, criterion="neighbour_agreement", statistic="gender", value=None,
            unknown="no clip's gender is known",
        )
    )  # fmt: skip
    points = tuple(_point(n, label=words if n % 4 == 3 else CLASSES[n % 4]) for n in range(60))
    profile = replace(profile, measurements=(*profile.measurements, *made))
    return profile, {profile.run: RunRows(points=points)}


def test_points_lie_where_they_should_and_the_rarest_kinds_are_grey() -> None:
    profile, rows = _pictured()
    picture = ProfileView(profile, "p", rows[profile.run]).embeddings
    assert picture is not None
    first, far = picture.spots[0], picture.spots[6]
    assert (far.x - first.x) / 6 == pytest.approx((first.y - picture.spots[1].y) / 1)
    assert all(14 <= spot.x <= 506 and 14 <= spot.y <= 386 for spot in picture.spots)
    by_label, by_speaker, by_gender = picture.colourings
    assert [kind.name for kind in by_label.kinds] == sorted(CLASSES)
    assert (len(by_speaker.kinds), by_speaker.others) == (8, 4)
    assert [kind.name for kind in by_gender.kinds] == ["female"]
    assert first.classes == f"l{by_label.color_of('neutral')} s0 g0"
    assert {spot.classes.split()[1] for spot in picture.spots} == {
        *(f"s{n}" for n in range(8)),
        "sn",
    }
    text = render_profile([profile], rows=rows)
    assert "60 of 100 clips, drawn at random" in text
    assert "<title>clip-0, neutral, s00, female</title>" in text
    assert "\N{MINUS SIGN}0.05" in text
    assert "no clip&#39;s gender is known" in text
    assert "neighbour agreement" not in text, "it has a table of its own"
    without = render_profile([profile])
    assert "neighbour agreement" in without, "without the picture the figures are kept"


@pytest.mark.browser
def test_colours_switch_without_a_script_and_print_as_a_still(
    tmp_path: Path, browser: Browser
) -> None:
    path = tmp_path / "profile.html"
    profile, rows = _pictured(HOSTILE[0])
    write_profile([profile], path, rows=rows)
    for scheme in ("light", "dark"):
        context = browser.new_context(
            color_scheme=scheme,
            bypass_csp=True,
            viewport={"width": 400, "height": 900},
        )
        page = context.new_page()
        page.goto(path.as_uri())
        assert page.locator("script").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        own = page.locator(".embedding circle")

        def fills(own: Any = own) -> list[str]:
            found: list[str] = own.evaluate_all("all => all.map(c => getComputedStyle(c).fill)")
            return found

        by_label = fills()
        assert len(set(by_label)) == 4
        page.get_by_label("Speaker", exact=True).check()
        assert len(set(fills())) == 9
        assert page.locator(".of-speaker").is_visible()
        assert not page.locator(".of-label").is_visible()
        page.get_by_label("Gender", exact=True).check()
        assert len(set(fills())) == 1
        found = Axe().run(page).response["violations"]
        assert [v["id"] for v in found if v["impact"] in {"serious", "critical"}] == []
        page.emulate_media(media="print")
        assert not page.locator(".pick").is_visible()
        assert page.locator(".embedding svg").is_visible()
        context.close()
