"""What a measure is: one question put to a trained model.

A measure declares its settings, the rows that it keeps, and how figures follow from them; what it
needs computed decides which class it derives from:

- `Measure`: nothing but rows that are there already, of the training or of another measure;
- `OnHiddenStates`: hidden states of all clips, read once for all heads and all measures;
- `OnWaveforms`: passes of the trained heads over waveforms, clip by clip;
- `OnEncoder`: the encoder by itself; its figures cannot be computed again from rows;
- `OnCorpus`: rows that are there already, and what the corpus says of its clips, without sound.

Another package names its measure under the entry point group `trustser.measures`, and its criteria
under `trustser.criteria` (see `profiles_db.criteria`).

Its rows are kept fold by fold, its jobs are resumed and spread over workers as all others are. This
module, and every module that defines a measure, is imported without torch; what computes is
imported where it runs.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias, TypeVar

from profiler.settings import Settings
from profiles_db.criteria import (
    ATTACKED_DIMENSIONAL_CRITERIA,
    DIMENSIONAL_CRITERIA,
    OWN_CRITERIA,
    Aspect,
)
from profiles_db.measurement import Measurement
from profiles_db.row_tables import Row

if TYPE_CHECKING:
    from profiler.backbones.base import Backbone
    from profiler.corpora.base import Fold, Utterance
    from profiler.pipeline.context import Context, Parts
    from profiler.protocol import Protocol
    from profiler.training.head import Head
    from profiler.training.learner import Learner, Seen
    from profiles_db.records import Prediction

Figure: TypeAlias = Callable[..., Measurement]
"""`Measurement` with study, backbone, weights and corpus already filled in."""
R = TypeVar("R", bound=Row)


@dataclass(frozen=True)
class Evidence:
    """What figures are computed from.

    Parameters
    ----------
    rows : callable
        A kind of row to all rows of it, in the order of repetition, fold and insertion.
    classes : tuple of str
        The emotions in the order of every array.
    figure : callable
        Makes a measurement.
    untrained : mapping from fold to classes
        Folds whose training part has no clip of some class.
    encoder : callable or None
        Loads the encoder; None where figures are computed again from rows.
    device : str
        Where latency and memory are measured, for people.
    backbone : str
        The encoder's name.
    """

    rows: Callable[[type[Any]], list[Any]]
    classes: tuple[str, ...]
    figure: Figure
    untrained: Mapping[int, Sequence[str]]
    encoder: Callable[[], Backbone] | None = None
    device: str = ""
    backbone: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """Figures that are measured together: where one fails, the other parts are measured.

    Parameters
    ----------
    name : str
        For people.
    figures : callable
    criteria : tuple of str
        What is unknown where it fails.
    figure : callable
        Makes a measurement of one of `criteria`.
    """

    name: str
    figures: Callable[[], Iterable[Measurement]]
    criteria: tuple[str, ...]
    figure: Figure


class ClipTask(NamedTuple):
    """What one repetition's head has to do with one clip; `kind` is the measure's own word."""

    clip: str
    repetition: int
    kind: str = ""


class Measure(abc.ABC):
    """One question put to a trained model, answered from rows.

    `version` is raised when the same rows or settings give other figures than before, or when the
    rows are others.
    """

    name: ClassVar[str]
    """As in `--measures` and before the dot of its settings."""
    title: ClassVar[str]
    aspect: ClassVar[Aspect]
    version: ClassVar[int] = 1
    settings: ClassVar[type[Settings]] = Settings
    rows: ClassVar[tuple[type[Any], ...]] = ()
    """The kinds of rows it keeps, entered by `profiles_db.row_tables.row_table`."""
    by_default: ClassVar[bool] = True

    @property
    def criteria(self) -> tuple[str, ...]:
        """The criteria it measures: the program's own of its aspect, unless it says otherwise."""
        return tuple(
            name
            for name, one in OWN_CRITERIA.items()
            if one.aspect == self.aspect
            and name not in (*DIMENSIONAL_CRITERIA, *ATTACKED_DIMENSIONAL_CRITERIA)
        )

    def rests_on(self, utterances: Iterable[Utterance]) -> str | None:  # noqa: ARG002
        """Digest of what its rows rest on of the corpus beside what names the study.

        None where there is nothing of the kind: clips, speakers, genders, labels and folds name the
        study. What else a measure reads of the clips names its rows and its figures by this.
        """
        return None

    @abc.abstractmethod
    def figures(self, evidence: Evidence, settings: Any) -> Iterable[Measurement]:
        """Its figures, from stored rows alone."""

    def parts(self, evidence: Evidence, settings: Any) -> Sequence[Part]:
        """Its figures in parts that may fail one by one."""
        return [
            Part(
                self.title.lower(),
                lambda: self.figures(evidence, settings),
                self.criteria,
                evidence.figure,
            )
        ]


