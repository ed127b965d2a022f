"""What a backbone can be called, and what is said where nothing of that name is known."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from profiler.backbones.catalogue import CATALOGUE, FACTORIES, installed, resolve
from profiles_db.errors import InputError


def test_the_catalogue_holds_what_it_should() -> None:
    seven = {"apc", "tera", "whisper_tiny", "whisper_base", "whisper_small"}
    seven |= {"wav2vec2_base", "wavlm_base_plus"}

    assert seven | {"hubert_base", "fbank"} <= set(CATALOGUE)
    assert {entry.family for entry in CATALOGUE.values()} == set(FACTORIES)
    for name, entry in CATALOGUE.items():
        assert entry.name == name
        assert entry.title
        assert entry.licence
        assert entry.pre_training_data
        assert entry.languages
        assert re.match(r"arXiv:\d{4}\.\d{5}|huggingface\.co/|doi\.org/", entry.source)
        assert entry.training_hours is not None
        assert entry.hidden_size
        assert entry.layers
        assert (entry.hub_id is None) == (name in {"fbank", "cnn14", "egemaps"})
        assert (entry.training_hours == 0) == (name in {"fbank", "egemaps"})


def test_a_repository_is_that_of_its_source() -> None:
    for entry in CATALOGUE.values():
        assert (entry.hub_id or entry.url or "").removeprefix("https://") in entry.source or (
            entry.url and entry.url.rpartition("/")[2] in entry.source
        )


def test_hours_are_those_of_the_data() -> None:
    """Where the words give one figure for all of it, the number is the same."""
    for entry in CATALOGUE.values():
        printed = [
            int(n.replace(",", "")) for n in re.findall(r"([\d,]+) h\b", entry.pre_training_data)
        ]
        if printed and not entry.pre_training_data.startswith("as "):
            assert sum(printed) == entry.training_hours, entry.name


def test_no_checkpoint_has_two_names() -> None:
    assert len({entry.checkpoint for entry in CATALOGUE.values()}) == len(CATALOGUE)


@pytest.mark.parametrize(
    ("name", "licence"),
    [
        ("wav2vec2_emotion_dim", "CC BY-NC-SA 4.0"),
        ("wav2vec2_large_voxpopuli", "CC BY-NC 4.0"),
        ("mms_300m", "CC BY-NC 4.0"),
    ],
)
def test_what_may_not_be_used_commercially_says_so(name: str, licence: str) -> None:
    assert CATALOGUE[name].licence == licence


def test_the_catalogue_is_read_without_torch() -> None:
    code = "import sys, profiler.backbones.catalogue; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("wisper_tiny", "whisper_tiny"), ("wavlm_base_pls", "wavlm_base_plus"), ("Fbank", "fbank")],
)
def test_an_unknown_name_is_answered_with_the_nearest(typed: str, meant: str) -> None:
    with pytest.raises(InputError, match=f"unknown backbone '{typed}'.*Did you mean {meant}"):
        resolve(typed)


def test_a_name_like_none_is_answered_with_all() -> None:
    with pytest.raises(InputError, match=r"Known are apc, tera, .*hf:ORG/NAME"):
        resolve("\N{SNOWMAN}")
    with pytest.raises(InputError, match="unknown backbone ''"):
        resolve("")


def test_a_repository_of_the_hub_needs_no_entry() -> None:
    entry = resolve("hf:openai/whisper-large-v3")

    assert (entry.name, entry.hub_id) == ("hf:openai/whisper-large-v3", "openai/whisper-large-v3")


@pytest.mark.parametrize(
    "name", ["hf:", "hf:whisper", "hf:a/b/c", "hf:../../etc/passwd", "hf:a/ b"]
)
def test_what_names_no_repository_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="hf:ORG/NAME"):
        resolve(name)


def test_a_local_folder_is_known_by_its_configuration(tmp_path: Path) -> None:
    folder = tmp_path / "my_wavlm"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "wavlm"}))
    entry = resolve(str(folder))

    assert (entry.name, entry.family, entry.folder) == ("my_wavlm", "wavlm", folder)


@pytest.mark.parametrize("content", [None, "{", "[]", '{"model_type": "bert"}', "{}"])
def test_a_local_folder_of_no_known_family_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(InputError, match=r"config\.json"):
        resolve(str(tmp_path))


def test_a_name_of_the_catalogue_is_never_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fbank").mkdir()
    monkeypatch.chdir(tmp_path)

    assert resolve("fbank") is CATALOGUE["fbank"]


def test_installed_begins_with_the_catalogue() -> None:
    assert list(installed())[: len(CATALOGUE)] == list(CATALOGUE.values())
