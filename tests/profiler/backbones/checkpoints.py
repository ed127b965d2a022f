"""Small checkpoints in the true formats, as the publishers of each family write them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from s3prl.upstream.apc.apc import APC
from s3prl.upstream.mockingjay.model import (
    TransformerConfig,
    TransformerModel,
    TransformerSpecPredictionHead,
)
from torch import nn
from torchaudio.functional import melscale_fbanks

WIDTH = 32
LAYERS = 2

WHISPER = {
    "d_model": WIDTH,
    "encoder_layers": LAYERS,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "decoder_layers": 1,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 64,
    "vocab_size": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
    "max_source_positions": 100,
}
WAVEFORM = {
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "conv_dim": (16,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "vocab_size": 32,
}
BERT = {
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "output_hidden_size": WIDTH,
    "vocab_size": 32,
}
APC_CONFIG: dict[str, Any] = {
    "data": {
        "audio": {
            "feat_type": "fbank",
            "feat_dim": 80,
            "frame_length": 25,
            "frame_shift": 10,
            "decode_wav": False,
        }
    },
    "model": {"paras": {"num_layers": 3, "hidden_size": WIDTH, "dropout": 0.1, "residual": True}},
}
TERA_CONFIG: dict[str, Any] = {
    "transformer": {
        "hidden_size": WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "initializer_range": 0.02,
        "layer_norm_eps": "1e-12",
        "share_layer": False,
        "pre_layer_norm": False,
    },
    "task": {"sequence_length": 150},
    "audio": {
        "win_ms": 25,
        "hop_ms": 10,
        "n_freq": 201,
        "n_mels": 80,
        "n_mfcc": 13,
        "input": {"feat_type": "mel", "channel": 0, "log": True, "delta": 0, "cmvn": True},
        "target": {"feat_type": "mel", "channel": 1, "log": True, "delta": 0, "cmvn": True},
        "target_level": -25,
    },
}


def saved(model: hf.PreTrainedModel, folder: Path) -> Path:
    """`model` saved as transformers does it, in safetensors."""
    model.eval().save_pretrained(folder)
    return folder


def saved_as_torch(model: nn.Module, config: hf.PretrainedConfig, folder: Path) -> Path:
    """`model` saved as older publishers did it: a pickled state dict, old weight-norm names."""
    old = {
        ".parametrizations.weight.original0": ".weight_g",
        ".parametrizations.weight.original1": ".weight_v",
    }
    state = dict(model.state_dict())
    for name in list(state):
        for ending, former in old.items():
            if name.endswith(ending):
                state[name.removesuffix(ending) + former] = state.pop(name)
    config.save_pretrained(folder)
    torch.save(state, folder / "pytorch_model.bin")
    return folder


def varied(module: nn.Module) -> nn.Module:
    """`module` with every tensor drawn anew, so that no norm or bias is left at 1 or 0."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(0.0, 0.2)
    return module


def apc_checkpoint(file: Path, namespace: bool = False, **parts: Any) -> Path:
    """An APC checkpoint as s3prl writes it; `namespace` adds the options of the training run."""
    torch.manual_seed(0)
    model = varied(APC(80, **APC_CONFIG["model"]["paras"]))
    content: dict[str, Any] = {"config": APC_CONFIG, "model": model.state_dict()}
    if namespace:
        content["args"] = argparse.Namespace(upstream="apc", verbose=True)
    torch.save({**content, **parts}, file)
    return file


def tera_checkpoint(file: Path, legacy: bool = True, **parts: Any) -> Path:
    """A TERA checkpoint as s3prl writes it, in the old or the new container of torch."""
    torch.manual_seed(0)
    config = TransformerConfig(TERA_CONFIG["transformer"])
    model, head = TransformerModel(config, 80), TransformerSpecPredictionHead(config, 80)
    content = {
        "Config": {"runner": {"total_steps": 1_000_000}},
        "Upstream_Config": TERA_CONFIG,
        "Transformer": varied(model).state_dict(),
        "SpecHead": varied(head).state_dict(),
        "Args": argparse.Namespace(upstream="tera", seed=1337),
        "Step": 1_000_000,
    }
    torch.save({**content, **parts}, file, _use_new_zipfile_serialization=not legacy)
    return file


def cnn14_checkpoint(file: Path, channels: int = 2, **parts: Any) -> Path:
    """A CNN14 checkpoint for 16 kHz as the PANNs are published, with few channels.

    The front end lies in it as convolutions and filters, as its publishers compute it.
    """
    torch.manual_seed(0)
    state: dict[str, torch.Tensor] = _stft_kernels()
    state["logmel_extractor.melW"] = melscale_fbanks(
        257, 50.0, 8_000.0, 64, 16_000, norm="slaney", mel_scale="slaney"
    )

    def norm(name: str, size: int) -> None:
        state[f"{name}.weight"] = 0.5 + torch.rand(size)
        state[f"{name}.bias"] = 0.1 * torch.randn(size)
        state[f"{name}.running_mean"] = 0.1 * torch.randn(size)
        state[f"{name}.running_var"] = 0.5 + torch.rand(size)
        state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    norm("bn0", 64)
    inputs = 1
    for block in range(6):
        outputs = channels * 2**block
        name = f"conv_block{block + 1}"
        state[f"{name}.conv1.weight"] = 0.3 * torch.randn(outputs, inputs, 3, 3)
        state[f"{name}.conv2.weight"] = 0.3 * torch.randn(outputs, outputs, 3, 3)
        norm(f"{name}.bn1", outputs)
        norm(f"{name}.bn2", outputs)
        inputs = outputs
    for name, size in (("fc1", inputs), ("fc_audioset", 527)):
        state[f"{name}.weight"], state[f"{name}.bias"] = torch.randn(size, inputs), torch.ones(size)
    torch.save({"iteration": 600_000, "model": state, **parts}, file)
    return file


def _stft_kernels() -> dict[str, torch.Tensor]:
    """A Fourier transform of 512 points under a Hann window, as two convolutions."""
    points = torch.arange(512, dtype=torch.float64)
    angles = 2 * torch.pi * points[:257, None] * points / 512
    window = 0.5 - 0.5 * torch.cos(2 * torch.pi * points / 512)
    kernels = {"real": angles.cos() * window, "imag": -angles.sin() * window}
    return {
        f"spectrogram_extractor.stft.conv_{part}.weight": kernel[:, None].float()
        for part, kernel in kernels.items()
    }
