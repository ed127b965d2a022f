"""The heads of one fold of one repetition: train, predict, compare voices."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from profiler import probes, voices
from profiler.bench import Bench, Parts
from profiler.corpora.base import Fold, Utterance
from profiler.heads import Head
from profiler.training import EpochLog, Recipe, Trained, embed, predict, train
from profiles_db.records import Epoch, FoldResult, LayerWeight, Prediction, Space, Task, Trial

GENDERS = ("female", "male")
"""Order of the gender probe's classes."""


def train_heads(bench: Bench, fold: Fold, *, repetition: int) -> tuple[FoldResult, Head]:
    """Train and test every head of one fold of one repetition (from 0).

    Returns
    -------
    FoldResult
        All but the attacks.
    Head
        The emotion head, for the attack.
    """
    seconds: dict[str, float] = {}
    parts = bench.parts(fold)
    with _clock(seconds, "emotion head"):
        trained = _emotion_head(bench, fold, parts, repetition)
        predictions = _emotion_predictions(bench, trained, fold, parts.test, repetition)
    epochs = _epochs(trained, "emotion", fold, repetition)
    with _clock(seconds, "gender probes"):
        probe = _gender_probe(bench, fold, parts, repetition)
        if probe:
            epochs += _epochs(probe[0], "gender", fold, repetition)
            predictions += probe[1]
            predictions += _linear_gender(bench, trained, fold, parts, repetition)
    with _clock(seconds, "voices"):
        trials = _trials(bench, trained, fold, parts, repetition)
    weights = trained.head.layer_weights.tolist()
    result = FoldResult(
        seed=repetition,
        fold=fold.number,
        seconds=seconds,
        predictions=tuple(predictions),
        trials=tuple(trials),
        epochs=tuple(epochs),
        layer_weights=tuple(
            LayerWeight(repetition, fold.number, layer, weight)
            for layer, weight in enumerate(weights, start=1)
        ),
    )
    return result, trained.head


