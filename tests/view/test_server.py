"""s2h-view --serve: the page in a real browser, the file of marks, and what the server refuses to a stranger."""

from __future__ import annotations

import gzip
import http.client
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner
from PIL import Image

from s2h.cli.view import main
from s2h.mix import marks as mix_marks
from s2h.shorthand import convert
from s2h.streams import jsonl
from s2h.view import server
from tests.support.architectures import make_pairs
from tests.support.commands import BIN


@pytest.fixture()
def pairs(tmp_path) -> list:
    return make_pairs(tmp_path / "pictures", 6)


@contextmanager
def serving(pairs: list, tmp_path, size: int = 64) -> Iterator[server.Site]:
    """A running server of the pairs, whose file of marks is tmp_path/marks.jsonl. Its messages are in site.said."""
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(p) + "\n" for p in pairs))
    cards = server.Cards(size)
    for line in jsonl.read(str(tmp_path / "in.jsonl"), check=convert):
        cards.add(line)
    said: list[str] = []
    marks = server.Marks(str(tmp_path / "marks.jsonl"))
    with server.Site(cards, marks, title="served", port=0, tell=said.append) as site:
        site.said = said
        thread = threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield site
        finally:
            site.shutdown()
            thread.join()


def ask(site: server.Site, path: str, *, token: str | None = None, body: object = None, **headers: str):
    """Return (status, headers, body) of a request below the token."""
    line = http.client.HTTPConnection("127.0.0.1", site.server_port, timeout=300)
    sent = None if body is None else json.dumps(body).encode()
    where = f"/{site.token if token is None else token}/{path}"
    line.request("GET" if body is None else "POST", where, sent, headers)
    answer = line.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    line.close()
    return found


def test_cards_images_and_a_search(pairs, tmp_path):
    with serving(pairs, tmp_path) as site:
        status, headers, page = ask(site, "")
        assert status == 200 and b"<article" not in page and b"data:image" not in page
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer"
        index = json.loads(ask(site, "index.json")[2])
        assert [row["id"] for row in index["records"]] == [pair["id"] for pair in pairs]
        assert index["file"] == "marks.jsonl" and index["marks"] == {}
        two = ask(site, "cards?n=4,1")[2].decode()
        assert two.index(pairs[4]["id"]) < two.index(pairs[1]["id"]) and two.count("<article") == 2
        assert json.loads(ask(site, f"search?q={pairs[3]['id'].upper()}")[2]) == [3]
        status, headers, data = ask(site, "image/2/1")
        with Image.open(BytesIO(data)) as image, Image.open(pairs[2]["images"][1]) as whole:
            assert max(image.size) == min(64, max(whole.size)) and headers["Content-Type"].startswith(
                "image/"
            )


def test_a_thumbnail_is_made_on_request(pairs, tmp_path):
    Image.new("RGB", (3000, 1500), "red").save(tmp_path / "large.png")
    pairs[0]["images"][0] = str(tmp_path / "large.png")
    with serving(pairs, tmp_path) as site:
        sizes = [Image.open(BytesIO(ask(site, f"image/0/0{how}")[2])).size for how in ("", "?large")]
        assert sizes == [(64, 32), (2048, 1024)]
        (tmp_path / "large.png").unlink()
        status, _, why = ask(site, "image/0/0")
        assert status == 404 and b"in.jsonl:1: images[0]" in why
        assert site.said == [why.decode()]


def test_only_numbers_of_records_and_images_are_served(pairs, tmp_path):
    with serving(pairs, tmp_path) as site:
        for path in (
            "image/0/99", "image/99/0", "image/-1/0", "image/0/-1", "image/../in.jsonl", "image/%2e%2e/in.jsonl", "in.jsonl",
            "../in.jsonl", "/etc/passwd", "image//etc/passwd", "image/0/0/../../in.jsonl", "cards?n=99", "cards?n=x",
            "cards", "image/0/0%00", "marks", f"image{pairs[0]['images'][0]}",
        ):  # fmt: skip
            status, _, body = ask(site, path)
            assert status == 404 and pairs[0]["id"].encode() not in body and b"root:" not in body, path


