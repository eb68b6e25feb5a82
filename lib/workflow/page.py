"""HTML pages from the templates beside this module. Jinja2 escapes every value that is not marked as HTML.

Each page is complete in itself: it contains its style and figures. Its Content-Security-Policy keeps the browser from
running a script and from loading anything over the network, whatever a notebook's output holds.
"""

from pathlib import Path

import jinja2

from lib.files import writing

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(name, *, links=(), here="", **context):
    """Return a page as text.

    Parameters
    ----------
    name : str
        The template, without `.html.jinja`.
    links : list of dict
        The navigation: each link's `target`, a file name, and `label`.
    here : str
        The page's own file name.
    **context
        The values that the template takes. They are text unless they are `markupsafe.Markup`.
    """
    return _TEMPLATES.get_template(f"{name}.html.jinja").render(links=links, here=here, **context)


def save(path, text):
    """Write a page."""
    with writing(path) as new:
        new.write_text(text, encoding="utf-8")
