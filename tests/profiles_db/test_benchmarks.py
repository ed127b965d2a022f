"""Studies that print figures by corpus: as printed, mapped by name, and with nothing invented."""

from __future__ import annotations

import hashlib
import math
import os
from pathlib import Path

import pytest

from profiler.backbones.catalogue import CATALOGUE
from profiles_db.criteria import CRITERIA
from profiles_db.measurement import Measurement
from profiles_db.published_studies import PublishedStudy, load_published, published_names
from tests.conftest import REPOSITORY
from tests.reference.make_published_studies import PUBLISHED, READERS, made

BENCHMARKS = ("emobox", "ser-tests", "superb")

# Number and sum of the figures in the source tables, in percent or as fractions, added up there
# without this project's code; of EmoBox without the copied rows. Checks of single places follow.
SUMS = {
    ("emobox", "uar"): (315, 196.0578),
    ("emobox", "accuracy"): (315, 207.0561),
    ("emobox", "macro_f1"): (315, 195.1583),
    ("superb", "accuracy"): (20, 12.2472672168),
    ("superb", "speaker_identification_accuracy"): (20, 12.51178174),
    ("superb", "trained_speaker_eer"): (20, 1.635),
    ("superb", "parameters"): (20, 1_871_220_000.0),
    ("ser-tests", "uar"): (110, 57.39),
    ("ser-tests", "arousal/ccc"): (33, 19.780),
    ("ser-tests", "dominance/ccc"): (33, 16.812),
    ("ser-tests", "valence/ccc"): (33, 12.149),
    ("ser-tests", "unchanged/*"): (1133, 994.35),
    ("ser-tests", "arousal/unchanged/*"): (506, 407.13),
    ("ser-tests", "dominance/unchanged/*"): (506, 419.85),
    ("ser-tests", "valence/unchanged/*"): (506, 389.27),
}
# Of what stands under `figures`, as text: no value moves from one place to another unseen.
DIGESTS = {
    "emobox": "780b515bed5fb24a",
    "ser-tests": "7ef2949f347bd153",
    "superb": "d546b225478fc45b",
}

# Printed figures: study, encoder, corpus, measure, value in the criterion's unit.
PRINTED = (
    ("emobox", "wavlm_large", "iemocap", "uar", 0.6947),
    ("emobox", "whisper_large_v3", "ravdess", "uar", 0.7532),
    ("emobox", "wav2vec2_base", "crema_d", "uar", 0.6195),
    ("emobox", "data2vec_base", "ravdess", "macro_f1", 0.5110),
    ("emobox", "hubert_base", "pavoque", "accuracy", 0.9219),
    ("emobox", "data2vec2_large", "savee", "accuracy", 0.7859),
    ("superb", "wavlm_large", "iemocap", "accuracy", 0.7062),
    ("superb", "hubert_base", "iemocap", "accuracy", 0.6492),
    ("superb", "tera", "voxceleb1", "trained_speaker_eer", 0.1589),
    ("superb", "wavlm_base_plus", "voxceleb1", "speaker_identification_accuracy", 0.8942),
    ("superb", "apc", "iemocap", "parameters", 4.11e6),
    ("ser-tests", "wavlm_cat", "emodb", "uar", 0.91),
    ("ser-tests", "w2v2_l_robust_cat", "msp_podcast", "uar", 0.66),
    ("ser-tests", "w2v2_l_robust_dim", "msp_podcast", "arousal/ccc", 0.745),
    ("ser-tests", "cnn14_dim", "iemocap", "arousal/ccc", 0.42),
    ("ser-tests", "w2v2_b_cat", "emovo", "change_uar/babble_noise", 0.05),
    ("ser-tests", "wavlm_cat", "crema_d", "unchanged/gain", 0.99),
    ("ser-tests", "cnn14_cat", "msp_podcast", "uar_difference/female", -0.02),
)

