"""The picture of the embeddings against scikit-learn, and its chance against permutations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score
from sklearn.neighbors import NearestNeighbors

import trustser
from profiler.corpora.base import GENDERS, Utterance
from profiler.measures.embeddings import CONSTANT, PROPERTIES, EmbeddingsSettings, embeddings
from profiler.measures.embeddings_work import nearest_to_each, principal, rows_of
from profiler.measures.statistics import Floats
from profiles_db.measurement import Measurement
from profiles_db.records import EmbeddingNeighbour, EmbeddingPoint
from profiles_db.store import Store
from tests.profiler.aspects.rows import CLASSES, figure, measure
from trustser.__main__ import run

SPEAKERS, TAKES, FEATURES = 8, 5, 12


def _clips(gender: bool = True) -> list[Utterance]:
    """Of each speaker five clips of each of four emotions."""
    return [
        Utterance(
            f"{speaker}-{label}-{take}", Path(), f"s{speaker}",
            GENDERS[speaker % 2] if gender else None, label,
        )
        for speaker in range(SPEAKERS)
        for label in CLASSES
        for take in range(TAKES)
    ]  # fmt: skip


CLIPS = _clips()


def _space(seed: int = 0, **strength: float) -> Floats:
    """Noise, with a place for each emotion, speaker or gender added, as strong as asked for."""
    rng = np.random.default_rng(seed)
    found: Floats = rng.standard_normal((len(CLIPS), FEATURES))
    for name, by in strength.items():
        places = {
            kind: rng.standard_normal(FEATURES)
            for kind in sorted({getattr(clip, name) for clip in CLIPS})
        }
        found += by * np.array([places[getattr(clip, name)] for clip in CLIPS])
    return found


def _rows(
    vectors: Floats, settings: EmbeddingsSettings, clips: Sequence[Utterance] = CLIPS
) -> tuple[list[EmbeddingPoint], list[EmbeddingNeighbour]]:
    rows = rows_of(clips, vectors, settings, 1, len(clips))
    return (
        [row for row in rows if isinstance(row, EmbeddingPoint)],
        [row for row in rows if isinstance(row, EmbeddingNeighbour)],
    )


def _figures(vectors: Floats, clips: Sequence[Utterance] = CLIPS) -> list[Measurement]:
    return embeddings(*_rows(vectors, EmbeddingsSettings(), clips), measure, "pca")


def test_points_are_scikit_learns_principal_components() -> None:
    vectors = _space(label=2.0)
    points, _ = _rows(vectors, EmbeddingsSettings())
    theirs = PCA(2, svd_solver="full").fit(vectors)
    ours = np.array([(point.x, point.y) for point in points])
    expected = theirs.transform(vectors)
    expected *= np.sign((expected * ours).sum(axis=0))
    assert ours == pytest.approx(expected)
    found = _figures(vectors)
    for index, name in enumerate(("first axis", "second axis")):
        share = figure(found, "variance_shown", name).value
        assert share == pytest.approx(theirs.explained_variance_ratio_[index])


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(1, 6), st.integers(2, 12))
def test_the_sign_of_an_axis_follows_from_its_largest_loading(
    seed: int, features: int, clips: int
) -> None:
    """Mirrored vectors give the mirrored picture, and so a sign that no library chose."""
    vectors = np.random.default_rng(seed).standard_normal((clips, features))
    vectors -= vectors.mean(axis=0)
    found = principal(vectors)
    for axis in range(2):
        loadings = vectors.T @ found[:, axis]
        if np.abs(found[:, axis]).max() > 1e-9:
            assert loadings[np.abs(loadings).argmax()] > 0
    assert principal(-vectors) == pytest.approx(-found, abs=1e-9)


def test_neighbours_are_scikit_learns_and_silhouettes_too() -> None:
    vectors = _space(speaker=0.5)
    points, neighbours = _rows(vectors, EmbeddingsSettings(neighbours=7))
    theirs = NearestNeighbors(n_neighbors=7).fit(vectors).kneighbors(return_distance=False)
    named = [[CLIPS[other].id for other in some] for some in theirs]
    ours = [[row.neighbour for row in neighbours if row.utterance == clip.id] for clip in CLIPS]
    assert ours == named
    for name in PROPERTIES:
        kinds = [getattr(clip, name) for clip in CLIPS]
        value = figure(_figures(vectors), "silhouette", name).value
        assert value == pytest.approx(silhouette_score(vectors, kinds))
    assert {point.among for point in points} == {len(CLIPS)}


def test_of_equally_near_clips_the_first_ones_are_the_neighbours() -> None:
    nearest = nearest_to_each(np.zeros((4, 4)), 2)
    assert nearest.tolist() == [[1, 2], [0, 2], [0, 1], [0, 1]]


@pytest.mark.parametrize("name", PROPERTIES)
def test_chance_is_what_permutations_give_on_average(name: str) -> None:
    """Emotions within speakers, speakers within emotions, genders over speakers, drawn anew."""
    points, neighbours = _rows(_space(speaker=0.8, label=0.4), EmbeddingsSettings())
    ours = figure(embeddings(points, neighbours, measure, "pca"), "neighbour_agreement", name)
    place = {point.utterance: index for index, point in enumerate(points)}
    pairs = np.array([(place[row.utterance], place[row.neighbour]) for row in neighbours])
    rng = np.random.default_rng(3)
    values = np.array([getattr(point, name) for point in points], dtype=object)
    speakers = np.array([point.speaker for point in points])
    shares = []
    for _ in range(400):
        drawn = values.copy()
        if name == "gender":
            dealt = dict(zip(sorted(set(speakers)), rng.permutation([0, 1] * 4), strict=True))
            drawn = np.array([dealt[speaker] for speaker in speakers])
        else:
            within = [p.speaker if name == "label" else p.label for p in points]
            for kind in set(within):
                members = np.flatnonzero(np.array(within) == kind)
                drawn[members] = rng.permutation(drawn[members])
        shares.append((drawn[pairs[:, 0]] == drawn[pairs[:, 1]]).mean())
    error = np.std(shares) / np.sqrt(len(shares))
    assert ours.baseline == pytest.approx(np.mean(shares), abs=4 * error)


@pytest.mark.parametrize("strong", PROPERTIES)
def test_what_a_space_holds_is_found_and_nothing_else(strong: str) -> None:
    found = _figures(_space(7, **{strong: 3.0}))
    for name in PROPERTIES:
        one = figure(found, "neighbour_agreement", name)
        assert None not in (one.value, one.low, one.high, one.baseline)
        if name == strong:
            assert one.low > one.baseline  # type: ignore[operator]
            assert one.value > one.baseline + 0.3  # type: ignore[operator]
            assert (figure(found, "silhouette", name).value or 0) > 0.2
        elif (strong, name) != ("gender", "speaker"):  # whose gender is known is known by half
            assert one.value == pytest.approx(one.baseline, abs=0.06)


def test_speakers_apart_say_nothing_of_gender() -> None:
    """All of a clip's neighbours are its speaker's: of one gender, and by chance as well."""
    one = figure(_figures(_space(5, speaker=20.0)), "neighbour_agreement", "gender")
    assert one.value == pytest.approx(1)
    assert one.baseline == pytest.approx(1)


def test_unknown_genders_are_left_out_and_said() -> None:
    nobody = _figures(_space(label=1.0), _clips(gender=False))
    one = figure(nobody, "neighbour_agreement", "gender")
    assert (one.value, one.unknown) == (None, "no clip's gender is known")
    assert figure(nobody, "silhouette", "gender").unknown == "fewer than two kinds of gender"
    assert figure(nobody, "neighbour_agreement", "label").value is not None


def test_t_sne_keeps_neighbours_together_and_comes_out_the_same_again() -> None:
    settings = EmbeddingsSettings(method="tsne")
    points, neighbours = _rows(_space(label=4.0), settings)
    assert _rows(_space(label=4.0), settings) == (points, neighbours)
    assert not [m for m in embeddings(points, neighbours, measure, "tsne")
                if m.criterion == "variance_shown"]  # fmt: skip
    drawn = np.array([(point.x, point.y) for point in points])
    assert silhouette_score(drawn, [point.label for point in points]) > 0.3


# A run


@pytest.fixture(scope="module")
def db(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("embeddings")
    trustser.profile(
        "whisper_tiny@1", "manifest", data_root=manifest, weights="random",
        measures="performance,embeddings", workers=0, device="cpu", db=folder / "a.duckdb",
        cache=folder / "cache", settings={
            "study.folds": 2, "training": {"repetitions": 2, "epochs": 1},
            "embeddings": {"points": 60, "neighbours": 5},
        },
    )  # fmt: skip
    return folder / "a.duckdb"


def test_a_run_keeps_one_picture_of_some_clips(db: Path) -> None:
    store = Store(db, read_only=True)
    (profile,) = store.profiles()
    points = store.rows(profile.run, EmbeddingPoint)
    assert len({point.utterance for point in points}) == len(points) == 60
    assert {(p.repetition, p.fold, p.among) for p in points} == {(0, 1, 80)}
    neighbours = store.rows(profile.run, EmbeddingNeighbour)
    assert len(neighbours) == 60 * 5
    assert {row.neighbour for row in neighbours} <= {point.utterance for point in points}
    found = [m for m in profile.measurements if m.measure == "embeddings"]
    own = embeddings(points, neighbours, measure, "pca")
    assert [(m.criterion, m.variant, m.value) for m in found] == [
        (m.criterion, m.variant, m.value) for m in own
    ]
    assert run(["db", "check", "--db", str(db)]) == 0


def test_its_figures_are_computed_again_from_rows_and_its_picture_is_in_the_report(
    db: Path, tmp_path: Path
) -> None:
    (again,) = trustser.measure("whisper_tiny@1", measures="embeddings", recompute=True, db=db)
    assert not again.failed
    page = tmp_path / "a.html"
    assert run(["report", "--db", str(db), "-o", str(page)]) == 0
    text = page.read_text()
    assert text.count("<circle class=") == 60
    assert "60 of 80 clips, drawn at random" in text
    trustser.write_report(again, tmp_path / "b.html", db=db)
    assert (tmp_path / "b.html").read_text().count("<circle class=") == 60
    trustser.write_report(again, tmp_path / "c.html")
    assert "<circle class=" not in (tmp_path / "c.html").read_text()


def test_states_that_say_nothing_are_unknown(manifest: Path, tmp_path: Path) -> None:
    """FBANK's are normalised clip by clip: every mean is 0."""
    for layer, reason in ((None, CONSTANT), (3, "no hidden state number 3, the last is 1")):
        (profile,) = trustser.profile(
            "fbank", "manifest", data_root=manifest, measures="performance,embeddings", workers=0,
            device="cpu", db=tmp_path / "a.duckdb", cache=tmp_path / "cache", settings={
                "study.folds": 1, "training": {"repetitions": 1, "epochs": 1},
                "embeddings.layer": layer,
            },
        )  # fmt: skip
        found = [m for m in profile.measurements if m.measure == "embeddings"]
        assert {(m.value, m.unknown) for m in found} == {(None, reason)}
