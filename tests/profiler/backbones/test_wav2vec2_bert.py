"""w2v-BERT 2.0 against transformers: its front end, its conformer, and every way it is saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
import transformers as hf
from torch import Tensor

from profiler.backbones.load import load
from profiler.backbones.wav2vec2_bert import Wav2Vec2Bert
from profiles_db.errors import CheckpointError
from tests.profiler.backbones.checkpoints import BERT, saved, saved_as_torch, varied


def extracted(waveform: Tensor) -> Any:
    """Features and mask of Hugging Face's own extractor."""
    return hf.SeamlessM4TFeatureExtractor()(
        list(waveform.numpy()), sampling_rate=16_000, return_tensors="pt"
    )


def unmasked(waveform: Tensor) -> Tensor:
    """The frames of `extracted` that its mask lets through: the same for clips of one length."""
    inputs = extracted(waveform)
    assert bool((inputs.attention_mask == inputs.attention_mask[0]).all())
    features: Tensor = inputs.input_features[:, inputs.attention_mask[0].bool()]
    return features


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Wav2Vec2Bert:
    torch.manual_seed(0)
    model = hf.Wav2Vec2BertModel(hf.Wav2Vec2BertConfig(**BERT))
    folder = saved(varied(model), tmp_path_factory.mktemp("bert"))
    loaded = load("w2v_bert_2", str(folder))
    assert isinstance(loaded, Wav2Vec2Bert)
    return loaded


@pytest.mark.parametrize("gain", [1.0, 1e-2])
@pytest.mark.parametrize("samples", [560, 16_000, 16_160, 12_345])
def test_the_front_end_equals_the_hugging_face_extractor(
    backbone: Wav2Vec2Bert, samples: int, gain: float
) -> None:
    """Also where there is an odd frame, which transformers pads and masks."""
    waveform = gain * 0.1 * torch.randn(2, samples, generator=torch.Generator().manual_seed(1))
    features = backbone.front_end(waveform)

    assert features.shape == (2, (1 + (samples - 400) // 160) // 2, 160)
    torch.testing.assert_close(features, unmasked(waveform), rtol=1e-3, atol=2e-3)


@pytest.mark.real_audio
def test_the_front_end_equals_the_hugging_face_extractor_on_real_speech(
    backbone: Wav2Vec2Bert, real_data: Path
) -> None:
    files = sorted((real_data / "ravdess" / "Actor_01").glob("*.flac"))[:5]
    assert files
    for file in files:
        samples, _ = soundfile.read(file, dtype="float32")
        waveform = torch.from_numpy(samples)[None, :96_000]
        torch.testing.assert_close(
            backbone.front_end(waveform), unmasked(waveform), rtol=1e-3, atol=2e-3
        )


@pytest.mark.parametrize("samples", [16_000, 16_160])
def test_hidden_states_equal_transformers(tmp_path: Path, samples: int) -> None:
    model = hf.Wav2Vec2BertModel(hf.Wav2Vec2BertConfig(**BERT))
    varied(model).eval()
    backbone = load("w2v_bert_2", str(saved(model, tmp_path)))
    waveform = 0.1 * torch.randn(2, samples, generator=torch.Generator().manual_seed(2))
    inputs = extracted(waveform)
    with torch.inference_mode():
        outputs = model(**inputs, output_hidden_states=True)
    wanted = torch.stack(outputs.hidden_states[1:], dim=1)[:, :, inputs.attention_mask[0].bool()]

    torch.testing.assert_close(backbone(waveform), wanted, rtol=2e-3, atol=2e-3)


def test_one_encoder_is_the_same_however_it_was_saved(tmp_path: Path) -> None:
    """With a head and an adapter for it or without, in safetensors or pickled."""
    config = hf.Wav2Vec2BertConfig(**BERT, add_adapter=True)
    headed = hf.Wav2Vec2BertForCTC(config)
    varied(headed)
    bare = hf.Wav2Vec2BertModel(hf.Wav2Vec2BertConfig(**BERT))
    bare.load_state_dict(
        {n: t for n, t in headed.wav2vec2_bert.state_dict().items() if "adapter." not in n}
    )
    folders = [
        saved(headed, tmp_path / "headed"),
        saved(bare, tmp_path / "bare"),
        saved_as_torch(headed, headed.config, tmp_path / "pickled"),
    ]
    weights = [load("w2v_bert_2", str(folder)).weights for folder in folders]

    assert len({found.id for found in weights}) == 1
    assert weights[1].left_out == ()
    for found in (weights[0], weights[2]):
        assert {part.split()[0] for part in found.left_out} == {"adapter", "lm_head"}


@pytest.mark.parametrize("kind", ["relative", "rotary"])
def test_positions_of_another_type_are_refused_in_one_line(kind: str, tmp_path: Path) -> None:
    config = hf.Wav2Vec2BertConfig(**{**BERT, "position_embeddings_type": kind})
    folder = saved(hf.Wav2Vec2BertModel(config), tmp_path)
    with pytest.raises(CheckpointError, match=f"positions of type '{kind}', not relative_key"):
        load("w2v_bert_2", str(folder))
