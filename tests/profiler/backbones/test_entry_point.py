"""A backbone that another package adds, in a package built here as an installed one looks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from profiler.backbones.catalogue import CATALOGUE, installed, resolve
from profiler.backbones.load import load
from profiler.costs.architecture import architecture_costs
from profiles_db.errors import InputError

CATALOGUE_MODULE = """
from profiler.backbones.catalogue import Entry

framed = Entry(
    name="framed",
    title="Framed means",
    family="framed",
    licence="MIT",
    pre_training_data="none",
    hidden_size=4,
    layers=2,
    factory="framed_backbone.model:build",
)
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
MODEL_MODULE = """
import torch
from torch import nn

from profiler.backbones.base import Backbone
from profiler.backbones.weights import drawn


class Framed(Backbone):
    hidden_size, layers, min_samples = 4, 2, 160

    def __init__(self, name, linear, weights):
        super().__init__()
        self.name, self.linear, self.weights = name, linear, weights

    def hidden_states(self, waveform):
        frames = waveform.unfold(1, 160, 160)
        hidden = self.linear(frames)
        return torch.stack([hidden, hidden.relu()], dim=1)


def build(entry, weights, seed):
    linear, carried = drawn(lambda: nn.Linear(160, 4), seed)
    return Framed(entry.name, linear, carried)
"""
ENTRY_POINTS = """
[trustser.backbones]
framed = framed_backbone.catalogue:framed
larger_whisper = framed_backbone.catalogue:larger_whisper
fbank = framed_backbone.catalogue:framed
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path that holds the package `framed_backbone`, installed."""
    package = tmp_path / "framed_backbone"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "catalogue.py").write_text(CATALOGUE_MODULE)
    (package / "model.py").write_text(MODEL_MODULE)
    information = tmp_path / "framed_backbone-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: framed-backbone\nVersion: 1.0\n"
    )
    (information / "entry_points.txt").write_text(ENTRY_POINTS)
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
def test_its_costs_are_counted_from_the_waveform() -> None:
    costs = architecture_costs("framed")

    assert costs.macs == costs.paper_macs == 600 * 160 * 4
    assert costs.parameters == 160 * 4 + 4


@pytest.mark.usefixtures("site")
def test_a_known_family_takes_only_an_entry() -> None:
    backbone = load("larger_whisper", "random")

    assert backbone(torch.randn(1, 16_000)).shape == (1, 3, 50, 32)


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
