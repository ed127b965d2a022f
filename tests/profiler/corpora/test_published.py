"""The published corpora: real RAVDESS and CREMA-D, and small trees of the licensed layouts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from profiler.corpora.base import Corpus, Fold
from profiler.corpora.folds import leaks
from profiler.corpora.registry import CORPORA, read
from profiles_db.errors import CorpusError, InputError
from tests.profiler.corpora import trees


def counts(corpus: Corpus) -> dict[str, int]:
    return dict(Counter(utterance.label for utterance in corpus.utterances))


def sizes(folds: tuple[Fold, ...]) -> list[tuple[int, int, int]]:
    return [(len(fold.train), len(fold.dev), len(fold.test)) for fold in folds]


@pytest.mark.real_audio
def test_ravdess_whole(real_data: Path) -> None:
    corpus = read("ravdess", real_data / "ravdess", classes="all")
    others = dict.fromkeys(("happy", "sad", "angry", "fearful", "disgust", "surprised"), 192)
    assert counts(corpus) == {"neutral": 96 + 192, **others}
    assert sizes(corpus.folds) == [(900, 240, 300)] * 4 + [(960, 240, 240)]
    assert {u.speaker for u in corpus.utterances if u.gender == "male"} == {
        f"{actor:02d}" for actor in range(1, 25, 2)
    }
    by_id = {u.id: u for u in corpus.utterances}
    for fold in corpus.folds:
        for part in (fold.train, fold.dev, fold.test):
            assert {by_id[id_].gender for id_ in part} == {"female", "male"}


@pytest.mark.real_audio
def test_ravdess_four_classes_by_default(real_data: Path) -> None:
    corpus = read("ravdess", real_data / "ravdess")
    assert corpus.classes == ("neutral", "happy", "sad", "angry")
    assert counts(corpus) == {"neutral": 288, "happy": 192, "sad": 192, "angry": 192}
    assert sizes(corpus.folds) == [(540, 144, 180)] * 4 + [(576, 144, 144)]


def test_ravdess_leaves_out_songs_and_names_them(tmp_path: Path) -> None:
    root = trees.ravdess(tmp_path, range(1, 4))
    (root / "Actor_01" / "03-02-03-01-01-01-01.wav").touch()
    (root / "Actor_01" / "03-01-09-01-01-01-01.wav").touch()
    (root / "Actor_01" / "mine.FLAC").touch()
    (root / "Actor_01" / "notes.txt").touch()
    corpus = read("ravdess", root)
    assert corpus.left_out == {
        "Actor_01/03-02-03-01-01-01-01.wav": "song, not speech",
        "Actor_01/03-01-09-01-01-01-01.wav": "a code RAVDESS does not define",
        "Actor_01/mine.FLAC": "not a RAVDESS file name",
    }
    assert "24 clips, 3 of 24 actors" in corpus.notes[1].replace("of 1440 ", "")


def test_ravdess_in_the_folder_of_its_archive(tmp_path: Path) -> None:
    trees.ravdess(tmp_path / "Audio_Speech_Actors_01-24", range(1, 4))
    assert len(read("ravdess", tmp_path).utterances) == 15


def test_ravdess_refuses_one_clip_in_two_files(tmp_path: Path) -> None:
    root = trees.ravdess(tmp_path, range(1, 4))
    (root / "Actor_01" / "03-01-03-01-01-01-01.flac").touch()
    with pytest.raises(CorpusError, match="two files for 03-01-03-01-01-01-01"):
        read("ravdess", root)


@pytest.mark.real_audio
def test_crema_d_metadata_give_table_3(real_data: Path) -> None:
    corpus = read("crema_d", real_data / "crema_d_metadata")
    assert counts(corpus) == {"neutral": 1972, "happy": 1219, "sad": 588, "angry": 1019}
    assert len(corpus.utterances) == 4798
    assert corpus.left_out["1076_MTI_SAD_XX"] == "the corpus' own unusable clip"


@pytest.mark.real_audio
def test_crema_d_folds_over_the_91_actors(real_data: Path) -> None:
    corpus = read("crema_d", real_data / "crema_d_metadata", classes="all")
    actors = [
        tuple(sorted({id_[:4] for id_ in part}) for part in (fold.train, fold.dev, fold.test))
        for fold in corpus.folds
    ]
    assert [len(test) for _, _, test in actors] == [19, 18, 18, 18, 18]
    train, dev, test = actors[0]
    assert (test[0], test[-1]) == ("1001", "1019")
    assert (dev[0], dev[-1], len(dev)) == ("1077", "1091", 15)
    assert (train[0], train[-1]) == ("1020", "1076")
    assert leaks(corpus) == ()


@pytest.mark.real_audio
def test_crema_d_speakers_have_the_gender_of_the_demographics(real_data: Path) -> None:
    corpus = read("crema_d", real_data / "crema_d_metadata")
    genders = {utterance.speaker: utterance.gender for utterance in corpus.utterances}
    assert Counter(genders.values()) == {"male": 48, "female": 43}
    assert (genders["1001"], genders["1002"]) == ("male", "female")


@pytest.mark.parametrize(
    ("sex", "clip", "message"),
    [
        ("Robot", "1001_IEO_NEU_XX", "the sex 'Robot'"),
        ("Male", "../../etc/passwd", "no clip of a known actor"),
        ("Male", "1002_IEO_NEU_XX", "no clip of a known actor"),
    ],
)
def test_crema_d_refuses_altered_metadata(
    tmp_path: Path, sex: str, clip: str, message: str
) -> None:
    trees.write_lines(tmp_path / "VideoDemographics.csv", ["ActorID,Sex", f"1001,{sex}"])
    table = tmp_path / "processedResults" / "summaryTable.csv"
    trees.write_lines(table, ["FileName,MultiModalVote", f"{clip},N"])
    with pytest.raises(CorpusError, match=message):
        read("crema_d", tmp_path)


def test_crema_d_names_a_missing_column(tmp_path: Path) -> None:
    trees.write_lines(tmp_path / "VideoDemographics.csv", ["ActorID,Gender", "1001,Male"])
    trees.write_lines(tmp_path / "processedResults" / "summaryTable.csv", ["FileName", "x"])
    with pytest.raises(CorpusError, match=r"VideoDemographics.csv:1: no column Sex"):
        read("crema_d", tmp_path)


def test_iemocap(tmp_path: Path) -> None:
    corpus = read("iemocap", trees.iemocap(tmp_path))
    assert counts(corpus) == {"neutral": 5, "happy": 10, "sad": 5, "angry": 5}
    assert [{id_[:5] for id_ in fold.test} for fold in corpus.folds] == [
        {f"Ses0{session}"} for session in range(1, 6)
    ]
    assert [{id_[:5] for id_ in fold.dev} for fold in corpus.folds] == [{"Ses05"}] * 4 + [{"Ses04"}]
    assert leaks(corpus) == ()
    assert corpus.left_out["Ses01F_impro01_F010"] == "the annotators disagree"
    assert corpus.left_out["Ses01F_impro01_M009"] == "labelled `other`"


def test_iemocap_takes_speaker_and_gender_from_the_utterance(tmp_path: Path) -> None:
    corpus = read("iemocap", trees.iemocap(tmp_path / "IEMOCAP_full_release").parent, classes="all")
    clip = next(u for u in corpus.utterances if u.id == "Ses03F_impro01_M001")
    assert (clip.speaker, clip.gender, clip.session) == ("Ses03M", "male", "Session3")
    assert clip.path == (
        tmp_path / "IEMOCAP_full_release/Session3/sentences/wav/Ses03F_impro01"
        "/Ses03F_impro01_M001.wav"
    )
    assert len(corpus.classes) == 8


def test_iemocap_names_the_line_that_is_wrong(tmp_path: Path) -> None:
    root = trees.iemocap(tmp_path)
    table = root / "Session2/dialog/EmoEvaluation/Ses02F_impro01.txt"
    trees.write_lines(table, ["", "[1.0 - 2.0]\tSes09F_impro01_F000\tneu\t[2, 2, 2]"])
    with pytest.raises(CorpusError, match=r"Ses02F_impro01.txt:2: not a labelled utterance"):
        read("iemocap", root)


@pytest.mark.parametrize("name", ["Evalution.txt", "Evaluation.txt"])
def test_msp_improv(tmp_path: Path, name: str) -> None:
    corpus = read("msp_improv", trees.msp_improv(tmp_path, name=name))
    assert counts(corpus) == dict.fromkeys(("neutral", "happy", "sad", "angry"), 12)
    assert len(corpus.folds) == 6
    assert {id_.split("-")[3][1:] for id_ in corpus.folds[5].dev} == {"05"}
    assert corpus.left_out["MSP-IMPROV-S01A-M02-P-FM05"] == "the annotators do not agree"
    clip = next(u for u in corpus.utterances if u.id == "MSP-IMPROV-S01A-F03-P-MF01")
    assert (clip.speaker, clip.gender, clip.session) == ("F03", "female", "session3")
    assert clip.path == tmp_path / "session3/S01A/P/MSP-IMPROV-S01A-F03-P-MF01.wav"
    assert leaks(corpus) == ()


def test_msp_improv_under_its_audio_folder(tmp_path: Path) -> None:
    (tmp_path / "Audio").mkdir()
    corpus = read("msp_improv", trees.msp_improv(tmp_path))
    assert corpus.utterances[0].path.is_relative_to(tmp_path / "Audio" / "session1")


@pytest.mark.parametrize("labels", ["labels_consensus.csv", "labels_concensus.csv"])
def test_msp_podcast(tmp_path: Path, labels: str) -> None:
    corpus = read("msp_podcast", trees.msp_podcast(tmp_path, labels=labels), classes="all")
    assert sizes(corpus.folds) == [(8, 8, 8)]
    assert counts(corpus) == dict.fromkeys(corpus.classes, 3)
    reasons = Counter(corpus.left_out.values())
    assert reasons == {
        "in the partition Test2, which the protocol does not use": 10,
        "unknown speaker": 1,
        "unknown gender": 1,
        "labelled `other`": 3,
        "the annotators do not agree": 3,
    }
    assert corpus.utterances[0].path == tmp_path / "Audios" / corpus.utterances[0].id


def test_meld_shares_speakers_and_says_so(tmp_path: Path) -> None:
    corpus = read("meld", trees.meld(tmp_path))
    assert counts(corpus) == dict.fromkeys(("neutral", "happy", "sad", "angry"), 3)
    assert [(leak.speaker, leak.parts) for leak in leaks(corpus)] == [
        ("Joey", ("train", "dev", "test"))
    ]
    assert CORPORA["meld"].shares_speakers
    assert "not speaker-independent" in corpus.notes[0]
    assert {utterance.gender for utterance in corpus.utterances} == {None}


def test_meld_audio_is_found_with_or_without_its_waves_folder(tmp_path: Path) -> None:
    trees.meld(tmp_path / "MELD.Raw")
    (tmp_path / "MELD.Raw" / "dev_splits_complete" / "waves").mkdir(parents=True)
    paths = {u.id: u.path for u in read("meld", tmp_path).utterances}
    folder = tmp_path / "MELD.Raw"
    assert paths["dev/dia0_utt1"] == folder / "dev_splits_complete/waves/dia0_utt1.wav"
    assert paths["test/dia0_utt1"] == folder / "output_repeated_splits_test/dia0_utt1.wav"


def test_every_corpus_declares_itself() -> None:
    for name, reader in CORPORA.items():
        assert reader.name == name
        assert reader.title
        assert reader.licence
        assert all(len(language) in (2, 3) for language in reader.languages)
        assert set(reader.classes) <= set(reader.all_classes)
        if name not in ("demo", "manifest"):
            assert reader.citation
            assert reader.doi.startswith("10.")


@pytest.mark.parametrize("name", [name for name, info in CORPORA.items() if not info.synthetic])
@pytest.mark.parametrize("given", [None, "nowhere", "empty"])
def test_a_corpus_that_is_not_there(tmp_path: Path, name: str, given: str | None) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError) as caught:
        read(name, tmp_path / given if given else None)
    message = str(caught.value)
    assert "\n" not in message
    assert CORPORA[name].layout.splitlines()[0] in message
    assert CORPORA[name].request in message


def test_an_unknown_corpus_names_the_nearest() -> None:
    with pytest.raises(InputError, match="no corpus") as caught:
        read("cremad")
    assert "Did you mean crema_d?" in str(caught.value)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ("neutral,hapy", "no class hapy"),
        ("neutral", "one class is nothing to tell apart"),
        ("", "one"),
    ],
)
def test_classes_that_do_not_hold(tmp_path: Path, classes: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read("ravdess", trees.ravdess(tmp_path, range(1, 4)), classes=classes)


def test_chosen_classes_come_in_the_order_of_the_corpus(tmp_path: Path) -> None:
    corpus = read("ravdess", trees.ravdess(tmp_path, range(1, 4)), classes="sad, disgust,happy")
    assert corpus.classes == ("happy", "sad", "disgust")
    assert set(counts(corpus)) == set(corpus.classes)


def test_no_clip_of_the_chosen_classes(tmp_path: Path) -> None:
    root = trees.ravdess(tmp_path, range(1, 4), emotions=[1])
    with pytest.raises(CorpusError, match="no clip of the chosen classes"):
        read("ravdess", root, classes="fearful,disgust")
