"""An executed notebook as a page of its run's report: code, tables and figures, without scripts."""

import logging

import nbformat
from markupsafe import Markup
from nbconvert import HTMLExporter
from pygments.formatters import HtmlFormatter

from lib.workflow import page, report
from lib.workflow.progress import last_heading

MONITOR = "monitor"  # the notebook whose page opens with the verdict
SCRIPT = "application/javascript"
WIDGET = "application/vnd.jupyter.widget-view+json"
STATES = "application/vnd.jupyter.widget-state+json"


def write(run, step):
    """Write `<step>.html` beside a Run's executed notebook, titled by its first heading and the run's name."""
    notebook = _static(nbformat.read(run.models / f"{step}.ipynb", as_version=4))
    exporter = HTMLExporter(
        template_name="basic",
        embed_images=True,
        exclude_anchor_links=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    exporter.log.setLevel(logging.ERROR)
    body, _ = exporter.from_notebook_node(notebook)
    colours = HtmlFormatter(style="friendly", nobackground=True).get_style_defs(".highlight")
    context = {"title": f"{report.title(run, step)} · run {run.name}", "body": Markup(body), "colours": Markup(colours)}
    context["monitor"] = report.monitor_verdict(run) if step == MONITOR else {}
    path = run.models / f"{step}.html"
    page.save(path, page.render("notebook", links=report.navigation_links(run), here=path.name, **context))


def _static(notebook):
    """Return the notebook without progress bars and scripts. Each figure is described by the heading above it."""
    states = notebook.metadata.pop("widgets", {}).get(STATES, {}).get("state", {})
    heading = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading = last_heading(cell.source) or heading
        elif "outputs" in cell:
            outputs = [output for output in cell.outputs if not _is_progress(output)]
            cell.outputs = [static for output in outputs for static in _static_outputs(output, states)]
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    output.metadata.setdefault("image/png", {}).setdefault("alt", heading)
    return notebook


def _static_outputs(output, states):
    """Return what an output shows without scripts: itself, or the content of a widget's Output widgets."""
    data = output.get("data", {})
    if WIDGET in data:
        contained = _contained_states(data[WIDGET]["model_id"], states)
        return [output for state in contained for output in state.get("outputs", [])]
    return [] if SCRIPT in data else [output]


def _contained_states(model, states):
    """Yield the states of a widget and of all widgets in it, from {model: {"state": state}}."""
    state = states.get(model, {}).get("state", {})
    yield state
    for child in state.get("children", []):
        yield from _contained_states(child.removeprefix("IPY_MODEL_"), states)


def _is_progress(output):
    """Whether an output is a progress bar's: lines on stderr that a terminal would have overwritten."""
    text = output.get("text", "") if output.get("name") == "stderr" else ""
    return bool(text) and (text.startswith("\r") or not text.strip())
