/** What files made to do harm once did: each test is named after that. `npm run test:fuzz` looks for more. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zipSync, type Zippable } from 'fflate';
import { afterAll, describe, expect, test } from 'vitest';
import { shownToken } from '../../sae/inference/textTokens.ts';
import { parseModelConfig } from '../../sae/models/readModelConfig.ts';
import { loadTokenizer } from '../../sae/tokens/tokenizer.ts';
import { parseSweep } from '../../sae/training/sweep.ts';
import { writeSparseZip } from '../../sae/formats/fixtures/writeSparseZip.ts';
import { encodeNpy } from '../../sae/formats/npy.ts';
import { openNpz, readNpz } from '../../sae/formats/npz.ts';
import { parseJson, readJsonFile } from '../../sae/formats/parseJson.ts';
import { openPytorchFile, readPytorchFile } from '../../sae/formats/pytorchFile.ts';
import { readSafetensors } from '../../sae/formats/safetensors.ts';
import { openZip } from '../../sae/formats/zipFile.ts';

const scratch = mkdtempSync(join(tmpdir(), 'lazyscope-hostile-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let made = 0;
const place = (content: Uint8Array | string, extension: string) => {
  const path = join(scratch, `${made++}.${extension}`);
  writeFileSync(path, content);
  return path;
};

/** Processor time of this process, in milliseconds. */
async function processorTime(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

const corrupt = (message: RegExp) =>
  expect.objectContaining({ code: 'corrupt', message: expect.stringMatching(message) });

// Opcodes of Python's pickle.
const int = (value: number) => {
  const bytes = Buffer.alloc(5);
  bytes.write('J');
  bytes.writeInt32LE(value, 1);
  return bytes.toString('latin1');
};
const text = (value: string) => `X${String.fromCharCode(value.length)}\0\0\0${value}`;
const tuple = (...items: string[]) => `(${items.join('')}t`;
/** A number that is not whole. */
const half = 'G\x3f\xe0\0\0\0\0\0\0';
/** 2⁶⁴ + 1, which no number of JavaScript's is. */
const huge = '\x8a\x09\x01\0\0\0\0\0\0\0\x01';

interface TensorCode {
  count?: string;
  offset?: string;
  shape?: string;
  stride?: string;
}
const tensorCode = ({ count = int(4), offset = int(0), shape = int(4), stride = int(1) }: TensorCode) =>
  'ctorch._utils\n_rebuild_tensor_v2\n(' +
  `(${text('storage')}ctorch\nFloatStorage\n${text('0')}${text('cpu')}${count}tQ` +
  `${offset}${tuple(shape)}${tuple(stride)}\x89}tR`;
const stateDict = (tensors: Record<string, string>) =>
  `\x80\x02}(${Object.entries(tensors)
    .map(([name, code]) => text(name) + code)
    .join('')}u.`;

function pt(pickle: string, storage: Uint8Array = new Uint8Array(16)): string {
  const files: Zippable = {
    'archive/data.pkl': [Buffer.from(pickle, 'latin1'), { level: 0 }],
    'archive/data/0': [storage, { level: 0 }],
  };
  return place(zipSync(files), 'pt');
}

describe('a .pt', () => {
  test('of the test’s own making is read', () => {
    const numbers = Float32Array.of(1, 2, 3, 4);
    const file = openPytorchFile(pt(stateDict({ w: tensorCode({}) }), new Uint8Array(numbers.buffer)));
    expect(file.float32('w')).toEqual(numbers);
  });

  test('with a negative offset is refused instead of giving NaN weights', () => {
    const path = pt(stateDict({ w: tensorCode({ offset: int(-2), shape: int(2) }) }));
    expect(() => openPytorchFile(path)).toThrow(corrupt(/described in an unknown way/));
  });

  const odd: [string, TensorCode][] = [
    ['a negative size', { shape: int(-4) }],
    ['half a size', { shape: half }],
    ['a size beyond all numbers', { shape: huge }],
    ['a negative stride', { stride: int(-1) }],
    ['a negative length of its storage', { count: int(-4) }],
    ['half a length of its storage', { count: half }],
    ['a length of its storage beyond all numbers', { count: huge }],
    ['no length of its storage', { count: 'N' }],
    ['a longer storage than there is', { count: int(5), shape: int(5) }],
  ];
  test.each(odd)('with %s is corrupt, and no untyped error', (_, code) => {
    const path = pt(stateDict({ w: tensorCode(code) }));
    expect(() => openPytorchFile(path)).toThrow(corrupt(/is not a whole PyTorch file/));
  });

  // Read 200 times they would be 1.6 GB.
  const storage = new Uint8Array(8 << 20);
  const count = int(2 << 20);

  test('that names one storage 200 times is read once, where it was read 200 times in 47 s', async () => {
    const code = tensorCode({ count, shape: count });
    const path = pt(
      stateDict(Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`w${i}`, code]))),
      storage,
    );
    const milliseconds = await processorTime(() => {
      const tensors = [...readPytorchFile(path).values()];
      expect(tensors).toHaveLength(200);
      expect(new Set(tensors.map(({ data }) => data)).size).toBe(1);
    });
    expect(milliseconds).toBeLessThan(2_000);
  });

  test('that names 200 pieces of one storage, each nearly all of it, is refused before one is read', async () => {
    const piece = (at: number) => tensorCode({ count, offset: int(at), shape: int((2 << 20) - at) });
    const path = pt(
      stateDict(Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`w${i}`, piece(i)]))),
      storage,
    );
    const milliseconds = await processorTime(() =>
      expect(() => openPytorchFile(path)).toThrow(corrupt(/read the same storage more than 16 times/)),
    );
    expect(milliseconds).toBeLessThan(2_000);
  });

  test.each([
    ['a list', `\x80\x02](${'N'.repeat(3_000_000)}e.`],
    ['a dictionary', `\x80\x02}(${'N'.repeat(3_000_000)}u.`],
  ])('with %s of 3 million items overflows no stack', (_, pickle) => {
    const path = pt(pickle);
    expect(() => openPytorchFile(path)).toThrow(corrupt(/no state dict|more memory than is allowed/));
  });

  test('whose pickle describes gigabytes says that the memory for it is exceeded', () => {
    const path = pt(`\x80\x02(${'}'.repeat(1_000_000)}t.`);
    expect(() => openPytorchFile(path)).toThrow(corrupt(/more memory than is allowed for its size/));
  });
});

