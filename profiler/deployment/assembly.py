"""A recogniser from a run: its heads out of the cache, its encoder, a temperature from its rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from profiler.backbones.base import Backbone
from profiler.backbones.load import load
from profiler.deployment.calibration import Calibration, calibrate
from profiler.deployment.encoders import described, normalisation
from profiler.deployment.format import (
    UNTRAINED,
    Audio,
    CalibrationPart,
    Config,
    HeadsPart,
    MeasuredPart,
    Member,
)
from profiler.deployment.recogniser import Heads, Recogniser, heads_of
from profiler.pipeline.results import StepFiles, from_plain, read_step
from profiler.protocol import Protocol, TrainingSettings
from profiles_db.candidate_names import split_int8
from profiles_db.errors import CacheError, InputError
from profiles_db.profile import Profile
from profiles_db.records import Prediction
from profiles_db.row_tables import TRAINING
from profiles_db.store import Store

SAME: Final = 1e-4
"""Probabilities of heads trained again elsewhere come this near (docs/protocol.md)."""

Place = tuple[int, int]
"""A fold (from 1) and a repetition (from 0)."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of a run's heads: those of one fold, of one repetition, of both, or all.

    Parameters
    ----------
    fold : int, optional
        From 1.
    repetition : int, optional
        From 0.
    """

    fold: int | None = None
    repetition: int | None = None

    def of(self, places: Sequence[Place], run: str) -> list[Place]:
        """Those of `places` that are chosen.

        Raises
        ------
        InputError
            Where there are none, since the run has no such fold or repetition.
        """
        for option, asked, index in (
            ("--fold", self.fold, 0),
            ("--repetition", self.repetition, 1),
        ):
            have = sorted({place[index] for place in places})
            if asked is not None and asked not in have:
                raise InputError(
                    f"run {run} has no {option.removeprefix('--')} {asked}",
                    where=option,
                    rule=f"one of {', '.join(map(str, have))}",
                )
        return [
            place
            for place in places
            if self.fold in (None, place[0]) and self.repetition in (None, place[1])
        ]


def assemble(
    found: Profile,
    store: Store,
    choice: Choice,
    *,
    cache: Path,
    weights: str | None = None,
    include_encoder: bool = False,
) -> Recogniser:
    """The recogniser that a run trained, on the CPU.

    Parameters
    ----------
    found : Profile
        The run, with its provenance.
    store : Store
        Where its answers to test clips are: heads that answer otherwise are not taken.
    choice : Choice
    cache : Path
        Where its heads are.
    weights : str, optional
        Where the encoder's weights lie now; as they were asked for then if not given.
    include_encoder : bool, optional
        Whether weights from the hub are to go into an export.

    Raises
    ------
    InputError
        If the run has no heads, or the weights at hand are others.
    CacheError
        If the heads are not in the cache.
    CheckpointError
        If the weights are missing.
    """
    request, rows = found.provenance.get("request"), store.rows(found.run, Prediction)
    if not request or not rows:
        raise InputError(
            "has no heads to export",
            where=f"run {found.run}",
            rule="a run on a corpus, made by a release that noted how",
            remedy="profile it with `trustser profile`",
        )
    if split_int8(found.backbone)[1]:
        raise InputError(
            "has the linear layers of its encoder in int8, which a folder does not hold",
            where=f"run {found.run}",
            rule="an encoder in float32",
            remedy=f"export the run of {split_int8(found.backbone)[0]}",
        )
    places = sorted({(row.fold, row.repetition) for row in rows})
    chosen = choice.of(places, found.run)
    states = [_state(cache, found, place, rows) for place in chosen]
    protocol = Protocol.from_record(found.protocol)
    how = weights or str(request["weights"])
    encoder = _encoder(found, how, int(request["weights_seed"]))
    part = described(
        encoder,
        weights=how,
        seed=int(request["weights_seed"]),
        precision=protocol.training.precision,
        include=include_encoder,
    )
    repetitions = {repetition for _, repetition in chosen}
    classes = tuple(found.provenance["classes"])
    config = Config(
        warning=UNTRAINED if part.weights_kind == "random" else None,
        classes=classes,
        audio=Audio(
            longest_seconds=protocol.study.seconds,
            shortest_seconds=protocol.study.min_seconds,
            normalisation=normalisation(part.family),
        ),
        encoder=part,
        heads=_heads_part(chosen, states, protocol.training),
        calibration=_part_of(
            calibrate([row for row in rows if row.repetition in repetitions], classes)
        ),
        measured=MeasuredPart(
            run=found.run,
            model=found.model,
            study=found.study,
            corpus=found.corpus,
            synthetic=found.synthetic,
            finished=found.finished,
            made_with=dict(found.provenance.get("versions", {})),
        ),
    )
    return Recogniser(config, encoder, heads_of(config, encoder, Heads.stacked(states)))


def _encoder(found: Profile, weights: str, seed: int) -> Backbone:
    encoder = load(found.backbone, weights, seed)
    if encoder.weights.id != found.weights_id:
        raise InputError(
            f"its weights are not those of run {found.run}",
            where=found.backbone,
            rule=f"{found.weights_id}, found {encoder.weights.id}",
            remedy="name the same weights with --weights",
        )
    return encoder


def _heads_part(
    places: Sequence[Place], states: Sequence[dict[str, Tensor]], training: TrainingSettings
) -> HeadsPart:
    members = [
        Member(
            fold=fold,
            repetition=repetition,
            layer_weights=tuple(torch.softmax(state["layer_logits"], dim=0).tolist()),
        )
        for (fold, repetition), state in zip(places, states, strict=True)
    ]
    return HeadsPart(
        shape=HeadsPart.worded(training.convolutions, training.pooling),
        width=training.hidden_size,
        convolutions=training.convolutions,
        pooling=training.pooling,
        members=tuple(members),
    )


def _part_of(found: Calibration) -> CalibrationPart:
    return CalibrationPart(
        temperature=found.temperature,
        reason=found.reason,
        averaged=found.averaged,
        clips=found.clips,
        folds=found.folds,
        uar=found.uar.value,
        uar_low=found.uar.low,
        uar_high=found.uar.high,
        error_before=found.error_before,
        error_after=found.error_after,
        loss_before=found.loss_before,
        loss_after=found.loss_after,
    )


def _state(
    cache: Path, found: Profile, place: Place, rows: Sequence[Prediction]
) -> dict[str, Tensor]:
    """The head of one place, which answers as the database says."""
    fold, repetition = place
    stored = {
        row.utterance: row for row in rows if (row.fold, row.repetition) == (fold, repetition)
    }
    others = False
    for files in _files(cache, found.model, place):
        if not files.is_done():
            continue
        if _answers_as(stored, files):
            return files.tensors()
        others = True
    what = "answers otherwise than the run in the database" if others else "is not in the cache"
    raise CacheError(
        f"the head of fold {fold}, repetition {repetition} {what}",
        where=f"run {found.run}, {cache}",
        remedy="name the cache of the run with --cache; or train again, with `trustser profile` "
        "into another database",
    )


def _files(cache: Path, model: str, place: Place) -> Iterator[StepFiles]:
    """Where the head may be: a folder for each set of versions that trained the model."""
    for steps in sorted((cache / "steps").glob(f"{model}-*")):
        yield StepFiles(steps, TRAINING, place[1], place[0])


def _answers_as(stored: dict[str, Prediction], files: StepFiles) -> bool:
    """Whether the training that left `files` gave the answers `stored`, but for rounding."""
    given = [
        row for row in from_plain(read_step(files.result) or {}).rows if type(row) is Prediction
    ]
    return (
        given != []
        and stored.keys() == {row.utterance for row in given}
        and all(
            abs(own - other) <= SAME
            for row in given
            for own, other in zip(
                row.probabilities, stored[row.utterance].probabilities, strict=True
            )
        )
    )