def test_strangers_are_refused(pairs, tmp_path):
    """A page of another name that leads here (DNS rebinding), another site's script, and one who guesses the token."""
    mark = {"id": pairs[0]["id"], "mark": "bad"}
    with serving(pairs, tmp_path) as site:
        port = site.server_port
        for path, body in (("index.json", None), ("marks", mark)):
            assert ask(site, path, body=body, Host=f"evil.example:{port}")[0] == 403
            assert ask(site, path, body=body, Host="127.0.0.1:1")[0] == 403
            assert ask(site, path, body=body, Origin="http://evil.example")[0] == 403
            for token in ("", "x", site.token[:-1], site.token + "x", "%C3%A9"):
                assert ask(site, path, token=token, body=body)[0] == 404
        assert not (tmp_path / "marks.jsonl").exists()
        assert ask(site, "index.json", Host=f"localhost:{port}")[0] == 200
        assert site.server_address[0] == "127.0.0.1"


def test_what_is_no_mark_is_not_written(pairs, tmp_path):
    pairs[0]["id"] = "ID"
    with serving(pairs, tmp_path) as site:
        for body, status in (
            ({"id": "nobody", "mark": "bad"}, 400), ({"id": "ID", "mark": "so so"}, 400), ({"mark": "bad"}, 400), ([], 400),
            ({"id": ["ID"], "mark": "bad"}, 400), ({"id": "ID", "mark": ["bad"]}, 400),
            ({"id": "ID" * 40000, "mark": ""}, 413),
        ):  # fmt: skip
            assert ask(site, "marks", body=body)[0] == status, body
        assert not (tmp_path / "marks.jsonl").exists()


@pytest.mark.parametrize("name", ["m.jsonl", "m.jsonl.gz"])
@pytest.mark.parametrize("end", ["\n", ""])
def test_each_mark_is_in_the_file_at_once(name, end, tmp_path):
    path = str(tmp_path / name)
    with gzip.open(path, "wt") if name.endswith(".gz") else open(path, "w") as file:
        file.write('{"id": "old", "mark": "good"}' + end)
    marks = server.Marks(path)
    for given, kept in (
        (("a", "bad"), {"old": "good", "a": "bad"}),
        (("é\n", "good"), {"old": "good", "a": "bad", "é\n": "good"}),
        (("a", "good"), {"old": "good", "a": "good", "é\n": "good"}),
        (("a", ""), {"old": "good", "é\n": "good"}),
        (("b", "bad"), {"old": "good", "é\n": "good", "b": "bad"}),
    ):
        marks.put(*given)
        assert mix_marks.read(path) == kept == marks.of == server.Marks(path).of


def test_a_mark_that_cannot_be_written_is_reported(pairs, tmp_path):
    with serving(pairs, tmp_path) as site:
        (tmp_path / "marks.jsonl").mkdir()
        status, _, why = ask(site, "marks", body={"id": pairs[0]["id"], "mark": "bad"})
        assert status == 500 and b"the mark is not kept" in why and site.said == [why.decode()]
        (tmp_path / "marks.jsonl").rmdir()
        assert ask(site, "marks", body={"id": pairs[0]["id"], "mark": "bad"})[0] == 200
    assert mix_marks.read(str(tmp_path / "marks.jsonl")) == {pairs[0]["id"]: "bad"}