describe('a zip bomb', () => {
  /** A kilobyte of a megabyte of zeros, whose directory claims another length. */
  function bomb(name: string, claimed: number): Buffer {
    const zip = Buffer.from(zipSync({ [name]: [new Uint8Array(1 << 20), { level: 9 }] }));
    const directory = zip.lastIndexOf(Buffer.from([0x50, 0x4b, 1, 2]));
    zip.writeUInt32LE(claimed, directory + 24);
    return zip;
  }

  test.each(['npz', 'pt'])(
    'of 1 KB that becomes 2 GB is refused in .%s, which says what is exceeded',
    async (extension) => {
      const name = extension === 'npz' ? 'W_enc.npy' : 'archive/data.pkl';
      const path = place(bomb(name, 2_000_000_000), extension);
      const read = async () => (extension === 'npz' ? readNpz(path) : openPytorchFile(path));
      await expect(read()).rejects.toEqual(
        corrupt(/would unpack to 2000000000 bytes from \d+, more than is allowed/),
      );
    },
  );

  test('that claims to be small is found while it is unpacked', async () => {
    await expect(readNpz(place(bomb('W_enc.npy', 1_000), 'npz'))).rejects.toEqual(
      corrupt(/'W_enc.npy' can't be unpacked/),
    );
  });

  test('of several files, each of which is allowed, is refused by their sum', () => {
    const part: Zippable[string] = [new Uint8Array(1 << 20), { level: 9 }];
    const zip = Buffer.from(zipSync({ 'a.npy': part, 'b.npy': part }));
    const entry = Buffer.from([0x50, 0x4b, 1, 2]);
    for (let at = zip.indexOf(entry); at >= 0; at = zip.indexOf(entry, at + 4))
      zip.writeUInt32LE(40 << 20, at + 24);
    expect(() => openZip(place(zip, 'npz'))).toThrow(
      corrupt(/'b.npy' would unpack to .* more than is allowed/),
    );
  });
});

describe('a wrong byte among the weights is found by the checksum', () => {
  test('of an .npz', async () => {
    const bytes = Buffer.from(
      zipSync({ 'W_enc.npy': [encodeNpy({ shape: [4], data: Float32Array.of(1, 2, 3, 4) }), { level: 0 }] }),
    );
    bytes[bytes.indexOf(Buffer.from(Float32Array.of(3).buffer))] ^= 1;
    await expect(readNpz(place(bytes, 'npz'))).rejects.toEqual(corrupt(/checksum of 'W_enc.npy' is wrong/));
  });

  test('of a .pt', () => {
    const numbers = Float32Array.of(1, 2, 3, 4);
    const bytes = Buffer.from(
      zipSync({
        'archive/data.pkl': [Buffer.from(stateDict({ w: tensorCode({}) }), 'latin1'), { level: 0 }],
        'archive/data/0': [new Uint8Array(numbers.buffer), { level: 0 }],
      }),
    );
    bytes[bytes.indexOf(Buffer.from(Float32Array.of(3).buffer))] ^= 1;
    const file = openPytorchFile(place(bytes, 'pt'));
    expect(() => file.float32('w')).toThrow(corrupt(/checksum of 'archive\/data\/0' is wrong/));
  });

  test('of a .pt, whose one checksum was made 0, which says that there is none only where all are 0', () => {
    const numbers = Float32Array.of(1, 2, 3, 4);
    const without = (names: readonly string[]) => {
      const bytes = Buffer.from(
        zipSync({
          'archive/data.pkl': [Buffer.from(stateDict({ w: tensorCode({}) }), 'latin1'), { level: 0 }],
          'archive/data/0': [new Uint8Array(numbers.buffer), { level: 0 }],
        }),
      );
      for (const name of names) {
        const directory = bytes.lastIndexOf(name) - 46;
        expect(bytes.readUInt32LE(directory)).toBe(0x02014b50);
        bytes.writeUInt32LE(0, directory + 16);
      }
      return openPytorchFile(place(bytes, 'pt'));
    };
    expect(() => without(['archive/data/0']).float32('w')).toThrow(corrupt(/checksum of 'archive\/data\/0'/));
    expect([...without(['archive/data.pkl', 'archive/data/0']).float32('w')]).toEqual([...numbers]);
  });
});

test('an .npz of more than 2 GiB is read, and is not “not found”', async () => {
  const path = join(scratch, 'wide.npz');
  const numbers = Float32Array.of(1, 2, 3, 4);
  const array = encodeNpy({ shape: [2, 2], data: numbers });
  // Beyond what one call of readFile reads; a hole on the disk.
  writeSparseZip(path, {
    'notes.txt': { start: new Uint8Array(1), size: 3 * 2 ** 30 },
    'W_enc.npy': { start: array, size: array.length },
  });
  expect((await readNpz(path)).get('W_enc')).toEqual({ shape: [2, 2], data: numbers });
});

test('of an .npz an array is read when it is asked for, and not the 5 GiB of another', () => {
  const path = join(scratch, 'lazy.npz');
  const numbers = Float32Array.of(1, 2, 3, 4);
  const array = encodeNpy({ shape: [2, 2], data: numbers });
  writeSparseZip(path, {
    'W_dec.npy': { start: new Uint8Array(1), size: 5 * 2 ** 30 },
    'W_enc.npy': { start: array, size: array.length },
  });
  const file = openNpz(path);
  expect(file.names).toEqual(['W_dec', 'W_enc']);
  expect(file.array('W_enc')).toEqual({ shape: [2, 2], data: numbers });
});

describe('a tokenizer.json', () => {
  function tokenizerWith(vocab: Record<string, number>): string {
    const folder = join(scratch, `tokenizer-${made++}`);
    mkdirSync(folder);
    const steps = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };
    const model = { type: 'BPE', vocab, merges: [], unk_token: 'a' };
    writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify({ added_tokens: [], model, ...steps }));
    return folder;
  }

  test.each([2 ** 31, 1e9, 2 ** 53])('with the id %d is refused at once instead of hanging', async (id) => {
    const folder = tokenizerWith({ a: 0, b: 1, c: id });
    const milliseconds = await processorTime(() =>
      expect(() => loadTokenizer(folder)).toThrow(
        corrupt(new RegExp(`has the id ${id}, where 0 to \\d+ are read`)),
      ),
    );
    expect(milliseconds).toBeLessThan(2_000);
  });

  test('whose vocabulary has holes gives no undefined ids', () => {
    const tokenizer = loadTokenizer(tokenizerWith({ a: 0, b: 2, c: 7 }));
    const ids = tokenizer.encode('abcabzc');
    expect(ids.length).toBeGreaterThan(0);
    for (const id of ids) expect([0, 2, 7]).toContain(id);
    expect([0, 1, 2, 7, 8].map((id) => shownToken({ tokenizer }, id))).toEqual(['a', '#1', 'b', 'c', '#8']);
    expect(tokenizer.decode([0, 1, 2])).toBe('a b');
  });
});

