"""Make a virtual environment with this project and some of its extras, once.

It is made again when the dependencies, the constraints, the Python or this file change; a stamp inside it tells.
uv is installed into it and does the work, with the index settings that pip has; where uv cannot, pip does.
Only the standard library is used: this runs before anything is installed.
"""

import argparse
import ast
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
OLDEST, NEWEST = (3, 11), (3, 13)
# What pip calls a setting, and what uv does.
UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "timeout": "UV_HTTP_TIMEOUT",
}


def main() -> None:
    """Make the environment unless its stamp says that it is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--extras", default="", help="comma-separated extras of this project")
    parser.add_argument("--wheel", type=pathlib.Path, help="install this wheel instead of the checkout")
    parser.add_argument("--constraints", type=pathlib.Path, default=ROOT / "constraints.txt")
    options = parser.parse_args()
    check_python()
    stamp = options.folder / ".made-for"
    wanted = fingerprint(f"{options.extras} {options.wheel}", options.constraints)
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return
    project = ["--editable", str(ROOT)] if options.wheel is None else [str(options.wheel)]
    project[-1] += f"[{options.extras}]" if options.extras else ""
    make(options.folder, project=project, constraints=options.constraints)
    stamp.write_text(wanted, encoding="utf-8")


def check_python() -> None:
    """Stop with one line that says what the system lacks and how to get it."""
    here = sys.version_info[:2]
    if not OLDEST <= here <= NEWEST:
        oldest, newest, this = (".".join(map(str, version)) for version in (OLDEST, NEWEST, here))
        sys.exit(f"Python {oldest} to {newest} is needed, this is {this}: apt-get install -y python3.11 && make PYTHON=python3.11 …")
    try:
        import ensurepip  # noqa: F401 - Debian ships it apart
    except ImportError:
        sys.exit(f"The venv module of Python is not complete: apt-get install -y python{here[0]}.{here[1]}-venv")


def fingerprint(contents: str, constraints: pathlib.Path) -> str:
    """Return what the contents of an environment depend on, as one hash."""
    import tomllib  # absent from the older Pythons that check_python turns away

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    parts = [project["build-system"], project["project"], project["tool"]["hatch"], contents, sys.version, sys.prefix, str(ROOT)]
    text = json.dumps(parts) + constraints.read_text(encoding="utf-8") + pathlib.Path(__file__).read_text(encoding="utf-8")
    return hashlib.sha256(text.encode()).hexdigest()


def make(folder: pathlib.Path, *, project: list[str], constraints: pathlib.Path) -> None:
    """Make the environment from nothing and install into it."""
    print(f"making {folder} …", file=sys.stderr, flush=True)
    run([sys.executable, "-m", "venv", "--clear", str(folder)])
    python = str(folder / "bin" / "python")
    what = ["--constraint", str(constraints), *project]
    uv = pinned("uv", constraints)
    run([python, "-m", "pip", "install", "--quiet", uv])
    by_uv = [str(folder / "bin" / "uv"), "pip", "install", "--quiet", "--python", python, *what]
    if subprocess.run(by_uv, env={**uv_settings(python), **os.environ}, check=False).returncode:
        print("uv could not install; pip goes on …", file=sys.stderr, flush=True)
        run([python, "-m", "pip", "install", "--quiet", *what])


def pinned(name: str, constraints: pathlib.Path) -> str:
    """Return the line of the constraints that pins a package."""
    found = re.search(rf"^{name}==\S+", constraints.read_text(encoding="utf-8"), re.MULTILINE)
    return found[0] if found else name


def uv_settings(python: str) -> dict[str, str]:
    """Return pip's index settings as the environment variables that uv reads; uv does not read pip's files."""
    listed = subprocess.run([python, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True).stdout
    settings = {"UV_INDEX_STRATEGY": "unsafe-best-match", "UV_PYTHON_DOWNLOADS": "never", "UV_LINK_MODE": "copy"}
    for line in sorted(listed.splitlines(), key=lambda line: line.startswith(":env:")):
        key, _, value = line.partition("=")
        name = UV_NAMES.get(key.rpartition(".")[2])
        if name and key.rpartition(".")[0] in ("global", "install", ":env:"):
            words = str(ast.literal_eval(value)).split()
            settings[name] = (" " if name == "UV_INDEX" else ",").join(words)
    return settings


def run(command: list[str]) -> None:
    """Run a command; when it fails, stop with its exit code and without a traceback."""
    code = subprocess.run(command, check=False).returncode
    if code:
        print(f"failed ({code}): {' '.join(command)}", file=sys.stderr)
        sys.exit(code)


if __name__ == "__main__":
    main()
