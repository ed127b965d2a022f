"""Words or voice: planted truths spoken by eSpeak NG, closed forms, texts known by content."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from profiler.corpora.crema_d import SENTENCES, CremaD
from profiler.corpora.manifest import Manifest
from profiler.corpora.ravdess import STATEMENTS, Ravdess
from profiler.measures import synthesis
from profiler.measures.linguistic import (
    NO_TEXT,
    ResynthesisedAnswer,
    ResynthesisLeftOut,
    ceiling,
    words_or_voice,
)
from profiler.measures.synthesis import require_voice, spoken, synthesiser
from profiler.pipeline import jobs
from profiles_db.errors import AudioError, CorpusError, InputError, MissingExtraError
from profiles_db.maintenance import check
from profiles_db.records import Prediction
from profiles_db.store import Store
from tests.profiler.aspects.rows import CLASSES, emotion_rows, figure, measure
from trustser import __main__ as main

SPEAKERS = tuple(f"{sex}{number}" for number in range(1, 6) for sex in "fm")
"""Voices of eSpeak NG."""
SENTENCES_OF = {
    "high": ("She sees three green leaves", "We need cheese, please"),
    "low": ("Who chose a cool new room", "Two blue shoes for you"),
}
MANNER = {"high": ("-p", "90", "-s", "230"), "low": ("-p", "10", "-s", "120")}


@pytest.fixture(scope="module")
def program() -> str:
    """The synthesiser, which `.ci/run` installs where it is missing."""
    found = shutil.which(synthesis.PROGRAM)
    if found is None:
        pytest.skip("espeak-ng is not installed: apt install espeak-ng")
    return found


def _speak(folder: Path, program: str, *, by_words: bool) -> Path:
    """A corpus of two classes that its words tell apart, or else its voice alone."""
    folder.mkdir()
    rows = [("path", "speaker", "label", "gender", "text")]
    for speaker in SPEAKERS:
        for label, own in SENTENCES_OF.items():
            texts = own if by_words else [some[0] for some in SENTENCES_OF.values()]
            manner = () if by_words else MANNER[label]
            for number, text in enumerate(texts):
                name = f"{speaker}-{label}-{number}.wav"
                voice = ("-v", f"en+{speaker}", *manner, "-w", str(folder / name))
                subprocess.run([program, *voice, text], check=True)
                gender = "female" if speaker[0] == "f" else "male"
                rows.append((name, speaker, label, gender, text))
    path = folder / "corpus.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.mark.parametrize("by_words", [True, False])
def test_a_head_is_told_to_hear_words_where_they_make_the_class_and_no_words_where_the_voice_does(
    by_words: bool, program: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = _speak(tmp_path / "corpus", program, by_words=by_words)
    command = [
        "profile", "--backbone", "fbank", "--dataset", "manifest", "--data-root", str(corpus),
        "--folds", "1", "--epochs", "15", "--repetitions", "1", "--set", "training.batch_size=8",
        "--set", "training.learning_rate=3e-3", "--measures", "performance,linguistic",
        "--db", str(tmp_path / "a.duckdb"), "--cache", str(tmp_path / "cache"), "--workers", "0",
        "--json",
    ]  # fmt: skip
    assert main.run(command) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert _value(record, "uar") == 1.0
    assert _value(record, "words_uar") == (1.0 if by_words else 0.5)
    assert _value(record, "words_share") == (1.0 if by_words else 0.0)
    assert _value(record, "words_ceiling") == (1.0 if by_words else 0.5)
    store = Store(tmp_path / "a.duckdb")
    rows = store.rows(record["run"], ResynthesisedAnswer)
    assert {row.synthesiser for row in rows} == {synthesiser()}
    assert len({row.text for row in rows}) == (4 if by_words else 2)
    made = list((tmp_path / "cache" / "speech").glob("*.wav"))
    assert len(made) == len({row.text for row in rows})  # each text once
    assert check(store.path).problems == ()


def _value(record: Mapping[str, Any], criterion: str) -> float:
    (found,) = [
        m for m in record["measurements"]
        if m["criterion"] == criterion and m["fold"] == -1 and m["statistic"] is None
    ]  # fmt: skip
    return float(found["value"])


# Closed forms.

HERE = emotion_rows(skill=0.9)


def _answers(
    text_of: Sequence[str], rows: Sequence[Prediction] = HERE, *, hears: Mapping[str, str]
) -> list[ResynthesisedAnswer]:
    """Each clip's text is `text_of[class]`; heads answer `hears[text]`."""
    found = []
    for row in rows:
        text = text_of[CLASSES.index(row.label)]
        found.append(
            ResynthesisedAnswer(
                row.repetition, row.fold, row.utterance, row.speaker, row.gender, row.label, text,
                "eSpeak NG 1.51", hears[text], (0.25, 0.25, 0.25, 0.25),
            )
        )  # fmt: skip
    return found


