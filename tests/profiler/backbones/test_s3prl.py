"""APC and TERA against s3prl's own upstream experts, in every form their files come in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from s3prl.upstream.apc.expert import UpstreamExpert as ApcExpert
from s3prl.upstream.mockingjay.builder import position_encoding
from s3prl.upstream.tera.expert import UpstreamExpert as TeraExpert
from torch import Tensor, nn

from profiler.backbones.load import load
from profiler.backbones.tera import sinusoids
from profiles_db.errors import CheckpointError
from tests.profiler.backbones.checkpoints import (
    APC_CONFIG,
    TERA_CONFIG,
    apc_checkpoint,
    tera_checkpoint,
)

MAKERS: dict[str, Callable[..., Path]] = {"apc": apc_checkpoint, "tera": tera_checkpoint}


def wanted(expert: nn.Module, waveform: Tensor) -> Tensor:
    """Hidden states as s3prl returns them, each clip alone."""
    with torch.no_grad():
        clips = [torch.stack(list(expert([clip])["hidden_states"]), dim=1) for clip in waveform]
    return torch.cat(clips)


@pytest.mark.parametrize("seconds", [0.5, 2.0])
@pytest.mark.parametrize(("name", "expert"), [("apc", ApcExpert), ("tera", TeraExpert)])
def test_hidden_states_equal_the_upstream(
    tmp_path: Path, name: str, expert: type[nn.Module], seconds: float
) -> None:
    """At 2 s TERA's small sequence length makes s3prl, and this program, encode in chunks."""
    file = MAKERS[name](tmp_path / "states.ckpt")
    waveform = 0.1 * torch.randn(
        2, int(seconds * 16_000), generator=torch.Generator().manual_seed(6)
    )
    backbone = load(name, str(file))

    torch.testing.assert_close(
        backbone(waveform), wanted(expert(str(file)).eval(), waveform), rtol=1e-3, atol=1e-4
    )


def test_positions_equal_those_of_s3prl() -> None:
    torch.testing.assert_close(sinusoids(1_500, 32), position_encoding(1_500, 32))


def test_loading_prints_nothing_and_draws_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [MAKERS[name](tmp_path / name) for name in MAKERS]
    before = torch.get_rng_state()
    for name, file in zip(MAKERS, files, strict=True):
        load(name, str(file))
        load(name, "random")

    assert capsys.readouterr().out == ""
    assert torch.equal(torch.get_rng_state(), before)


def test_an_apc_file_with_the_options_of_its_training_run_loads(tmp_path: Path) -> None:
    plain = load("apc", str(apc_checkpoint(tmp_path / "plain.ckpt")))
    with_options = load("apc", str(apc_checkpoint(tmp_path / "options.ckpt", namespace=True)))

    assert plain.weights.id == with_options.weights.id


def test_a_tera_file_is_the_same_in_either_container_and_under_either_key(tmp_path: Path) -> None:
    legacy = tera_checkpoint(tmp_path / "legacy.ckpt", legacy=True)
    present = tera_checkpoint(tmp_path / "present.ckpt", legacy=False)
    older = tera_checkpoint(tmp_path / "older.ckpt", Config=TERA_CONFIG, Upstream_Config={})

    assert len({load("tera", str(file)).weights.id for file in (legacy, present, older)}) == 1


def test_a_tera_file_with_schedules_of_its_training_run_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of the time when s3prl's optimisers were a top-level module carry such objects."""
    import sys  # noqa: PLC0415

    import s3prl.optimizers  # noqa: PLC0415

    schedule = s3prl.optimizers.WarmupLinearSchedule(warmup=0.07, t_total=100)
    optimiser = {"param_groups": [{"schedule": schedule, "lr": 2e-4}]}
    file = tera_checkpoint(tmp_path / "states.ckpt", Optimizer=optimiser)
    plain = tera_checkpoint(tmp_path / "plain.ckpt")
    assert load("tera", str(file)).weights.id == load("tera", str(plain)).weights.id

    monkeypatch.setitem(sys.modules, "optimizers", s3prl.optimizers)
    monkeypatch.setattr(s3prl.optimizers.WarmupLinearSchedule, "__module__", "optimizers")
    former = tera_checkpoint(tmp_path / "former.ckpt", Optimizer=optimiser)
    monkeypatch.undo()
    assert load("tera", str(former)).weights.id == load("tera", str(plain)).weights.id


@pytest.mark.parametrize("name", MAKERS)
def test_a_missing_part_is_named(tmp_path: Path, name: str) -> None:
    part = {"apc": "model", "tera": "Transformer"}[name]
    file = MAKERS[name](tmp_path / "states.ckpt", **{part: None})
    with pytest.raises(CheckpointError, match=f"part {part} is missing"):
        load(name, str(file))


def test_another_front_end_is_refused_by_name(tmp_path: Path) -> None:
    audio = {**APC_CONFIG["data"]["audio"], "feat_dim": 40}
    config = {**APC_CONFIG, "data": {"audio": audio}}
    with pytest.raises(CheckpointError, match=r"audio\.feat_dim is 40 instead of 80"):
        load("apc", str(apc_checkpoint(tmp_path / "apc.ckpt", config=config)))
    upstream = {**TERA_CONFIG, "audio": {**TERA_CONFIG["audio"], "n_mels": 40}}
    with pytest.raises(CheckpointError, match="audio n_mels is 40 instead of 80"):
        load("tera", str(tera_checkpoint(tmp_path / "tera.ckpt", Upstream_Config=upstream)))


@pytest.mark.parametrize("name", MAKERS)
def test_a_broken_configuration_is_one_line(tmp_path: Path, name: str) -> None:
    key = {"apc": "config", "tera": "Upstream_Config"}[name]
    file = MAKERS[name](tmp_path / "states.ckpt", **{key: {"model": 3}})
    with pytest.raises(CheckpointError, match="configuration cannot be followed"):
        load(name, str(file))