# Which encoder of which study is which backbone of the catalogue; every other one is none.
BACKBONES = {
    ("emobox", "wav2vec 2.0 base"): "wav2vec2_base",
    ("emobox", "HuBERT base"): "hubert_base",
    ("emobox", "HuBERT large"): "hubert_large",
    ("emobox", "WavLM base"): "wavlm_base",
    ("emobox", "WavLM large"): "wavlm_large",
    ("emobox", "data2vec base"): "data2vec_base",
    ("emobox", "data2vec large"): "data2vec_large",
    ("emobox", "Whisper large v3"): "whisper_large_v3",
    ("superb", "FBANK"): "fbank",
    ("superb", "APC"): "apc",
    ("superb", "TERA"): "tera",
    ("superb", "wav2vec 2.0 Base"): "wav2vec2_base",
    ("superb", "HuBERT Base"): "hubert_base",
    ("superb", "wav2vec 2.0 Large"): "wav2vec2_large_lv60",
    ("superb", "HuBERT Large"): "hubert_large",
    ("superb", "WavLM Base"): "wavlm_base",
    ("superb", "WavLM Base+"): "wavlm_base_plus",
    ("superb", "WavLM Large"): "wavlm_large",
}


def _figure(study: str, encoder: str, corpus: str, measure: str) -> Measurement:
    for profile in load_published(study).profiles:
        if (profile.backbone, profile.corpus) == (encoder, corpus):
            found = profile.pooled(measure)
            assert found is not None
            return found
    raise AssertionError(f"{study} has no {encoder} on {corpus}")


@pytest.mark.parametrize("printed", PRINTED, ids=lambda p: "-".join(map(str, p[:4])))
def test_figures_are_as_printed(printed: tuple[str, str, str, str, float]) -> None:
    study, encoder, corpus, measure, value = printed
    found = _figure(study, encoder, corpus, measure)
    assert found.value == pytest.approx(value, rel=1e-12)
    assert found.origin == "published"


@pytest.mark.parametrize("key", SUMS, ids="-".join)
def test_the_figures_add_up_as_in_the_source(key: tuple[str, str]) -> None:
    study, measure = key
    start = measure.removesuffix("*")
    values = [
        m.value
        for profile in load_published(study).profiles
        for m in profile.measurements
        if m.value is not None
        and (m.criterion.startswith(start) if measure.endswith("*") else m.criterion == measure)
    ]
    count, total = SUMS[key]
    assert len(values) == count
    assert math.fsum(values) == pytest.approx(total, rel=1e-9)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_no_figure_moved(name: str) -> None:
    text = (PUBLISHED / f"{name}.yaml").read_text(encoding="utf-8").partition("\nfigures:\n")[2]
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == DIGESTS[name]


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_files_are_what_is_made_from_the_tables(name: str) -> None:
    """Where the tables are; elsewhere the digests and sums hold the figures alone."""
    assert name in READERS
    named = os.environ.get("TRUSTSER_TEST_FACTS")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "facts" / "published"
    if folder.is_dir():
        assert made(name, folder) == (PUBLISHED / f"{name}.yaml").read_text(encoding="utf-8")


def test_encoders_are_the_backbones_that_they_are_said_to_be() -> None:
    found = {
        (study.name, encoder.called): encoder.name
        for study in map(load_published, BENCHMARKS)
        for encoder in study.encoders
        if encoder.name in CATALOGUE
    }
    assert found == BACKBONES
    for study in map(load_published, BENCHMARKS):
        for encoder in study.encoders:
            if encoder.name in CATALOGUE and encoder.checkpoint != "none":
                assert encoder.checkpoint == CATALOGUE[encoder.name].checkpoint


def test_a_checkpoint_of_the_catalogue_goes_by_its_name_there() -> None:
    names = {entry.checkpoint: name for name, entry in CATALOGUE.items()}
    for study in map(load_published, BENCHMARKS):
        for encoder in study.encoders:
            assert names.get(encoder.checkpoint, encoder.name) == encoder.name


