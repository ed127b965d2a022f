"""Pooling, probes and the choice of the strongest attacker."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from profiler.backbones.load import load
from profiler.corpora.base import Utterance
from profiler.measures.attackers import Guess, Known, Space, linear, linear_and_not, strongest
from profiler.measures.pooling import AVERAGE, HALF_PRECISION, PooledFile, Pooling, rounding_of
from profiler.measures.probes import Standard, logistic_regression, perceptron
from profiler.measures.statistics import Floats, Ints


def _two_clouds(clips: int = 120, features: int = 5, seed: int = 0) -> tuple[Floats, Ints]:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((clips, features))
    targets = (vectors[:, 0] + 0.5 * rng.standard_normal(clips) > 0).astype(np.int64)
    return vectors, targets


def test_logistic_regression_minimises_the_objective_it_names() -> None:
    """Summed log-loss plus half the squared norm, the offset free: scipy finds the same answers."""
    train, targets = _two_clouds()
    signs = 2 * targets - 1

    def objective(parameters: Floats) -> float:
        margins = signs * (train @ parameters[:-1] + parameters[-1])
        loss = np.logaddexp(0, -margins).sum() + parameters[:-1] @ parameters[:-1] / 2
        return float(loss)

    best = optimize.minimize(objective, np.zeros(6), tol=1e-12).x
    test, _ = _two_clouds(30, seed=1)
    expected = 1 / (1 + np.exp(-(test @ best[:-1] + best[-1])))
    found = np.exp(logistic_regression(train, targets)(test))[:, 1]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_perceptron_reads_what_no_line_separates() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((800, 2))
    targets = (vectors[:, 0] * vectors[:, 1] > 0).astype(np.int64)
    halves = slice(0, 400), slice(400, 800)
    flat = logistic_regression(vectors[halves[0]], targets[halves[0]])(vectors[halves[1]])
    bent = perceptron(vectors[halves[0]], targets[halves[0]], seed=0)(vectors[halves[1]])
    truth = targets[halves[1]]
    assert (flat.argmax(axis=1) == truth).mean() < 0.6
    assert (bent.argmax(axis=1) == truth).mean() > 0.8


@pytest.mark.parametrize("kind", ["linear", "perceptron"])
def test_another_rounding_of_the_input_changes_no_answer(kind: str) -> None:
    train, targets = _two_clouds(400, 40)
    test, _ = _two_clouds(200, 40, seed=1)
    nudged = train * (1 + 1e-15 * np.random.default_rng(2).standard_normal(train.shape))

    def answers(vectors: Floats) -> Floats:
        if kind == "linear":
            return logistic_regression(vectors, targets)(test)
        return perceptron(vectors, targets, seed=3)(test)

    before, after = np.exp(answers(train)), np.exp(answers(nudged))
    np.testing.assert_allclose(before, after, atol=1e-6)
    np.testing.assert_array_equal(np.exp(answers(train)), before)


def test_moments_equal_numpy_and_are_named_by_layer() -> None:
    states = torch.from_numpy(np.random.default_rng(0).normal(3, 2, (3, 50, 7))).half()
    pooling = Pooling(3, 7)
    found, exact = pooling(states).double().numpy(), states.double().numpy()
    for number in (1, 2, 3):
        own = found[pooling.columns[f"layer {number}"]]
        expected = np.concatenate([exact[number - 1].mean(axis=0), exact[number - 1].std(axis=0)])
        np.testing.assert_allclose(own, expected, rtol=1e-6)
    average = exact.mean(axis=0)
    own = found[pooling.columns[AVERAGE]]
    np.testing.assert_allclose(own[:7], average.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(own[7:14], average.std(axis=0), rtol=1e-6)
    drawn = np.random.default_rng(0).standard_normal((7, 32))
    drawn /= np.linalg.norm(drawn, axis=0)
    covariances = np.cov(average @ drawn, rowvar=False, bias=True)
    np.testing.assert_allclose(own[14:], covariances[np.triu_indices(32)], rtol=1e-5, atol=1e-6)
    assert own.size + 3 * 14 == pooling.size


@given(
    offset=st.floats(-300, 300),
    spread=st.floats(0, 20),
    frames=st.integers(8, 60),
    seed=st.integers(0, 99),
)
def test_half_precision_never_moves_a_moment_further_than_the_rounding_named(
    offset: float, spread: float, frames: int, seed: int
) -> None:
    exact = torch.from_numpy(np.random.default_rng(seed).normal(offset, spread, (1, frames, 64)))
    pooling = Pooling(1, 64)
    kept, true = (pooling(one).double().numpy()[None] for one in (exact.half(), exact))
    rounding = pooling.rounding(true)
    # Pooled values themselves are kept in single precision.
    single = 2.0**-22 * np.abs(true[0])
    assert (np.abs(kept - true)[0] <= 1.01 * rounding + single).all()


def test_normalised_states_have_constant_moments_and_telling_covariances() -> None:
    """FBANK of five noises of two colours: every band has mean 0 and deviation 1 in each clip."""
    backbone = load("fbank", "pretrained", 0, torch.device("cpu"))
    rng = np.random.default_rng(0)
    pooling, vectors = Pooling(1, 240), []
    for clip in range(10):
        wave = rng.standard_normal(16_000)
        wave = wave if clip % 2 else np.cumsum(wave) / 100
        # Bands that rise and fall together, or do not.
        wave = wave * (1 + 0.9 * np.sin(np.arange(16_000) / 400)) if clip % 2 else wave
        states = backbone(torch.from_numpy(0.05 * wave).float()[None])[0]
        vectors.append(pooling(states.detach().half()).double().numpy())
    clips = np.stack(vectors)
    rounding = pooling.rounding(clips)
    assert Standard.of(clips[:, :480], rounding[:480]) is None
    standard = Standard.of(clips, rounding)
    assert standard is not None
    assert not standard.kept[:480].any()
    assert standard.kept[480:].all()


def test_what_is_constant_to_rounding_is_not_blown_up() -> None:
    rng = np.random.default_rng(0)
    vectors = np.column_stack([5 + 1e-4 * rng.standard_normal(50), rng.standard_normal(50)])
    standard = Standard.of(vectors, rounding_of(vectors))
    assert standard is not None
    assert standard.kept.tolist() == [False, True]
    assert Standard.of(vectors[:, :1], rounding_of(vectors[:, :1])) is None
    assert rounding_of(vectors)[0] == pytest.approx(5 * HALF_PRECISION, rel=1e-3)


def test_a_few_broken_clips_do_not_decide_the_scale() -> None:
    vectors = np.random.default_rng(0).standard_normal((200, 1))
    broken = vectors.copy()
    broken[:3] = 1e7
    whole, found = (Standard.of(some, np.zeros(1)) for some in (vectors, broken))
    assert whole is not None
    assert found is not None
    assert found.deviation[0] == pytest.approx(whole.deviation[0], rel=0.1)


def test_pooled_vectors_come_back_from_their_file(tmp_path: Path) -> None:
    file = PooledFile(tmp_path, 6)
    for position in (4, 0, 2):
        file.keep(position, torch.arange(6.0) + 10 * position)
    np.testing.assert_array_equal(file.read([2, 4], slice(1, 3)), [[21, 22], [41, 42]])
    assert list(tmp_path.iterdir()) == [], "nothing is left behind, whoever dies"
    with pytest.raises(KeyError):
        file.read([1], slice(0, 6))


def _clips(females: int, males: int, name: str) -> list[Utterance]:
    genders = ["female"] * females + ["male"] * males
    return [
        Utterance(f"{name}{n}", Path(), f"{name}{n}", gender, "sad")  # type: ignore[arg-type]
        for n, gender in enumerate(genders)
    ]


def _known(most: int | None = None) -> Known:
    parts = _clips(90, 30, "a"), _clips(10, 10, "b"), _clips(10, 10, "c")
    return Known.of(*parts, most=most, seed=0)


def _guess(name: str, dev: float, test: float) -> Guess:
    """Right on so large a share of either gender."""

    def logs(share: float) -> Floats:
        wrong = [place % 10 >= round(10 * share) for place in range(20)]
        truth = np.repeat([0, 1], 10)
        found = np.full((20, 2), np.log(0.1))
        found[np.arange(20), np.where(wrong, 1 - truth, truth)] = np.log(0.9)
        return found

    return Guess(name, logs(dev), logs(test))


def test_the_strongest_is_chosen_by_the_dev_part_alone() -> None:
    guesses = [_guess("one", 0.7, 1.0), _guess("two", 0.9, 0.6), _guess("three", 0.9, 0.8)]
    judged = _known().judged(guesses)
    best = strongest(judged)
    assert best.guess.attacker == "two", "of equals the first, whatever they do on the test part"
    assert best.dev_uar == pytest.approx(0.9)
    assert best.test_uar == pytest.approx(0.6)


def test_an_attacker_that_always_says_the_commoner_gender_infers_nothing() -> None:
    always = np.log(np.tile([0.7, 0.3], (20, 1)))
    (judged,) = _known().judged([Guess("one", always, always)])
    assert judged.test_uar == 0.5
    hint = np.log(np.column_stack([np.repeat([0.9, 0.6], 10), np.repeat([0.1, 0.4], 10)]))
    (judged,) = _known().judged([Guess("two", hint, hint)])
    assert judged.test_uar == 1.0, "0.6 is less than the 0.75 of women in training"
    np.testing.assert_allclose(np.exp(judged.guess.test).sum(axis=1), 1.0)


def test_training_clips_are_drawn_within_each_gender() -> None:
    some = _known(most=20)
    assert [u.gender for u in some.training].count("female") == 15
    assert len(some.training) == 20
    assert some.training == _known(most=20).training
    assert len(_known(most=1).training) == 2, "never without one gender"


def test_attackers_are_not_there_where_all_vectors_are_the_same() -> None:
    noise = {u: n for n, u in enumerate([*_known().training, *_known().dev, *_known().test])}

    def read(part: object) -> Floats:
        return np.array([[1 + 1e-6 * noise[u]] for u in part])  # type: ignore[attr-defined]

    space = Space("nothing", read, rounding_of)
    assert linear(space, _known()) is None
    assert list(linear_and_not(space, _known(), seed=0)) == []
    telling = Space(
        "all", lambda part: np.array([[float(u.gender == "male")] for u in part]), rounding_of
    )
    names = [guess.attacker for guess in linear_and_not(telling, _known(), seed=0)]
    assert names == ["linear, all", "perceptron, all"]
    assert all(
        one.test_uar == 1.0
        for one in _known().judged(list(linear_and_not(telling, _known(), seed=0)))
    )
