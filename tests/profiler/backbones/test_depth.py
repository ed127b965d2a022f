"""The first layers of an encoder: the encoder built with so many layers, and named for it."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from s3prl.upstream.mockingjay.model import TransformerConfig, TransformerModel
from torch import Tensor, nn

from profiler.backbones.apc import Apc
from profiler.backbones.base import Backbone
from profiler.backbones.catalogue import CATALOGUE, Entry, resolve
from profiler.backbones.depth import depths_of, parse_depths
from profiler.backbones.load import load
from profiler.backbones.precision import hidden_states
from profiler.backbones.weights import content_id
from profiles_db.errors import InputError
from tests.profiler.backbones.checkpoints import (
    BERT,
    TERA_CONFIG,
    WAVEFORM,
    WHISPER,
    saved,
    tera_checkpoint,
    varied,
)

LAYERS = 3
STABLE = {"do_stable_layer_norm": True, "feat_extract_norm": "layer"}
MODELS: dict[str, tuple[Callable[..., Any], type[hf.PreTrainedModel]]] = {
    "whisper_tiny": (hf.WhisperConfig, hf.WhisperModel),
    "wav2vec2_base": (hf.Wav2Vec2Config, hf.Wav2Vec2Model),
    "hubert_base": (hf.HubertConfig, hf.HubertModel),
    "wavlm_base_plus": (hf.WavLMConfig, hf.WavLMModel),
    "data2vec_base": (hf.Data2VecAudioConfig, hf.Data2VecAudioModel),
    "w2v_bert_2": (hf.Wav2Vec2BertConfig, hf.Wav2Vec2BertModel),
}
CASES = [
    ("whisper_tiny", {}, True),
    *((name, {}, False) for name in MODELS if name != "whisper_tiny"),
    *((name, STABLE, True) for name in ("wav2vec2_base", "hubert_base", "wavlm_base_plus")),
]
"""Family, what its configuration says beyond the small one, and whether a norm stands behind its
last layer."""


def built_with(name: str, layers: int, extra: Mapping[str, Any]) -> hf.PreTrainedModel:
    """The publisher's own model of so many layers."""
    shape: dict[str, Any] = WHISPER | {"encoder_layers": layers}
    if name == "w2v_bert_2":
        shape = BERT | {"num_hidden_layers": layers, **extra}
    elif name != "whisper_tiny":
        shape = WAVEFORM | {"num_hidden_layers": layers, **extra}
    config, model = MODELS[name]
    built: hf.PreTrainedModel = model(config(**shape))
    return built


def shallow(
    name: str, depth: int, extra: Mapping[str, Any], whole: nn.Module
) -> hf.PreTrainedModel:
    """The publisher's model built with `depth` layers, carrying the tensors of `whole`."""
    built = built_with(name, depth, extra)
    tensors = whole.state_dict()
    built.load_state_dict({key: tensors[key] for key in built.state_dict()})
    return built


