"""The commands: each parses, calls the library and prints. Only here are click and the standard streams touched."""

import importlib.util
import os
import sys

_NAME = os.path.basename(sys.argv[0])
# A checkout's commands may be started by any Python, of which the packaging tools have checked nothing.
if sys.version_info < (3, 10):  # noqa: UP036
    _HAS = ".".join(str(number) for number in sys.version_info[:3])
    raise SystemExit(f"{_NAME}: Python 3.10 or newer is needed, and {sys.executable} is {_HAS}")
for _package in ("click", "msgspec"):
    if importlib.util.find_spec(_package) is None:
        raise SystemExit(
            f"{_NAME}: the package {_package} is missing in this Python ({sys.executable}): install s2h there "
            "(pip install . in its checkout), or use the Python that has it"
        )
