"""An event file by TensorBoard's own package, and a reader of what `lazyscope` writes, for the tests of sae/training.

    python scripts/peers/metricsFixture.py make         writes sae/formats/fixtures/events.tfevents
    python scripts/peers/metricsFixture.py read PATH    prints as JSON what is in an event file, or a Feather or Parquet file

Needs tensorboard, pandas and pyarrow.
"""

import json
import pathlib
import sys

FIXTURE = pathlib.Path(__file__).resolve().parents[2] / "sae" / "formats" / "fixtures" / "events.tfevents"


def make():
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    value = lambda tag, number: Summary.Value(tag=tag, simple_value=number)
    with open(FIXTURE, "wb") as file:
        writer = RecordWriter(file)
        writer.write(Event(wall_time=1.7e9, file_version="brain.Event:2").SerializeToString())
        for step in (1, 300, 70_000):
            summary = Summary(value=[value("loss", 1 / step), value("a longer name " * 10, -2.5 * step)])
            writer.write(Event(wall_time=1.7e9 + step / 8, step=step, summary=summary).SerializeToString())


def read(path):
    if "tfevents" in path:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        events = EventAccumulator(path, size_guidance={"scalars": 0})
        events.Reload()
        tags = events.Tags()["scalars"]
        return {tag: [[e.step, e.wall_time, e.value] for e in events.Scalars(tag)] for tag in tags}
    import pandas

    frame = pandas.read_parquet(path) if path.endswith(".parquet") else pandas.read_feather(path)
    return frame.to_dict("list")


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make()
    else:
        print(json.dumps(read(sys.argv[2])))
