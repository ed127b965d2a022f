"""Whisper against the Hugging Face implementation, at the clip's own length."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
import torch
import transformers as hf
from torch import Tensor

from profiler.backbones.load import load
from profiler.backbones.whisper import LogMel
from profiles_db.errors import AudioError
from tests.profiler.backbones.checkpoints import WHISPER, saved, varied


def extracted(waveform: Tensor) -> Tensor:
    """The log-mel of Hugging Face's own extractor, without padding to 30 s."""
    extractor = hf.WhisperFeatureExtractor()
    features = extractor(
        list(waveform.numpy()), sampling_rate=16_000, padding=False, return_tensors="pt"
    )
    tensor: Tensor = features.input_features
    return tensor


@pytest.mark.parametrize("gain", [1.0, 1e-3, 1e-6, 0.0])
@pytest.mark.parametrize("samples", [16_000, 96_000, 12_345])
def test_log_mel_equals_the_hugging_face_extractor(samples: int, gain: float) -> None:
    waveform = gain * torch.randn(2, samples, generator=torch.Generator().manual_seed(1))

    torch.testing.assert_close(LogMel(80)(waveform), extracted(waveform), rtol=0, atol=1e-5)


@pytest.mark.real_audio
def test_log_mel_equals_the_hugging_face_extractor_on_real_speech(real_data: Path) -> None:
    files = sorted((real_data / "ravdess" / "Actor_01").glob("*.flac"))[:5]
    assert files
    for file in files:
        samples, rate = soundfile.read(file, dtype="float32")
        assert rate == 16_000
        waveform = torch.from_numpy(samples)[None, :96_000]
        torch.testing.assert_close(LogMel(80)(waveform), extracted(waveform), rtol=0, atol=1e-5)


@pytest.mark.parametrize("bins", [80, 128])
@pytest.mark.parametrize("kind", [hf.WhisperForConditionalGeneration, hf.WhisperModel])
def test_hidden_states_equal_the_hugging_face_encoder(
    tmp_path: Path, kind: type[hf.PreTrainedModel], bins: int
) -> None:
    """On a clip as long as the positional table, the only length Hugging Face takes."""
    model = kind(hf.WhisperConfig(**WHISPER, num_mel_bins=bins))
    varied(model).eval()
    backbone = load("whisper_tiny", str(saved(model, tmp_path)))
    waveform = 0.1 * torch.randn(2, 32_000, generator=torch.Generator().manual_seed(2))
    features = hf.WhisperFeatureExtractor(feature_size=bins)(
        list(waveform.numpy()), sampling_rate=16_000, padding=False, return_tensors="pt"
    ).input_features
    with torch.inference_mode():
        wanted = model.get_encoder()(features, output_hidden_states=True).hidden_states[1:]

    torch.testing.assert_close(backbone(waveform), torch.stack(wanted, 1), rtol=1e-4, atol=1e-4)


def test_a_short_clip_equals_an_encoder_built_for_its_frames(tmp_path: Path) -> None:
    model = hf.WhisperModel(hf.WhisperConfig(**WHISPER))
    varied(model).eval()
    backbone = load("whisper_tiny", str(saved(model, tmp_path)))
    waveform = 0.1 * torch.randn(1, 16_000, generator=torch.Generator().manual_seed(3))
    short = hf.WhisperModel(hf.WhisperConfig(**{**WHISPER, "max_source_positions": 50})).eval()
    state = model.encoder.state_dict()
    table = "embed_positions.weight"
    short.encoder.load_state_dict({**state, table: state[table][:50]})
    with torch.inference_mode():
        wanted = short.encoder(extracted(waveform)).last_hidden_state

    torch.testing.assert_close(backbone(waveform)[:, -1], wanted, rtol=1e-4, atol=1e-4)


def test_a_clip_beyond_the_positional_table_is_refused(tmp_path: Path) -> None:
    model = hf.WhisperModel(hf.WhisperConfig(**WHISPER))
    backbone = load("whisper_tiny", str(saved(model, tmp_path)))
    with pytest.raises(AudioError, match=r"clip of 2\.1 s.*at most 2\.0 s"):
        backbone(torch.zeros(1, 33_600))
