"""Counts against Table 4 of the paper, against torch's own counter, and against closed forms."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from profiler.backbones.base import Backbone, Weights
from profiler.backbones.catalogue import CATALOGUE
from profiler.backbones.encoder import Encoder
from profiler.backbones.load import load
from profiler.measures.costs.architecture import architecture_costs, costs_of
from profiler.measures.costs.counting import Count, count
from profiler.measures.costs.known import known_costs
from tests.conftest import REPOSITORY
from tests.profiler.backbones.small import FULL, loaded, small_entry

# Table 4 of arXiv:2305.11229, printed as FLOPs in 1e9.
TABLE_4 = {
    "apc": 2.5,
    "tera": 12.8,
    "whisper_tiny": 2.3,
    "whisper_base": 6.0,
    "whisper_small": 26.2,
    "wav2vec2_base": 41.7,
    "wavlm_base_plus": 33.2,
}
# What a norm of torch is counted as, per element, one less where it has no weights of its own; a
# norm written by hand is no operator.
NORM = 5


COUNTED: dict[str, Count] = {}


def count_of(name: str) -> Count:
    """The count of a backbone, made once."""
    return COUNTED.get(name) or count(load(name, "random"))


@pytest.fixture(scope="module", params=[n for n, e in CATALOGUE.items() if not e.outside_torch])
def counted(request: pytest.FixtureRequest) -> Iterator[tuple[Backbone, Count]]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    name = request.param
    backbone = load(name, "random") if name in FULL else loaded(small_entry(name))
    COUNTED[request.param] = count(backbone)
    yield backbone, COUNTED[request.param]
    torch.set_num_threads(before)


def features_of(backbone: Backbone) -> Tensor:
    """Features of one second."""
    assert isinstance(backbone, Encoder)
    with torch.no_grad():
        return backbone.front_end(0.1 * torch.randn(1, 16_000))


def hooked(backbone: Backbone, rules: dict[type[nn.Module], Callable[..., int]]) -> int:
    """Sum of `rules` over all calls of modules, as a counter of module hooks finds it."""
    total = 0

    def hook(rule: Callable[..., int]) -> Callable[..., None]:
        def add(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            nonlocal total
            total += rule(module, inputs[0], output)

        return add

    handles = [
        module.register_forward_hook(hook(rule))
        for module in backbone.modules()
        for kind, rule in rules.items()
        if isinstance(module, kind)
    ]
    assert isinstance(backbone, Encoder)
    with torch.no_grad():
        backbone.published_pass(features_of(backbone))
    for handle in handles:
        handle.remove()
    return total


def linear(module: nn.Linear, _: Tensor, output: Tensor) -> int:
    return output.numel() * module.in_features


def convolution(module: nn.Conv1d | nn.Conv2d, _: Tensor, output: Tensor) -> int:
    return output.numel() * module.in_channels // module.groups * math.prod(module.kernel_size)


def norm(module: nn.Module, _: Tensor, output: Tensor) -> int:
    weights = any(True for _ in module.parameters())
    return (NORM if weights else NORM - 1) * output.numel()


def batch_norm(_: nn.Module, __: Tensor, output: Tensor) -> int:
    """In inference a product and a sum per element."""
    return 2 * output.numel()


def gru(module: nn.GRU, inputs: Tensor, _: tuple[Tensor, Tensor]) -> int:
    """Per step: three gates of two products with two biases, and the mixing of the states."""
    width, hidden = module.input_size, module.hidden_size
    gates = 3 * (hidden * (width + hidden) + 3 * hidden)
    return inputs.shape[0] * inputs.shape[1] * (gates + 4 * hidden)


HOOKS: dict[type[nn.Module], Callable[..., int]] = {
    nn.Linear: linear,
    nn.Conv1d: convolution,
    nn.Conv2d: convolution,
    nn.BatchNorm2d: batch_norm,
    nn.LayerNorm: norm,
    nn.GroupNorm: norm,
    nn.GRU: gru,
}


def test_the_papers_counting_gives_table_4(counted: tuple[Backbone, Count]) -> None:
    """To its printed digit, but for WavLM Base+, which comes within 0.3 %."""
    backbone, costs = counted
    printed = TABLE_4.get(backbone.name)
    if backbone.name == "wavlm_base_plus":
        assert costs.paper_macs / 1e9 == pytest.approx(printed, rel=0.003)
    elif printed is not None:
        assert round(costs.paper_macs / 1e9, 1) == printed


@pytest.mark.parametrize("name", list(CATALOGUE))
def test_the_guide_gives_the_known_figures(name: str) -> None:
    costs = known_costs(name)
    assert costs is not None
    figures = (costs.macs, costs.paper_macs)
    guide = (REPOSITORY / "docs" / "counting-macs.md").read_text()
    rows = [line.split("|") for line in guide.splitlines() if line.startswith(f"| {name} ")]
    shown = [cell.strip() for cell in rows[0][2:4]]

    assert shown == ["unknown" if n is None else f"{n / 1e9:.3f}" for n in figures]


def test_the_papers_counting_is_that_of_module_hooks(counted: tuple[Backbone, Count]) -> None:
    backbone, _ = counted
    costs, by_hooks = count(backbone, seconds=1.0), hooked(backbone, HOOKS)

    # FBANK has no module that weighs: counted by hooks it would cost nothing.
    assert costs.paper_macs == (by_hooks or costs.macs)


def test_the_whole_count_is_that_of_torchs_own_counter(counted: tuple[Backbone, Count]) -> None:
    """Beside the norms, which that counter leaves out, and what it does not know."""
    backbone, _ = counted
    if backbone.name == "apc":  # torch's counter knows no GRU
        return
    costs, features = count(backbone, seconds=1.0), features_of(backbone)
    assert isinstance(backbone, Encoder)
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        backbone.encode(features)
    norms = hooked(backbone, {nn.LayerNorm: norm, nn.GroupNorm: norm, nn.BatchNorm2d: batch_norm})
    fourier = 98 * 512 * 9 if backbone.name == "fbank" else 0

    assert costs.macs == counter.get_total_flops() // 2 + norms + fourier


def test_apc_counted_whole_is_its_three_gated_layers() -> None:
    assert count_of("apc").macs == 598 * 3 * 512 * ((80 + 512) + 2 * (512 + 512))


def test_no_operator_that_may_weigh_is_left_out(counted: tuple[Backbone, Count]) -> None:
    assert counted[1].uncounted == {}


def test_counted_whole_wavlm_has_no_advantage_over_wav2vec2() -> None:
    wavlm, wav2vec2 = count_of("wavlm_base_plus"), count_of("wav2vec2_base")

    assert wavlm.paper_macs < 0.8 * wav2vec2.paper_macs
    assert wavlm.macs > wav2vec2.macs


def test_costs_of_the_architecture() -> None:
    costs = architecture_costs("whisper_tiny")

    assert (costs.parameters, costs.size) == (8_208_384, 4 * 8_208_384)
    assert (costs.hidden_size, costs.layers) == (384, 4)
    assert costs == costs_of(load("whisper_tiny", "random", seed=9)) == known_costs("whisper_tiny")


def test_the_known_costs_are_these(counted: tuple[Backbone, Count]) -> None:
    """Of the small backbones; see test_known.py for the large ones."""
    backbone, costs = counted
    known = known_costs(backbone.name)
    assert known is not None
    if backbone.name in FULL:
        assert (known.macs, known.paper_macs) == (costs.macs, costs.paper_macs)
        assert known.parameters == sum(p.numel() for p in backbone.parameters())
        assert known.size == backbone.weights.size


class Wrapped(Backbone):
    """Any module as a backbone that is no `Encoder`."""

    hidden_size, layers, min_samples = 1, 1, 1

    def __init__(self, module: nn.Module, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.name, self.module, self.shape = "wrapped", module, shape
        self.weights = Weights("none", "none", "", 0)

    def hidden_states(self, waveform: Tensor) -> Tensor:
        needed = torch.Size(self.shape).numel()
        output = self.module(waveform.flatten()[:needed].reshape(self.shape))
        states: Tensor = output[0] if isinstance(output, tuple) else output
        return states


class Expression(nn.Module):
    """A function of one tensor as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, operand: Tensor) -> Tensor:
        return self.function(operand)


