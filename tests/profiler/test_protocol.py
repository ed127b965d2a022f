"""The protocol object: every setting enters the hash, bad settings get one clear line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import pytest
import torch
from pydantic import Field

from advisor.evidence.selection import ADDED
from profiler.measures.privacy import PrivacySettings
from profiler.measures.registry import measures
from profiler.measures.safety import SafetySettings
from profiler.protocol import (
    MOST_SEED,
    Protocol,
    TrainingSettings,
    load_protocol,
    sections,
)
from profiler.settings import Settings, StudySettings
from profiles_db.errors import InputError
from tests.profiles_db.test_located_yaml import BOMB

SOUNDS = {"path": "/sounds", "digest": f"sha256:{'0' * 64}"}
OTHER_CORPUS = {"dataset": "demo", "digest": f"sha256:{'0' * 64}", "clips": {"a": 1}}
OTHER: dict[str, dict[str, Any]] = {
    "study": {"classes": "all", "seconds": 5.0, "min_seconds": 0.2, "folds": 1},
    "training": {
        "precision": "bfloat16", "repetitions": 2, "base_seed": 9, "hidden_size": 64,
        "convolutions": 3, "pooling": "attention",
        "dropout": 0.1, "epochs": 2, "batch_size": 8, "learning_rate": 1e-3,
        "tune_learning_rate": 1e-5,
        "betas": (0.9, 0.999), "weight_decay": 0.0, "plateau_factor": 0.1, "plateau_patience": 1,
        "min_learning_rate": 0.0, "class_weighting": "none",
    },
    "performance": {"resamples": 500},
    "privacy": {
        "probe_epochs": 2, "attacker_clips": 100, "enrolment_clips": 2, "trial_clips": 50,
        "impostors": 3, "resamples": 500,
    },
    "safety": {
        "snr_db": 40.0, "snr_curve_db": (10.0,), "clip_waveform": False, "pgd_steps": 0,
        "pgd_clips": 1,
    },
    "fairness": {"resamples": 500},
    "sustainability": {},
    "robustness": {
        "background": SOUNDS, "rooms": SOUNDS, "background_snr_db": (5.0,), "babble_snr_db": (),
        "white_noise_snr_db": (30.0,), "tone_snr_db": (), "gain_db": (3.0,), "clipping": (0.01,),
        "append": (1,), "prepend": (2,), "crop_start": (3,), "crop_end": (4,),
        "high_pass_hz": (80.0,), "low_pass_hz": (4000.0,), "telephone_kbits": (13,),
        "tilt_db_per_octave": (1.0,), "reverberation_s": (0.5,), "speed_up": (1.5,),
        "fade_per_second": (0.1,),
    },
    "dimensional": {"head_epochs": 2, "resamples": 500},
    "dimensional_safety": {
        "attack_head_epochs": 2, "attack_snr_db": 40.0, "attack_curve_db": (10.0,),
        "attack_clips": None,
        "attack_clip_waveform": False,
    },
    "groups": {
        "intersections": ("gender+accent",), "least_clips": 5, "least_speakers": 3,
        "most_groups": 20, "speaker_clips": 100, "draws": 500, "permutations": 500,
    },
    "embeddings": {"layer": 2, "method": "tsne", "points": 50, "neighbours": 5},
    "data_amount": {"shares": (0.3,)},
    "generalisation": {"test_on": (OTHER_CORPUS,)},
    "linguistic": {"voice": "de", "texts": f"sha256:{'0' * 64}"},
}  # fmt: skip
EACH = [(section, name) for section, values in OTHER.items() for name in values]


def test_every_setting_is_tried() -> None:
    assert {s: set(values) for s, values in OTHER.items()} == {
        section: set(kind.model_fields) for section, kind in sections().items()
    }


@pytest.mark.parametrize(("section", "name"), EACH)
def test_a_setting_names_what_depends_on_it_and_nothing_else(section: str, name: str) -> None:
    """The basis of a measure's figures, and the run's rows but for what shapes figures alone."""
    usual, other = Protocol.of(), Protocol.of(**{section: {name: OTHER[section][name]}})
    changed = {
        measure for measure in measures() if usual.basis("s", measure) != other.basis("s", measure)
    }
    if section == "study":  # names the study itself, by its identity
        assert other.study.identity() != usual.study.identity()
        assert not changed
    else:
        assert changed == (set(measures()) if section == "training" else {section})
    figures_only = name == "resamples" or section == "groups"
    rows_change = section not in ("study", "training") and not figures_only
    assert bool(other.own_settings) == rows_change


def test_a_setting_that_is_new_renames_nothing_at_its_default() -> None:
    class Before(Settings):
        a: Annotated[int, Field(ge=0)] = 1

    class After(Before):
        b: Annotated[int, Field(ge=0)] = 2

    assert After(a=3).identity() == Before(a=3).identity()
    assert After(b=3).identity() != After().identity()


def test_what_runs_before_a_setting_did_is_its_default() -> None:
    record = Protocol.of().as_record()
    for name, value in ADDED.items():
        section, _, own = name.partition(".")
        assert record[section][own] == value, name


def test_old_names_are_understood_with_a_hint(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("seeds: 2\nsafety:\n  snr_db: 30\n")
    said: list[str] = []
    found = load_protocol(file, ["resamples=300", "training.epochs=4"], say=said.append)
    assert found == Protocol.of(
        training={"repetitions": 2, "epochs": 4}, safety={"snr_db": 30},
        performance={"resamples": 300}, privacy={"resamples": 300}, fairness={"resamples": 300},
        dimensional={"resamples": 300},
    )  # fmt: skip
    assert len(said) == 2
    assert said[0].endswith("p.yaml:1:8: seeds is called training.repetitions now")
    assert "performance.resamples, privacy.resamples, fairness.resamples" in said[1]


def test_settings_come_back_from_a_record_of_any_release() -> None:
    protocol = Protocol.of(epochs=3, snr_db=40.0, seeds=2, resamples=300, pgd_clips=None)
    record = json.loads(json.dumps(protocol.as_record()))
    assert Protocol.from_record(record) == protocol
    flat = {"epochs": 3, "snr_db": 40.0, "seeds": 2, "resamples": 300, "pgd_clips": None}
    assert Protocol.from_record(flat) == protocol
    assert (
        Protocol.from_record({"only": "sustainability", "of_a_plugin": {"x": 1}}) == Protocol.of()
    )


def test_the_defaults_are_the_reference_protocol() -> None:
    training, privacy, safety = TrainingSettings(), PrivacySettings(), SafetySettings()
    assert (training.hidden_size, training.dropout) == (128, 0.2)
    assert (training.learning_rate, training.betas) == (5e-4, (0.9, 0.98))
    assert (training.weight_decay, training.batch_size) == (1e-4, 64)
    assert (training.epochs, privacy.probe_epochs) == (30, 10)
    assert (training.plateau_factor, training.plateau_patience) == (0.5, 5)
    assert training.min_learning_rate == 5e-5
    assert (StudySettings().seconds, safety.snr_db) == (6.0, 45.0)
    assert [training.seed(fold, 0) for fold in (1, 2, 3)] == [8, 16, 24]
    assert safety.snrs_db == (25.0, 35.0, 45.0, 55.0)


def test_settings_and_files_read_numbers_alike_and_say_where_one_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("learning_rate: 1e-3\nepochs: 0\n")
    with pytest.raises(InputError, match=r"p\.yaml:2:9: training\.epochs: .* \(found 0\)"):
        load_protocol(file)
    with pytest.raises(InputError, match=r"^--epochs: training\.epochs: "):
        load_protocol(file, epochs=-1)
    file.write_text("learning_rate: 1e-3\nbetas: [8e-1, .9]\n")
    same = load_protocol(None, ["learning_rate=1e-3", "betas=[8e-1, .9]"])
    assert load_protocol(file) == same == Protocol.of(learning_rate=0.001, betas=(0.8, 0.9))


def test_every_seed_that_is_taken_is_one_to_torch() -> None:
    training = TrainingSettings(base_seed=MOST_SEED, repetitions=100)
    torch.Generator().manual_seed(training.seed(10_000, 99))


def test_no_number_goes_without_bounds() -> None:
    """An upper bound for each, so that no typing error asks for what no machine has."""
    for section in sections().values():
        for name, field in section.model_json_schema().get("properties", {}).items():
            for kind in (field, *field.get("anyOf", ())):
                if kind.get("type") in ("integer", "number"):
                    assert {"maximum", "exclusiveMaximum"} & set(kind), name


def test_file_settings_and_options_win_in_that_order(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("epochs: 3\nlearning_rate: 1e-3\nsnr_db: 30\n")
    protocol = load_protocol(
        file, ["epochs=4", "training.betas=[0.8, 0.9]"], epochs=5, repetitions=None
    )
    assert protocol == Protocol.of(epochs=5, learning_rate=1e-3, snr_db=30.0, betas=(0.8, 0.9))


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("epochs=0", "greater than or equal to 1"),
        ("epoch=3", "no setting is called 'epoch'"),
        ("epochs", "no setting"),
        ("betas=[1, 2]", "betas must lie in [0, 1)"),
        ("seconds=nan", "study.seconds"),
        ("safety.snr=3", "no setting is called 'safety.snr'"),
        ("training.epochs=0", "training.epochs: "),
        ("precision=float16", "'float32' or 'bfloat16'"),
        ("training.pooling=max", "'mean' or 'attention'"),
        ("training.convolutions=0", "greater than or equal to 1"),
        ("training.convolutions=11", "less than or equal to 10"),
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
        ("robustness.background=missing", "is no folder"),
        ("robustness.background=true", "no numbers"),
        ("robustness.rooms={path: x}", "robustness.rooms"),
        ("robustness.gain_db=[.inf]", "robustness.gain_db"),
        ("robustness.speed_up=[1]", "greater than 1"),
        ("robustness.telephone_kbits=[12]", "13 or 64"),
        ("robustness.append=[1000000]", "less than or equal to 160000"),
        ("robustness.gain_db=[" + "1," * 21 + "]", "at most 20 items"),
        ("generalisation.test_on=[nope=x]", "no corpus 'nope'"),
        ("generalisation.test_on=[=x]", "names no corpus"),
        ("generalisation.test_on=[demo, demo]", "named twice"),
        ("generalisation.test_on=[{dataset: demo, nope: 1}]", "generalisation.test_on"),
        ("generalisation.test_on=[{dataset: demo, labels: {nope: sad}}]", "no label nope"),
        ("generalisation.test_on=[3]", "generalisation.test_on"),
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
