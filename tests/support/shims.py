"""Commands for the PATH of a script, which a server runs (tests/support/forks.py), so that a script of many commands with
models takes seconds. The script, its streams and its files are real; commands that run at the same time are not for this.

    with shims(server) as folder:
        subprocess.run(["bash", "run.sh"], env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"})
"""

from __future__ import annotations

import json
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from tests.support.commands import BIN
from tests.support.forks import Server

SHIM = """#!{python} -SE
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as line:
    line.connect({path!r})
    line.sendall(json.dumps([{name!r}, sys.argv[1:], os.getcwd(), os.getpid()]).encode() + b"\\n")
    sys.exit(int(line.makefile().readline()))
"""


@contextmanager
def shims(server: Server) -> Iterator[Path]:
    """The folder of the commands, while they can be run."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listening:
        path = f"{folder}/socket"
        (Path(folder) / "bin").mkdir()
        for shim in BIN.iterdir():
            made = Path(folder) / "bin" / shim.name
            made.write_text(
                SHIM.format(python=sys.executable, path=path, name=shim.name.removeprefix("s2h-"))
            )
            made.chmod(0o755)
        listening.bind(path)
        listening.listen()
        thread = Thread(target=_serve, args=(server, listening), daemon=True)
        thread.start()
        try:
            yield Path(folder) / "bin"
        finally:
            with socket.socket(socket.AF_UNIX) as last:
                last.connect(path)
            thread.join()


def _serve(server: Server, listening: socket.socket) -> None:
    """Run what is asked for, one command after another, until somebody asks for nothing."""
    while True:
        line, _ = listening.accept()
        with line:
            asked = line.makefile().readline()
            if not asked:
                return
            name, arguments, cwd, process = json.loads(asked)
            stdin, out, err = (f"/proc/{process}/fd/{number}" for number in range(3))
            status = server.run(name, *arguments, cwd=cwd, stdin=stdin, out=out, err=err)
            line.sendall(b"%d\n" % status)
