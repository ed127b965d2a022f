"""Manifests: what is accepted, and every way in which one can be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.corpora.audit.check import check
from profiler.corpora.base import Corpus
from profiler.corpora.folds import leaks
from profiler.corpora.manifest import MOST_FAULTS, Manifest
from profiles_db.errors import CorpusError, TrustserError
from tests.profiler.corpora.trees import write_lines

HEADER = "path,speaker,label"
ROWS = [
    f"{speaker}/{label}.wav,{speaker},{label}" for speaker in "abcdef" for label in ("happy", "sad")
]


def write(folder: Path, *lines: str, end: str = "\n", name: str = "data.csv") -> Path:
    return write_lines(folder / name, lines, end=end)


def fault(folder: Path, *lines: str) -> str:
    """The message on a manifest that must be refused: one line, naming the file."""
    path = write(folder, *lines)
    with pytest.raises(CorpusError) as caught:
        Manifest().read(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


def ids(corpus: Corpus) -> list[str]:
    return [utterance.id for utterance in corpus.utterances]


def test_the_least_manifest(tmp_path: Path) -> None:
    corpus = Manifest().read(write(tmp_path, HEADER, *ROWS))
    assert corpus.classes == ("happy", "sad")
    first = corpus.utterances[0]
    assert (first.id, first.path) == ("a/happy.wav", tmp_path / "a" / "happy.wav")
    assert (first.speaker, first.label, first.gender) == ("a", "happy", None)
    assert len(corpus.folds) == 5
    assert leaks(corpus) == ()


def test_a_folder_stands_for_its_manifest(tmp_path: Path) -> None:
    write(tmp_path, HEADER, *ROWS, name="manifest.csv")
    assert len(Manifest().read(tmp_path).utterances) == 12


def test_paths_are_relative_to_the_manifest_wherever_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "data", HEADER, *ROWS)
    monkeypatch.chdir(tmp_path)
    corpus = Manifest().read(Path("data/data.csv"))
    assert corpus.utterances[0].path.resolve() == tmp_path / "data" / "a" / "happy.wav"
    assert ids(corpus) == ids(Manifest().read(tmp_path / "data" / "data.csv"))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_byte_order_marks(tmp_path: Path, end: str, mark: str) -> None:
    corpus = Manifest().read(write(tmp_path, mark + HEADER, *ROWS, "", end=end))
    assert len(corpus.utterances) == 12


def test_quotes_spaces_newlines_and_other_scripts(tmp_path: Path) -> None:
    names = [
        "a b.wav",
        'say "hi".wav',
        "two\nlines.wav",
        "comma,.wav",
        "日本語.wav",
        "é.wav",
        "-x.wav",
    ]
    rows = [
        '"{}",  {} , {} '.format(name.replace('"', '""'), "абв"[i % 3], ("happy", "sad")[i % 2])
        for i, name in enumerate(names)
    ]
    corpus = Manifest().read(write(tmp_path, HEADER, *rows))
    assert ids(corpus) == sorted(names)
    assert {utterance.speaker for utterance in corpus.utterances} == set("абв")


def test_columns_in_any_order_and_case_and_others_ignored(tmp_path: Path) -> None:
    rows = [f"{row.split(',')[2]},x,{row.split(',')[1]},{row.split(',')[0]}" for row in ROWS]
    corpus = Manifest().read(write(tmp_path, "Label,take,SPEAKER, path", *rows))
    assert corpus.notes[0] == "Columns not used: take."
    assert corpus.utterances[0].id == "a/happy.wav"


def test_groups_are_read_and_empty_ones_unknown(tmp_path: Path) -> None:
    rows = [f"{row}, {('Old', 'young', '')[n % 3]},us" for n, row in enumerate(ROWS)]
    corpus = Manifest().read(
        write(tmp_path, f"{HEADER},Group_age_band,group_accent,take", *(f"{r},1" for r in rows))
    )
    assert corpus.utterances[0].groups == (("age_band", "Old"), ("accent", "us"))
    assert corpus.utterances[2].groups == (("accent", "us"),)
    assert "Groups of clips by: age_band, accent." in corpus.notes
    assert corpus.notes[0] == "Columns not used: take."
    plain = Manifest().read(write(tmp_path, HEADER, *ROWS, name="plain.csv"))
    assert {one.groups for one in plain.utterances} == {()}
    assert [one.id for one in plain.utterances] == [one.id for one in corpus.utterances]


@pytest.mark.parametrize(
    ("header", "cell", "part"),
    [
        ("group_", "x", "letters a to z"),
        ("group_a=b", "x", "letters a to z"),
        ("group_gender", "x", "'gender' is a column of its own"),
        ("group_speaker", "x", "'speaker' is a column of its own"),
        ("group_a,group_a", "x,x", "column 'group_a' twice"),
        ("group_a", "x" * 61, "at most 60 printable characters"),
        ("group_a", '"x\ny"', "at most 60 printable characters"),
    ],
)
def test_groups_that_do_not_hold(tmp_path: Path, header: str, cell: str, part: str) -> None:
    assert part in fault(tmp_path, f"{HEADER},{header}", *(f"{row},{cell}" for row in ROWS))


def test_two_spellings_of_one_group(tmp_path: Path) -> None:
    rows = [f"{row},{('us', 'US')[n % 2]},{('a', 'b')[n % 2]}" for n, row in enumerate(ROWS)]
    message = fault(tmp_path, f"{HEADER},group_accent,group_b", *rows)
    assert "group_accent 'us' is also spelled 'US'" in message
    assert "group_b" not in message


def test_genders_as_people_write_them(tmp_path: Path) -> None:
    words = ["female", "F", "Male", "m", "", "unknown"]
    rows = [
        f"{s}/{w}{e}.wav,{s},{e},{w}" for s, w in zip("abcdef", words, strict=True) for e in "xy"
    ]
    corpus = Manifest().read(write(tmp_path, HEADER + ",gender", *rows))
    assert [u.gender for u in corpus.utterances[::2]] == [
        "female",
        "female",
        "male",
        "male",
        None,
        None,
    ]


def test_folds_by_speaker_spread_the_genders(tmp_path: Path) -> None:
    rows = [f"{s}{e}.wav,{s},{e},{'f' if s < 'f' else 'm'}" for s in "abcdefghij" for e in "xy"]
    corpus = Manifest().read(write(tmp_path, HEADER + ",gender", *rows))
    genders = {utterance.id: utterance.gender for utterance in corpus.utterances}
    for fold in corpus.folds:
        assert {genders[id_] for id_ in fold.test} == {"female", "male"}


@pytest.mark.parametrize("column", ["", ",session", ",split"])
def test_the_order_of_the_rows_changes_nothing(tmp_path: Path, column: str) -> None:
    values = {"session": dict(zip("abcdef", "112233", strict=True))}
    values["split"] = dict.fromkeys("abcdef", "train") | {"f": "test"}
    rows = [f"{row},{values[column[1:]][row[0]]}" if column else row for row in ROWS]
    one = Manifest().read(write(tmp_path, HEADER + column, *rows))
    other = Manifest().read(write(tmp_path, HEADER + column, *rows[::-1]))
    assert one == other


def test_a_split_comes_before_sessions_and_sessions_before_speakers(tmp_path: Path) -> None:
    parts = ["train", "Train", "validation", "val", "test", "testing"]
    rows = [f"{s}{e}.wav,{s},{e},{p},1" for s, p in zip("abcdef", parts, strict=True) for e in "xy"]
    split = Manifest().read(write(tmp_path, HEADER + ",split,session", *rows))
    assert [len(part) for f in split.folds for part in (f.train, f.dev, f.test)] == [4, 4, 4]
    rows = [f"{s}{e}.wav,{s},{e},{'abcdef'.index(s) // 2}" for s in "abcdef" for e in "xy"]
    session = Manifest().read(write(tmp_path, HEADER + ",session", *rows))
    assert [fold.test[0] for fold in session.folds] == ["ax.wav", "cx.wav", "ex.wav"]


def test_every_fault_is_named_in_one_go(tmp_path: Path) -> None:
    message = fault(
        tmp_path,
        HEADER + ",gender,split",
        "a.wav,a,happy,f,train",
        ",a,happy,f,train",
        "b.wav,,,f,train",
        "c.wav,c,sad,robot,nowhere",
        "a.wav,d,sad,,test",
        "e.wav,e",
        "f.wav,a,sad,m,",
    )
    for part in (
        "data.csv:3: no path",
        "line 4: no speaker and no label",
        "line 5: gender 'robot' is not",
        "line 5: split 'nowhere' is not",
        "line 6: path 'a.wav' is named in line 2 already",
        "line 7: 2 cells, but 5 columns",
        "line 8: speaker 'a' is male here, but female in line 2: two people under one name?",
        "no split, though line 2 has one",
    ):
        assert part in message


def test_after_ten_faults_the_rest_are_counted(tmp_path: Path) -> None:
    message = fault(tmp_path, HEADER, *[",s,l"] * 15)
    assert message.count("no path") == 10
    assert message.endswith("and 5 more.")


def test_a_file_that_is_all_faults_is_given_up_early(tmp_path: Path) -> None:
    message = fault(tmp_path, HEADER, *["x"] * 30_000)
    assert f"and {MOST_FAULTS - 10} more" in message


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("path,label", ":1: no column speaker"),
        ("", ":1: no column path, speaker, label"),
        ("path,speaker,label,path", "column 'path' twice"),
        ("path,speaker,label,gendre", "column 'gendre': 'gender' is meant?"),
        ("path,speaker,label,sesion", "column 'sesion': 'session' is meant?"),
        ("path;speaker;label", "cells are separated by commas"),
        ("path\tspeaker\tlabel", "cells are separated by commas"),
    ],
)
def test_headers_that_do_not_hold(tmp_path: Path, header: str, part: str) -> None:
    assert part in fault(tmp_path, header, *ROWS)


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../x.wav", "..", "a/../../x.wav", "./../x.wav", "a/b/../../../x.wav"],
)
def test_paths_out_of_the_folder_are_refused(tmp_path: Path, path: str) -> None:
    message = fault(tmp_path, HEADER, f"{path},a,happy", *ROWS)
    assert f"path {path!r} is not below the manifest's folder" in message


def test_paths_out_of_the_folder_where_allowed(tmp_path: Path) -> None:
    outside = [f"{tmp_path}/x.wav,a,happy", "../../y.wav,b,sad"]
    path = write(tmp_path / "d", HEADER, *outside, *ROWS)
    corpus = Manifest(allow_outside=True).read(path)
    assert ids(corpus)[:2] == ["../../y.wav", "../x.wav"]
    assert corpus.utterances[1].path.resolve() == tmp_path / "x.wav"


def test_one_file_written_two_ways_is_one_path(tmp_path: Path) -> None:
    message = fault(tmp_path, HEADER, "a/./x.wav,a,happy", "a/b/../x.wav,b,sad")
    assert "path 'a/b/../x.wav' is named in line 2 already" in message


@pytest.mark.parametrize("column", ["label", "speaker"])
def test_two_spellings_of_one_name(tmp_path: Path, column: str) -> None:
    other = ROWS[0].replace("happy.wav,a,happy", "z.wav,a,Happy")
    if column == "speaker":
        other = "z.wav,A,happy"
    assert f"{column} " in (message := fault(tmp_path, HEADER, *ROWS, other))
    assert "is also spelled" in message


def test_bytes_that_are_no_utf_8_are_named_with_their_line(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER, *ROWS)
    path.write_bytes(path.read_bytes() + "é.wav,a,happy\n".encode("latin-1"))
    with pytest.raises(CorpusError, match=r"data.csv:14: not UTF-8"):
        Manifest().read(path)


def test_utf_16_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("\n".join([HEADER, *ROWS]), encoding="utf-16")
    with pytest.raises(CorpusError, match="no column path"):
        Manifest().read(path)


def test_an_open_quote_does_not_swallow_the_file(tmp_path: Path) -> None:
    assert "not CSV" in fault(tmp_path, HEADER, '"a.wav,a,happy', *ROWS * 10_000)


@pytest.mark.parametrize(
    ("rows", "part"),
    [
        ([], "0 different labels"),
        (["a.wav,a,happy", "b.wav,b,happy", "c.wav,c,happy"], "1 different labels"),
        ([f"{n}.wav,s{n},label {n}" for n in range(101)], "101 different labels"),
    ],
)
def test_too_few_or_too_many_classes(tmp_path: Path, rows: list[str], part: str) -> None:
    assert part in fault(tmp_path, HEADER, *rows)


def test_one_speaker_cannot_be_folded(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER, "a.wav,a,happy", "b.wav,a,sad")
    with pytest.raises(CorpusError, match="1 speaker: no speaker-disjoint folds"):
        Manifest().read(path)


def test_a_large_manifest_is_read_and_audited_from_metadata(tmp_path: Path) -> None:
    rows = (
        f"{n % 500}/{n}.wav,s{n % 500:03d},{('happy', 'sad')[n // 500 % 2]},{'fm'[n % 2]}"
        for n in range(100_000)
    )
    audit = check(Manifest().read(write(tmp_path, HEADER + ",gender", *rows)), audio=False)
    assert audit.classes == {"happy": 50_000, "sad": 50_000}
    assert len(audit.speakers) == 500
    assert [fold.parts["test"].speakers for fold in audit.folds] == [100] * 5
    assert [finding.code for finding in audit.findings] == ["audio_missing"]


def test_a_nul_in_a_path(tmp_path: Path) -> None:
    assert "NUL in the path" in fault(tmp_path, HEADER, "a\0.wav,a,happy", *ROWS)


_cells = st.one_of(
    st.sampled_from(
        ["path", "speaker", "label", "gender", "split", "train", "f", "../x", "", '"', "\0"]
    ),
    st.text(max_size=6),
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.lists(_cells, max_size=6).map(",".join), max_size=12),
    st.sampled_from(["", HEADER, HEADER + ",gender,session,split"]),
    st.binary(max_size=8),
)
def test_any_file_is_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, rows: list[str], header: str, tail: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    text = "\n".join([header, *rows])
    path.write_bytes(text.encode("utf-8", "surrogatepass") + tail)
    message, found = "", ["never read"]
    try:
        found = ids(Manifest().read(path))
    except TrustserError as error:
        message = str(error)
    assert "\n" not in message
    assert found
    assert len(set(found)) == len(found)
