"""Every mix leaves the folder of temporary files as it was."""

import os
import tempfile

import pytest


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "spool"))
    (tmp_path / "spool").mkdir()
    yield tmp_path
    assert os.listdir(tmp_path / "spool") == []
