"""What W&B has written offline, read back: records of its own kind in LevelDB's log format."""

import json
import struct
from collections import defaultdict

_BLOCK, _HEADER = 32_768, struct.Struct("<IHB")  # checksum, length, and which part of a record
_FIRST, _LAST = (1, 2), (1, 4)  # a whole record is both


def records(path):
    """Every record of a .wandb file."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, place, parts = path.read_bytes(), _HEADER.size, []
    while place + _HEADER.size <= len(data):
        if _BLOCK - place % _BLOCK < _HEADER.size:
            place += _BLOCK - place % _BLOCK
            continue
        _, length, kind = _HEADER.unpack_from(data, place)
        place += _HEADER.size
        parts = [*([] if kind in _FIRST else parts), data[place : place + length]]
        place += length
        if kind in _LAST:
            yield Record.FromString(b"".join(parts))


def runs(folder):
    """By the id of each run in `folder`: its settings, rows of history, summary, how it ended."""
    found = defaultdict(list)
    for path in sorted(folder.glob("offline-run-*/run-*.wandb")):
        run = {"history": [], "summary": {}, "ended": None, "path": path}
        for record in records(path):
            if record.HasField("run"):
                run["run"] = record.run
                run["config"] = {
                    item.key: json.loads(item.value_json) for item in record.run.config.update
                }
            if record.HasField("history"):
                items = record.history.item
                keys = [item.key or "/".join(item.nested_key) for item in items]
                values = [json.loads(item.value_json) for item in items]
                run["history"].append(dict(zip(keys, values, strict=True)))
            if record.HasField("summary"):
                for item in record.summary.update:
                    key = item.key or "/".join(item.nested_key)
                    run["summary"][key] = json.loads(item.value_json)
            if record.HasField("exit"):
                run["ended"] = record.exit.exit_code
        found[path.stem.removeprefix("run-")].append(run)
    return dict(found)
