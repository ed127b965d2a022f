"""Options that several commands have, each written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

MOST_WEIGHTS_SEED: Final = 2**64 - 1
"""PyTorch's generator takes no larger one."""

Database: TypeAlias = Annotated[Path, typer.Option(help="DuckDB file that keeps the profiles.")]
DataRoot: TypeAlias = Annotated[
    Path | None, typer.Option(help="Folder of the corpus, or the manifest's CSV file.")
]
ProtocolFile: TypeAlias = Annotated[
    Path | None, typer.Option(help="YAML file with protocol settings.")
]
ProtocolSettings: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="SECTION.NAME=VALUE", help="One setting of the protocol; repeatable."
    ),
]
Classes: TypeAlias = Annotated[
    str | None, typer.Option(help="`default`, `all`, or class names with commas.")
]
Cache: TypeAlias = Annotated[
    Path | None,
    typer.Option(help="Folder of the feature cache (default: $TRUSTSER_CACHE, ~/.cache/trustser)."),
]
CacheLimit: TypeAlias = Annotated[
    str | None,
    typer.Option(help="Keep so much of features, say 20GB; the rest is computed again when read."),
]
Device: TypeAlias = Annotated[str, typer.Option(help="`auto`, `cpu` or `cuda`.")]
Workers: TypeAlias = Annotated[
    int | None,
    typer.Option(help="Worker processes, 0 for none; measured and chosen if not given."),
]
WeightsSeed: TypeAlias = Annotated[
    int, typer.Option(min=0, max=MOST_WEIGHTS_SEED, help="Seed of `--weights random`.")
]
AllowOutside: TypeAlias = Annotated[
    bool, typer.Option("--allow-outside", help="Let a manifest name files outside its own folder.")
]
TestOn: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME[=PATH]",
        help="With the measure generalisation: another corpus to test on; repeatable.",
    ),
]
LabelMap: TypeAlias = Annotated[
    Path | None,
    typer.Option(help="YAML file: which class each label of --test-on counts as."),
]