@contextmanager
def _clock(seconds: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start


def _emotion_head(bench: Bench, fold: Fold, parts: Parts, repetition: int) -> Trained:
    protocol = bench.protocol
    recipe = Recipe(
        classes=len(bench.classes),
        epochs=protocol.epochs,
        score="uar",
        class_weighting=protocol.class_weighting,
        seed=protocol.seed(fold.number, repetition),
    )
    targets = {name: index for index, name in enumerate(bench.classes)}
    return _train(
        bench,
        recipe,
        [(part, [targets[u.label] for u in part]) for part in (parts.train, parts.dev)],
    )


def _gender_probe(
    bench: Bench, fold: Fold, parts: Parts, repetition: int
) -> tuple[Trained, list[Prediction]] | None:
    """The probe and its answers; None unless every part has both genders."""
    known = [_with_gender(part) for part in (parts.train, parts.dev, parts.test)]
    if any({u.gender for u in part} != set(GENDERS) for part in known):
        return None
    recipe = Recipe(
        classes=len(GENDERS),
        epochs=bench.protocol.probe_epochs,
        score="accuracy",
        class_weighting="none",
        seed=bench.protocol.seed(fold.number, repetition),
    )
    pairs = [(part, _genders(part)) for part in known]
    trained = _train(bench, recipe, pairs[:2])
    logits = predict(trained.head, bench.examples(*pairs[2]))
    rows = _predictions(logits, known[2], "gender", GENDERS, fold, repetition)
    return trained, rows


def _train(bench: Bench, recipe: Recipe, parts: list[tuple[list[Utterance], list[int]]]) -> Trained:
    training, dev = (bench.examples(part, targets) for part, targets in parts)
    return train(bench.new_head, training, dev, recipe, bench.protocol, device=bench.device)


def _emotion_predictions(
    bench: Bench, trained: Trained, fold: Fold, test: list[Utterance], repetition: int
) -> list[Prediction]:
    logits = predict(trained.head, bench.examples(test, [0] * len(test)))
    return _predictions(logits, test, "emotion", bench.classes, fold, repetition)


def _linear_gender(
    bench: Bench, trained: Trained, fold: Fold, parts: Parts, repetition: int
) -> list[Prediction]:
    """What a linear probe reads of gender from the mean hidden state, and from the embedding."""
    training, test = _with_gender(parts.train), _with_gender(parts.test)
    targets = torch.tensor(_genders(training))
    spaces: tuple[tuple[Task, list[Tensor]], ...] = (
        ("linear_gender", [bench.pooled_vectors(part) for part in (training, test)]),
        ("head_gender", [_embeddings(bench, trained, part) for part in (training, test)]),
    )
    found = []
    for task, (seen, unseen) in spaces:
        logits = probes.logistic_regression(seen, targets, unseen, classes=len(GENDERS)).log()
        found += _predictions(logits, test, task, GENDERS, fold, repetition)
    return found


def _embeddings(bench: Bench, trained: Trained, part: list[Utterance]) -> Tensor:
    return embed(trained.head, bench.examples(part, [0] * len(part)))


def _with_gender(part: Sequence[Utterance]) -> list[Utterance]:
    return [utterance for utterance in part if utterance.gender is not None]


def _genders(part: Sequence[Utterance]) -> list[int]:
    return [GENDERS.index(utterance.gender) for utterance in part if utterance.gender]


def _predictions(
    logits: Tensor,
    part: Sequence[Utterance],
    task: Task,
    classes: Sequence[str],
    fold: Fold,
    repetition: int,
) -> list[Prediction]:
    probabilities = torch.softmax(logits.double(), dim=1)
    rows = zip(part, probabilities.tolist(), probabilities.argmax(dim=1).tolist(), strict=True)
    return [
        Prediction(
            seed=repetition,
            fold=fold.number,
            task=task,
            utterance=utterance.id,
            speaker=utterance.speaker,
            gender=utterance.gender,
            label=utterance.label if task == "emotion" else str(utterance.gender),
            predicted=classes[best],
            probabilities=tuple(values),
        )
        for utterance, values, best in rows
    ]


def _epochs(trained: Trained, task: Task, fold: Fold, repetition: int) -> list[Epoch]:
    def row(number: int, log: EpochLog) -> Epoch:
        return Epoch(
            repetition,
            fold.number,
            task,
            number,
            log.train_loss,
            log.dev_loss,
            log.dev_score,
            log.learning_rate,
        )

    return [row(number, log) for number, log in enumerate(trained.log, start=1)]


def _trials(
    bench: Bench, trained: Trained, fold: Fold, parts: Parts, repetition: int
) -> list[Trial]:
    """Comparisons of the test part's voices, in both spaces."""
    in_head = [_embeddings(bench, trained, part) for part in (parts.train, parts.test)]
    in_backbone = [bench.pooled_vectors(part) for part in (parts.train, parts.test)]
    spaces: tuple[tuple[Space, list[Tensor]], ...] = (("backbone", in_backbone), ("head", in_head))
    return [
        trial
        for space, (training, test) in spaces
        for trial in _compare(bench, space, training.mean(dim=0), test, parts, fold, repetition)
    ]


def _compare(
    bench: Bench,
    space: Space,
    centre: Tensor,
    vectors: Tensor,
    parts: Parts,
    fold: Fold,
    repetition: int,
) -> Iterator[Trial]:
    found = voices.compare(
        vectors,
        [utterance.speaker for utterance in parts.test],
        centre,
        enrolment=bench.protocol.enrolment_clips,
        seed=bench.protocol.seed(fold.number, 0),
    )
    for comparison in found:
        utterance = parts.test[comparison.position]
        yield Trial(
            seed=repetition,
            fold=fold.number,
            space=space,
            utterance=utterance.id,
            speaker=utterance.speaker,
            claimed=comparison.claimed,
            score=comparison.score,
        )
