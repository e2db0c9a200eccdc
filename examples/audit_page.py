"""One page of several audits, and whether form alone stays within its limit in all of them: the last step of audit.sh.

python examples/audit_page.py OUT AUDIT.json…      # OUT/audit.json and OUT/audit.png
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from s2h.view.audit_plots import draw

FORM = 0.55  # whatever words may tell, form must not
LIMITS = {"deep": 0.55, "level1": 0.58, "model": 0.6}


def main(out: str, *files: str) -> int:
    found: dict[str, dict] = {}
    failed = 0
    for file in map(Path, files):
        for name, task in json.loads(file.read_text()).items():
            limit = LIMITS[file.stem]
            name = f"{name} (by a model)" if file.stem == "model" and "by a model" not in name else name
            name = f"{name} (builtin)" if "(" not in name else name
            found[name] = {**task, "limits": {"blind": limit, "form": FORM}}
            if task["form"] is not None and task["form"]["auc"] > FORM:
                print(
                    f"{name}: form alone has an AUC of {task['form']['auc']:.3f}, above {FORM}",
                    file=sys.stderr,
                )
                failed = 1
    Path(out, "audit.json").write_text(json.dumps(found, indent=1) + "\n")
    draw(found, str(Path(out, "audit.png")), FORM)
    return failed


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
