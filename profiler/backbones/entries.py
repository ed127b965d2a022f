"""The entries of the catalogue: facts as their publishers state them, each with its source.

Licences are those of the weights, as tagged on the model's page in November 2026; where the page
has no tag, `licence_note` says so. Hours and languages are as printed in the publication named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from profiler.backbones.entry import Entry

_LIBRISPEECH = "LibriSpeech 960 h"
_WAV2VEC2 = "arXiv:2006.11477"
_HUBERT = "arXiv:2106.07447"
_WAVLM = "arXiv:2110.13900"
_DATA2VEC = "arXiv:2202.03555"
_WHISPER = "arXiv:2212.04356"
_WAVLM_LICENCE = "not tagged; the model card links this licence, the code's repository names MIT"

_LARGE: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
    }
)
"""The large encoder of wav2vec 2.0 as first published: group norm in the convolutions, norms after
the layers."""

_STABLE: Final[Mapping[str, Any]] = MappingProxyType(
    {**_LARGE, "feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
)
"""The large encoder as all later ones have it: layer norms in the convolutions, which have biases,
and before the layers."""


def _base(family: str, **facts: Any) -> Entry:
    return Entry(
        family=family, hidden_size=768, layers=12, architecture=MappingProxyType({}), **facts
    )


def _large(family: str, architecture: Mapping[str, Any], **facts: Any) -> Entry:
    return Entry(
        family=family,
        hidden_size=1024,
        layers=int(architecture["num_hidden_layers"]),
        architecture=architecture,
        **facts,
    )


def _whisper(size: str, title: str, width: int, layers: int) -> Entry:
    shape = {
        "d_model": width,
        "encoder_layers": layers,
        "encoder_attention_heads": width // 64,
        "encoder_ffn_dim": 4 * width,
    }
    return Entry(
        name=f"whisper_{size.replace('-', '_')}",
        title=f"Whisper {title}",
        family="whisper",
        licence="Apache-2.0",
        pre_training_data="680,000 h of labelled audio from the web, 97 languages",
        training_hours=680_000,
        languages="97 languages",
        source=f"{_WHISPER}, huggingface.co/openai/whisper-{size}",
        hidden_size=width,
        layers=layers,
        hub_id=f"openai/whisper-{size}",
        architecture=MappingProxyType(shape),
    )


def _whisper_v3(size: str, title: str) -> Entry:
    """A Whisper of the third generation: 128 mel bins instead of 80, and more audio."""
    entry = _whisper(size, title, 1280, 32)
    return replace(
        entry,
        pre_training_data=(
            "1,000,000 h of labelled audio from the web and 4,000,000 h labelled by Whisper "
            "Large v2"
        ),
        training_hours=5_000_000,
        languages="those of Whisper Large v2 and Cantonese",
        source=f"huggingface.co/openai/whisper-{size}",
        architecture=MappingProxyType({**(entry.architecture or {}), "num_mel_bins": 128}),
    )


ENTRIES: Final = (
    Entry(
        name="apc",
        title="APC",
        family="apc",
        licence="none named",
        licence_note="the checkpoint names none; the code is MIT",
        pre_training_data="LibriSpeech 360 h",
        training_hours=360,
        languages="English",
        source="arXiv:1910.12607, huggingface.co/leo19941227/apc_series",
        hidden_size=512,
        layers=3,
        hub_id="leo19941227/apc_series",
        file="apc_360hr.ckpt",
    ),
    Entry(
        name="tera",
        title="TERA",
        family="tera",
        licence="none named",
        licence_note="the checkpoint names none; the code is Apache-2.0",
        pre_training_data=_LIBRISPEECH,
        training_hours=960,
        languages="English",
        source="arXiv:2007.06028, huggingface.co/s3prl/tera",
        hidden_size=768,
        layers=4,
        hub_id="s3prl/tera",
        file="tera_logMelBase_T_F_M_AdamW_b32_1m_960hr_drop1/states-1000000.ckpt",
    ),
    _whisper("tiny", "Tiny", 384, 4),
    _whisper("base", "Base", 512, 6),
    _whisper("small", "Small", 768, 12),
    _whisper("medium", "Medium", 1024, 24),
    _whisper("large", "Large", 1280, 32),
    _whisper("large-v2", "Large v2", 1280, 32),
    _whisper_v3("large-v3", "Large v3"),
    _base(
        "wav2vec2",
        name="wav2vec2_base",
        title="wav2vec 2.0 Base",
        licence="Apache-2.0",
        pre_training_data=_LIBRISPEECH,
        training_hours=960,
        languages="English",
        source=f"{_WAV2VEC2}, huggingface.co/facebook/wav2vec2-base",
        hub_id="facebook/wav2vec2-base",
    ),
    _large(
        "wav2vec2",
        _LARGE,
        name="wav2vec2_large",
        title="wav2vec 2.0 Large",
        licence="Apache-2.0",
        pre_training_data=_LIBRISPEECH,
        training_hours=960,
        languages="English",
        source=f"{_WAV2VEC2}, huggingface.co/facebook/wav2vec2-large",
        hub_id="facebook/wav2vec2-large",
    ),
    _large(
        "wav2vec2",
        _STABLE,
        name="wav2vec2_large_lv60",
        title="wav2vec 2.0 Large (Libri-Light)",
        licence="Apache-2.0",
        pre_training_data="Libri-Light 53,200 h",
        training_hours=53_200,
        languages="English",
        source=f"{_WAV2VEC2}, huggingface.co/facebook/wav2vec2-large-lv60",
        hub_id="facebook/wav2vec2-large-lv60",
    ),
    _large(
        "wav2vec2",
        _STABLE,
        name="wav2vec2_large_robust",
        title="wav2vec 2.0 Large robust",
        licence="Apache-2.0",
        pre_training_data="63,000 h: Libri-Light, Common Voice, Switchboard, Fisher",
        training_hours=63_000,
        languages="English",
        source="arXiv:2104.01027, huggingface.co/facebook/wav2vec2-large-robust",
        hub_id="facebook/wav2vec2-large-robust",
    ),
    _large(
        "wav2vec2",
        _STABLE,
        name="wav2vec2_large_voxpopuli",
        title="wav2vec 2.0 Large VoxPopuli",
        licence="CC BY-NC 4.0",
        pre_training_data="VoxPopuli 100,000 h, 23 languages",
        training_hours=100_000,
        languages="23 languages",
        source="arXiv:2101.00390, huggingface.co/facebook/wav2vec2-large-100k-voxpopuli",
        hub_id="facebook/wav2vec2-large-100k-voxpopuli",
    ),
    _large(
        "wav2vec2",
        _STABLE,
        name="wav2vec2_large_xlsr_53",
        title="XLSR-53",
        licence="Apache-2.0",
        pre_training_data="56,000 h: Multilingual LibriSpeech, Common Voice, BABEL, 53 languages",
        training_hours=56_000,
        languages="53 languages",
        source="arXiv:2006.13979, huggingface.co/facebook/wav2vec2-large-xlsr-53",
        hub_id="facebook/wav2vec2-large-xlsr-53",
    ),
    _large(
        "wav2vec2",
        _STABLE,
        name="wav2vec2_xls_r_300m",
        title="XLS-R 300M",
        licence="Apache-2.0",
        pre_training_data=(
            "436,000 h: VoxPopuli, Multilingual LibriSpeech, Common Voice, VoxLingua107, BABEL, "
            "128 languages"
        ),
        training_hours=436_000,
        languages="128 languages",
        source="arXiv:2111.09296, huggingface.co/facebook/wav2vec2-xls-r-300m",
        hub_id="facebook/wav2vec2-xls-r-300m",
    ),
    _large(
        "wav2vec2",
        _STABLE,
        name="mms_300m",
        title="MMS 300M",
        licence="CC BY-NC 4.0",
        pre_training_data="491,000 h of six corpora, 1,406 languages",
        training_hours=491_000,
        languages="1,406 languages",
        source="arXiv:2305.13516, huggingface.co/facebook/mms-300m",
        hub_id="facebook/mms-300m",
    ),
    _large(
        "wav2vec2",
        MappingProxyType({**_STABLE, "num_hidden_layers": 12}),
        name="wav2vec2_emotion_dim",
        title="wav2vec 2.0 Large robust, 12 layers, fine-tuned for dimensions of emotion",
        licence="CC BY-NC-SA 4.0",
        pre_training_data=(
            "as wav2vec2_large_robust; then fine-tuned on MSP-Podcast 1.7 (arousal, dominance, "
            "valence): figures on that corpus are no test"
        ),
        training_hours=63_000,
        languages="English",
        source=(
            "arXiv:2203.07378, huggingface.co/audeering/wav2vec2-large-robust-12-ft-emotion-msp-dim"
        ),
        hub_id="audeering/wav2vec2-large-robust-12-ft-emotion-msp-dim",
    ),
    _base(
        "wavlm",
        name="wavlm_base",
        title="WavLM Base",
        licence="CC BY-SA 3.0",
        licence_note=_WAVLM_LICENCE,
        pre_training_data=_LIBRISPEECH,
        training_hours=960,
        languages="English",
        source=f"{_WAVLM}, huggingface.co/microsoft/wavlm-base",
        hub_id="microsoft/wavlm-base",
    ),
    _base(
        "wavlm",
        name="wavlm_base_plus",
        title="WavLM Base+",
        licence="CC BY-SA 3.0",
        licence_note=_WAVLM_LICENCE,
        pre_training_data="94,000 h: Libri-Light, GigaSpeech, VoxPopuli (English)",
        training_hours=94_000,
        languages="English",
        source=f"{_WAVLM}, huggingface.co/microsoft/wavlm-base-plus",
        hub_id="microsoft/wavlm-base-plus",
    ),
    _large(
        "wavlm",
        MappingProxyType({**_STABLE, "conv_bias": False}),
        name="wavlm_large",
        title="WavLM Large",
        licence="CC BY-SA 3.0",
        licence_note=_WAVLM_LICENCE,
        pre_training_data="94,000 h: Libri-Light, GigaSpeech, VoxPopuli (English)",
        training_hours=94_000,
        languages="English",
        source=f"{_WAVLM}, huggingface.co/microsoft/wavlm-large",
        hub_id="microsoft/wavlm-large",
    ),
    _base(
        "hubert",
        name="hubert_base",
        title="HuBERT Base",
        licence="Apache-2.0",
        pre_training_data=_LIBRISPEECH,
        training_hours=960,
        languages="English",
        source=f"{_HUBERT}, huggingface.co/facebook/hubert-base-ls960",
        hub_id="facebook/hubert-base-ls960",
    ),
    _large(
        "hubert",
        _STABLE,
        name="hubert_large",
        title="HuBERT Large",
        licence="Apache-2.0",
        pre_training_data="Libri-Light 60,000 h",
        training_hours=60_000,
        languages="English",
        source=f"{_HUBERT}, huggingface.co/facebook/hubert-large-ll60k",
        hub_id="facebook/hubert-large-ll60k",
    ),
    _base(
        "data2vec-audio",
        name="data2vec_base",
        title="data2vec Base",
        licence="Apache-2.0",
        pre_training_data=_LIBRISPEECH,
        training_hours=960,
        languages="English",
        source=f"{_DATA2VEC}, huggingface.co/facebook/data2vec-audio-base",
        hub_id="facebook/data2vec-audio-base",
    ),
    _large(
        "data2vec-audio",
        _LARGE,
        name="data2vec_large",
        title="data2vec Large",
        licence="Apache-2.0",
        pre_training_data="Libri-Light 60,000 h",
        training_hours=60_000,
        languages="English",
        source=f"{_DATA2VEC}, huggingface.co/facebook/data2vec-audio-large",
        hub_id="facebook/data2vec-audio-large",
    ),
    Entry(
        name="w2v_bert_2",
        title="w2v-BERT 2.0",
        family="wav2vec2-bert",
        licence="MIT",
        pre_training_data="4,500,000 h of unlabelled audio, 143 languages",
        training_hours=4_500_000,
        languages="143 languages",
        source="arXiv:2312.05187, huggingface.co/facebook/w2v-bert-2.0",
        hidden_size=1024,
        layers=24,
        hub_id="facebook/w2v-bert-2.0",
        architecture=MappingProxyType({}),
    ),
    Entry(
        name="cnn14",
        title="CNN14 (PANNs, 16 kHz)",
        family="cnn14",
        licence="CC BY 4.0",
        licence_note="that of the deposit; the code is MIT",
        pre_training_data="AudioSet, 5,000 h of sounds of 527 classes, speech among them",
        training_hours=5_000,
        languages="not stated (sounds of all kinds)",
        source="arXiv:1912.10211, doi.org/10.5281/zenodo.3987831",
        hidden_size=2048,
        layers=6,
        file="Cnn14_16k_mAP=0.438.pth",
        url="https://zenodo.org/records/3987831",
    ),
    Entry(
        name="fbank",
        title="FBANK (log-Mel with deltas)",
        family="fbank",
        licence="none needed",
        licence_note="there are no weights",
        pre_training_data="none",
        training_hours=0,
        languages="none",
        source="arXiv:2105.01051",
        hidden_size=240,
        layers=1,
    ),
    Entry(
        name="egemaps",
        title="eGeMAPS v02 (openSMILE)",
        family="egemaps",
        licence="research only",
        licence_note=(
            "there are no weights, but openSMILE computes it, whose own licence allows "
            "non-commercial use and commercial research, and no product without another licence"
        ),
        pre_training_data="none",
        training_hours=0,
        languages="none",
        source="doi.org/10.1109/TAFFC.2015.2457417, github.com/audeering/opensmile",
        hidden_size=88,
        layers=1,
        outside_torch="openSMILE computes it outside of torch",
    ),
)