T, I, H = 7, 5, 6  # noqa: E741 - steps, input width and hidden width


@pytest.mark.parametrize(
    ("module", "shape", "macs"),
    [
        (nn.GRU(I, H, batch_first=True), (2, T, I), 2 * T * 3 * H * (I + H)),
        (nn.GRU(I, H, num_layers=2), (T, 2, I), 2 * T * 3 * H * (I + H + 2 * H)),
        (nn.GRU(I, H, bidirectional=True), (T, 1, I), T * 2 * 3 * H * (I + H)),
        (
            nn.LSTM(I, H, num_layers=2, bidirectional=True),
            (T, 1, I),
            T * 2 * 4 * H * ((I + H) + (2 * H + H)),
        ),
        (nn.RNN(I, H), (T, 1, I), T * H * (I + H)),
        (nn.RNN(I, H, nonlinearity="relu"), (T, 1, I), T * H * (I + H)),
        (nn.Conv1d(I, H, 3, padding=1), (1, I, T), T * H * I * 3),
        (nn.Linear(I, H), (2, T, I), 2 * T * I * H),
        (
            Expression(lambda x: nn.functional.scaled_dot_product_attention(x, x[:, :4], x[:, :4])),
            (2, T, H),
            2 * T * 4 * 2 * H,
        ),
        (Expression(lambda x: torch.baddbmm(x, x, x)), (2, T, T), 2 * T**3),
        (Expression(lambda x: torch.fft.rfft(x).abs()), (3, 512), 3 * 512 * 9),
        (
            Expression(lambda x: torch.einsum("bhld,lrd->bhlr", x, x[0, 0].expand(T, T, I))),
            (2, 3, T, I),
            2 * 3 * T * T * I,
        ),
        (
            Expression(lambda x: torch.einsum("...ij,...jk->...ik", x, x)),
            (2, 3, T, T),
            2 * 3 * T**3,
        ),
    ],
    ids=lambda value: value.__class__.__name__ if isinstance(value, nn.Module) else "",
)
def test_operators_follow_their_closed_forms(
    module: nn.Module, shape: tuple[int, ...], macs: int
) -> None:
    counted = count(Wrapped(module.eval(), shape))

    assert (counted.macs, counted.uncounted) == (macs, {})


