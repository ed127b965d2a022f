"""Costs of the catalogue's backbones, counted once for all: `trustser backbones` shows them.

Counting a large encoder takes a minute and gigabytes, and its architecture never changes. Tests
hold these figures to what `architecture_costs` counts; profiles count anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from profiler.backbones.catalogue import CATALOGUE
from profiler.measures.costs.costs import Costs

COUNTED: Final[Mapping[str, tuple[int, int | None, int | None, int]]] = MappingProxyType(
    {
        "apc": (4_105_296, 2_424_913_920, 2_461_348_864, 16_421_184),
        "tera": (21_327_360, 14_462_771_712, 12_798_357_504, 85_309_440),
        "whisper_tiny": (8_208_384, 2_593_036_800, 2_316_556_800, 32_833_536),
        "whisper_base": (20_590_592, 6_534_912_000, 5_981_952_000, 82_362_368),
        "whisper_small": (88_154_112, 27_809_510_400, 26_150_630_400, 352_616_448),
        "whisper_medium": (307_216_384, 96_187_084_800, 91_763_404_800, 1_228_865_536),
        "whisper_large": (636_784_640, 197_900_160_000, 190_527_360_000, 2_547_138_560),
        "whisper_large_v2": (636_784_640, 197_900_160_000, 190_527_360_000, 2_547_138_560),
        "whisper_large_v3": (636_968_960, 198_010_752_000, 190_637_952_000, 2_547_875_840),
        "wav2vec2_base": (94_371_712, 43_376_809_216, 41_728_969_984, 377_486_848),
        "wav2vec2_large": (315_428_992, 112_209_226_752, 107_814_988_800, 1_261_715_968),
        "wav2vec2_large_lv60": (315_438_720, 112_257_595_392, 107_863_357_440, 1_261_754_880),
        "wav2vec2_large_robust": (315_438_720, 112_257_595_392, 107_863_357_440, 1_261_754_880),
        "wav2vec2_large_voxpopuli": (315_438_720, 112_257_595_392, 107_863_357_440, 1_261_754_880),
        "wav2vec2_large_xlsr_53": (315_438_720, 112_257_595_392, 107_863_357_440, 1_261_754_880),
        "wav2vec2_xls_r_300m": (315_438_720, 112_257_595_392, 107_863_357_440, 1_261_754_880),
        "mms_300m": (315_438_720, 112_257_595_392, 107_863_357_440, 1_261_754_880),
        "wav2vec2_emotion_dim": (164_284_032, 64_876_247_040, 62_679_128_064, 657_136_128),
        "wavlm_base": (94_381_936, 43_398_853_888, 33_285_860_608, 377_527_744),
        "wavlm_base_plus": (94_381_936, 43_398_853_888, 33_285_860_608, 377_527_744),
        "wavlm_large": (315_453_120, 112_316_381_184, 77_823_817_728, 1_261_812_480),
        "hubert_base": (94_371_712, 43_376_809_216, 41_728_969_984, 377_486_848),
        "hubert_large": (315_438_720, 112_257_595_392, 107_863_357_440, 1_261_754_880),
        "data2vec_base": (93_164_288, 43_061_314_816, 41_413_475_584, 372_657_152),
        "data2vec_large": (313_276_416, 111_608_686_592, 107_214_448_640, 1_253_105_664),
        "w2v_bert_2": (580_493_120, 180_154_197_600, 173_562_840_672, 2_321_972_480),
        "cnn14": (75_477_440, 11_963_104_384, 11_963_104_384, 301_974_784),
        "fbank": (0, 15_528_864, 15_528_864, 0),
        "egemaps": (0, None, None, 0),
    }
)
"""Parameters, MACs, MACs as the paper counts, and bytes, by name; None where MACs cannot be
counted."""


def known_costs(name: str) -> Costs | None:
    """The costs of the backbone `name`; None where it is not in the catalogue.

    Examples
    --------
    >>> known_costs("whisper_tiny").parameters
    8208384
    """
    entry = CATALOGUE.get(name)
    if entry is None or entry.hidden_size is None or entry.layers is None:
        return None
    parameters, macs, paper_macs, size = COUNTED[name]
    states = (entry.hidden_size, entry.layers)
    depths = entry.transformer_layers or 0
    return Costs(macs, paper_macs, parameters, size, *states, depths, {}, entry.outside_torch)