def _uar(rows: Sequence[Prediction | ResynthesisedAnswer]) -> float:
    folds = [[r for r in rows if r.fold == fold] for fold in (1, 2, 3)]
    return float(np.mean([
        metrics.recall_score([r.label for r in f], [r.predicted for r in f], average="macro",
                             labels=sorted({r.label for r in f}), zero_division=0)
        for f in folds
    ]))  # fmt: skip


def test_recall_and_share_are_those_of_scikit_learn() -> None:
    answers = _answers("abcc", hears={"a": "neutral", "b": "happy", "c": "sad"})
    found = words_or_voice(HERE, answers, [], CLASSES, measure)
    words, share = figure(found, "words_uar"), figure(found, "words_share")
    assert words.value == pytest.approx(_uar(answers)) == pytest.approx(0.75)
    assert share.value == pytest.approx((0.75 - 0.25) / (_uar(HERE) - 0.25))
    assert (words.baseline, words.n) == (0.25, len(HERE))
    assert figure(found, "words_ceiling").value == pytest.approx(0.75)
    for one in (words, share):
        assert one.low is not None
        assert one.high is not None
        assert one.value is not None
        assert one.low <= one.value <= one.high
    assert f"UAR of the clips as they are: {100 * _uar(HERE):.1f} %" in words.notes
    assert "3 texts, spoken by eSpeak NG 1.51" in words.notes


def test_one_text_for_all_is_guessing_whatever_is_heard_and_said_so() -> None:
    found = words_or_voice(HERE, _answers("aaaa", hears={"a": "sad"}), [], CLASSES, measure)
    assert figure(found, "words_uar").value == pytest.approx(0.25)
    assert figure(found, "words_share").value == pytest.approx(0.0)
    notes = figure(found, "words_share").notes
    assert any("the same sentences are spoken in every class" in note for note in notes)


def test_clips_without_a_text_are_left_out_on_both_sides() -> None:
    some = [row for row in HERE if row.label in ("happy", "sad")]
    answers = _answers("abcd", some, hears={"b": "happy", "c": "sad"})
    left_out = [ResynthesisLeftOut(r.repetition, r.fold, r.utterance, NO_TEXT)
                for r in HERE if r not in some]  # fmt: skip
    found = words_or_voice(HERE, answers, left_out, CLASSES, measure)
    share = figure(found, "words_share")
    assert share.value == pytest.approx((1 - 0.25) / (_uar(some) - 0.25))
    assert f"{len(left_out)} clips left out: it has no text ({len(left_out)})" in share.notes
    none = words_or_voice(HERE, [], left_out, CLASSES, measure)
    assert {one.unknown for one in none} == {"no text was spoken: it has no text"}


def test_heads_that_recognise_nothing_have_no_share() -> None:
    rows = emotion_rows(skill=0.0, seed=3)
    wrong = [
        Prediction(r.repetition, r.fold, r.utterance, r.speaker, r.gender, r.label,
                   CLASSES[(CLASSES.index(r.label) + 1) % 4], r.probabilities)
        for r in rows
    ]  # fmt: skip
    found = words_or_voice(wrong, _answers("aaaa", wrong, hears={"a": "sad"}), [], CLASSES, measure)
    share = figure(found, "words_share")
    assert share.value is None
    assert "no better than guessing" in str(share.unknown)
    assert any("within guessing" in flag for flag in figure(found, "words_uar").flags)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_no_rule_from_texts_to_classes_beats_the_ceiling(data: st.DataObject) -> None:
    texts = data.draw(st.lists(st.sampled_from("abcd"), min_size=12, max_size=40))
    labels = data.draw(st.lists(st.sampled_from(CLASSES), min_size=len(texts),
                                max_size=len(texts)))  # fmt: skip
    rule = {text: data.draw(st.sampled_from(CLASSES)) for text in "abcd"}
    answers = [
        ResynthesisedAnswer(0, 1, str(i), "s", None, label, text, "x", rule[text], (1.0,))
        for i, (text, label) in enumerate(zip(texts, labels, strict=True))
    ]  # fmt: skip
    present = sorted(set(labels))
    found = metrics.recall_score(
        labels, [row.predicted for row in answers], labels=present, average="macro", zero_division=0
    )
    best = ceiling(answers, CLASSES)
    assert found <= best + 1e-12
    assert 1 / len(present) - 1e-12 <= best <= 1


