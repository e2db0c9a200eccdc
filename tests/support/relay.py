"""A command that hands its records on, to try the session of the commands in real processes.

python tests/support/relay.py [FILE...] [-o OUT] [--pause SECONDS] [--break-at N]
"""

import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

import click

from s2h.cli import common


@click.command(cls=common.Command, epilog=common.EPILOG)
@click.argument("files", nargs=-1)
@click.option("--pause", type=float, default=0.0, help="Seconds to wait after each record.")
@click.option("--break-at", type=int, default=0, help="Raise an unforeseen error at this record.")
@common.stream_options
def main(files, output, seed, quiet, on_error, pause, break_at):
    """Hand records on."""
    with common.session(output=output, quiet=quiet, on_error=on_error) as work:
        for count, record in enumerate(work.progress(work.read(files)), 1):
            if count == break_at:
                raise KeyError("a fault of the program")
            work.write(record)
            time.sleep(pause)


if __name__ == "__main__":
    main()
