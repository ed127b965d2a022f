"""The costs that `trustser backbones` shows, against counts, and against published sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import pytest
import torch
import transformers as hf

from profiler.backbones.catalogue import CATALOGUE, Entry
from profiler.measures.costs.architecture import costs_of
from profiler.measures.costs.costs import Costs
from profiler.measures.costs.counting import count
from profiler.measures.costs.known import COUNTED, known_costs
from profiles_db.published_studies import load_published
from tests.profiler.backbones.small import FULL, loaded

LARGE = [name for name in CATALOGUE if name not in FULL and name != "cnn14"]

# Millions of parameters as printed elsewhere; SUPERB's own table is read from its study.
PUBLISHED_M = {
    "data2vec_base": 93,
    "data2vec_large": 313,
    "w2v_bert_2": 580,
    "whisper_large_v3": 637,
    "cnn14": 80.75 - 5.28,  # less the two linear layers behind the blocks: see test_cnn14.py
}
# The encoders that share an architecture are counted once.
_COUNTED: dict[tuple[object, ...], Costs] = {}


def shallow(entry: Entry, layers: int) -> Costs:
    """What `entry` costs with so few layers, in its true width."""
    fields: Mapping[str, object] = entry.architecture or {}
    name = "encoder_layers" if entry.family == "whisper" else "num_hidden_layers"
    key = (entry.family, tuple(sorted((k, v) for k, v in fields.items() if k != name)), layers)
    if key not in _COUNTED:
        architecture = MappingProxyType({**fields, name: layers})
        _COUNTED[key] = costs_of(loaded(replace(entry, architecture=architecture)))
    return _COUNTED[key]


def test_every_name_of_the_catalogue_is_known_and_no_other() -> None:
    assert list(COUNTED) == list(CATALOGUE)
    assert known_costs("hf:openai/whisper-tiny") is None


@pytest.mark.parametrize("name", LARGE)
def test_every_layer_costs_as_much_as_the_one_before(name: str) -> None:
    """So the whole follows exactly from one layer and two; CNN14 is counted in full."""
    one, two = (shallow(CATALOGUE[name], layers) for layers in (1, 2))
    known = known_costs(name)
    assert known is not None
    assert one.uncounted == two.uncounted == {}
    for what in ("macs", "paper_macs", "parameters", "size"):
        first, second = getattr(one, what), getattr(two, what)
        assert getattr(known, what) == first + (known.layers - 1) * (second - first), what
    assert (known.hidden_size, two.layers) == (two.hidden_size, 2)


def test_cnn14_is_counted_in_full() -> None:
    assert costs_of(loaded(CATALOGUE["cnn14"])) == known_costs("cnn14")


@pytest.mark.parametrize("name", PUBLISHED_M)
def test_parameters_are_those_published(name: str) -> None:
    known = known_costs(name)
    assert known is not None
    assert known.parameters / 1e6 == pytest.approx(PUBLISHED_M[name], rel=0.002)


def test_parameters_are_those_of_superb() -> None:
    """Within 0.4 %: SUPERB counts what pre-training hangs on HuBERT and WavLM."""
    printed = {
        profile.backbone: measured.value
        for profile in load_published("superb").profiles
        for measured in profile.measurements
        if measured.criterion == "parameters" and profile.backbone in CATALOGUE
    }
    assert {"hubert_large", "wavlm_large", "wavlm_base", "wav2vec2_large_lv60"} <= set(printed)
    for name, value in printed.items():
        known = known_costs(name)
        assert known is not None
        if name.startswith("wav2vec2"):  # with the quantiser: see below
            continue
        assert known.parameters == pytest.approx(value, rel=0.004, abs=1), name


def test_with_its_quantiser_the_large_wav2vec2_has_the_parameters_that_superb_prints() -> None:
    fields = CATALOGUE["wav2vec2_large_lv60"].architecture or {}
    with torch.device("meta"):
        whole = hf.Wav2Vec2ForPreTraining(
            hf.Wav2Vec2Config(**fields, codevector_dim=768, proj_codevector_dim=768)
        )

    assert sum(p.numel() for p in whole.parameters()) / 1e6 == pytest.approx(317.38, abs=0.02)


def test_with_its_head_the_model_for_dimensions_is_as_large_as_its_file() -> None:
    """661 MB on its page, in 32-bit floats: the encoder, a layer of its width, three outputs."""
    known = known_costs("wav2vec2_emotion_dim")
    assert known is not None
    head = 1024 * 1024 + 1024 + 3 * 1024 + 3

    assert known.size + 4 * head == pytest.approx(661e6, abs=0.5e6)


def test_for_ten_seconds_cnn14_costs_half_the_published_count() -> None:
    """42.22e9 are published for 10 s at 32 kHz, as many frames as here: products and sums counted
    apart, and the spectrogram as a convolution of 2 x 513 kernels of 1,024 points."""
    counted = count(loaded(CATALOGUE["cnn14"]), seconds=10.0).macs
    spectrogram = 1_001 * 2 * 513 * 1_024

    assert 2 * (counted + spectrogram) == pytest.approx(42.22e9, rel=0.001)
