"""README and guides are true: the record that README shows is what the command prints, and what the pages link to exists."""

from __future__ import annotations

import json
import re
import shlex

import pytest
from click.testing import CliRunner

from s2h import __version__
from s2h.cli.gen import main
from tests.support.house import ROOT, is_there

PAGES = [*sorted(ROOT.glob("*.md")), ROOT / "s2h" / "README.md", *sorted(ROOT.glob("examples/*/README.md"))]


def test_the_record_is_what_the_command_prints(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "README.md").read_text()
    command, shown = re.search(r"`s2h-gen (.+?)` writes one line.*?```json\n(.+?)```", page, re.S).groups()
    done = CliRunner().invoke(main, [*shlex.split(command), "--quiet"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == json.loads(shown)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_and_script_exists(page):
    text = page.read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    scripts = re.findall(r"\bexamples/[\w/.-]+\.(?:sh|py|json|png|yaml)\b", text)
    missing = [link for link in links if not (page.parent / link).exists()]
    missing += [name for name in scripts if not (ROOT / name).exists()]
    assert not missing


def test_the_version_is_the_same_everywhere():
    """The changelog's newest section and the citation file name the package's version."""
    assert f"\n## {__version__}" in (ROOT / "CHANGELOG.md").read_text()
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text()


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 130


def test_the_page_about_the_package_names_what_is_there():
    names = set(re.findall(r"`(s2h(?:\.\w+)+)`", (ROOT / "s2h" / "README.md").read_text()))
    missing = [name for name in sorted(names) if not is_there(name)]
    assert len(names) > 40 and not missing