def test_a_person_marks_on_a_served_page(pairs, tmp_path, page):
    """Cards come as the page scrolls to them, also in a new order; marks are in the file, and on the page after a reload."""
    from playwright.sync_api import expect

    many = [
        {**pairs[i % 6], "id": f"p-{i:03d}", "scores": {"ref": {"chosen": i, "rejected": 0, "model": "m"}}}
        for i in range(60)
    ]
    (tmp_path / "marks.jsonl").write_text(
        '{"id": "p-001", "mark": "good"}\n{"id": "elsewhere", "mark": "bad"}\n'
    )
    with serving(many, tmp_path) as site:
        asked = []
        page.on("request", lambda request: asked.append(urlsplit(request.url)))
        page.goto(site.address)
        cards, count = page.get_by_role("feed", name="records").get_by_role("article"), page.locator("#count")
        expect(count).to_have_text("60 shown")
        expect(cards.first).to_have_attribute("aria-label", "p-000")
        expect(cards.nth(1).get_by_role("button", name="Mark good")).to_have_attribute("aria-pressed", "true")
        expect(page.locator("#kept")).to_have_text("1 mark in marks.jsonl")
        picture = cards.first.locator("img").first
        page.wait_for_function("img => img.complete && img.naturalWidth > 0", arg=picture.element_handle())
        assert not page.get_by_label("p-040", exact=True).count(), "far from the window"

        page.keyboard.press("j")
        expect(cards.first).to_be_focused()
        page.keyboard.press("b")
        expect(page.locator("#kept")).to_have_text("2 marks in marks.jsonl")
        page.keyboard.press("Enter")
        large = page.get_by_role("dialog", name="Enlarged image").get_by_role("img")
        expect(large).to_have_attribute("src", f"{site.address}image/0/0?large")
        page.keyboard.press("Escape")

        page.locator("select[data-key=score]").select_option("ref margin")
        page.get_by_label("order").select_option("down")
        expect(cards.first).to_have_attribute("aria-label", "p-059")
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        expect(page.get_by_label("p-000", exact=True)).to_be_attached()
        page.get_by_label("search").fill("P-017")
        expect(count).to_have_text("1 of 60 shown")
        expect(cards).to_have_count(1)
        cards.first.get_by_role("button", name="Mark bad").click()
        page.keyboard.press("u")
        expect(page.locator("#kept")).to_have_text("2 marks in marks.jsonl")
        page.reload()  # the address keeps the search
        expect(count).to_have_text("1 of 60 shown")
        expect(page.locator("#kept")).to_have_text("2 marks in marks.jsonl")
        assert {one.netloc for one in asked} == {f"127.0.0.1:{site.server_port}"}
        page.route("**/marks", lambda route: route.abort())  # as when the command has ended
        cards.first.get_by_role("button", name="Mark good").click()
        expect(page.get_by_role("alert")).to_contain_text("s2h-view --serve has ended")
    assert mix_marks.read(str(tmp_path / "marks.jsonl")) == {
        "p-001": "good",
        "elsewhere": "bad",
        "p-000": "bad",
    }


def test_the_command_prints_its_address_and_ends_by_ctrl_c(pairs, tmp_path):
    pairs[1]["prompt"] = 3
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(p) + "\n" for p in pairs))
    running = subprocess.Popen(
        [sys.executable, str(BIN / "s2h-view"), "in.jsonl", "--serve", "--on-error", "skip", "--marks", "new/m.jsonl"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored in the background
    )  # fmt: skip
    address = urlsplit(running.stdout.readline().strip())
    line = http.client.HTTPConnection(address.hostname, address.port, timeout=300)
    line.request("GET", f"{address.path}index.json")
    assert len(json.loads(line.getresponse().read())["records"]) == 5
    line.request("POST", f"{address.path}marks", json.dumps({"id": pairs[0]["id"], "mark": "good"}))
    assert line.getresponse().read() == b""
    running.send_signal(signal.SIGINT)
    out, said = running.communicate(timeout=300)
    assert running.returncode == 130 and not out and "Traceback" not in said
    assert "skipped: in.jsonl:2" in said and "marks go to new/m.jsonl; Ctrl-C ends" in said
    assert mix_marks.read(str(tmp_path / "new" / "m.jsonl")) == {pairs[0]["id"]: "good"}
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["m.jsonl"]


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["--port", "8000"], "--port and --marks need --serve"),
        (["--marks", "m.jsonl"], "--port and --marks need --serve"),
        (["--serve", "-o", "g.html"], "--serve writes no page"),
        (["--serve", "--marks", "in.jsonl"], "--marks in.jsonl is an input"),
        (["--serve", "--marks", "other.jsonl"], 'a line of marks is {"id": "...", "mark": "bad"}'),
    ],
)
def test_options_that_do_not_go_together(options, fault, pairs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.jsonl").write_text(json.dumps(pairs[0]) + "\n")
    (tmp_path / "other.jsonl").write_text('{"id": "x"}\n')
    run = CliRunner().invoke(main, ["in.jsonl", *options])
    assert run.exit_code in (1, 2) and fault in run.output
    assert (tmp_path / "other.jsonl").read_text() == '{"id": "x"}\n'


def test_a_port_that_is_taken(pairs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with serving(pairs, tmp_path) as site:
        run = CliRunner().invoke(
            main, ["in.jsonl", "--serve", "--marks", "m.jsonl", "--port", str(site.server_port)]
        )
    assert run.exit_code == 1 and f"--port {site.server_port}: Address already in use" in run.output
