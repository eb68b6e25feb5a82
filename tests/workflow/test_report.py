"""A run's report and its notebooks' pages, from hand-made executed notebooks."""

import json
import re

import nbformat
import nbformat.v4 as v4
import pytest

from lib.files import write_json
from lib.run import Run
from lib.workflow import notebook_page, report

DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
LINK = re.compile(r'<a href="([^"]+)"( aria-current="page")?>([^<]+)</a>')


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNS_HOME", str(tmp_path))
    (Run.at("x").models).mkdir(parents=True)
    return Run.at("x")


def executed(run, step, markdown, *outputs, seconds=2.0, **parameters):
    """Write a notebook with one code cell and these outputs, its page, and its entry in the run's record."""
    cells = [v4.new_markdown_cell(markdown), v4.new_code_cell("made = 1", outputs=list(outputs))]
    nbformat.write(v4.new_notebook(cells=cells), run.models / f"{step}.ipynb")
    notebook_page.write(run, step)
    run.record("ran", **{step: {"parameters": {"run": "x"} | parameters, "seconds": seconds}})
    report.write(run)


def display(**data):
    return v4.new_output("display_data", data={name.replace("_", "/"): value for name, value in data.items()})


def stream(text, name="stdout"):
    return v4.new_output("stream", name=name, text=text)


def text_of(run, name=report.NAME):
    return (run.models / name).read_text(encoding="utf-8")


def links(run, name):
    """Return a page's navigation, {target: label}, and the targets marked as the current page."""
    nav = re.search("<nav>(.*?)</nav>", text_of(run, name), re.DOTALL)[1]
    matches = LINK.findall(nav)
    return {target: label for target, _, label in matches}, [target for target, current, _ in matches if current]


def test_every_page_links_to_the_report_and_to_all_executed_notebooks(run):
    executed(run, "02_use", "# 2 · Use: what for?")
    executed(run, "01_make", "# 1 · Make: of what?")
    everywhere = {"report.html": "Run x", "01_make.html": "1 · Make", "02_use.html": "2 · Use"}
    for name in everywhere:
        assert links(run, name) == (everywhere, [name])


def test_an_unfinished_notebook_is_not_linked(run):
    executed(run, "01_make", "# Make")
    (run.models / "02_use.html").write_text("half")
    assert list(links(run, "01_make.html")[0]) == ["report.html", "01_make.html"]


def test_the_report_links_to_each_notebook_with_its_question_and_time(run):
    executed(run, "01_make", "# 1 · Make: of what?\n\n**Question.** Is 1 < 2?\n\nMore.", seconds=75.2)
    assert (
        '<li><a href="01_make.html">1 · Make: of what?</a> <span class="soft">took 1 min 15 s</span>'
        "<br>Is 1 &lt; 2?</li>" in text_of(run)
    )


def test_the_report_lists_parameters_with_their_notebooks_and_marks_given_ones(run):
    run.record("given", rows=4)
    executed(run, "01_make", "# Make", rows=4, path="a<b>.csv")
    executed(run, "02_use", "# Use", rows=4, factor=2.5)
    rows = re.findall(r"<tr><td>(.*?)</td><td>(.*?)</td><td>(.*?)</td></tr>", text_of(run))
    assert rows == [
        ("rows", "4 (given)", "01 02"),
        ("path", "&#34;a&lt;b&gt;.csv&#34;", "01"),
        ("factor", "2.5", "02"),
    ]


def test_the_report_shows_the_headline_figures_the_figures_and_the_files(run):
    headline = {"auroc_macro": 0.91234567, "share_of_normal_at_0.3": 0.0512, "events": 25, "delay_s": None}
    deployed = {"VUS-PR": 0.75, "VUS-PR, low": 0.7, "VUS-PR, high": 0.8}
    ranking = {"deployed score": deployed, "PCA": {"VUS-PR": 0.5}, "random": {"VUS-PR": 0.3}}
    write_json(run.models / "metrics.json", {"headline": headline, "ranking": ranking, "best_rival": {"name": "PCA"}})
    (run.models / "training_history.png").write_bytes(b"picture")
    (run.models / "lambda_export").mkdir()
    (run.models / "lambda_export/lambda_deployment.zip").write_bytes(bytes(1_250_000))
    executed(run, "01_make", "# Make")
    page = text_of(run)
    rows = re.findall(r"<tr><td>(.*?)</td><td>(.*?)</td></tr>", page)
    assert rows == [
        ("VUS-PR (95 % over wearers): deployed score", "0.750 (0.700–0.800)"),
        ("VUS-PR (95 % over wearers): PCA", "0.500"),
        ("AUROC, mean over kinds of anomaly", "0.9123"),
        ("normal windows that reach 0.3", "5.12%"),
        ("events", "25"),
        ("delay s", "none"),
    ]
    image = '<a href="training_history.png"><img src="data:image/png;base64,cGljdHVyZQ==" alt="training history"></a>'
    assert image in page
    zipped = '<a href="lambda_export/lambda_deployment.zip">lambda_export/lambda_deployment.zip</a>'
    assert f'{zipped} <span class="soft">1.2 MB</span>' in page


def test_a_run_without_figures_parameters_or_files_has_a_report(run):
    executed(run, "01_make", "no heading")
    assert re.findall("<h2>(.*?)</h2>", text_of(run)) == ["Notebooks"]
    assert links(run, report.NAME)[0]["01_make.html"] == "01_make"


