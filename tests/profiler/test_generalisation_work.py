"""Heads on other corpora, whole: the same sound is answered alike, once for all; what is left out;
corpora known by their content; further measures with settings of their own."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import soundfile
import torch

from profiler.backbones.base import Backbone
from profiler.backbones.load import load
from profiler.corpora.base import Utterance
from profiler.features.cache import Clip
from profiler.measures.base import ClipTask
from profiler.measures.generalisation import (
    HELD,
    CrossCorpusAnswer,
    CrossCorpusLeftOut,
    GeneralisationSettings,
)
from profiler.measures.generalisation_work import answers
from profiler.measures.other_corpora import OtherCorpus
from profiler.pipeline import jobs
from profiler.pipeline.context import BackboneSpec, Context, Plan
from profiler.protocol import Protocol, load_protocol
from profiler.training.head import Head
from profiles_db.errors import InputError
from profiles_db.maintenance import check
from profiles_db.profile import Profile, without_paths
from profiles_db.records import CorruptedAnswer, Prediction
from profiles_db.store import Store
from tests.profiler.small_corpus import SPEAKERS
from trustser import __main__ as main

MEANT = {"happy": "joy", "neutral": "neutral", "sad": "grief"}
"""What the other corpus calls the classes; it has no anger, and fear that is no class."""
MAP = {"joy": "happy", "grief": "sad", "anger": None}


def other_corpus(manifest: Path, folder: Path) -> Path:
    """The clips of six speakers as FLAC, which holds the same samples in other bytes; one clip as
    it is, one that is no sound, one of anger and one of a class that the heads do not know."""
    folder.mkdir()
    rows = [("held.wav", "s1", "joy"), ("broken.wav", "s1", "joy"), ("fear.flac", "s1", "fear"),
            ("anger.flac", "s1", "anger")]  # fmt: skip
    shutil.copy(manifest.parent / "speaker_01-happy_1.wav", folder / "held.wav")
    (folder / "broken.wav").write_text("no sound")
    for name, source in (("fear", "sad_1"), ("anger", "angry_1")):
        samples, rate = soundfile.read(manifest.parent / f"speaker_01-{source}.wav", dtype="int16")
        soundfile.write(folder / f"{name}.flac", samples, rate)
    for speaker in list(SPEAKERS)[:6]:
        for style, label in MEANT.items():
            clip = f"speaker_{speaker:02d}-{style}_1"
            samples, rate = soundfile.read(manifest.parent / f"{clip}.wav", dtype="int16")
            soundfile.write(folder / f"{clip}.flac", samples, rate)
            rows.append((f"{clip}.flac", f"s{speaker}", label))
    path = folder / "other.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("path", "speaker", "label"), *rows])
    return path


@pytest.fixture(scope="module")
def other(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return other_corpus(manifest, tmp_path_factory.mktemp("other") / "corpus")


@dataclass(frozen=True)
class Measured:
    """A run, and what it became when it was tested on the other corpus."""

    folder: Path
    before: Profile
    after: Profile

    @property
    def store(self) -> Store:
        return Store(self.folder / "a.duckdb")

    @property
    def places(self) -> list[str]:
        return ["--db", str(self.store.path), "--cache", str(self.folder / "cache"),
                "--workers", "0"]  # fmt: skip


@pytest.fixture(scope="module")
def measured(manifest: Path, other: Path, tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """One fold of two repetitions; a training that would be done again is refused."""
    folder = tmp_path_factory.mktemp("measured")
    labels = folder / "labels.yaml"
    labels.write_text("".join(f"{k}: {'null' if v is None else v}\n" for k, v in MAP.items()))
    places = ["--db", str(folder / "a.duckdb"), "--cache", str(folder / "cache"), "--workers", "0"]
    profile = [
        "profile", "--backbone", "fbank", "--dataset", "manifest", "--data-root", str(manifest),
        "--folds", "1", "--epochs", "3", "--repetitions", "2", "--measures", "performance",
    ]  # fmt: skip
    assert main.run([*profile, *places]) == 0
    (before,) = Store(folder / "a.duckdb").profiles()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs.StatesJob, "run", _refuse)
        tested = ["--test-on", f"manifest={other}", "--label-map", str(labels)]
        command = ["measure", before.run[:6], "--measures", "generalisation", *tested]
        assert main.run([*command, *places]) == 0
    (after,) = (p for p in Store(folder / "a.duckdb").profiles() if p.run != before.run)
    return Measured(folder, before, after)


def _refuse(self: jobs.StatesJob, context: Context) -> None:
    raise AssertionError((self, context))


def test_a_clip_in_other_bytes_is_answered_as_its_fold_answered_it(measured: Measured) -> None:
    """FLAC holds the samples of the test clips, so that the heads must say what they said."""
    store, run = measured.store, measured.after.run
    asked = {
        (row.repetition, row.fold, row.utterance.removesuffix(".flac")): row
        for row in store.rows(run, CrossCorpusAnswer)
    }
    assert len(asked) == 2 * 6 * 3
    same = 0
    for row in store.rows(run, Prediction):
        found = asked.get((row.repetition, row.fold, row.utterance.removesuffix(".wav")))
        if found is not None:
            same += 1
            assert found.probabilities == pytest.approx(row.probabilities, abs=1e-5)
            assert (found.label, found.speaker) == (row.label, row.speaker)
            assert found.own_label == MEANT[found.label]
    assert same > 0
    assert check(store.path).problems == ()


def test_what_is_left_out_is_said_with_the_reason(measured: Measured) -> None:
    rows = measured.store.rows(measured.after.run, CrossCorpusLeftOut)
    reasons = {row.utterance: row.reason for row in rows}
    assert set(reasons) == {"held.wav", "broken.wav"}
    assert reasons["held.wav"] == HELD
    uar = measured.after.pooled("cross_corpus_uar")
    assert uar is not None
    assert (uar.n, uar.baseline) == (18, 0.25)
    notes = " ".join(uar.notes)
    assert "manifest: left out, having no class here: anger (1), fear (1)" in notes
    assert "has no clip of angry, which answers may be all the same" in notes
    assert "2 clips left out" in notes


def test_other_settings_make_a_run_of_the_same_heads_with_all_that_was_measured(
    measured: Measured,
) -> None:
    before, after = measured.before, measured.after
    assert (after.model, after.study) == (before.model, before.study)
    assert after.pooled("uar") == before.pooled("uar")
    assert after.basis("uar") == before.basis("uar")
    assert measured.store.rows(after.run, Prediction) == measured.store.rows(before.run, Prediction)
    assert before.pooled("cross_corpus_uar") is None


def test_measure_takes_settings_of_what_it_measures_and_no_others(
    measured: Measured, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = [n for n in Protocol.of().as_record()["robustness"] if n not in ("background", "rooms")]
    none = [word for kind in kinds for word in ("--set", f"robustness.{kind}=[]")]
    measure = ["measure", measured.before.run, *measured.places, "--measures"]
    assert (
        main.run([*measure, "robustness", *none, "--set", "robustness.gain_db=[3]", "--json"]) == 0
    )
    (record,) = json.loads(capsys.readouterr().out)
    rows = measured.store.rows(record["run"], CorruptedAnswer)
    assert {(row.corruption, row.level) for row in rows} == {("gain", 3.0)}
    for setting in ("safety.snr_db=40", "training.epochs=2"):
        assert main.run([*measure, "robustness", "--set", setting]) == 2
        assert "changes settings of" in capsys.readouterr().err
    assert main.run([*measure, "performance", "--set", "performance.resamples=200", "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["run"] == measured.before.run  # rows are the same, figures alone are others


def test_no_path_of_this_machine_stands_in_what_is_shown(measured: Measured) -> None:
    assert str(measured.folder) not in json.dumps(measured.after.protocol)
    shown = json.dumps(without_paths(measured.after.protocol))
    assert "/corpus/other.csv" in json.dumps(measured.after.protocol)
    assert "/corpus/other.csv" not in shown
    assert '"dataset": "manifest"' in shown


@pytest.mark.parametrize("limited", [False, True])
def test_states_are_computed_once_for_all_folds_unless_the_cache_is_limited(
    limited: bool, manifest: Path, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = load("fbank", "none")
    corpus = OtherCorpus.model_validate(
        {"dataset": "manifest", "path": str(other), "labels": dict(MAP)}
    )
    settings = GeneralisationSettings(test_on=(corpus,))
    held = manifest.parent / "speaker_01-happy_1.wav"
    clip = Clip("a", held, _digest(held))
    plan = Plan(
        "m", ("generalisation",), BackboneSpec("b", "none", 0, "cpu"),
        Protocol(measures={"generalisation": settings}), ("happy", "sad", "neutral"),
        {"a": Utterance("a", held, "s1", "male", "happy")}, {"a": clip}, (), tmp_path,
        cache_limit=0 if limited else None,
    )  # fmt: skip
    context, passes = Context(plan, backbone), 0
    whole = type(backbone).hidden_states

    def counted(self: Backbone, waveform: torch.Tensor) -> torch.Tensor:
        nonlocal passes
        passes += len(waveform)
        return whole(self, waveform)

    monkeypatch.setattr(type(backbone), "hidden_states", counted)
    heads = {}
    for repetition in (0, 1):
        torch.manual_seed(repetition)
        heads[repetition] = Head(
            layers=backbone.layers, features=backbone.hidden_size, classes=3, width=8
        ).eval()
    tasks = [
        ClipTask(u.id, repetition, "manifest")
        for u in corpus.utterances() for repetition in heads
    ]  # fmt: skip
    found = {fold: answers(context, fold, heads, tasks, settings) for fold in (1, 2)}
    assert passes == (2 if limited else 1) * 18
    said = [{(r.utterance, r.repetition): r.probabilities for r in rows
             if isinstance(r, CrossCorpusAnswer)} for rows in found.values()]  # fmt: skip
    assert said[0] == said[1]
    alone = [row for task in tasks for row in answers(context, 1, heads, [task], settings)]
    assert sorted(map(repr, alone)) == sorted(map(repr, found[1]))


def _digest(path: Path) -> str:
    from profiler.corpora.audio import file_digest  # noqa: PLC0415

    return file_digest(path).removeprefix("sha256:")


def test_a_corpus_is_its_content_wherever_it_lies(other: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "renamed.csv"
    shutil.copytree(other.parent, moved.parent)
    (moved.parent / "other.csv").rename(moved)
    protocols = [load_protocol(None, [f"generalisation.test_on=['manifest={p}']"])
                 for p in (other, moved)]  # fmt: skip
    bases = [protocol.basis("s", "generalisation") for protocol in protocols]
    assert bases[0] == bases[1] != Protocol.of().basis("s", "generalisation")
    assert protocols[0].own_settings == protocols[1].own_settings
    again = Protocol.from_record(json.loads(json.dumps(protocols[1].as_record())))
    assert again == protocols[1]
    (corpus,) = again.measures["generalisation"].test_on  # type: ignore[attr-defined]
    assert len(corpus.utterances()) == 22
    text = moved.read_text()
    for line, changed in (("fear.flac,s1,fear", "fear.flac,s2,fear"),
                          ("fear.flac,s1,fear", "fear.flac,s1,joy")):  # fmt: skip
        moved.write_text(text.replace(line, changed))
        with pytest.raises(InputError, match="holds other clips than when it was named"):
            corpus.utterances()
    moved.write_text(text)
    (moved.parent / "fear.flac").write_bytes((moved.parent / "anger.flac").read_bytes())
    with pytest.raises(InputError, match="holds other clips than when it was named"):
        corpus.utterances()
    (moved.parent / "fear.flac").unlink()
    other_basis = load_protocol(None, [f"generalisation.test_on=['manifest={moved}']"])
    assert other_basis.basis("s", "generalisation") != bases[0]


def test_a_map_that_says_nothing_new_names_nothing_new(other: Path) -> None:
    one, same, mapped = (
        OtherCorpus.model_validate({"dataset": "manifest", "path": str(other), "labels": labels})
        for labels in ({}, {"joy": "joy"}, {"joy": "happy"})
    )
    assert one.content == same.content != mapped.content


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--test-on", "manifest"], "Manifest not found: no data root given"),
        (["--test-on", "=x"], "'=x' names no corpus"),
        (["--test-on", "manifest="], "names no corpus"),
        (["--test-on", "nope=x"], "no corpus 'nope'"),
        (["--test-on", "manifest=missing.csv"], "missing.csv: Manifest not found"),
        (["--label-map", "labels.yaml"], "--label-map: maps the labels of no corpus"),
        (["--test-on", "OTHER", "--label-map", "missing.yaml"], "missing.yaml"),
        (["--test-on", "OTHER", "--label-map", "list.yaml"], "list.yaml: holds no map"),
        (["--test-on", "OTHER", "--label-map", "number.yaml"], "maps no label"),
        (["--test-on", "OTHER", "--label-map", "corpora.yaml"], "maps the labels of iemocap"),
        (["--test-on", "OTHER", "--label-map", "unknown.yaml"], "manifest has no label sorrow"),
        (["--test-on", "OTHER", "--label-map", "strange.yaml"], "of manifest count as sorrow"),
        (["--test-on", "OTHER", "--label-map", "one.yaml"], "fewer than two of the classes"),
        (["--test-on", "OTHER", "--test-on", "OTHER"], "named twice"),
        (["--test-on", "OTHER", "--measures", "safety"], "but generalisation is not measured"),
    ],
)  # fmt: skip
def test_what_cannot_be_tested_on_is_one_line_before_any_work(
    extra: list[str], words: str, manifest: Path, other: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "list": "- a\n", "number": "joy: 3\n", "corpora": "iemocap: {joy: happy}\n",
        "unknown": "sorrow: sad\n", "strange": "joy: sorrow\n", "one": "neutral: null\n",
    }.items():  # fmt: skip
        Path(f"{name}.yaml").write_text(text)
    command = [
        "profile", "--backbone", "fbank", "--dataset", "manifest", "--data-root", str(manifest),
        "--measures", "performance,generalisation", "--db", "a.duckdb", "--cache", "cache",
        "--workers", "0", *(word.replace("OTHER", f"manifest={other}") for word in extra),
    ]  # fmt: skip
    monkeypatch.setattr(jobs.FeaturesJob, "run", _refuse)
    assert main.run(command) == 2
    *_, line = capsys.readouterr().err.splitlines()
    assert line.startswith("trustser: ")
    assert words in line
