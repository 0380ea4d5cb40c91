"""How well urgency, need of retrieval, kind of content, language and modality are read: `python benchmarks/classifier/profile.py`.

``profile_labels.jsonl`` was written and labelled for this; patterns were corrected on its part ``known``, and on nothing of ``unseen``, which was written after
that by somebody who had seen them. Media are content blocks, so that modality is judged on what surfaces really send.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

from crew_router.decide.classify.classifier import TextClassifier
from crew_router.types import RoutingRequest

HERE = Path(__file__).parent
FIELDS = ("urgency", "needs_retrieval", "content_type", "language")
BLOCKS = {
    "vision": [
        {"type": "image_url", "image_url": {"url": "x"}},
        {"type": "image", "base64": "x"},
        {"type": "input_image", "image_url": "x"},
    ],
    "audio": [{"type": "audio", "base64": "x"}, {"type": "input_audio", "input_audio": {}}],
    "video": [{"type": "video", "url": "x"}, {"type": "video_url", "video_url": {"url": "x"}}],
}


def main() -> None:
    """Print accuracy, recall and precision of every reading."""
    rows = [json.loads(line) for line in (HERE / "profile_labels.jsonl").read_text(encoding="utf-8").splitlines()]
    for part in ("known", "unseen"):
        print(part)
        _judge([row for row in rows if row["part"] == part])
    blocks = [(kind, block) for kind, listed in BLOCKS.items() for block in listed]
    right = sum(_modality(block) == {kind} for kind, block in blocks)
    print(f"modality         {len(blocks)} kinds of content block, right {right / len(blocks):.3f}")


def _judge(rows: list[dict[str, object]]) -> None:
    read = [TextClassifier().classify(RoutingRequest(task_description=str(row["text"]))) for row in rows]
    for field in FIELDS:
        pairs = [(str(row[field]), str(getattr(profile, field).value)) for row, profile in zip(rows, read, strict=True)]
        print(f"  {field:16} {len(pairs)} texts, right {sum(true == said for true, said in pairs) / len(pairs):.3f}")
        counts, said_counts = Counter(true for true, _ in pairs), Counter(said for _, said in pairs)
        for label, count in sorted(counts.items()) if field != "language" else ():
            hits = sum(true == said == label for true, said in pairs)
            precision = hits / said_counts[label] if said_counts[label] else float("nan")
            print(f"    {label:14} {count:>4} recall {hits / count:.2f} precision {precision:.2f}")
        if "-v" in sys.argv:
            for row, (true, said) in zip(rows, pairs, strict=True):
                if true != said:
                    print(f"      {true} read as {said}: {str(row['text'])[:90]!r}")


def _modality(block: dict[str, object]) -> set[str]:
    message = {"role": "user", "content": [{"type": "text", "text": "What is this?"}, block]}
    return {str(kind) for kind in TextClassifier().classify(RoutingRequest(messages=[message])).modality.value}


if __name__ == "__main__":
    main()
