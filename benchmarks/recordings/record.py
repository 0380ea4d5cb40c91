"""Have the three local models answer every task: python record.py FOLDER OUT.jsonl [--most TASKS].

FOLDER is what fetch_models.py filled. Each finished answer is one JSON line appended to OUT.jsonl; a run that was stopped goes on
where it stopped when it is started again with the same arguments. The models answer one task after the other, largest first, so
that at any moment all tasks but one are complete. Run it with `nice`: it takes one core for an hour or two.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from all_tasks import all_tasks

if TYPE_CHECKING:
    from task_shape import Task

MODELS: Final = ("qwen2.5-coder-1.5b", "smollm2-135m", "qwen2.5-coder-0.5b")


def main() -> None:
    """Record what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="engine and weights, as fetch_models.py leaves them")
    parser.add_argument("out", type=Path, help="JSON lines, one a finished answer")
    parser.add_argument("--most", type=int, default=None, help="stop after this many tasks of the fixed order")
    options = parser.parse_args()
    wanted = [(task, model) for task in all_tasks()[: options.most] for model in MODELS]
    done = finished(options.out)
    missing = [(task, model) for task, model in wanted if (task.id, task.prompt, model) not in done]
    print(f"{len(wanted) - len(missing)} answers are recorded, {len(missing)} are missing", flush=True)
    if missing:
        _record(missing, options.folder, options.out)


def finished(out: Path) -> set[tuple[str, str, str]]:
    """Return which task, prompt and model are recorded; a last line that was cut off is removed."""
    if not out.exists():
        return set()
    text = out.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        out.write_text(whole, encoding="utf-8")
    rows = [json.loads(line) for line in whole.splitlines()]
    return {(row["id"], row["prompt"], row["model"]) for row in rows}


def _record(missing: list[tuple[Task, str]], folder: Path, out: Path) -> None:
    script = Path(__file__).with_name("answer.mjs")
    command = ["node", str(script), str(folder)]
    pipe = subprocess.PIPE
    # The command is node with the script beside this one; the folder is the caller's own.
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as models, out.open("a", encoding="utf-8") as file:  # noqa: S603
        assert models.stdin is not None
        assert models.stdout is not None
        for task, model in missing:
            answer = _ask(task, model, models.stdin, models.stdout)
            file.write(json.dumps({**dataclasses.asdict(task), "model": model, "answer": answer}, ensure_ascii=False) + "\n")
            file.flush()
        models.stdin.close()


def _ask(task: Task, model: str, stdin: IO[str], stdout: IO[str]) -> dict[str, Any]:
    stdin.write(json.dumps({"model": model, "prompt": task.prompt, "max_tokens": task.max_tokens}) + "\n")
    stdin.flush()
    line = stdout.readline()
    if not line:
        raise SystemExit(f"the engine ended while {model} answered {task.id}; start this again to go on")
    answer: dict[str, Any] = json.loads(line)
    return answer


if __name__ == "__main__":
    main()