def final_norm(backbone: Backbone) -> nn.Module:
    """The norm behind the last layer."""
    encoder: Any = backbone.encoder
    holder: Any = encoder if backbone.name == "whisper_tiny" else encoder.encoder
    norm: nn.Module = holder.layer_norm
    return norm


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize(("name", "extra", "has_final_norm"), CASES)
def test_a_depth_equals_the_encoder_built_with_so_many_layers(
    tmp_path: Path,
    name: str,
    extra: dict[str, Any],
    has_final_norm: bool,
    depth: int,
    noise: Tensor,
) -> None:
    """To the bit; but for the norm behind the last layer, which a beginning does not have."""
    whole_model = built_with(name, LAYERS, extra)
    varied(whole_model)
    folder = saved(whole_model, tmp_path / "whole")
    built = load(name, str(saved(shallow(name, depth, extra, whole_model), tmp_path / "built")))
    whole, cut = load(name, str(folder)), load(f"{name}@{depth}", str(folder))

    with torch.inference_mode():
        states, wanted, all_states = cut(noise), built(noise), whole(noise)
        assert torch.equal(states, all_states[:, :depth])
        if has_final_norm:
            assert not torch.equal(states[:, -1], wanted[:, -1])
            states[:, -1] = final_norm(built)(states[:, -1])
        assert torch.equal(states, wanted)
    assert (cut.layers, cut.transformer_layers, cut.hidden_size) == (depth, depth, 32)
    norm = sum(p.numel() for p in final_norm(built).parameters()) if has_final_norm else 0
    assert parameters(cut) == parameters(built) - norm
    assert cut.weights.size == built.weights.size - 4 * norm


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("pre_layer_norm", [False, True])
def test_a_depth_of_tera_has_the_embedding_and_its_layers(
    tmp_path: Path, depth: int, pre_layer_norm: bool, noise: Tensor
) -> None:
    """The embedding is no layer. With `pre_layer_norm` every state has a norm of its own."""
    config = copy.deepcopy(TERA_CONFIG)
    config["transformer"] |= {"num_hidden_layers": LAYERS, "pre_layer_norm": pre_layer_norm}
    shorter = copy.deepcopy(config)
    shorter["transformer"]["num_hidden_layers"] = depth
    torch.manual_seed(0)
    tensors = varied(TransformerModel(TransformerConfig(config["transformer"]), 80)).state_dict()
    own = TransformerModel(TransformerConfig(shorter["transformer"]), 80).state_dict()
    files = (tmp_path / "whole.ckpt", tmp_path / "built.ckpt")
    tera_checkpoint(files[0], Upstream_Config=config, Transformer=tensors)
    tera_checkpoint(files[1], Upstream_Config=shorter, Transformer={n: tensors[n] for n in own})
    whole, built = (load("tera", str(file)) for file in files)
    cut = load(f"tera@{depth}", str(files[0]))
    two_chunks = 0.1 * torch.randn(1, 40_000, generator=torch.Generator().manual_seed(7))

    with torch.inference_mode():
        for clip in (noise, two_chunks):
            assert torch.equal(cut(clip), built(clip))
            assert torch.equal(cut(clip), whole(clip)[:, : depth + 1])
    assert (cut.layers, cut.transformer_layers) == (depth + 1, depth)
    assert parameters(cut) == parameters(built)
    assert cut.weights.size == built.weights.size


def parameters(backbone: Backbone) -> int:
    return sum(parameter.numel() for parameter in backbone.parameters())


@pytest.mark.parametrize(
    ("precision", "name"),
    [
        *(("float32", name) for name in ("whisper_tiny", "wav2vec2_base", "wavlm_base_plus")),
        *(("bfloat16", name) for name in ("whisper_tiny", "tera")),
    ],
)
def test_random_weights_are_those_of_the_whole_encoder(
    name: str, precision: Any, noise: Tensor
) -> None:
    whole, cut = load(name, "random", 3), load(f"{name}@1", "random", 3)
    with torch.inference_mode():
        states = hidden_states(cut, noise, precision)
        assert torch.equal(states, hidden_states(whole, noise, precision)[:, : cut.layers])
    assert cut.weights.id == f"{whole.weights.id}@1" == "random:3@1"


@pytest.mark.parametrize("name", ["whisper_tiny", "wav2vec2_base", "tera"])
@pytest.mark.parametrize("ran_before", [False, True])
def test_depths_share_tensors_and_leave_each_other_alone(
    name: str, ran_before: bool, noise: Tensor
) -> None:
    """Run in turn, before and after: what one remembers of a pass never reaches another."""
    whole = load(name, "random")
    if ran_before:
        whole(noise)
    deeper = whole.first_layers(2)
    cut = deeper if name == "tera" else load(name, "random").first_layers(3).first_layers(2)
    with torch.inference_mode():
        for _ in range(2):
            states = whole(noise)
            assert torch.equal(deeper(noise), states[:, : deeper.layers])
            assert torch.equal(cut(noise), states[:, : deeper.layers])
    assert whole.layers == CATALOGUE[name].layers
    shared = {tensor.data_ptr() for tensor in whole.parameters()}
    assert {tensor.data_ptr() for tensor in deeper.parameters()} < shared
    assert not any(parameter.requires_grad for parameter in deeper.parameters())
    assert not deeper.training


def test_gradients_reach_the_waveform(noise: Tensor) -> None:
    cut = load("whisper_tiny@2", "random")
    wave = noise.clone().requires_grad_(True)
    cut(wave)[:, -1].square().sum().backward()
    assert wave.grad is not None
    assert wave.grad.abs().sum() > 0


def test_names_tell_depths_apart(tmp_path: Path) -> None:
    model = built_with("whisper_tiny", LAYERS, {})
    folder = saved(varied(model), tmp_path / "mine")
    whole, cut = load(str(folder)), load(f"{folder}@2")

    encoder: Any = model.encoder
    assert whole.weights.id == content_id(encoder.state_dict())
    assert (cut.name, cut.weights.id) == ("mine@2", f"{whole.weights.id}@2")
    assert cut.whole == ("mine", whole.weights.id)
    assert cut.loaded_as == (f"{folder}@2", "pretrained")
    assert whole.whole is None
    assert resolve(f"{folder}@2").transformer_layers is None  # until it is read