# The synthesiser, and the texts of corpora.


def test_a_text_is_spoken_once_whatever_is_in_it(program: str, tmp_path: Path) -> None:
    assert program
    for text in ("-w /etc/x", "$(reboot) <b>", "Grüße — “so”", "a\nb"):
        path = spoken(text, "en", tmp_path)
        state = path.stat()
        again = spoken(text, "en", tmp_path)
        assert (path, state.st_mtime_ns) == (again, again.stat().st_mtime_ns)
    assert len(list(tmp_path.iterdir())) == 4
    with pytest.raises(AudioError, match="holds no words"):
        spoken("", "en", tmp_path)
    assert spoken("one", "en", tmp_path) != spoken("one", "de", tmp_path)
    with pytest.raises(InputError, match="espeak-ng has no voice 'zz9'"):
        require_voice("zz9")


def test_without_the_program_one_line_says_how_to_get_it_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manifest: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(synthesis, "PROGRAM", "espeak-ng-that-nobody-has")
    for cached in (synthesiser, require_voice):
        cached.cache_clear()
    with pytest.raises(MissingExtraError, match="apt install espeak-ng"):
        require_voice("en")
    with_text = tmp_path / "with_text.csv"
    lines = [line + f",{'text' if n == 0 else 'hello'}"
             for n, line in enumerate(manifest.read_text().splitlines())]  # fmt: skip
    with_text.write_text("\n".join(lines).replace("speaker_", f"{manifest.parent}/speaker_"))

    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(jobs.FeaturesJob, "run", refuse)
    command = [
        "profile", "--backbone", "fbank", "--dataset", "manifest", "--data-root", str(with_text),
        "--allow-outside", "--measures", "performance,linguistic", "--workers", "0",
        "--db", str(tmp_path / "a.duckdb"), "--cache", str(tmp_path / "cache"),
    ]  # fmt: skip
    assert main.run(command) == 2
    *_, line = capsys.readouterr().err.splitlines()
    assert line.startswith("trustser: measure linguistic: needs espeak-ng")
    for cached in (synthesiser, require_voice):
        cached.cache_clear()


def test_ravdess_says_its_two_statements_in_every_emotion_alike(real_data: Path) -> None:
    clips = Ravdess().find(real_data / "ravdess").utterances
    by_label: dict[str, list[str | None]] = {}
    for clip in clips:
        by_label.setdefault(clip.label, []).append(clip.text)
    for texts in by_label.values():
        assert {texts.count(text) for text in STATEMENTS.values()} == {len(texts) // 2}


def test_every_clip_of_crema_d_has_one_of_its_twelve_sentences(real_data: Path) -> None:
    clips = CremaD().find(real_data / "crema_d_metadata").utterances
    assert {clip.text for clip in clips} == set(SENTENCES.values())
    assert len(SENTENCES) == 12


def test_a_manifest_has_texts_with_single_spaces_or_none(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text('path,speaker,label,text\na.wav,s,x,"  two\n words "\nb.wav,s,y,\n')
    assert [clip.text for clip in Manifest().find(path).utterances] == ["two words", None]
    for cell, fault in (("a\0b", "NUL in the text"), ("x" * 10_001, "a text of 10001 characters")):
        path.write_text(f"path,speaker,label,text\na.wav,s,x,{cell}\nb.wav,s,y,\n")
        with pytest.raises(CorpusError, match=fault):
            Manifest().find(path)
