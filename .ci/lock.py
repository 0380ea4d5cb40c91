"""Resolve the constraints files again; versions that still fit are kept unless --upgrade is given.

One file for each environment of the tests. They pin versions only: no address of an index, no marker.
"""

import os
import pathlib
import re
import subprocess
import sys

from environment import ROOT, uv_settings

FILES = {"constraints.txt": ("dev",), "constraints-mcp.txt": ("mcp", "tests")}
QUIET = ("--quiet", "--no-annotate", "--no-header", "--no-emit-index-url", "--no-emit-find-links")


def main() -> None:
    """Write every constraints file."""
    upgrade = [word for word in sys.argv[1:] if word == "--upgrade"]
    for name, extras in FILES.items():
        wanted = [word for extra in extras for word in ("--extra", extra)]
        uv = str(pathlib.Path(sys.executable).with_name("uv"))
        command = [uv, "pip", "compile", "pyproject.toml", *wanted, "--universal", "--python-version", "3.11", *QUIET, *upgrade, "-o", name]
        subprocess.run(command, cwd=ROOT, env={**uv_settings(sys.executable), **os.environ}, check=True)
        file = ROOT / name
        file.write_text(re.sub(r" ;.*", "", file.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
