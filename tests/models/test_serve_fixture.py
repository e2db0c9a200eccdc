"""`transformers serve`, which the tests start, ends with them, however they end."""

from __future__ import annotations

import signal
import subprocess
import sys

import psutil
import pytest

from s2h.models import names
from tests.support.servers import Transformers
from tests.support.waiting import until

# A process that has the server, as a worker of pytest-xdist does: it prints the server's process group and waits.
OWNER = """
import sys
from pathlib import Path
from tests.support.servers import Transformers

with Transformers(Path(sys.argv[1]), Path(sys.argv[2])) as server:
    print(server.group, flush=True)
    sys.stdin.read()
"""


def is_gone(process: int) -> bool:
    try:
        return psutil.Process(process).status() == psutil.STATUS_ZOMBIE  # in a container without an init
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_server_ends_with_a_process_that_was_killed(how, tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(names.bundled("mini")), str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as owner:  # fmt: skip
        group = int(owner.stdout.readline())
        assert not is_gone(group)
        owner.send_signal(how)
        assert owner.wait() == -how
    until(lambda: is_gone(group))


def test_the_server_ends_with_its_block(tmp_path):
    with Transformers(names.bundled("mini"), tmp_path) as server:
        assert not is_gone(server.group)
    assert is_gone(server.group)
