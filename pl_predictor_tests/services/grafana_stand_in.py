"""No Grafana comes as a package: a program that stands in for it tells what it was started with."""

import sys
from pathlib import Path

PROGRAM = f"""#!{sys.executable}
import json, os, signal, sys
print(json.dumps({{"arguments": sys.argv[1:], "environment": dict(os.environ)}}), flush=True)
"""
STAYS = "signal.pause()\n"


def put(program: Path, *, stays: bool = False) -> None:
    """Make the program, which tells and ends, or, if it `stays`, waits for its end as a server does."""
    program.parent.mkdir(parents=True)
    program.write_text(PROGRAM + STAYS * stays)
    program.chmod(0o755)
