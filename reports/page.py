"""From a template to one self-contained HTML file: style and script inline, each by its hash."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache, wraps
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from advisor.explanation.directions import better, counted
from advisor.explanation.wording import plain
from advisor.scenario.quantities import quantity_text
from reports import wording

_POLICY: Final = (
    "default-src 'none'; style-src '{style}'; script-src {script}; base-uri 'none'; "
    "form-action 'none'"
)


def render_page(
    template: str,
    context: Mapping[str, Any],
    *,
    scripts: Sequence[str] = (),
    inserts: Mapping[str, str] | None = None,
) -> str:
    """Render `template` with the shared style sheet and, where named, those scripts as one.

    `inserts` are the expressions that stand in the scripts in place of `/* name */ null`. The same
    inputs give the same bytes: nothing in here knows the time or draws a number.
    """
    style = _asset("style.css")
    code = "\n".join(map(_asset, scripts))
    for name, expression in (inserts or {}).items():
        code = code.replace(f"/* {name} */ null", expression)
    policy = _POLICY.format(style=_digest(style), script=f"'{_digest(code)}'" if code else "'none'")
    page = _environment().get_template(template)
    return page.render(**context, style=Markup(style), script=Markup(code), policy=policy)  # noqa: S704


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "quantity": _unbroken(wording.quantity),
        "margin": _unbroken(wording.margin),
        "probability": _unbroken(wording.probability),
        "exact": _unbroken(quantity_text),
        "score": wording.score,
        "percent": _unbroken(wording.percent),
        "prose": _prose,
        "plain": plain,
        "number_word": wording.number_word,
    }
    environment.globals |= {
        "interval": _unbroken(wording.interval),
        "bound": wording.bound,
        "better": better,
        "counted": counted,
    }
    return environment


@pass_context
def _prose(context: Context, text: str) -> str:
    """A sentence; where the page links its numbers to their rows, with these links."""
    linked: Mapping[str, Markup] = context.get("linked") or {}
    return linked.get(text) or wording.prose(text)


def _unbroken(write: Callable[..., str]) -> Callable[..., str]:
    """The same words, never parted at a line's end: a number stays with its unit."""

    @wraps(write)
    def unbroken(*arguments: Any) -> str:
        return write(*arguments).replace(" ", "\N{NO-BREAK SPACE}")

    return unbroken


@cache
def _asset(name: str) -> str:
    return files("reports").joinpath("assets", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
