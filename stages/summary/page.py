"""The page: one HTML file that holds its scripts, styles, data and pictures, and lets nothing else run.

Jinja escapes every value. A content security policy names the scripts by their SHA-256, so that a string which got
through would still not run, and no address outside the file can be asked for anything.
"""

import base64
import hashlib
import json
from functools import cache
from pathlib import Path

import jinja2
import vl_convert
from markupsafe import Markup

from stages.summary import figures
from stages.summary.methods import METHODS
from stages.summary.readings import Score
from stages.summary.sections import Section, detail, leading

TEMPLATES = Path(__file__).parent / "templates"
VEGA_LITE = "6.4"


@cache
def vega_script() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script for a page without a network."""
    bundle = vl_convert.javascript_bundle(vl_version=VEGA_LITE)
    return _inline("(function () {\n" + bundle + "\n})();")


def _inline(script: str) -> str:
    """Keep a script from ending its own element."""
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _source(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _plain(value: object) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)


def environment(*further: Path) -> jinja2.Environment:
    """Return Jinja with the report's parts and filters, and the templates of further folders."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader([TEMPLATES, *further]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
    )
    plain = (figures.number, figures.words, figures.cell, figures.budget)
    made.filters |= {function.__name__: function for function in plain}
    made.filters |= {"plain": _plain, "detail": detail, "leading": leading}
    return made


def embedded() -> dict[str, Markup]:
    """Return what every page holds: its policy, style and scripts."""
    script = _inline((TEMPLATES / "page.js").read_text())
    return {
        "policy": Markup(" ".join(map(_source, (vega_script(), script)))),
        "style": Markup((TEMPLATES / "page.css").read_text()),
        "vega": Markup(vega_script()),
        "script": Markup(script),
    }


def render_page(sections: list[Section], *, scores: list[Score]) -> str:
    """Write the whole page as text.

    Args:
        sections: From `stages.summary.sections.build_sections`.
        scores: All of them, for the table of the ten methods.
    """
    by_method = {method.slug: [score for score in scores if score.method == method.slug] for method in METHODS}
    template = environment().get_template("page.html.j2")
    return template.render(
        methods=METHODS,
        measured=sum(bool(found) for found in by_method.values()),
        scores=by_method,
        sections=sections,
        **embedded(),
    )


def plots_page() -> str:
    """Return the HTML template for `dvc plots show`: its placeholders, and the scripts that DVC would fetch."""
    return environment().get_template("plots.html.j2").render(vega=Markup(vega_script()))
