"""The report of a run at smoke size, and hostile pages, in a real browser as wide as a laptop and a phone."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import browser
import pytest
from browser import ERRORS, FIGURES, LINKS, OVERFLOWING, WIDTHS, WINDOWS
from markupsafe import Markup

from lib.workflow import page as pages

pytestmark = pytest.mark.skipif(not browser.path(), reason="chromium is not installed")

NOTEBOOKS = ["01_generate", "02_clean", "03_train", "04_evaluate", "05_export"]
PAGES = ["report", *NOTEBOOKS]
WITH_FIGURES = {"report", "01_generate", "02_clean", "03_train", "04_evaluate"}


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with browser.opened(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture(params=WINDOWS)
def visit(tab, request):
    """A function that opens a file in a window of one size and returns the tab."""

    def opened(path):
        tab.visit(path.as_uri(), **WINDOWS[request.param])
        return tab

    return opened


@pytest.mark.parametrize("name", PAGES)
def test_each_page_shows_its_figures_and_no_error_and_fits_the_window(smoke, visit, name):
    tab = visit(smoke / f"{name}.html")
    figures = tab.evaluate(FIGURES)
    assert bool(figures) == (name in WITH_FIGURES)
    assert all(width > 100 for width in figures)
    assert tab.evaluate(ERRORS) == 0
    page, window = tab.evaluate(WIDTHS)
    assert page <= window
    assert tab.evaluate(OVERFLOWING) == []


@pytest.mark.parametrize("name", PAGES)
def test_each_page_requests_only_itself_and_the_console_stays_empty(smoke, visit, name):
    path = smoke / f"{name}.html"
    tab = visit(path)
    assert [url for url in tab.requests if not url.startswith("data:")] == [path.as_uri()]
    assert tab.errors == []


def test_every_link_of_the_navigation_leads_to_a_page_of_the_run(smoke, tab):
    tab.visit((smoke / "03_train.html").as_uri(), width=1366)
    assert tab.evaluate(LINKS) == [(smoke / f"{name}.html").as_uri() for name in PAGES]
    assert all((smoke / f"{name}.html").exists() for name in PAGES)


def test_the_report_begins_with_the_headline_figures_and_links_to_each_notebook(smoke, visit):
    tab = visit(smoke / "report.html")
    assert tab.evaluate("document.querySelector('h1').textContent") == "Run smoke"
    assert tab.evaluate("document.querySelector('td').textContent").startswith("VUS-PR")
    listed = tab.evaluate("[...document.querySelectorAll('main li a')].map((link) => link.getAttribute('href'))")
    assert listed[: len(NOTEBOOKS)] == [f"{name}.html" for name in NOTEBOOKS]


class _Outside(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append(self.path)
        self.send_error(404)

    def log_message(self, *_):
        pass


@pytest.fixture
def outside():
    """A server that no report should use. `requests` lists the requests it received."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Outside) as server:
        server.requests = []
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def hostile(server):
    """Return an output that loads a picture, runs a script that fails, is too wide and shows an error."""
    return f"""<img src="http://127.0.0.1:{server.server_port}/a.png"><script>document.title = "ran"; throw 1</script>
    <div style="width: 3000px">wide</div><div class="output_error"></div>"""


def test_the_browser_detects_each_forbidden_behaviour(tab, outside, tmp_path):
    path = tmp_path / "bad.html"
    path.write_text(f'<!DOCTYPE html><meta charset="utf-8">{hostile(outside)}')
    tab.visit(path.as_uri(), width=1366)
    assert outside.requests == ["/a.png"]
    assert tab.requests == [path.as_uri(), f"http://127.0.0.1:{outside.server_port}/a.png"]
    assert "Uncaught" in tab.errors
    assert tab.evaluate(FIGURES) == [0]
    assert tab.evaluate(ERRORS) == 1
    assert tab.evaluate(WIDTHS) == [3008, 1366]
    assert [html[:10] for html in tab.evaluate(OVERFLOWING)] == ["<div style"]
    assert tab.evaluate("document.title") == "ran"


def test_no_output_runs_a_script_or_sends_a_request(tab, outside, tmp_path):
    path = tmp_path / "bad.html"
    body = Markup(hostile(outside))
    path.write_text(pages.render("notebook", title="A title", body=body, colours="", monitor={}))
    tab.visit(path.as_uri(), width=390, mobile=True)
    assert outside.requests == []
    assert sum("Content Security Policy" in error for error in tab.errors) == 2
    assert tab.evaluate("document.title") == "A title"