def test_fine_tuned_models_are_no_backbones() -> None:
    study = load_published("ser-tests")
    assert not study.joins
    assert not {encoder.name for encoder in study.encoders} & set(CATALOGUE)
    elsewhere = {e.name for name in ("emobox", "superb") for e in load_published(name).encoders}
    assert not {encoder.name for encoder in study.encoders} & elsewhere


def test_random_baselines_are_no_candidates() -> None:
    study = load_published("ser-tests")
    assert [e.name for e in study.encoders if e.baseline] == ["random_cat", "random_dim"]
    assert len(study.titles) == 22
    assert not any("random" in profile.backbone for profile in study.profiles)


def test_rows_of_the_source_that_cannot_be_trusted_are_unknown() -> None:
    unknown = {
        (m.backbone, m.corpus): str(m.unknown)
        for profile in load_published("emobox").profiles
        for m in profile.measurements
        if m.value is None
    }
    assert set(unknown) == {
        ("data2vec_base", "emns"),
        ("data2vec_base", "enterface"),
        ("wavlm_base", "pavoque"),
        ("data2vec_base", "savee"),
        ("data2vec2_base", "savee"),
    }
    assert all(len(reason) > 30 for reason in unknown.values())


def test_no_two_figures_of_an_encoder_are_copies() -> None:
    seen: dict[tuple[str, tuple[float, ...]], str] = {}
    for profile in load_published("emobox").profiles:
        values = tuple(m.value for m in profile.measurements if m.value is not None)
        key = (profile.backbone, values)
        assert not values or key not in seen, f"{profile.corpus} and {seen.get(key)}"
        seen[key] = profile.corpus


@pytest.mark.parametrize("name", published_names())
def test_every_study_says_where_it_comes_from(name: str) -> None:
    study = load_published(name)
    for text in (study.source, study.url, study.doi, study.table, study.licence):
        assert len(text) >= 10
    assert study.url.startswith("https://")
    assert study.doi.startswith("10.")
    assert study.protocol
    assert study.notes


@pytest.mark.parametrize("name", BENCHMARKS)
def test_figures_are_possible_and_their_intervals_assumed(name: str) -> None:
    study = load_published(name)
    for profile in study.profiles:
        assert profile.corpus in study.corpora
        for m in profile.measurements:
            if m.criterion not in CRITERIA:
                assert any(part in study.details for part in m.criterion.split("/"))
                continue
            if m.value is None or m.low is None or m.high is None:
                assert m.unknown
                continue
            assert 0 <= m.low <= m.value <= m.high
            assert m.interval == ("exact" if m.criterion == "parameters" else "assumed")
            if CRITERIA[m.criterion].unit == "fraction":
                assert m.high <= 1
    assert all(len(reason) > 40 for reason in study.assumed.values())


def test_figures_measured_otherwise_bear_other_names() -> None:
    """A trained verifier's error rate, a sex's difference, CCC: none passes as a profile's."""
    names = {name: _names(load_published(name)) for name in BENCHMARKS}
    assert "speaker_eer" not in names["superb"]
    assert names["superb"] >= {"trained_speaker_eer", "accuracy"}
    assert "uar" not in names["superb"]
    assert not names["ser-tests"] & (set(CRITERIA) - {"uar"})
    for criterion in ("trained_speaker_eer", "speaker_identification_accuracy"):
        assert CRITERIA[criterion].aspect == "privacy"
        assert "published studies only" in CRITERIA[criterion].definition


def _names(study: PublishedStudy) -> set[str]:
    return {m.criterion for profile in study.profiles for m in profile.measurements}


def test_complete_corpora() -> None:
    study = load_published("emobox")
    left_out = set(study.corpora) - set(study.complete_corpora("uar"))
    assert left_out == {"emns", "enterface", "pavoque", "savee"}
    assert load_published("superb").complete_corpora("accuracy") == ("iemocap",)
    assert load_published("superb").complete_corpora("uar") == ()