test('a config.json with a huge layer count is refused at once instead of hanging', async () => {
  const config = { model_type: 'gpt2', n_embd: 64, n_head: 4, vocab_size: 512 };
  for (const layers of [2 ** 31, 1e9, Number.MAX_SAFE_INTEGER]) {
    const milliseconds = await processorTime(() =>
      expect(() => parseModelConfig({ ...config, n_layer: layers }, 'config.json')).toThrow(
        expect.objectContaining({ code: 'bad_input', message: expect.stringMatching(/layers/) }),
      ),
    );
    expect(milliseconds).toBeLessThan(2_000);
  }
});

test('a directory where a file belongs is refused by name', async () => {
  const folder = join(scratch, 'folder');
  for (const name of ['tokenizer.json', 'config.json', 'weights.npz', 'weights.pt', 'weights.safetensors'])
    mkdirSync(join(folder, name), { recursive: true });
  const refused = (name: string) =>
    expect.objectContaining({
      code: 'bad_input',
      message: expect.stringMatching(new RegExp(`${name}' is not a file`)),
    });
  expect(() => loadTokenizer(folder)).toThrow(refused('tokenizer.json'));
  expect(() => readJsonFile(join(folder, 'config.json'))).toThrow(refused('config.json'));
  expect(() => openPytorchFile(join(folder, 'weights.pt'))).toThrow(refused('weights.pt'));
  await expect(readNpz(join(folder, 'weights.npz'))).rejects.toEqual(refused('weights.npz'));
  await expect(readSafetensors(join(folder, 'weights.safetensors'))).rejects.toEqual(
    refused('weights.safetensors'),
  );
});

describe('a budget that is exceeded is named', () => {
  test.each([
    ['bytes', { bytes: 10, values: 100, depth: 10 }, /has 18 characters, more than the 10 that are read/],
    ['values', { bytes: 100, values: 5, depth: 10 }, /has 8 values, more than the 5/],
    ['depth', { bytes: 100, values: 100, depth: 1 }, /has lists in lists, 2 deep, more than the 1/],
  ] as const)('JSON: %s', (_, budget, message) => {
    expect(() => parseJson('[[1,2],[3,4],"[["]', 'a.json', budget)).toThrow(corrupt(message));
  });

  test.each([
    ['40 KB of “- ”, which once aborted Node', '- '.repeat(20_000), /lists more than 16 deep/],
    ['the same with a key', `name: ${'- '.repeat(20_000)}`, /./],
    ['brackets', `hooks: ${'['.repeat(40_000)}`, /lists more than 16 deep/],
    ['characters', `# ${'x'.repeat(70_000)}`, /has 70002 characters, where 65536 are the most/],
  ])('YAML: %s', (_, sweep, message) => {
    expect(() => parseSweep(sweep)).toThrow(
      expect.objectContaining({ code: 'bad_input', message: expect.stringMatching(message) }),
    );
  });
});
