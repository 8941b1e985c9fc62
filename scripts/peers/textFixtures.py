"""Makes sae/tokens/text/fixtures: the same documents in every kind of file that other programs write.

    python3 -m venv ../texts && ../texts/bin/pip install pyarrow==26.0.1 zstandard==0.25.0
    ../texts/bin/python scripts/peers/textFixtures.py
"""
import gzip
import json
import lzma
from pathlib import Path

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as parquet
import zstandard

folder = Path(__file__).resolve().parents[2] / "sae" / "tokens" / "text" / "fixtures"
folder.mkdir(exist_ok=True)
documents = [f"Document {i}: grüße, 世界, 🐋.\nIts second line is {'long ' * (i % 7)}." for i in range(60)]
(folder / "documents.json").write_text(json.dumps(documents, ensure_ascii=False) + "\n")

values = documents[:20] + [None, "  \n "] + documents[20:]
titles = [f"title {i}" for i in range(len(values))]
rows = {"id": pa.array(range(len(values))), "body \"x\"": pa.array(values), "title": pa.array(titles)}
table = pa.table(rows)
parquet.write_table(table, folder / "rows.parquet", row_group_size=16, compression="zstd", data_page_version="2.0")
parquet.write_table(table.select(["id"]), folder / "numbers.parquet")
parquet.write_table(table.select(["id", "body \"x\""]), folder / "one[column].parquet", compression="snappy")


def arrow(name, table, stream=False, compression=None, size=16):
    options = pa.ipc.IpcWriteOptions(compression=compression)
    new = pa.ipc.new_stream if stream else pa.ipc.new_file
    with new(str(folder / name), table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=size)


arrow("rows.arrow", table)
arrow("rows.stream.arrow", table, stream=True)
large = pa.table({"text": pa.array(values, pa.large_string()), "id": rows["id"]})
arrow("large.arrow", large, stream=True)
arrow("dictionary.arrow", pa.table({"text": pa.array(values).dictionary_encode()}))
feather.write_feather(table, folder / "compressed.feather", compression="lz4")

plain = "\n<|endoftext|>\r\n".join(documents).encode()
lines = "".join(json.dumps({"n": i, "text": text}) + "\n" for i, text in enumerate(documents)).encode()
(folder / "plain.gz").write_bytes(gzip.compress(plain, mtime=0))
(folder / "plain.xz").write_bytes(lzma.compress(plain))
# Two streams one after the other, each of blocks, as `xz -T` and `cat` make them.
(folder / "two.xz").write_bytes(lzma.compress(plain[:3000]) + lzma.compress(plain[3000:], preset=9))
(folder / "sha256.xz").write_bytes(lzma.compress(plain, check=lzma.CHECK_SHA256))
compressor = zstandard.ZstdCompressor(write_checksum=True, level=19)
(folder / "lines.zst").write_bytes(compressor.compress(lines[:2000]) + compressor.compress(lines[2000:]))

# 192 MiB of documents, which take little room: to see that they are never whole in memory.
count = 192 << 10
with open(folder / "big.zst", "wb") as file, zstandard.ZstdCompressor(level=12).stream_writer(file) as writer:
    for _ in range(count):
        writer.write(json.dumps({"text": "whale " * 171}).encode() + b"\n")
with lzma.open(folder / "big.xz", "wb") as file:
    for _ in range(count):
        file.write(b"whale " * 171 + b"\n")