def test_a_page_is_titled_by_the_first_heading_and_the_runs_name(run):
    executed(run, "01_make", "# Make & <b>\n\nText.\n\n## Later")
    assert "<title>Make &amp; &lt;b&gt; · run x</title>" in text_of(run, "01_make.html")


def test_a_page_holds_code_text_tables_and_figures_and_names_a_figure_by_its_heading(run):
    outputs = [stream("so be it\n"), display(text_html="<table><td>7</td></table>"), display(image_png=DOT)]
    executed(run, "01_make", "# Make\n\n## The dot", *outputs)
    page = text_of(run, "01_make.html")
    assert "so be it" in page
    assert "<td>7</td>" in page
    figure = re.search(r"<img [^>]+>", page)[0]
    assert f'src="data:image/png;base64,{DOT}"' in figure
    assert 'alt="The dot"' in figure
    assert re.search(r'class="n">made</span>', page)


def test_a_page_omits_progress_bars_and_keeps_other_output(run):
    outputs = [stream("\repoch 3/20", "stderr"), stream("\n", "stderr"), stream("epoch 1: loss 2\n", "stderr")]
    executed(run, "01_make", "# Make", *outputs)
    page = text_of(run, "01_make.html")
    assert "epoch 3/20" not in page
    assert page.partition("</style>")[2].count("output_stderr") == 1


def test_a_page_has_no_script_and_no_other_host_and_its_policy_forbids_both(run):
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "a"}, "text/plain": "HBox()"}
    script = {"application/javascript": "alert(1)", "text/plain": "<Javascript>"}
    outputs = [v4.new_output("display_data", data=data) for data in (widget, script)]
    executed(run, "01_make", "# Make", *outputs)
    for name in ("01_make.html", report.NAME):
        page = text_of(run, name)
        assert "<script" not in page
        assert "http:" not in page
        assert "https:" not in page
        assert f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">' in page
        assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page


def test_a_page_shows_the_initial_content_of_a_widget(run):
    view = {notebook_page.WIDGET: {"model_id": "box"}, "text/plain": "interactive(children=...)"}
    states = {
        "box": {"state": {"children": ["IPY_MODEL_slider", "IPY_MODEL_output"]}},
        "slider": {"state": {}},
        "output": {"state": {"outputs": [stream("window 1"), display(image_png=DOT)]}},
    }
    widgets = {notebook_page.STATES: {"state": states}}
    cells = [v4.new_markdown_cell("# Walk"), v4.new_code_cell("", outputs=[v4.new_output("display_data", data=view)])]
    nbformat.write(v4.new_notebook(cells=cells, metadata={"widgets": widgets}), run.models / "01_walk.ipynb")
    notebook_page.write(run, "01_walk")
    page = text_of(run, "01_walk.html")
    assert "window 1" in page
    assert 'alt="Walk"' in page
    assert "interactive" not in page


def test_the_headline_of_a_run_before_its_evaluation_is_empty(run):
    assert report.headline(run) == {}
    write_json(run.models / "metrics.json", {"other": 1})
    assert report.headline(run) == {}


def test_the_record_alone_decides_which_notebooks_count_as_executed(run):
    executed(run, "01_make", "# Make")
    record = json.loads((run.models / "run.json").read_text())
    write_json(run.models / "run.json", record | {"ran": record["ran"] | {"02_use": {}}})
    assert report.executed_steps(run) == ["01_make"]


def test_the_report_says_before_the_headline_whether_a_run_is_as_good_as_its_base(run):
    row = {"challenger": 0.5, "champion": 0.7, "difference": -0.2, "low": -0.25, "high": None}
    challenge = {
        "base": "old",
        "margin": 0.05,
        "passed": False,
        "against": ["VUS-PR < 0.7"],
        "measures": {"VUS-PR": row},
    }
    write_json(run.models / "metrics.json", {"challenge": challenge, "headline": {"auroc": 0.8}})
    report.write(run)
    text = text_of(run)
    assert "This run is not shown to be as good as <b>old</b>, margin 0.05.</p>" in text
    assert "<li>VUS-PR &lt; 0.7</li>" in text
    assert "<td>VUS-PR</td><td>0.500</td><td>0.700</td><td>-0.200</td><td>-0.250</td><td>–</td>" in text
    assert text.index("Champion and challenger") < text.index("Headline figures")
    run.record("05_export", verdict="exported by force=true, though ...")
    write_json(run.models / "metrics.json", {"challenge": challenge | {"passed": True, "against": []}})
    report.write(run)
    assert "as good as <b>old</b>, margin 0.05. It was exported anyway, by force=true.</p>" in text_of(run)


def test_the_report_begins_with_the_verdict_of_the_monitor(run):
    monitor = {
        "verdict": "retrain",
        "why": ["Steps < usual"],
        "also": ["<script>alert(1)</script>"],
        "from": "a",
        "to": "b",
    }
    report.write(run)
    assert "In use" not in text_of(run)
    write_json(run.models / "monitor.json", monitor)
    report.write(run)
    text = text_of(run)
    assert "<p><b>retrain</b>, by the log from a to b</p>" in text
    assert "<li>Steps &lt; usual</li>\n<li>&lt;script&gt;alert(1)&lt;/script&gt;</li>" in text
    assert text.index("In use") < text.index("<h2>Notebooks")
