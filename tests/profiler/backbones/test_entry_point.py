"""A backbone that another package adds: the very package that the guide shows."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from profiler.backbones.catalogue import CATALOGUE, installed, resolve
from profiler.backbones.load import load
from profiler.measures.costs.architecture import architecture_costs
from profiles_db.errors import CheckpointError, InputError
from tests.conftest import REPOSITORY

GUIDE = REPOSITORY / "docs" / "adding-a-backbone.md"

# Beside the guide's own: an entry of a known family, and what is no entry.
FURTHER_ENTRIES = """
larger_whisper = Entry(
    name="larger_whisper",
    title="A whisper of another size",
    family="whisper",
    hub_id="example/larger-whisper",
    architecture={"d_model": 32, "encoder_layers": 3, "encoder_attention_heads": 2,
                  "encoder_ffn_dim": 64},
)
broken = "not an entry"
"""


def guide_files() -> dict[str, str]:
    """The files that the guide shows, by their names."""
    shown = re.findall(r"^`([\w./]+)`:\n\n```\w+\n(.*?)^```", GUIDE.read_text(), re.M | re.S)
    return dict(shown)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path that holds the guide's package as installing it leaves it."""
    files = guide_files()
    package = tmp_path / "framed_backbone"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "catalogue.py").write_text(files["framed_backbone/catalogue.py"] + FURTHER_ENTRIES)
    (package / "model.py").write_text(files["framed_backbone/model.py"])
    project = tomllib.loads(files["pyproject.toml"])["project"]
    points = project["entry-points"]["trustser.backbones"]
    points |= {
        "larger_whisper": "framed_backbone.catalogue:larger_whisper",
        "fbank": points["framed"],
    }
    declared = "".join(f"{name} = {target}\n" for name, target in points.items())
    information = tmp_path / "framed_backbone-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    (information / "entry_points.txt").write_text(f"[trustser.backbones]\n{declared}")
    monkeypatch.syspath_prepend(str(tmp_path))
    for module in [name for name in sys.modules if name.startswith("framed_backbone")]:
        monkeypatch.delitem(sys.modules, module)
    return information / "entry_points.txt"


@pytest.mark.usefixtures("site")
def test_it_is_listed_and_loaded_like_any_other() -> None:
    assert [entry.name for entry in installed()][-2:] == ["framed", "larger_whisper"]
    backbone = load("framed", "random", seed=2)

    assert backbone(torch.randn(3, 1_000)).shape == (3, 2, 6, 4)
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    assert not backbone.train().training


@pytest.mark.usefixtures("site")
def test_its_checkpoint_is_read_and_checked(tmp_path: Path) -> None:
    file = tmp_path / "framed.safetensors"
    safetensors.torch.save_file({"weight": torch.ones(4, 160), "bias": torch.zeros(4)}, file)
    backbone = load("framed", str(file))
    assert backbone(torch.ones(1, 160)).flatten().tolist() == [160.0] * 8
    assert backbone.weights.id.startswith("sha256:")

    safetensors.torch.save_file({"weight": torch.ones(4, 160)}, file)
    with pytest.raises(CheckpointError, match=r"1 missing \(bias\)"):
        load("framed", str(file))


@pytest.mark.usefixtures("site")
def test_its_costs_are_counted() -> None:
    costs = architecture_costs("framed")

    assert costs.macs == costs.paper_macs == 600 * 160 * 4
    assert costs.parameters == 160 * 4 + 4


@pytest.mark.usefixtures("site")
def test_a_known_family_takes_only_an_entry() -> None:
    backbone = load("larger_whisper", "random")

    assert backbone(torch.randn(1, 16_000)).shape == (1, 3, 50, 32)


@pytest.mark.usefixtures("site")
def test_it_has_depths_where_its_family_has() -> None:
    backbone = load("larger_whisper@2", "random")

    assert backbone(torch.randn(1, 16_000)).shape == (1, 2, 50, 32)
    assert resolve("larger_whisper@2").checkpoint == "example/larger-whisper"
    with pytest.raises(InputError, match="larger_whisper has no depth 3"):
        load("larger_whisper@3", "random")
    with pytest.raises(InputError, match="framed has no transformer layers"):
        load("framed@1", "random")


@pytest.mark.usefixtures("site")
def test_it_gives_depths_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = load("framed", "random")
    monkeypatch.setattr(type(whole), "transformer_layers", 2)
    with pytest.raises(NotImplementedError, match="Framed has layers and no way to leave any out"):
        load("framed@1", "random")

    def encode(self: Any, features: torch.Tensor) -> torch.Tensor:
        hidden = self.linear(features)
        states = (hidden, hidden.relu())
        return torch.stack(states[: self.kept], dim=1)

    monkeypatch.setattr(type(whole), "kept", 2, raising=False)
    monkeypatch.setattr(type(whole), "encode", encode)
    monkeypatch.setattr(
        type(whole), "keep_layers", lambda self, depth: setattr(self, "kept", depth)
    )
    wave = torch.randn(1, 1_000)
    cut = load("framed@1", "random")
    assert torch.equal(cut(wave), whole(wave)[:, :1])
    assert cut.layers == 1


@pytest.mark.usefixtures("site")
def test_it_cannot_take_the_place_of_a_name_of_the_catalogue() -> None:
    assert resolve("fbank") is CATALOGUE["fbank"]
    assert [entry.name for entry in installed()].count("fbank") == 1


@pytest.mark.usefixtures("site")
def test_it_is_offered_where_a_name_is_not_known() -> None:
    with pytest.raises(InputError, match="Did you mean framed"):
        resolve("frammed")


@pytest.mark.parametrize(
    "target", ["framed_backbone.catalogue:broken", "framed_backbone.nowhere:x", "no_such_package:x"]
)
def test_a_broken_one_is_named_with_what_to_mend(site: Path, target: str) -> None:
    site.write_text(f"[trustser.backbones]\nbroken = {target}\n")
    with pytest.raises(InputError, match=f"entry point broken .*declares {target}"):
        resolve("broken")
