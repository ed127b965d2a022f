"""The model card of an export: Hugging Face's front matter, and what was measured, as it stands.

Nothing is made up: what the database or the catalogue does not know is said to be unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from profiles_db.criteria import ASPECT_TITLES, ASPECTS, CRITERIA, format_value
from profiles_db.measurement import Measurement
from profiles_db.profile import Profile
from reports.auditing import LABELS, NO_SPEECH
from trustser.card_parts import UNKNOWN, UNVERIFIED, front_matter, interval_cell, table_row
from trustser.commands.profiles_export import model_result
from trustser.stored_profiles import corpus_mark, weights_mark

if TYPE_CHECKING:
    from profiler.corpora.reader import CorpusReader
    from profiler.deployment.format import Config, EncoderPart


def model_card(config: Config, found: Profile, reader: type[CorpusReader] | None) -> str:
    """README.md of an exported folder.

    Parameters
    ----------
    config : Config
        What the folder says of itself.
    found : Profile
        The run, with its figures.
    reader : type of CorpusReader or None
        What is known of the corpus; None where no corpus of that name is installed.
    """
    parts = [
        _front_matter(config, found, reader),
        f"# Speech emotion recogniser on {found.backbone}",
        *_warnings(config),
        _what_it_is(config),
        _how_to_use(config),
        "## Intended use\n\nTo be said by its owner. TrustSER measures; it does not approve a use. "
        "The figures below are of one corpus, and say nothing of a use elsewhere.",
        _figures(config, found),
        _calibration(config),
        _training_data(found, reader),
        _licences(config, found, reader),
        _limits(config, found),
        _provenance(config, found),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(config: Config, found: Profile, reader: type[CorpusReader] | None) -> str:
    tags = ["untrained-random-weights"] if config.warning is not None else []
    tags += ["synthetic-training-data"] if found.synthetic else []
    name = f"{found.backbone}{' (UNTRAINED, random weights)' if config.warning else ''}"
    return front_matter(
        licence=UNKNOWN,
        tags=tags,
        languages=reader.languages if reader is not None else (),
        base_model=config.encoder.hub_id,
        name=name,
        result=model_result(found),
    )


def _warnings(config: Config) -> Iterator[str]:
    if config.warning is not None:
        yield f"> **{config.warning}**"
    if config.measured.synthetic:
        yield "> **SYNTHETIC training data: no person spoke it. A demonstration, no more.**"


def _what_it_is(config: Config) -> str:
    encoder, members = config.encoder, config.heads.members
    folds = sorted({member.fold for member in members})
    repetitions = sorted({member.repetition for member in members})
    heads = (
        f"one head (fold {folds[0]}, repetition {repetitions[0]})"
        if len(members) == 1
        else f"{len(members)} heads (folds {_list(folds)}; repetitions {_list(repetitions)}) whose "
        "probabilities are averaged"
    )
    where = (
        "its weights are in this folder"
        if encoder.included
        else "it has no weights"
        if encoder.weights_kind == "none"
        else f"its weights are not in this folder: they are loaded from {_reference(config)} and "
        "compared with their digest"
    )
    return "\n".join(
        [
            "## What it is",
            "",
            f"A {'' if encoder.tuned else 'frozen '}speech encoder, `{encoder.name}`, and {heads}, "
            "each a small network on a weighted sum of the encoder's hidden states."
            f"{_tuned(encoder)}",
            "",
            f"- classes: {', '.join(config.classes)}",
            f"- encoder: {encoder.hidden_states} hidden states of {encoder.hidden_size} values; "
            f"{where}",
            f"- heads: {config.heads.shape}, of width {config.heads.width}",
            f"- weights: {encoder.weights_id} ({encoder.weights_origin})",
            f"- it hears the first {config.audio.longest_seconds:g} s of a clip (longer recordings "
            f"by windows), at {config.audio.sample_rate} Hz, channels averaged; at least "
            f"{config.audio.shortest_seconds:g} s",
            f"- normalisation: {config.audio.normalisation}",
        ]
    )


def _tuned(encoder: EncoderPart) -> str:
    if not encoder.tuned:
        return ""
    last = "layer was" if encoder.tuned == 1 else f"{encoder.tuned} layers were"
    return f" The encoder's last {last} trained with each head, which has its own copy."


def _reference(config: Config) -> str:
    encoder = config.encoder
    revision = f", revision {encoder.revision}" if encoder.revision else ", revision unknown"
    return f"`{encoder.hub_id}`{revision}" if encoder.hub_id else f"`{encoder.weights}`"


def _how_to_use(config: Config) -> str:
    text = (
        "## How to use it\n\n"
        "```sh\n"
        'pip install "trustser[profile]"\n'
        "trustser predict FOLDER clip.wav\n"
        "trustser predict FOLDER long.wav --window 3 --hop 1\n"
        "```\n\n"
        "```python\n"
        "import trustser\n\n"
        "recogniser = trustser.load_model(FOLDER)\n"
        "answer = recogniser.predict(waveform, sample_rate=16_000)  # floats in [-1, 1]\n"
        "print(answer.predicted, answer.probabilities)\n"
        "```"
    )
    if config.onnx is not None:
        text += (
            f"\n\n`model.onnx` (opset {config.onnx.opset}) takes the {config.onnx.input}, shape "
            "(1, samples), float32, and gives probabilities; compared with torch on clips of "
            f"{_list(config.onnx.tried_samples)} samples, the largest difference was "
            f"{config.onnx.largest_difference:.1g}."
        )
    return text


def _figures(config: Config, found: Profile) -> str:
    measured = [figure for name in CRITERIA if (figure := found.pooled(name)) is not None]
    lacking = [name for name in CRITERIA if found.pooled(name) is None]
    repetitions = f"{found.repetitions} repetition{'s' if found.repetitions != 1 else ''}"
    lines = [
        "## Figures",
        "",
        "Cross-validated: each head was tested on speakers it was not trained on, on "
        f"{found.folds} of {found.folds_total} folds, {repetitions}. {_whose(config)}",
        "",
        "| aspect | criterion | value | 95 % interval | clips | baseline | flags |",
        "|---|---|---|---|---|---|---|",
        *map(_row, measured),
        "",
        "Baseline: what guessing, or a model without the flaw, would score. A flag is a reason not "
        "to believe the value.",
    ]
    if lacking:
        lines += ["", f"Not measured: {', '.join(f'`{name}`' for name in lacking)}."]
    return "\n".join(lines)


def _whose(config: Config) -> str:
    """Whose figures those of the run are, and what is known of the mean that answers."""
    members, tested = config.heads.members, config.calibration
    if len(members) == 1:
        return "They are figures of such heads, of which one is in this folder, not of that one."
    text = "They are figures of such heads one by one, **not of the mean of heads in this folder**"
    if len({member.fold for member in members}) > 1:
        text += (
            ": of the clips that test one of them others learned, so that none is left to test it"
        )
    if tested.averaged > 1:
        text += (
            f". The mean of the {tested.averaged} heads of a fold, tested likewise, has an "
            f"unweighted average recall of {_span(tested.uar, tested.uar_low, tested.uar_high)}"
        )
    return f"{text}."


def _span(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return UNKNOWN
    text = format_value(value, "fraction")
    if low is None or high is None:
        return f"{text} (interval unknown)"
    return f"{text} ({format_value(low, 'fraction')} to {format_value(high, 'fraction')})"


def _row(figure: Measurement) -> str:
    criterion = figure.definition
    unit, value, interval = criterion.unit, f"unknown: {figure.unknown}", ""
    if figure.value is not None:
        value = format_value(figure.value, unit)
        interval = "" if criterion.aspect == "sustainability" else UNKNOWN
    interval = interval_cell(figure.low, figure.high, unit) or interval
    cells = [
        ASPECT_TITLES[criterion.aspect],
        f"{criterion.title} (`{criterion.name}`)",
        value,
        interval,
        "" if figure.n is None else str(figure.n),
        "" if figure.baseline is None else format_value(figure.baseline, unit),
        "; ".join(figure.flags),
    ]
    return table_row(cells)


def _calibration(config: Config) -> str:
    found = config.calibration
    averaged = "single heads" if found.averaged == 1 else f"the mean of {found.averaged} heads"
    lines = ["## Calibration", ""]
    before = _error(found.error_before)
    if found.temperature is None:
        lines.append(
            f"**Not calibrated**: {found.reason}. Expected calibration error of {averaged} on "
            f"{found.clips} test clips: {before}."
        )
    else:
        lines.append(
            f"Temperature {found.temperature:.3g} (Guo et al. 2017), fitted on the answers of "
            f"{averaged} of a fold to {found.clips} test clips of {found.folds} folds. Expected "
            f"calibration error over 15 bins: {before} without, {_error(found.error_after)} with "
            "the temperature of the other folds."
        )
    if len(config.heads.members) > found.averaged:
        lines.append(
            f"The average of all {len(config.heads.members)} heads in this folder could not be "
            "tested; it may be less sure than it is right."
        )
    lines.append(
        "Training weighted the classes, and the corpus has its own shares of them: where emotions "
        "are rarer or commoner, probabilities are off."
    )
    return "\n".join(lines)


def _error(value: float | None) -> str:
    return UNKNOWN if value is None else format_value(value, "fraction")


def _training_data(found: Profile, reader: type[CorpusReader] | None) -> str:
    notes = "".join(f"\n- {note}" for note in found.provenance.get("notes", ()))
    clips = found.provenance.get("clips", UNKNOWN)
    lines = [
        "## Training data",
        "",
        f"- corpus: {corpus_mark(found)}" + (f", {reader.title}" if reader else ""),
        f"- clips used: {clips}; study {found.study}",
        f"- folds: {found.folds} of {found.folds_total}"
        + (f"; {reader.folding}" if reader else ""),
        f"- languages: {_languages(reader)}",
        f"- to cite: {reader.citation if reader and reader.citation else UNKNOWN}",
    ]
    return "\n".join(lines) + notes


def _languages(reader: type[CorpusReader] | None) -> str:
    if reader is None or not reader.languages:
        return UNKNOWN
    return ", ".join("none" if code == "zxx" else code for code in reader.languages)


def _licences(config: Config, found: Profile, reader: type[CorpusReader] | None) -> str:
    return "\n".join(
        [
            "## Licences",
            "",
            f"- encoder's weights: {_weights_licence(config, found)}",
            f"- training data: {_corpus_licence(found, reader)}",
            "- this recogniser: to be said by its owner, within both",
        ]
    )


def _weights_licence(config: Config, found: Profile) -> str:
    named = str(found.provenance.get("licence") or "")
    if config.encoder.weights_kind == "random":
        return "none: random weights"
    if config.encoder.weights_kind == "none":
        free = not named or named.startswith("none needed")
        return "no weights" if free else f"no weights; of the program: {named}"
    if config.encoder.hub_id is None and named:
        return (
            f"{UNVERIFIED}: {named} is that of the published checkpoint; these came from "
            f"`{config.encoder.weights_origin}`"
        )
    return named or UNVERIFIED


def _corpus_licence(found: Profile, reader: type[CorpusReader] | None) -> str:
    if reader is None or found.corpus == "manifest" or not reader.licence:
        return UNVERIFIED
    return (
        f"{reader.licence} (as its publishers state it; whether your copy is theirs: {UNVERIFIED})"
    )


def _limits(config: Config, found: Profile) -> str:
    known = {m.gender for m in found.measurements if m.gender is not None}
    tested = (
        f"speakers recorded as {' and '.join(sorted(known))}" if known else "no group of speakers"
    )
    lacking = [ASPECT_TITLES[one].lower() for one in ASPECTS if not _measured(found, one)]
    lines = [
        "## Limits",
        "",
        f"- Told apart in the figures: {tested}. **Untested**: other genders, ages, accents, "
        "languages, illnesses, microphones, rooms and ways of speaking than those of the corpus.",
        f"- {LABELS} An emotion outside {', '.join(config.classes)} is answered all the same.",
        f"- {NO_SPEECH}",
    ]
    if lacking:
        lines.append(f"- Not measured: {', '.join(lacking)}.")
    if found.folds < found.folds_total:
        lines.append(
            f"- Only {found.folds} of {found.folds_total} folds were measured: some speakers of "
            "the corpus were never tested."
        )
    for part, reason in found.failed.items():
        lines.append(f"- Unknown: {part}: {reason}")
    return "\n".join(lines)


def _measured(found: Profile, aspect: str) -> bool:
    return any(
        CRITERIA[m.criterion].aspect == aspect and m.value is not None
        for m in found.measurements
        if m.criterion in CRITERIA
    )


def _provenance(config: Config, found: Profile) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in config.measured.made_with.items())
    return "\n".join(
        [
            "## Provenance",
            "",
            f"- run {found.run}, model {found.model}, study {found.study}",
            f"- finished {found.finished}",
            f"- backbone {found.backbone}, weights {weights_mark(found)}",
            f"- device {found.device}",
            f"- made with {versions or UNKNOWN}",
            "- all settings: `protocol` of the run (`trustser profiles show RUN --json`)",
        ]
    )


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
