"""Every error this program raises on purpose, in one place.

Each carries what a reader needs to act: *what* is wrong, *where*, *which rule* it breaks and
*what to do*. The command line prints them as one line and exits with `exit_code`.

Exit codes of the command line
    0    done (for `advise`: a choice stands)
    1    a check failed (`datasets check`, `verify`, `db check`, `cache verify`), and the output
         says which; or `predict` could not hear some recordings; or a part of a profile could not
         be measured, and all else is kept
    2    invalid input, missing data, missing extra
    3    `advise`: no candidate meets the requirements (the report is written all the same);
         `reproduce`: no figure could be compared
    4    `diff`: the two decisions choose differently; `reproduce`: some figures differ
    130  interrupted; what was finished is kept
    141  whoever read the output closed it before its end (`trustser ... | head`)
    143  terminated (SIGTERM), as schedulers end a job; what was finished is kept
"""

from __future__ import annotations

from collections.abc import Iterable


class TrustserError(Exception):
    """Base of all errors that a user can cause and mend.

    Parameters
    ----------
    what : str
        What is wrong, as a plain clause without a full stop.
    where : str, optional
        File, line, field or clip it concerns.
    rule : str, optional
        The rule it breaks.
    remedy : str, optional
        What to do about it.

    Examples
    --------
    >>> print(InputError("fold count 0", where="--folds", rule="at least 1", remedy="use 1 to 5"))
    --folds: fold count 0 (rule: at least 1). Use 1 to 5.
    """

    exit_code = 2

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        rule: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.what, self.where, self.rule, self.remedy = what, where, rule, remedy
        super().__init__(what)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        if self.rule:
            text += f" (rule: {self.rule})"
        if self.remedy:
            text += f". {self.remedy[:1].upper()}{self.remedy[1:]}"
        text = text if text.endswith((".", "!", "?")) else text + "."
        return " ".join(text.split())


class InputError(TrustserError):
    """An option, argument or file given by the user does not hold."""


class MissingExtraError(TrustserError):
    """A command needs an optional dependency that is not installed."""


class ScenarioError(TrustserError):
    """A scenario breaks the scenario language, or a YAML file that people write its limits.

    `problems` holds one error for each thing that is wrong; as text they stand one to a line.

    Examples
    --------
    >>> first = ScenarioError("no title", where="a.yaml:1:1")
    >>> print(ScenarioError.of([first, ScenarioError("no priorities", where="a.yaml:1:1")]))
    a.yaml:1:1: no title.
    a.yaml:1:1: no priorities.
    """

    problems: tuple[ScenarioError, ...] = ()

    @classmethod
    def of(cls, problems: Iterable[ScenarioError]) -> ScenarioError:
        """One error for all of `problems`, which may not be empty."""
        listed = tuple(problems)
        error = cls(f"{len(listed)} problems" if len(listed) > 1 else listed[0].what)
        error.problems = listed
        return error

    def __str__(self) -> str:
        if self.problems:
            return "\n".join(str(problem) for problem in self.problems)
        return super().__str__()


class EvidenceError(TrustserError):
    """The evidence that a scenario asks for is missing or not comparable."""


class CorpusError(TrustserError):
    """A corpus is missing, incomplete or not in its published layout."""


class AudioError(TrustserError):
    """A clip cannot be used: undecodable, empty, silent, or holding NaN."""


class CheckpointError(TrustserError):
    """A checkpoint is missing, hostile, or does not fit its architecture."""


class EngineError(TrustserError):
    """Workers cannot be had, or die on a job again and again."""


class MeasuringError(TrustserError):
    """A part of a profile could not be measured; the others were, and are kept."""

    exit_code = 1


class OutputError(TrustserError):
    """A file cannot be written."""


class StoreError(TrustserError):
    """The profile database cannot be opened, read or written."""


class StoreBusyError(StoreError):
    """Another process holds the profile database for too long."""


class CacheError(TrustserError):
    """What the feature cache held is gone or damaged in the middle of a run."""
