"""Ratings on dimensions: in the corpora's own files, in manifests, and what names a study."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiler.corpora.audit.check import check
from profiler.corpora.base import Corpus, Utterance
from profiler.corpora.registry import read
from profiles_db.errors import CorpusError
from tests.profiler.corpora import trees

HEADER = "path,speaker,label,arousal:1-7,valence:-1..1,dominance"


def _clip(corpus: Corpus, id_: str) -> Utterance:
    return next(clip for clip in corpus.utterances if clip.id == id_)


def _manifest(folder: Path, *ratings: str, header: str = HEADER) -> Corpus:
    rows = [
        f"{number}.wav,s{number % 4},{'ab'[number // 4 % 2]}{cells}"
        for number, cells in enumerate(ratings)
    ]
    trees.write_lines(folder / "manifest.csv", [header, *rows])
    return read("manifest", folder)


def test_iemocap_prints_valence_then_arousal_then_dominance(tmp_path: Path) -> None:
    root = trees.iemocap(tmp_path)
    table = root / "Session1" / "dialog" / "EmoEvaluation" / "Ses01F_impro01.txt"
    text = table.read_text()
    table.write_text(text.replace("neu\t[2.5000, 2.5, 2.5]", "neu\t[5.0000, 1.0, 2.0]"))
    corpus = read("iemocap", root)
    clip = _clip(corpus, "Ses01F_impro01_F000")
    assert clip.ratings == {"valence": 1.0, "arousal": 0.0, "dominance": 0.25}
    assert all(len(clip.ratings) == 3 for clip in corpus.utterances)
    assert not any("Ratings" in note for note in corpus.notes)


def test_msp_improv_prints_letters(tmp_path: Path) -> None:
    root = trees.msp_improv(tmp_path)
    clip = _clip(read("msp_improv", root), "MSP-IMPROV-S01A-F01-P-MF00")
    assert clip.ratings == pytest.approx({"arousal": 0.4, "valence": 0.3, "dominance": 0.5})
    table = root / "Evalution.txt"
    table.write_text(table.read_text().replace("D:3.000000", "D:NaN"))
    clip = _clip(read("msp_improv", root), "MSP-IMPROV-S01A-F01-P-MF00")
    assert set(clip.ratings) == {"arousal", "valence"}


def test_msp_podcast_has_a_column_each_or_none(tmp_path: Path) -> None:
    root = trees.msp_podcast(tmp_path)
    clip = _clip(read("msp_podcast", root), "MSP-PODCAST_0000_0000.wav")
    assert clip.ratings == pytest.approx({"arousal": 3.2 / 6, "valence": 2.4 / 6, "dominance": 0.5})
    table = root / "Labels" / "labels_consensus.csv"
    text = table.read_text()
    table.write_text(text.replace("EmoAct,EmoVal,EmoDom", "a,b,c"))
    assert not any(clip.ratings for clip in read("msp_podcast", root).utterances)


@pytest.mark.parametrize(
    ("corpus", "old", "new", "note"),
    [
        ("iemocap", "neu\t[2.5000, 2.5, 2.5]", "neu\t[5.5000, 2.5, 0.5]",
         "Ratings outside 1 to 5 are left out: dominance 0.5 of Ses01F_impro01_F000, valence 5.5"),
        ("msp_improv", "V:2.200000", "V:5.200000",
         "Ratings outside 1 to 5 are left out: valence 5.2 of MSP-IMPROV-S01A-F01-P-MF00"),
        ("msp_podcast", "4.2,3.4,4.0", "4.2,0.4,4.0",
         "Ratings outside 1 to 7 are left out: valence 0.4 of MSP-PODCAST_0000_0000.wav"),
    ],
)  # fmt: skip
def test_ratings_beyond_the_corpus_own_scale_are_left_out_and_named(
    corpus: str, old: str, new: str, note: str, tmp_path: Path
) -> None:
    root = getattr(trees, corpus)(tmp_path)
    tables = [path for path in root.rglob("*") if path.is_file() and old in path.read_text()]
    for table in tables:
        table.write_text(table.read_text().replace(old, new))
    found = read(corpus, root)
    (said,) = [one for one in found.notes if one.startswith("Ratings")]
    assert said.startswith(note)
    assert "more." in said
    assert not any(
        "valence" in clip.ratings for clip in found.utterances if clip.label == "neutral"
    )
    assert all("arousal" in clip.ratings for clip in found.utterances)


@pytest.mark.parametrize(
    ("corpus", "old", "new", "what"),
    [
        ("iemocap", "neu\t[2.5000, 2.5, 2.5]", "neu\t[2.5000, 2.5]", "not a labelled utterance"),
        ("iemocap", "neu\t[2.5000, 2.5, 2.5]", "neu\t[x, 2.5, 2.5]", "valence 'x' is no number"),
        ("msp_improv", "A:2.600000", "A:2.6.0", "arousal '2.6.0' is no number"),
        ("msp_podcast", "4.2,3.4,4.0", "4.2,3.4,four", "dominance 'four' is no number"),
    ],
)
def test_what_is_no_number_is_named_with_its_place(
    corpus: str, old: str, new: str, what: str, tmp_path: Path
) -> None:
    root = getattr(trees, corpus)(tmp_path)
    tables = [path for path in root.rglob("*") if path.is_file() and old in path.read_text()]
    tables[0].write_text(tables[0].read_text().replace(old, new))
    with pytest.raises(CorpusError, match=what) as caught:
        read(corpus, root)
    assert str(tables[0]) in str(caught.value)


def test_a_manifest_says_its_scale_and_clips_may_be_unrated(tmp_path: Path) -> None:
    ratings = (",4,-0.5,0.25", ",7,1,1", ",,,", ",,0,", *[",1,-1,0"] * 4)
    corpus = _manifest(tmp_path, *ratings)
    assert [dict(clip.ratings) for clip in corpus.utterances[:5]] == [
        {"arousal": 0.5, "valence": 0.25, "dominance": 0.25},
        {"arousal": 1, "valence": 1, "dominance": 1},
        {},
        {"valence": 0.5},
        {"arousal": 0, "valence": 0, "dominance": 0},
    ]
    assert not any("not used" in note for note in corpus.notes)


@pytest.mark.parametrize("scale", ["1-5", "1..5", "1 to 5", " 1 - 5 ", "+1-5.0"])
def test_ways_to_write_a_scale(scale: str, tmp_path: Path) -> None:
    header = f"path,speaker,label,Valence:{scale}"
    corpus = _manifest(tmp_path, *[",2"] * 8, header=header)
    assert {clip.ratings["valence"] for clip in corpus.utterances} == {0.25}


@pytest.mark.parametrize(
    ("header", "cells", "what"),
    [
        ("arousal:1-7", "7.1", r"csv:2: arousal '7.1' does not lie in 1 to 7"),
        ("arousal", "4", r"does not lie in 0 to 1; name another scale .* such as arousal:1-7"),
        ("arousal", "high", "arousal 'high' does not lie in 0 to 1"),
        ("arousal", "nan", "arousal 'nan' does not lie in 0 to 1"),
        ("arousal", "inf", "arousal 'inf' does not lie in 0 to 1"),
        ("arousal:7-1", "4", r"csv:1: column 'arousal:7-1': no scale such as arousal:1-7"),
        ("arousal:", "4", "no scale such as arousal:1-7"),
        ("arousal:likert", "4", "no scale such as arousal:1-7"),
        ("arousl", "4", "column 'arousl': 'arousal' is meant"),
        ("arousal:0-1,arousal", "1,1", "column 'arousal' twice"),
    ],
)
def test_manifests_with_unclear_ratings_are_refused(
    header: str, cells: str, what: str, tmp_path: Path
) -> None:
    with pytest.raises(CorpusError, match=what):
        _manifest(tmp_path, *[f",{cells}"] * 8, header=f"path,speaker,label,{header}")


def test_ratings_alone_are_refused_in_one_line(tmp_path: Path) -> None:
    trees.write_lines(tmp_path / "manifest.csv", ["path,speaker,valence", "a.wav,s,0.5"])
    with pytest.raises(CorpusError, match=r"csv:1: no column label: ratings alone .* classes"):
        read("manifest", tmp_path)


def test_the_audit_counts_clips_rated_on_each_dimension(tmp_path: Path) -> None:
    corpus = _manifest(tmp_path, ",4,-0.5,", ",7,1,", ",,,", *[",,0,"] * 5)
    audit = check(corpus, audio=False)
    assert audit.ratings == {"arousal": 2, "valence": 7}
    assert audit.to_json()["ratings"] == audit.ratings
