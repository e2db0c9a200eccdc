"""Links in a source's folder that lead out of it. They are counted, and refused with `--no-follow`.

By default links are followed, since the Hub's cache and image stores on other disks need them. After `fence(root)` the
process and its workers refuse every path below `root` whose real path is outside."""

from __future__ import annotations

import os

REFUSED = "a link that leads out of the folder (refused by --no-follow)"
_fenced: dict[str, str] = {}  # the path of each fenced folder -> its real path


def fence(root: str) -> None:
    """Refuse from now on the links in a folder that lead out of it."""
    _fenced[os.path.abspath(root)] = os.path.realpath(root)


def refused(path: str) -> bool:
    """Tell whether a file or folder is reached by a link that leads out of a fenced folder."""
    if not _fenced:
        return False
    path = os.path.abspath(path)
    return any(
        _within(path, root) and not _within(os.path.realpath(path), real) for root, real in _fenced.items()
    )


def leading_out(root: str) -> int:
    """Count the links below a folder that lead out of it. A link to a folder counts once."""
    real, found, waiting = os.path.realpath(root), 0, [root]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_symlink():
                        target = os.path.realpath(entry.path)
                        found += os.path.exists(target) and not _within(target, real)
                    elif entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError:  # the reader counts folders that can't be read
            continue
    return found


def _within(path: str, root: str) -> bool:
    return path == root or path.startswith(os.path.join(root, ""))