def test_a_folder_that_is_there_is_meant_whole(tmp_path: Path) -> None:
    folder = saved(built_with("whisper_tiny", LAYERS, {}), tmp_path / "mine@2")
    assert load(str(folder)).layers == LAYERS
    assert load(f"{folder}@1").name == "mine@2@1"


def test_a_depth_of_a_depth_is_one_of_the_whole_encoder(noise: Tensor) -> None:
    whole = load("wav2vec2_base", "random", 1)
    twice, once = whole.first_layers(5).first_layers(2), load("wav2vec2_base@2", "random", 1)
    for cut in (twice, once):
        assert (cut.name, cut.whole) == ("wav2vec2_base@2", ("wav2vec2_base", "random:1"))
        assert cut.loaded_as == ("wav2vec2_base@2", "random")
        assert (cut.weights, cut.layers) == (once.weights, 2)
    with torch.inference_mode():
        assert torch.equal(twice(noise), once(noise))


def test_the_catalogue_knows_depths_without_weights() -> None:
    whole, entry = CATALOGUE["whisper_small"], resolve("whisper_small@6")
    assert (entry.name, entry.layers, entry.depth) == ("whisper_small@6", 6, 6)
    assert entry.title == "Whisper Small, first 6 layers"
    same: dict[str, Any] = {
        "name": whole.name,
        "title": whole.title,
        "layers": whole.layers,
        "depth": None,
    }
    assert dataclasses.replace(entry, **same) == whole  # licence and data are the whole encoder's
    assert resolve("tera@2").layers == 3
    assert resolve("wavlm_base_plus@1").title.endswith("first layer")


REFUSED = {
    "whisper_tiny@0": "'0' is no number of layers",
    "whisper_tiny@-1": "'-1' is no number of layers",
    "whisper_tiny@x": "'x' is no number of layers",
    "whisper_tiny@": "'' is no number of layers",
    "whisper_tiny@1.5": "'1.5' is no number of layers",
    "whisper_tiny@\u0662": "is no number of layers",
    "whisper_tiny@99999999999999999999": "is no number of layers",
    "whisper_tiny@99": r"no depth 99 .rule: 1 to 3; whisper_tiny alone is all 4 layers",
    "whisper_tiny@4": "no depth 4",
    "tera@3": r"1 to 2; tera alone is all 3 layers",
    "whisper_tiny@2@1": "unknown backbone 'whisper_tiny@2'",
    "@2": "unknown backbone '@2'",
    "whispr_tiny@2": "Did you mean whisper_tiny",
    "fbank@2": "fbank has no transformer layers to leave out",
    "apc@1": "apc has no transformer layers to leave out",
    "hf:openai@2": "names no repository",
}


@pytest.mark.parametrize(("name", "words"), REFUSED.items())
def test_a_depth_that_is_none_is_refused_by_name(name: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        resolve(name)
    assert "\n" not in str(caught.value)


def test_a_depth_is_refused_when_the_checkpoint_is_read(tmp_path: Path) -> None:
    folder = saved(built_with("whisper_tiny", LAYERS, {}), tmp_path / "mine")
    with pytest.raises(InputError, match="mine has no depth 3"):
        load(f"{folder}@3")


def test_an_encoder_without_layers_has_no_depths() -> None:
    for name in ("fbank", "apc"):
        with pytest.raises(InputError, match="no transformer layers"):
            load(name, "random").first_layers(1)
    assert Apc.transformer_layers == 0
    assert Entry("mine", "Mine", "", layers=3, factory="a:b").transformer_layers is None


@pytest.mark.parametrize("text", ["", ",", "4,,8", "4-8", "x", "0", "-1", "4;8", "ALL", "1e1"])
def test_depths_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="no number of layers") as caught:
        parse_depths(text)
    assert caught.value.where == "--depths"


def test_depths_are_asked_for_together() -> None:
    assert depths_of("whisper_small", 12, parse_depths("12, 4,8,4")) == [4, 8]
    assert depths_of("tera", 3, parse_depths("all")) == [1, 2]
    with pytest.raises(InputError, match="no depth 13"):
        depths_of("whisper_small", 12, (4, 13))
    for asked in ((2,), None):
        with pytest.raises(InputError, match="no transformer layers"):
            depths_of("fbank", 0, asked)
