"""Where weights come from: the caches, the hub where it was asked for, and nowhere else."""

from __future__ import annotations

import hashlib
import http.server
import json
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
import transformers as hf

from profiler.backbones.catalogue import CATALOGUE, resolve
from profiler.backbones.load import load
from profiles_db.errors import CheckpointError
from tests.profiler.backbones.checkpoints import (
    WAVEFORM,
    WHISPER,
    apc_checkpoint,
    saved,
    saved_as_torch,
    tera_checkpoint,
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Hugging Face cache and an empty home."""
    folder = tmp_path / "hub"
    folder.mkdir()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    return folder


@pytest.fixture
def look_ups(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """No network: the names of the machines that were asked for."""
    asked: list[str] = []

    def refuse(host: str, *_: object, **__: object) -> None:
        asked.append(host)
        raise socket.gaierror(-2, "Name or service not known")

    def refuse_connection(_: socket.socket, address: object) -> None:
        asked.append(str(address))
        raise OSError("no network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse_connection)
    return asked


def cached(cache: Path, hub_id: str) -> Path:
    """The folder of a repository's files in the cache, as the hub's client lays it out."""
    repository = cache / f"models--{hub_id.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    return snapshot


@pytest.mark.parametrize("name", ["whisper_tiny", "hf:openai/whisper-tiny"])
def test_a_filled_cache_is_enough(cache: Path, look_ups: list[str], name: str) -> None:
    saved(hf.WhisperModel(hf.WhisperConfig(**WHISPER)), cached(cache, "openai/whisper-tiny"))
    backbone = load(name)

    assert backbone.name == name
    assert (backbone.weights.kind, backbone.weights.origin) == ("pretrained", "openai/whisper-tiny")
    assert look_ups == []


def test_random_weights_of_any_checkpoint_need_only_its_configuration(
    cache: Path, look_ups: list[str]
) -> None:
    hf.WavLMConfig(**WAVEFORM).save_pretrained(cached(cache, "microsoft/wavlm-large"))

    assert load("hf:microsoft/wavlm-large", "random").weights.id == "random:0"
    assert look_ups == []


def test_the_s3prl_files_are_found_in_either_cache(
    cache: Path, tmp_path: Path, look_ups: list[str]
) -> None:
    in_hub = cached(cache, "leo19941227/apc_series")
    apc_checkpoint(in_hub / "apc_360hr.ckpt")
    assert load("apc").weights.kind == "pretrained"

    entry = CATALOGUE["tera"]
    address = f"https://huggingface.co/{entry.hub_id}/resolve/main/{entry.file}"
    folder = tmp_path / "home" / ".cache" / "s3prl" / "download"
    folder.mkdir(parents=True)
    digest = hashlib.sha256(address.encode()).hexdigest()
    tera_checkpoint(folder / f"{digest}.states-1000000.ckpt")
    assert load("tera").weights.kind == "pretrained"
    assert look_ups == []


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    "name",
    [name for name, entry in CATALOGUE.items() if entry.hub_id] + ["hf:openai/whisper-large"],
)
def test_without_network_a_missing_checkpoint_is_named_at_once(
    look_ups: list[str], name: str
) -> None:
    with pytest.raises(CheckpointError) as caught:
        load(name)
    message = str(caught.value)

    assert "\n" not in message
    assert f"checkpoint {resolve(name).hub_id} is missing" in message
    for way_on in ("--weights PATH", "Hugging Face cache", "--weights random"):
        assert way_on in message
    assert len(look_ups) == 1, "it asks once and does not try again"


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("name", ["apc", "tera", "whisper_tiny", "wavlm_base_plus", "fbank"])
def test_what_needs_no_checkpoint_asks_nobody(look_ups: list[str], name: str) -> None:
    load(name, "random")
    with pytest.raises(CheckpointError, match="/nowhere is missing"):
        load("whisper_tiny", "/nowhere")

    assert look_ups == []


@pytest.mark.usefixtures("cache")
def test_a_folder_or_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for name in ("whisper_tiny", "apc", "tera"):
        with pytest.raises(CheckpointError, match=rf"checkpoint {tmp_path}/gone is missing"):
            load(name, str(tmp_path / "gone"))
    with pytest.raises(CheckpointError, match=r"holds no config\.json"):
        load("whisper_tiny", str(tmp_path))
    hf.WhisperConfig(**WHISPER).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"holds no model\.safetensors"):
        load("whisper_tiny", str(tmp_path))


class Hub(http.server.BaseHTTPRequestHandler):
    """As much of the hub as fetching a checkpoint takes; it serves the folder `root`."""

    root: Path

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, body: bool) -> None:
        if self.path.startswith("/api/models/"):
            names = [file.name for file in self.root.iterdir()]
            listed = {"id": "o/n", "sha": COMMIT, "siblings": [{"rfilename": n} for n in names]}
            self._send(200, json.dumps(listed).encode(), body)
        else:
            file = self.root / self.path.rpartition("/")[2]
            found = file.is_file()
            self._send(200 if found else 404, file.read_bytes() if found else b"", body)

    def _send(self, status: int, content: bytes, body: bool) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.end_headers()
        if body:
            self.wfile.write(content)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder that a hub on this machine serves, whatever repository it is asked for."""
    root = tmp_path / "served"
    root.mkdir()
    handler = type("Served", (Hub,), {"root": root})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    address = f"http://127.0.0.1:{server.server_address[1]}"
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield root
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("pickled", [False, True])
def test_a_checkpoint_is_fetched_once_and_then_found(
    cache: Path, served: Path, pickled: bool
) -> None:
    model = hf.WhisperModel(hf.WhisperConfig(**WHISPER))
    if pickled:
        saved_as_torch(model, model.config, served)
    else:
        saved(model, served)
    (served / "training_data.bin").write_bytes(b"not asked for")
    wanted = load("whisper_tiny", str(served)).weights.id

    assert load("hf:example/whisper").weights.id == wanted
    assert not list(cache.rglob("training_data.bin"))
    shutil.rmtree(served)
    served.mkdir()
    assert load("hf:example/whisper").weights.id == wanted


@pytest.mark.usefixtures("cache")
def test_a_repository_without_a_usable_checkpoint_is_named(served: Path) -> None:
    with pytest.raises(CheckpointError, match=r"example/whisper is missing.*no config\.json"):
        load("hf:example/whisper")
    hf.WhisperConfig(**WHISPER).save_pretrained(served)
    with pytest.raises(CheckpointError, match=r"none of model\.safetensors"):
        load("hf:example/whisper")
    with pytest.raises(CheckpointError, match="the repository has no such file"):
        load("apc")


@pytest.mark.usefixtures("cache")
def test_a_front_end_without_weights_is_never_missing() -> None:
    assert load("fbank")(torch.zeros(1, 16_000)).shape == (1, 1, 98, 240)
