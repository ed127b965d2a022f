"""The protocol object: every setting enters the hash, bad settings get one clear line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from profiler.protocol import Protocol, load_protocol
from profiles_db.errors import InputError

OTHER: dict[str, Any] = {
    "classes": "all", "seconds": 5.0, "min_seconds": 0.2, "folds": 1, "seeds": 2, "base_seed": 9,
    "hidden_size": 64, "dropout": 0.1, "epochs": 2, "probe_epochs": 2, "batch_size": 8,
    "learning_rate": 1e-3, "betas": (0.9, 0.999), "weight_decay": 0.0, "plateau_factor": 0.1,
    "plateau_patience": 1, "min_learning_rate": 0.0, "class_weighting": "none", "snr_db": 40.0,
    "snr_curve_db": (10.0,), "clip_waveform": False, "pgd_steps": 0, "pgd_clips": 1,
    "enrolment_clips": 2, "trial_clips": 50, "impostors": 3, "resamples": 500,
    "precision": "bfloat16",
}  # fmt: skip


def test_every_setting_enters_the_hash() -> None:
    assert set(OTHER) == set(Protocol.model_fields)
    digests = {Protocol(**{name: value}).digest() for name, value in OTHER.items()}
    assert len(digests | {Protocol().digest()}) == len(OTHER) + 1


def test_the_defaults_are_the_reference_protocol() -> None:
    protocol = Protocol()
    assert (protocol.hidden_size, protocol.dropout) == (128, 0.2)
    assert (protocol.learning_rate, protocol.betas) == (5e-4, (0.9, 0.98))
    assert (protocol.weight_decay, protocol.batch_size) == (1e-4, 64)
    assert (protocol.epochs, protocol.probe_epochs) == (30, 10)
    assert (protocol.plateau_factor, protocol.plateau_patience) == (0.5, 5)
    assert protocol.min_learning_rate == 5e-5
    assert (protocol.seconds, protocol.snr_db) == (6.0, 45.0)
    assert [protocol.seed(fold, 0) for fold in (1, 2, 3)] == [8, 16, 24]
    assert protocol.snrs_db == (25.0, 35.0, 45.0, 55.0)


def test_file_settings_and_options_win_in_that_order(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("epochs: 3\nlearning_rate: 1e-3\nsnr_db: 30\n")
    protocol = load_protocol(file, ["epochs=4", "betas=[0.8, 0.9]"], epochs=5, seeds=None)
    assert (protocol.epochs, protocol.learning_rate, protocol.snr_db) == (5, 1e-3, 30.0)
    assert protocol.betas == (0.8, 0.9)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("epochs=0", "greater than or equal to 1"),
        ("epoch=3", "no setting is called 'epoch'"),
        ("epochs", "no setting"),
        ("betas=[1, 2]", "betas must lie in [0, 1)"),
        ("seconds=nan", "seconds"),
        ("precision=float16", "'float32' or 'bfloat16'"),
        ("dropout=[", "is not YAML"),
        ("learning_rate=!!python/object:os.system x", "is not YAML"),
    ],
)
def test_bad_settings_get_one_line(setting: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        load_protocol(None, [setting])
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_protocol_file_that_is_none_is_refused(tmp_path: Path) -> None:
    for content in (b"- 1\n- 2\n", b"\xff\xfe\x00"):
        file = tmp_path / "p.yaml"
        file.write_bytes(content)
        with pytest.raises(InputError, match=r"p\.yaml"):
            load_protocol(file)
    with pytest.raises(InputError, match="missing"):
        load_protocol(tmp_path / "missing.yaml")
