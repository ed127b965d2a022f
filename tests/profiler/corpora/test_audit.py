"""The audit: what it counts, what it finds, and what it says about it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats.contingency import association

from profiler.corpora.audit.check import Audit, check
from profiler.corpora.audit.findings import Finding
from profiler.corpora.audit.metadata import cramers_v
from profiler.corpora.base import Corpus, Fold, Gender, Utterance
from profiler.corpora.folds import balanced_kfold, kfold_by_speaker
from profiler.corpora.registry import read
from tests.profiler.corpora import trees
from tests.profiler.corpora.trees import write_tone

CLASSES = ("happy", "sad")


def corpus_of(clips: Sequence[Utterance], folds: tuple[Fold, ...] | None = None) -> Corpus:
    return Corpus("own", CLASSES, tuple(clips), kfold_by_speaker(clips) if folds is None else folds)


def clip(
    speaker: str,
    label: str,
    number: int = 0,
    *,
    gender: Gender | None = None,
    folder: Path = Path(),
) -> Utterance:
    id_ = f"{speaker}-{label}-{number}"
    return Utterance(id_, folder / f"{id_}.wav", speaker, gender, label)


def balanced(folder: Path = Path()) -> list[Utterance]:
    """Twelve speakers, alternating in gender, each with five clips of both classes."""
    return [
        clip(speaker, label, number, gender="male" if index % 2 else "female", folder=folder)
        for index, speaker in enumerate("abcdefghijkl")
        for label in CLASSES
        for number in range(5)
    ]


def recorded(folder: Path) -> list[Utterance]:
    """The same, each clip a tone of its own."""
    clips = balanced(folder)
    for index, one in enumerate(clips):
        write_tone(one.path, hertz=200.0 + 10 * index, seconds=0.6)
    return clips


def find(audit: Audit, code: str) -> Finding:
    (finding,) = [finding for finding in audit.findings if finding.code == code]
    return finding


def codes(audit: Audit) -> list[str]:
    return [finding.code for finding in audit.findings]


@pytest.mark.real_audio
def test_ravdess_has_one_identical_pair_and_nothing_else(real_data: Path) -> None:
    audit = check(read("ravdess", real_data / "ravdess", classes="all"))
    (finding,) = audit.findings
    assert finding.code == "identical_clips"
    assert finding.severity == "note"
    assert finding.clips == ("03-01-03-01-02-01-07", "03-01-03-01-02-02-07")
    assert "byte-identical files" in finding.what
    assert (audit.audio.usable, audit.audio.missing) == (1440, 0)
    assert audit.audio.hours == pytest.approx(1.48, abs=0.005)
    assert not audit.leaks


@pytest.mark.real_audio
def test_crema_d_is_counted_from_metadata_alone(real_data: Path) -> None:
    audit = check(read("crema_d", real_data / "crema_d_metadata"))
    assert audit.to_json()["classes"] == {"neutral": 1972, "happy": 1219, "sad": 588, "angry": 1019}
    assert "counted from metadata alone" in find(audit, "audio_missing").what
    assert (audit.audio.present, audit.audio.missing, audit.audio.opened) == (0, 4798, False)
    assert audit.sound


@pytest.mark.real_audio
def test_stereo_originals_are_counted_by_rate_and_channels(real_data: Path) -> None:
    audit = check(read("ravdess", real_data / "ravdess_original_48k", classes="all"))
    assert audit.audio.rates == {"48000": 13}
    assert audit.audio.channels == {"1": 8, "2": 5}


def test_a_sound_corpus_has_no_findings(tmp_path: Path) -> None:
    audit = check(corpus_of(recorded(tmp_path)))
    assert audit.findings == ()
    assert audit.sound
    assert audit.cramers_v == pytest.approx(0.0)
    assert audit.speakers == dict.fromkeys("abcdefghijkl", 10)
    assert audit.genders == {"female": 60, "male": 60}
    first = audit.folds[0].parts
    assert [first[part].clips for part in ("train", "dev", "test")] == [70, 20, 30]
    assert first["test"].classes == {"happy": 15, "sad": 15}


def test_its_json_is_plain_and_whole(tmp_path: Path) -> None:
    audit = check(corpus_of(recorded(tmp_path)))
    record = json.loads(json.dumps(audit.to_json()))
    assert record["classes"] == {"happy": 60, "sad": 60}
    assert record["folds"][0]["parts"]["dev"]["speakers"] == 2
    assert record["audio"]["usable"] == 120
    assert record["leaks"] is False


def test_a_speaker_in_two_parts_is_a_leak() -> None:
    clips = balanced()
    ids = [one.id for one in clips]
    audit = check(corpus_of(clips, (Fold(1, tuple(ids[:24]), tuple(ids[24:40]), tuple(ids[40:])),)))
    assert audit.leaks
    assert not audit.sound
    finding = find(audit, "speaker_leak")
    assert finding.severity == "error"
    assert "Fold 1: 1 speaker(s) in more than one part: c." in finding.what


def test_meld_leaks_and_the_audit_says_so(tmp_path: Path) -> None:
    audit = check(read("meld", trees.meld(tmp_path)))
    assert audit.leaks
    assert "Joey" in find(audit, "speaker_leak").what
    assert "No clip has a gender." in find(audit, "unknown_gender").what


def test_the_same_recording_in_two_parts_is_a_leak_though_names_differ(tmp_path: Path) -> None:
    clips = recorded(tmp_path)
    clips[-1].path.write_bytes(clips[0].path.read_bytes())
    audit = check(corpus_of(clips))
    assert audit.leaks
    finding = find(audit, "identical_clips_leak")
    assert finding.clips == (clips[0].id, clips[-1].id)
    assert finding.severity == "error"


def test_the_same_sound_in_another_format_is_found(tmp_path: Path) -> None:
    clips = recorded(tmp_path)
    samples, rate = soundfile.read(clips[0].path)
    soundfile.write(clips[1].path, samples, rate, format="FLAC", subtype="PCM_16")
    finding = find(check(corpus_of(clips)), "identical_clips")
    assert "other bytes, equal sound" in finding.what


@pytest.mark.parametrize(
    ("other", "code"),
    [(1, "identical_clips"), (5, "identical_clips_of_labels"), (20, "identical_clips_of_speakers")],
)
def test_what_identical_clips_break(tmp_path: Path, other: int, code: str) -> None:
    clips = recorded(tmp_path)
    clips[other].path.write_bytes(clips[0].path.read_bytes())
    together = tuple(one.id for one in clips[:30])
    rest = tuple(one.id for one in clips[30:])
    audit = check(corpus_of(clips, (Fold(1, together, rest[:10], rest[10:]),)))
    assert code in codes(audit)
    assert not any(finding.code == "identical_clips_leak" for finding in audit.findings)


def test_every_kind_of_unusable_or_odd_clip_is_named(tmp_path: Path) -> None:
    clips = recorded(tmp_path)
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, 40 * 16_000)
    clips[0].path.unlink()
    clips[1].path.write_bytes(b"")
    clips[2].path.write_bytes(b"nothing like audio")
    soundfile.write(clips[3].path, np.zeros(16_000), 16_000)
    soundfile.write(clips[4].path, np.full(16_000, np.nan), 16_000, subtype="FLOAT")
    soundfile.write(clips[5].path, noise[:160], 16_000)
    soundfile.write(clips[6].path, noise[:4_800], 16_000)
    soundfile.write(clips[7].path, noise, 16_000)
    soundfile.write(clips[8].path, noise[-7 * 16_000 :], 16_000)
    soundfile.write(clips[9].path, np.clip(30 * noise[:16_000], -1, 1), 16_000)
    soundfile.write(clips[10].path, noise[1_000:17_000] / 100, 16_000)
    audit = check(corpus_of(clips))
    named = {finding.code: finding.clips for finding in audit.findings if finding.clips}
    assert named == {
        "empty_clips": (clips[1].id,),
        "unreadable_clips": (clips[2].id,),
        "silent_clips": (clips[3].id,),
        "invalid_clips": (clips[4].id,),
        "short_clips": (clips[6].id,),
        "too_short_clips": (clips[5].id,),
        "long_clips": (clips[7].id,),
        "cut_clips": (clips[8].id,),
        "clipped_clips": (clips[9].id,),
        "quiet_clips": (clips[10].id,),
    }
    assert "1 of 120 files are not there" in find(audit, "clips_missing").what
    assert (audit.audio.present, audit.audio.missing, audit.audio.usable) == (119, 1, 114)
    assert all(finding.effect.endswith(".") and finding.aspects for finding in audit.findings)


def test_without_audio_nothing_is_opened(tmp_path: Path) -> None:
    clips = recorded(tmp_path)
    clips[0].path.write_bytes(b"")
    audit = check(corpus_of(clips), audio=False)
    assert audit.findings == ()
    assert (audit.audio.present, audit.audio.opened) == (120, False)


def test_gaps_of_folds_are_named_with_their_effect() -> None:
    clips = [clip("a", "happy"), clip("b", "sad"), clip("c", "sad")]
    audit = check(corpus_of(clips))
    what = [finding.what for finding in audit.findings if finding.code == "missing_class"]
    assert "Fold 1: the train part lacks happy." in what
    assert "Folds 1, 2, 3: the dev part lacks happy." in what


def test_an_empty_part_cannot_be_run() -> None:
    clips = balanced()
    ids = tuple(one.id for one in clips)
    audit = check(corpus_of(clips, (Fold(1, ids[:30], (), ids[30:]),)))
    assert find(audit, "empty_part").what == "Fold 1: the dev part is empty."
    assert not audit.sound
    assert not audit.leaks


def test_one_gender_only() -> None:
    clips = [clip(s, label, gender="female") for s in "abc" for label in CLASSES]
    finding = find(check(corpus_of(clips)), "one_gender")
    assert finding.what == "All speakers are female."
    assert finding.aspects == ("privacy", "fairness")


def test_a_part_without_one_gender() -> None:
    clips = [
        clip(s, label, gender="female" if s == "a" else "male") for s in "abc" for label in CLASSES
    ]
    what = {f.what for f in check(corpus_of(clips)).findings if f.code == "missing_gender"}
    assert "Fold 1: the train part has no female speaker." in what
    assert "Folds 2, 3: the test part has no female speaker." in what


def test_a_class_with_one_clip_and_small_groups() -> None:
    clips = [one for one in balanced() if one.label == "happy"] + [
        clip("a", "sad", gender="female")
    ]
    audit = check(corpus_of(clips))
    assert find(audit, "small_class").what == "Fewer than 10 test clips over all folds: sad (1)."
    assert find(audit, "small_group").what.endswith("sad female (1), sad male (0).")
    assert "60 times" in find(audit, "unbalanced_classes").what


def test_small_groups_are_counted_where_they_are_tested() -> None:
    clips = balanced()
    ids = tuple(one.id for one in clips)
    audit = check(corpus_of(clips, (Fold(1, ids[:80], ids[80:100], ids[100:]),)))
    assert audit.classes == {"happy": 60, "sad": 60}
    few = "happy female (5), happy male (5), sad female (5), sad male (5)."
    assert find(audit, "small_group").what.endswith(few)


def test_the_balance_reached_is_counted_by_hand() -> None:
    """Three speakers, one a fold: a (2 happy, female), b (1 happy, 3 sad, male), c (4 sad)."""
    clips = [clip("a", "happy", n, gender="female") for n in range(2)]
    clips += [clip("b", "happy", gender="male")]
    clips += [clip("b", "sad", n, gender="male") for n in range(3)]
    clips += [clip("c", "sad", n) for n in range(4)]
    audit = check(corpus_of(clips))
    record = audit.to_json()["balance"]["test"]
    assert record["clips"] == {
        "smallest": 2,
        "largest": 4,
        "mean": pytest.approx(10 / 3),
        "folds": [2, 4, 4],
    }
    assert record["classes"] == {
        "happy": {"corpus": 0.3, "folds": [1.0, 0.25, 0.0]},
        "sad": {"corpus": 0.7, "folds": [0.0, 0.75, 1.0]},
    }
    assert record["genders"]["female"] == {"corpus": 0.2, "folds": [1.0, 0.0, 0.0]}
    assert audit.balance["test"].sentence("test") == (
        "Test parts: 2 to 4 clips, 3 on average; shares of the classes within 70.0 points of the "
        "corpus'; of the genders within 80.0."
    )
    assert audit.balance["dev"].clips == (4, 4, 4)


def test_an_empty_part_has_no_shares() -> None:
    clips = balanced()
    ids = tuple(one.id for one in clips)
    audit = check(corpus_of(clips, (Fold(1, ids[:30], (), ids[30:]),)))
    assert audit.to_json()["balance"]["dev"]["classes"]["sad"]["folds"] == [None]
    assert audit.balance["dev"].sentence("dev").startswith("Dev part: 0 clips;")


def test_a_speaker_too_large_for_a_fair_part() -> None:
    clips = [clip("z", label, n) for label in CLASSES for n in range(40)]
    clips += [clip(s, label, n) for s in "abcdefgh" for label in CLASSES for n in range(5)]
    finding = find(check(corpus_of(clips)), "large_speaker")
    assert finding.what == "More clips than a fair test part of 32: z (80)."
    assert finding.remedy.startswith("Record more of the others")


def test_a_class_and_a_gender_of_too_few_speakers() -> None:
    clips = [clip(s, "happy", gender="female" if s < "e" else "male") for s in "abcdefghij"]
    clips += [clip(s, "sad", gender="male") for s in "hij"]
    audit = check(corpus_of(clips))
    finding = find(audit, "class_of_few_speakers")
    assert finding.what == "Spoken by fewer than 5 speakers: sad (3)."
    assert "5 speakers" in finding.remedy
    finding = find(audit, "gender_of_few_speakers")
    assert finding.what == "Fewer than 5 speakers of a gender: 4 female."
    assert finding.aspects == ("privacy", "fairness")
    assert finding.remedy == "Record 5 speakers of each gender or more."


def test_enough_speakers_are_not_complained_about() -> None:
    clips = [clip(s, "happy", gender="female" if s < "f" else "male") for s in "abcdefghij"]
    clips += [clip(s, "sad", gender="male") for s in "fghij"]
    found = codes(check(Corpus("own", CLASSES, tuple(clips), balanced_kfold(clips))))
    assert not {"large_speaker", "class_of_few_speakers", "gender_of_few_speakers"} & set(found)
    assert "missing_gender" not in found


def test_label_and_gender_that_go_together() -> None:
    clips = [
        clip(s, "happy" if s in "ace" else "sad", n, gender="female" if s in "ace" else "male")
        for s in "abcdef"
        for n in range(10)
    ]
    audit = check(corpus_of(clips))
    assert audit.cramers_v == pytest.approx(1.0)
    assert find(audit, "label_gender_confounded").severity == "warning"


@given(
    st.lists(
        st.tuples(st.sampled_from("wxyz"), st.sampled_from(["female", "male"])),
        min_size=1,
        max_size=80,
    )
)
def test_cramers_v_is_that_of_scipy(pairs: list[tuple[str, Gender]]) -> None:
    value = cramers_v([clip("a", label, n, gender=g) for n, (label, g) in enumerate(pairs)])
    labels, genders = (sorted(set(column)) for column in zip(*pairs, strict=True))
    if len(labels) < 2 or len(genders) < 2:
        assert value is None
        return
    table = np.array([[pairs.count((name, g)) for g in genders] for name in labels])
    assert value == pytest.approx(association(table, method="cramer", correction=False), abs=1e-7)


def test_gravest_first() -> None:
    clips = [clip("a", "happy"), clip("a", "sad"), clip("b", "sad"), clip("c", "sad")]
    fold = Fold(1, ("a-happy-0",), ("b-sad-0",), ("a-sad-0", "c-sad-0"))
    audit = check(corpus_of(clips, (fold,)))
    order = {"error": 0, "warning": 1, "note": 2}
    ranks = [order[finding.severity] for finding in audit.findings]
    assert ranks == sorted(ranks)
    assert ranks[0] == 0
