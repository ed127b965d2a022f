"""Runs to export: a front end without weights, a small checkpoint in the true format, its first
layer, both with the last layer tuned, and untrained weights, on eighty clips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf

import trustser
from profiles_db.records import Prediction
from profiles_db.store import Store
from tests.profiler.backbones.checkpoints import WHISPER, saved, varied
from tests.profiler.small_corpus import small_corpus

SETTINGS: dict[str, Any] = {
    "study.folds": 2,
    "training": {"repetitions": 2, "epochs": 2, "batch_size": 16, "hidden_size": 8},
    "performance.resamples": 100,
}


@dataclass(frozen=True)
class Runs:
    """A database and the cache of its heads; clips and names of runs by backbone."""

    db: Path
    cache: Path
    corpus: Path
    checkpoint: Path
    names: dict[str, str]

    def export(self, backbone: str, folder: Path, **options: object) -> Path:
        """A run as a folder."""
        given: dict[str, object] = {"db": self.db, "cache": self.cache, **options}
        return trustser.export_model(self.names[backbone], folder, **given)  # type: ignore[arg-type]

    def rows(self, backbone: str) -> list[Prediction]:
        """The answers to test clips that a run has in the database."""
        return Store(self.db, read_only=True).rows(self.names[backbone], Prediction)

    def clip(self, utterance: str) -> Path:
        """The file of a clip."""
        return self.corpus / utterance


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("deployment")
    corpus = folder / "corpus"
    corpus.mkdir()
    manifest = small_corpus(corpus)
    torch.manual_seed(0)
    model = varied(hf.WhisperModel(hf.WhisperConfig(**{**WHISPER, "max_source_positions": 300})))
    checkpoint = saved(model, folder / "checkpoint")
    names = {}
    few = _first_lines(manifest, 1 + 5 * 8)
    single = {"training": {**SETTINGS["training"], "repetitions": 1}}
    once = single | {"study.folds": 1}
    for backbone, weights, depths, tune, settings, data in (
        ("fbank", "pretrained", None, None, SETTINGS, manifest),
        ("whisper_tiny", str(checkpoint), "1", None, SETTINGS, manifest),
        ("whisper_tiny", str(checkpoint), "1", "last:1", SETTINGS | single, few),
        ("apc", "random", None, None, SETTINGS | once, few),
    ):
        for found in trustser.profile(
            backbone, "manifest", data_root=data, weights=weights, depths=depths, tune=tune,
            measures="performance", settings=settings, device="cpu", workers=0,
            db=folder / "a.duckdb", cache=folder / "cache",
        ):  # fmt: skip
            names[found.backbone] = found.run
    return Runs(folder / "a.duckdb", folder / "cache", corpus, checkpoint, names)


def _first_lines(manifest: Path, lines: int) -> Path:
    """A manifest of its first clips: untrained weights need no more."""
    few = manifest.with_name("few.csv")
    few.write_text("".join(manifest.read_text().splitlines(keepends=True)[:lines]))
    return few
