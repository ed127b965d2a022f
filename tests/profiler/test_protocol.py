"""The protocol object: every setting enters the hash, bad settings get one clear line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from profiler.protocol import MOST_SEED, Protocol, load_protocol
from profiles_db.errors import InputError
from tests.profiles_db.test_located_yaml import BOMB

OTHER: dict[str, Any] = {
    "classes": "all", "seconds": 5.0, "min_seconds": 0.2, "folds": 1, "seeds": 2, "base_seed": 9,
    "hidden_size": 64, "dropout": 0.1, "epochs": 2, "probe_epochs": 2, "batch_size": 8,
    "learning_rate": 1e-3, "betas": (0.9, 0.999), "weight_decay": 0.0, "plateau_factor": 0.1,
    "plateau_patience": 1, "min_learning_rate": 0.0, "class_weighting": "none", "snr_db": 40.0,
    "snr_curve_db": (10.0,), "clip_waveform": False, "pgd_steps": 0, "pgd_clips": 1,
    "attacker_clips": 100, "enrolment_clips": 2, "trial_clips": 50, "impostors": 3,
    "resamples": 500,
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


def test_settings_and_files_read_numbers_alike_and_say_where_one_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("learning_rate: 1e-3\nepochs: 0\n")
    with pytest.raises(InputError, match=r"p\.yaml:2:9: epochs: .* \(found 0\)"):
        load_protocol(file)
    with pytest.raises(InputError, match=r"^--epochs: epochs: "):
        load_protocol(file, epochs=-1)
    file.write_text("learning_rate: 1e-3\nbetas: [8e-1, .9]\n")
    same = load_protocol(None, ["learning_rate=1e-3", "betas=[8e-1, .9]"])
    assert load_protocol(file) == same == Protocol(learning_rate=0.001, betas=(0.8, 0.9))


def test_every_seed_that_is_taken_is_one_to_torch() -> None:
    protocol = Protocol(base_seed=MOST_SEED, seeds=100, folds=10_000)
    torch.Generator().manual_seed(protocol.seed(10_000, 99))


def test_no_number_goes_without_bounds() -> None:
    """An upper bound for each, so that no typing error asks for what no machine has."""
    fields = Protocol.model_json_schema()["properties"]
    for name, field in fields.items():
        kinds = [field, *field.get("anyOf", ())]
        for kind in kinds:
            if kind.get("type") in ("integer", "number"):
                assert {"maximum", "exclusiveMaximum"} & set(kind), name


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
        ("dropout=[", "not YAML"),
        ("learning_rate=!!python/object:os.system x", "no tags"),
        ("learning_rate=inf", "finite"),
        ("learning_rate=.inf", "number"),
        ("weight_decay=inf", "finite"),
        ("weight_decay=1e999", "finite"),
        ("min_learning_rate=nan", "finite"),
        ("snr_curve_db=[nan]", "finite"),
        ("snr_curve_db=[1e9]", "less than or equal to 100"),
        ("batch_size=99999999999999999999", "less than or equal to"),
        ("base_seed=4294967296", "less than or equal to 4294967295"),
        ("folds=true", "no numbers"),
        ("epochs=" + "[" * 3000, "levels"),
        ("betas=" + "{a: " * 3000, "levels"),
    ],
)
def test_bad_settings_get_one_line(setting: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        load_protocol(None, [setting])
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_protocol_file_that_is_none_is_refused(tmp_path: Path) -> None:
    for content in (b"- 1\n- 2\n", b"\xff\xfe\x00", BOMB.encode(), b"[" * 3000, b"# " * 2**20):
        file = tmp_path / "p.yaml"
        file.write_bytes(content)
        with pytest.raises(InputError, match=r"p\.yaml"):
            load_protocol(file)
    for path in (tmp_path, Path("/dev/zero")):
        with pytest.raises(InputError, match=r"is a folder|not a regular file"):
            load_protocol(path)
    with pytest.raises(InputError, match="missing"):
        load_protocol(tmp_path / "missing.yaml")
