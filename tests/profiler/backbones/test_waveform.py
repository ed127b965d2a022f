"""wav2vec 2.0, HuBERT, WavLM, data2vec against transformers, and every way they are saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from torch import Tensor

from profiler.backbones.load import load
from tests.profiler.backbones.checkpoints import WAVEFORM, saved, saved_as_torch, varied

FAMILIES = [
    ("wav2vec2_base", hf.Wav2Vec2Config, hf.Wav2Vec2Model, hf.Wav2Vec2ForCTC),
    ("hubert_base", hf.HubertConfig, hf.HubertModel, hf.HubertForCTC),
    ("wavlm_base_plus", hf.WavLMConfig, hf.WavLMModel, hf.WavLMForCTC),
    ("data2vec_base", hf.Data2VecAudioConfig, hf.Data2VecAudioModel, hf.Data2VecAudioForCTC),
]


def outputs_of(model: hf.PreTrainedModel, waveform: Tensor) -> Any:
    """What transformers gives, upon its own feature extractor."""
    inputs = hf.Wav2Vec2FeatureExtractor(do_normalize=True)(
        list(waveform.numpy()), sampling_rate=16_000, return_tensors="pt"
    )
    with torch.inference_mode():
        return model(inputs.input_values, output_hidden_states=True)


@pytest.mark.parametrize(("name", "config", "model", "_"), FAMILIES)
def test_hidden_states_equal_transformers(
    tmp_path: Path,
    name: str,
    config: type[hf.PretrainedConfig],
    model: type[hf.PreTrainedModel],
    _: type[hf.PreTrainedModel],
) -> None:
    original = model(config(**WAVEFORM))
    varied(original).eval()
    backbone = load(name, str(saved(original, tmp_path)))
    waveform = 0.3 + torch.randn(2, 12_000, generator=torch.Generator().manual_seed(4))

    wanted = torch.stack(outputs_of(original, waveform).hidden_states[1:], dim=1)
    torch.testing.assert_close(backbone(waveform), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "config", "model", "with_head"), FAMILIES)
def test_one_encoder_is_the_same_however_it_was_saved(
    tmp_path: Path,
    name: str,
    config: type[hf.PretrainedConfig],
    model: type[hf.PreTrainedModel],
    with_head: type[hf.PreTrainedModel],
) -> None:
    """With a head or without, in safetensors or pickled with the former weight-norm names."""
    headed = with_head(config(**WAVEFORM))
    varied(headed)
    bare = model(config(**WAVEFORM))
    bare.load_state_dict(headed.base_model.state_dict())
    folders = [
        saved(headed, tmp_path / "headed"),
        saved(bare, tmp_path / "bare"),
        saved_as_torch(headed, headed.config, tmp_path / "pickled"),
    ]

    assert len({load(name, str(folder)).weights.id for folder in folders}) == 1


def test_the_quantiser_of_pre_training_is_left_out(tmp_path: Path) -> None:
    pre_training = hf.Wav2Vec2ForPreTraining(hf.Wav2Vec2Config(**WAVEFORM))
    saved(pre_training, tmp_path)
    backbone = load("wav2vec2_base", str(tmp_path))

    encoder = sum(p.numel() for p in pre_training.wav2vec2.parameters())
    assert sum(p.numel() for p in backbone.parameters()) == encoder
    assert [part.split()[0] for part in backbone.weights.left_out] == [
        "project_hid",
        "project_q",
        "quantizer",
    ]


def test_with_its_quantiser_wav2vec2_has_the_parameters_that_table_2_prints() -> None:
    with torch.device("meta"):
        whole = hf.Wav2Vec2ForPreTraining(hf.Wav2Vec2Config())

    assert sum(p.numel() for p in whole.parameters()) / 1e6 == pytest.approx(95.04, abs=0.005)


def test_a_stable_layer_norm_model_ends_on_its_final_norm(tmp_path: Path) -> None:
    config = hf.Wav2Vec2Config(**WAVEFORM, do_stable_layer_norm=True, feat_extract_norm="layer")
    original = hf.Wav2Vec2Model(config)
    varied(original).eval()
    backbone = load("wav2vec2_base", str(saved(original, tmp_path)))
    waveform = torch.randn(1, 8_000, generator=torch.Generator().manual_seed(5))

    last = outputs_of(original, waveform).last_hidden_state
    torch.testing.assert_close(backbone(waveform)[:, -1], last, rtol=1e-4, atol=1e-4)


def test_a_fine_tuned_checkpoint_without_the_mask_embedding_loads(tmp_path: Path) -> None:
    """Inference never reads it, and published fine-tuned checkpoints leave it out."""
    original = hf.Wav2Vec2Model(hf.Wav2Vec2Config(**WAVEFORM))
    folder = saved_as_torch(original, original.config, tmp_path)
    state = torch.load(folder / "pytorch_model.bin", weights_only=True)
    del state["masked_spec_embed"]
    torch.save(state, folder / "pytorch_model.bin")

    first, second = (load("wav2vec2_base", str(folder)).weights for _ in range(2))
    assert first == second


class DimensionalModel(hf.Wav2Vec2PreTrainedModel):  # type: ignore[misc]
    """A model for dimensions of emotion as its publishers describe it: an encoder and a head of
    two layers on the mean of the last states."""

    def __init__(self, config: hf.Wav2Vec2Config) -> None:
        super().__init__(config)
        self.wav2vec2 = hf.Wav2Vec2Model(config)
        self.classifier = torch.nn.ModuleDict(
            {
                "dense": torch.nn.Linear(config.hidden_size, config.hidden_size),
                "out_proj": torch.nn.Linear(config.hidden_size, 3),
            }
        )
        self.post_init()


def test_a_regression_head_is_left_out_and_named(tmp_path: Path) -> None:
    stable = {"do_stable_layer_norm": True, "feat_extract_norm": "layer", "conv_bias": True}
    model = DimensionalModel(hf.Wav2Vec2Config(**WAVEFORM, **stable))
    varied(model).eval()
    folders = [
        saved(model, tmp_path / "safetensors"),
        saved_as_torch(model, model.config, tmp_path / "pickled"),
    ]
    waveform = torch.randn(1, 8_000, generator=torch.Generator().manual_seed(5))
    wanted = outputs_of(model.wav2vec2, waveform).last_hidden_state

    for folder in folders:
        backbone = load("wav2vec2_emotion_dim", str(folder))
        assert backbone.weights.left_out == ("classifier (4 tensors)",)
        torch.testing.assert_close(backbone(waveform)[:, -1], wanted, rtol=1e-4, atol=1e-4)


def test_nothing_is_named_where_nothing_is_left_out(tmp_path: Path) -> None:
    saved(hf.Wav2Vec2Model(hf.Wav2Vec2Config(**WAVEFORM)), tmp_path)

    assert load("wav2vec2_base", str(tmp_path)).weights.left_out == ()


def test_the_adapter_of_a_fine_tuned_model_is_left_out(tmp_path: Path) -> None:
    """It lies inside the model that it serves, under the encoder's own prefix."""
    config = hf.Wav2Vec2Config(**WAVEFORM, add_adapter=True, output_hidden_size=32)
    saved(hf.Wav2Vec2ForCTC(config), tmp_path)
    backbone = load("wav2vec2_base", str(tmp_path))

    assert [part.split()[0] for part in backbone.weights.left_out] == ["adapter", "lm_head"]
