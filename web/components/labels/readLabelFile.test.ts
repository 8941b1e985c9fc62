import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { readLabelFile } from './readLabelFile.ts';

test('a file is read as it is, and one that is compressed unpacked', async () => {
  const text = '{"index":"3","description":"größer"}\n';
  expect(await readLabelFile(new File([text], 'labels.jsonl'))).toBe(text);
  expect(await readLabelFile(new File([new Uint8Array(gzipSync(text))], 'batch-0.jsonl.gz'))).toBe(text);
  await expect(readLabelFile(new File([text], 'batch-0.jsonl.gz'))).rejects.toThrow();
});
