"""An executed notebook as a page of its run's report: code, tables and figures, and nothing that needs a script."""

import logging

import nbformat
from nbconvert import HTMLExporter
from pygments.formatters import HtmlFormatter

from lib.files import writing
from lib.workflow import report
from lib.workflow.progress import heading

SCRIPT = "application/javascript"
WIDGET = "application/vnd.jupyter.widget-view+json"
STATES = "application/vnd.jupyter.widget-state+json"


def write(run, step):
    """Write `<step>.html` beside a Run's executed notebook, titled by its first heading and the run's name."""
    notebook = _still(nbformat.read(run.models / f"{step}.ipynb", as_version=4))
    exporter = HTMLExporter(
        template_name="basic",
        embed_images=True,
        exclude_anchor_links=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    exporter.log.setLevel(logging.ERROR)
    body, _ = exporter.from_notebook_node(notebook)
    path = run.models / f"{step}.html"
    nav = report.nav(run, report.executed(run), here=path.name)
    colours = HtmlFormatter(style="friendly", nobackground=True).get_style_defs(".highlight")
    with writing(path) as new:
        text = report.page(f"{report.title(run, step)} · run {run.name}", body, nav=nav, style=colours + "\n")
        new.write_text(text, encoding="utf-8")


def _still(notebook):
    """The notebook without progress bars and what only a script could show; its figures named by their headings."""
    states = notebook.metadata.pop("widgets", {}).get(STATES, {}).get("state", {})
    above = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            above = heading(cell.source) or above
        elif "outputs" in cell:
            cell.outputs = [
                seen for output in cell.outputs if not _is_progress(output) for seen in _seen(output, states)
            ]
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    output.metadata.setdefault("image/png", {}).setdefault("alt", above)
    return notebook


def _seen(output, states):
    """What an output shows where no script runs: itself, or of a widget what stands in its Output widgets."""
    data = output.get("data", {})
    if WIDGET in data:
        return [output for held in _below(data[WIDGET]["model_id"], states) for output in held.get("outputs", [])]
    return [] if SCRIPT in data else [output]


def _below(model, states):
    """The states of a widget and of all that it holds, {model: {"state": …}} given."""
    state = states.get(model, {}).get("state", {})
    yield state
    for child in state.get("children", []):
        yield from _below(child.removeprefix("IPY_MODEL_"), states)


def _is_progress(output):
    """Whether it is what a progress bar wrote to stderr: lines that a terminal would have overwritten."""
    text = output.get("text", "") if output.get("name") == "stderr" else ""
    return bool(text) and (text.startswith("\r") or not text.strip())