def test_torchs_own_transformer_layer_is_counted_as_what_it_is_made_of() -> None:
    """In inference torch runs it as one fused operator, which no rule could see into."""
    layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True).eval().requires_grad_(False)
    fast = torch.backends.mha.get_fastpath_enabled()
    counted = count(Wrapped(layer, (2, T, 16)))
    attention = 4 * T * 16 * 16 + 2 * T * T * 16
    norms = 2 * NORM * T * 16

    assert counted.macs == 2 * (attention + 2 * T * 16 * 32 + norms)
    assert counted.paper_macs == 2 * (2 * T * 16 * 32 + norms)
    assert counted.uncounted == {}
    assert torch.backends.mha.get_fastpath_enabled() == fast


def test_an_operator_without_a_rule_is_reported() -> None:
    module = Expression(lambda x: torch.cdist(x, x) @ x)
    counted = count(Wrapped(module, (1, T, I)))

    assert counted.uncounted == {"aten::cdist": 1}
    assert counted.macs == T * T * I


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_depth_costs_what_its_layers_cost_by_hand(depth: int) -> None:
    """A layer of Whisper Tiny has four projections, two products of attention, two products of
    four times the width and two norms; the norm behind the last goes with the layers left out."""
    width, frames, layers = 384, 300, 4
    fewer = layers - depth
    products = frames * (12 * width**2 + 2 * frames * width)
    norm = NORM * frames * width
    whole, cut = (
        costs_of(load("whisper_tiny", "random")),
        architecture_costs(f"whisper_tiny@{depth}"),
    )
    assert None not in (whole.macs, cut.macs, whole.paper_macs, cut.paper_macs)
    assert (whole.macs or 0) - (cut.macs or 0) == fewer * (products + 2 * norm) + norm
    hooked = fewer * (frames * 12 * width**2 + 2 * norm) + norm
    assert (whole.paper_macs or 0) - (cut.paper_macs or 0) == hooked
    # Biases of all but the keys, and scale and shift of the norms.
    own = 12 * width**2 + (3 + 5 + 2 * 2) * width
    assert whole.parameters - cut.parameters == fewer * own + 2 * width
    assert whole.size - cut.size == 4 * (whole.parameters - cut.parameters)
    assert (cut.layers, cut.hidden_size) == (depth, width)
