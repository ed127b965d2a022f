"""Folders of sounds: known by their content, read in one order, refused where they changed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from profiler.measures import sound_folders
from profiler.measures.robustness import RobustnessSettings
from profiler.measures.sound_folders import SoundFolder
from profiler.protocol import Protocol, load_protocol
from profiles_db.errors import InputError


def _fill(folder: Path, seed: int = 0) -> Path:
    """Two sounds, one in a folder of its own, and a text that is none."""
    (folder / "rain").mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for name in ("b.wav", "rain/a.flac"):
        soundfile.write(folder / name, 0.1 * rng.standard_normal(800), 16_000)
    (folder / "LICENSE").write_text("free")
    return folder


def test_a_folder_is_its_content_wherever_it_lies(tmp_path: Path) -> None:
    one, same, other = (_fill(tmp_path / n, seed) for n, seed in (("x", 0), ("y", 0), ("z", 1)))
    settings = [
        RobustnessSettings.model_validate({"background": str(folder)})
        for folder in (one, same, other)
    ]
    bases = [Protocol(measures={"robustness": s}).basis("s", "robustness") for s in settings]
    assert bases[0] == bases[1] != bases[2]
    assert str(tmp_path) not in str(settings[0].changed())
    folder = settings[0].background
    assert folder is not None
    assert [p.relative_to(one).as_posix() for p in folder.sounds()] == ["b.wav", "rain/a.flac"]


def test_the_digest_is_of_names_and_bytes(tmp_path: Path) -> None:
    folder = _fill(tmp_path / "x")
    whole = hashlib.sha256()
    for name in ("b.wav", "rain/a.flac"):
        own = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        whole.update(f"{name}\0{own}\n".encode())
    assert SoundFolder.model_validate(str(folder)).digest == f"sha256:{whole.hexdigest()}"


def test_settings_come_back_from_a_record_without_the_folder(tmp_path: Path) -> None:
    folder = _fill(tmp_path / "x")
    protocol = load_protocol(None, [f"robustness.background={folder}"])
    (folder / "b.wav").unlink()
    assert Protocol.from_record(protocol.as_record()) == protocol


def test_a_folder_that_changed_since_is_refused(tmp_path: Path) -> None:
    folder = _fill(tmp_path / "x")
    named = SoundFolder.model_validate(str(folder))
    soundfile.write(folder / "b.wav", np.ones(900) * 0.1, 16_000)
    with pytest.raises(InputError, match="holds other sounds than when it was named"):
        named.sounds()


def test_no_folder_of_sounds_is_walked_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _fill(tmp_path / "x")
    (folder / "again").symlink_to(folder)
    assert len(SoundFolder.model_validate(str(folder)).sounds()) == 2
    monkeypatch.setattr(sound_folders, "MOST_FILES", 3)
    with pytest.raises(InputError, match="more than 3 files"):
        SoundFolder.model_validate(str(folder))
    monkeypatch.undo()
    monkeypatch.setattr(sound_folders, "MOST_SOUNDS", 1)
    with pytest.raises(InputError, match="holds 2 sounds"):
        SoundFolder.model_validate(str(folder))