class StatesWork(abc.ABC):
    """What a measure does with the hidden states of one fold in one repetition.

    `learners` are heads of its own, by name, which are trained in the same pass as all others.
    """

    learners: Mapping[str, Learner]

    @abc.abstractmethod
    def tested(self) -> Mapping[str, Sequence[str]]:
        """The ids of the clips that each of its trained heads is then shown."""

    @abc.abstractmethod
    def result(self, emotion: Seen, own: Mapping[str, Seen]) -> Sequence[Row]:
        """Its rows.

        Parameters
        ----------
        emotion : Seen
            The emotion head, and what it sees of the fold's training, dev and test clips, one part
            behind the other.
        own : mapping of Seen
            Its own heads on the clips of `tested`.
        """


class OnHiddenStates(Measure):
    """A measure that reads the hidden states of all clips, fold by fold."""

    pools: ClassVar[bool] = False
    """Whether it needs `Context.pooled_vectors`."""

    @abc.abstractmethod
    def epochs(self, settings: Any) -> int | None:
        """Epochs of its longest training; 0 where it trains nothing, None for as many as the
        emotion head's."""

    @abc.abstractmethod
    def work(
        self, context: Context, fold: Fold, parts: Parts, repetition: int, settings: Any
    ) -> StatesWork:
        """What it does in one fold of one repetition (from 0)."""


class OnWaveforms(Measure):
    """A measure that lets the trained heads hear waveforms, some clips of one fold at a time."""

    @abc.abstractmethod
    def tasks(
        self,
        fold: int,
        predictions: Mapping[int, Sequence[Prediction]],
        protocol: Protocol,
        settings: Any,
    ) -> Sequence[ClipTask]:
        """What is to be done in one fold.

        Parameters
        ----------
        fold : int
        predictions : mapping from repetition (from 0)
            The emotion head's answers on the test clips.
        protocol : Protocol
        settings : Settings
        """

    @abc.abstractmethod
    def listen(
        self,
        context: Context,
        fold: int,
        heads: Mapping[int, Head],
        tasks: Sequence[ClipTask],
        settings: Any,
    ) -> Sequence[Row]:
        """The rows of some tasks of one fold.

        `heads` holds the emotion head of each repetition in `tasks`, in eval mode.
        """


class OnCorpus(Measure):
    """A measure that needs, beside rows of the training, what the corpus says of its test clips.

    That is read from metadata, so neither sound nor weights are needed.
    """

    @abc.abstractmethod
    def said(self, fold: int, tested: Sequence[Utterance]) -> Sequence[Row]:
        """Its rows of one fold, all of repetition 0.

        Parameters
        ----------
        fold : int
        tested : sequence of Utterance
            The test clips that the emotion head answered.
        """


class OnEncoder(Measure):
    """A measure of the encoder by itself, which needs neither corpus nor training."""

    def figures(self, evidence: Evidence, settings: Any) -> Iterable[Measurement]:
        """All parts together."""
        return [one for part in self.parts(evidence, settings) for one in part.figures()]
