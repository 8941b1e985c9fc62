/** Weight files of other tools: safetensors, PyTorch's two layouts, NumPy's arrays, GGUF. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { strFromU8, unzipSync, zipSync } from 'fflate';
import { isLazyscopeError } from '../../sae/errors.ts';
import { decodeNpy, encodeNpy } from '../../sae/formats/npy.ts';
import { openGguf } from '../../sae/formats/gguf/ggufFile.ts';
import { readNpz } from '../../sae/formats/npz.ts';
import { openPytorchFile } from '../../sae/formats/pytorchFile.ts';
import { readSafetensors } from '../../sae/formats/safetensors.ts';
import type { Random } from '../../sae/numerics/random.ts';
import { holds, type FuzzedFormat } from './fuzzedFormat.ts';
import { below, mutateBytes, pick } from './mutateBytes.ts';
import { mutateJson } from './mutateJson.ts';
import { placeCase } from './placeCase.ts';

const formats = join(import.meta.dirname, '../../sae/formats');
const fixture = (path: string) => new Uint8Array(readFileSync(join(formats, path)));

interface Tensors {
  names: readonly string[];
  shape(name: string): number[];
  float32(name: string): Float32Array;
}

/** Reads every tensor; those of a type that isn't read may say so. Where `sound` is given, what is read must be in it. */
function readAll(file: Tensors, sound?: ReadonlyMap<string, string>): void {
  for (const name of file.names) {
    let data: Float32Array;
    try {
      data = file.float32(name);
    } catch (error) {
      if (isLazyscopeError(error)) continue;
      throw error;
    }
    const count = file.shape(name).reduce((product, n) => product * n, 1);
    holds(data.length === count, `'${name}' of ${count} numbers gave ${data.length}`);
    const expected = sound?.get(name);
    if (expected !== undefined)
      holds(
        expected === Buffer.from(data.buffer).toString('base64'),
        `'${name}' was changed and its checksum was not`,
      );
  }
}

function contentOf(file: Tensors): Map<string, string> {
  const content = new Map<string, string>();
  for (const name of file.names)
    try {
      content.set(name, Buffer.from(file.float32(name).buffer).toString('base64'));
    } catch (error) {
      if (!isLazyscopeError(error)) throw error;
    }
  return content;
}

export const safetensors: FuzzedFormat = {
  name: 'safetensors',
  prepare: async (folder) => {
    const path = join(folder, 'case.safetensors');
    const samples = [
      fixture('fixtures/packages/saelens-topk/sae_weights.safetensors'),
      fixture('fixtures/packages/gemma-scope-2/params.safetensors'),
    ];
    return {
      write(random) {
        const sound = Buffer.from(pick(random, samples));
        if (random.uniform() < 0.4) return placeCase(path, mutateBytes(sound, random, [0, 8, 16]), random);
        const length = Number(sound.readBigUInt64LE(0));
        const header = mutateJson(JSON.parse(sound.toString('utf8', 8, 8 + length)), random);
        return placeCase(path, withHeader(header, sound.subarray(8 + length), random), random);
      },
      async read() {
        readAll(await readSafetensors(path));
      },
    };
  },
};

function withHeader(header: unknown, body: Uint8Array, random: Random): Buffer {
  const deep = random.uniform() < 0.02 ? `{"a":${'['.repeat(200_000)}` : JSON.stringify(header);
  const json = Buffer.from(deep ?? 'null');
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, body]);
}

/** Opcodes that make much of little, or what a state dict has no use for. */
const opcodes = [
  ']', '}', '(', ')', 'e', 't', 'u', 's', 'a', 'R', 'b', 'Q', '.', 'N', '\x88', 'q\0', 'h\0', 'h\x01', 'h\x05', 'j\x05\0\0\0', '0', '\x94',
  'J\xff\xff\xff\xff', 'K\x07', 'M\xff\xff', 'X\x01\0\0\0a', 'X\xff\xff\xff\x7f', '\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\x7f', '\x8a\x08\0\0\0\0\0\0\0\x80',
  'cposix\nsystem\n', 'c__builtin__\neval\n', 'ctorch._utils\n_rebuild_tensor_v2\n', 'ctorch\nFloatStorage\n', 'ccollections\nOrderedDict\n', '\x85', '\x86', '\x87', '\x93', '\x81',
]; // prettier-ignore

function mutatePickle(sound: Uint8Array, random: Random): Buffer {
  const at = 2 + below(random, sound.length - 2);
  const head = Buffer.from(sound.subarray(0, at));
  const tail = Buffer.from(sound.subarray(at));
  switch (below(random, 6)) {
    case 0:
      return Buffer.concat([head, Buffer.from(pick(random, opcodes), 'latin1'), tail]);
    case 1:
      return Buffer.concat([
        head,
        Buffer.from(Array.from({ length: 6 }, () => pick(random, opcodes)).join(''), 'latin1'),
        tail,
      ]);
    case 2:
      return Buffer.concat([
        head,
        Buffer.from(pick(random, [']', '}', '(', 'N', ')', ']q\0']).repeat(300_000), 'latin1'),
        tail,
      ]);
    case 3:
      // A list of itself, doubled again and again.
      return Buffer.concat([head, Buffer.from(`]q\x05${'h\x05h\x05\x86q\x05'.repeat(60)}`, 'latin1'), tail]);
    default:
      return mutateBytes(sound, random);
  }
}

const samplesOfPytorch = [
  'fixtures/pytorch/mixed.bin',
  'fixtures/packages/dictionary-learning-module/ae.pt',
  'fixtures/packages/dictionary-learning-wrapped/ae.pt',
  'fixtures/packages/dictionary-learning-topk/ae.pt',
];

export const pytorch: FuzzedFormat = {
  name: 'pytorch',
  prepare: async (folder) => {
    const path = join(folder, 'case.pt');
    const samples = samplesOfPytorch.map((name) => ({
      bytes: fixture(name),
      sound: contentOf(openPytorchFile(join(formats, name))),
      files: unzipSync(fixture(name)),
    }));
    const bomb = new Uint8Array(120 << 20);
    const bombs = [
      zipSync({ 'archive/data.pkl': bomb }, { level: 1 }),
      zipSync({ 'archive/data/0': [bomb, { level: 1 }], 'archive/data.pkl': bomb.subarray(0, 9) }),
    ];
    let sound: ReadonlyMap<string, string> | undefined;
    return {
      write(random) {
        const sample = pick(random, samples);
        sound = undefined;
        if (random.uniform() < 0.01) return placeCase(path, pick(random, bombs), random);
        if (random.uniform() < 0.4) {
          sound = sample.sound;
          return placeCase(path, mutateBytes(sample.bytes, random, placesOfZip(sample.bytes)), random);
        }
        const files: Record<string, Uint8Array<ArrayBufferLike>> = { ...sample.files };
        const pickle = Object.keys(files).find((name) => name.endsWith('data.pkl')) ?? '';
        const name = random.uniform() < 0.8 ? pickle : pick(random, Object.keys(files));
        if (random.uniform() < 0.05) delete files[name];
        else
          files[name] =
            name === pickle ? mutatePickle(files[name], random) : mutateBytes(files[name], random);
        return placeCase(path, zipSync(files, { level: random.uniform() < 0.1 ? 6 : 0 }), random);
      },
      read: () => readAll(openPytorchFile(path), sound),
    };
  },
};

/** Where the records of a zip have their lengths and offsets. */
function placesOfZip(bytes: Uint8Array): number[] {
  const view = Buffer.from(bytes);
  const places: number[] = [];
  for (const mark of ['PK\x01\x02', 'PK\x03\x04', 'PK\x05\x06', 'PK\x06\x06'])
    for (let at = view.indexOf(mark, 0, 'latin1'); at >= 0; at = view.indexOf(mark, at + 4, 'latin1'))
      for (let field = 4; field < 46; field += 2) places.push(at + field);
  return places;
}

export const legacyPytorch: FuzzedFormat = {
  name: 'legacy-pytorch',
  prepare: async (folder) => {
    const path = join(folder, 'case.pt');
    const sample = fixture('fixtures/packages/dictionary-learning-legacy/ae.pt');
    return {
      write: (random) =>
        placeCase(
          path,
          random.uniform() < 0.5 ? mutatePickle(sample, random) : mutateBytes(sample, random),
          random,
        ),
      read: () => readAll(openPytorchFile(path)),
    };
  },
};

const npyHeaders = [
  "{'descr': '<f4', 'fortran_order': False, 'shape': (-2, -3), }", "{'descr': '<f4', 'fortran_order': True, 'shape': (0.5, 12), }",
  "{'descr': '<f8', 'fortran_order': True, 'shape': (1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,6), }",
  "{'descr': 'constructor', 'fortran_order': False, 'shape': (6,), }", "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }",
  "{'descr': '|O', 'fortran_order': False, 'shape': (6,), }", "{'descr': '<f4', 'fortran_order': False, 'shape': (1e1,), }",
  "{'descr': '>f4', 'fortran_order': False, 'shape': (6,), }", "{'descr': '<f4', 'shape': (0, 9007199254740993), }",
]; // prettier-ignore

function npyCase(random: Random): Buffer {
  const sound = Buffer.from(encodeNpy({ shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }));
  if (random.uniform() < 0.5) return mutateBytes(sound, random, [6, 8]);
  const header = Buffer.from(`${pick(random, npyHeaders).padEnd(117)}\n`, 'latin1');
  const head = Buffer.from(sound.subarray(0, 10));
  head.writeUInt16LE(header.length, 8);
  return mutateBytesSometimes(Buffer.concat([head, header, sound.subarray(128)]), random);
}
const mutateBytesSometimes = (bytes: Buffer, random: Random) =>
  random.uniform() < 0.3 ? mutateBytes(bytes, random) : bytes;

export const npy: FuzzedFormat = {
  name: 'npy',
  prepare: async (folder) => {
    const path = join(folder, 'case.npy');
    let bytes: Uint8Array = new Uint8Array();
    return {
      write(random) {
        bytes = npyCase(random);
        return bytes.length;
      },
      read() {
        const { shape, data } = decodeNpy(bytes, path);
        holds(
          shape.every((n) => n >= 0 && Number.isInteger(n)),
          `a shape of ${shape.join()}`,
        );
        holds(
          data.length === shape.reduce((product, n) => product * n, 1),
          `${shape.join()} gave ${data.length} numbers`,
        );
      },
    };
  },
};

export const npz: FuzzedFormat = {
  name: 'npz',
  prepare: async (folder) => {
    const path = join(folder, 'case.npz');
    const samples = ['fixtures/gemma-scope/params.npz', 'fixtures/gemma-scope-compressed/params.npz'].map(
      fixture,
    );
    // 10 MB of zeros take 40 kB; a dozen of them in one file.
    const part = new Uint8Array(10 << 20);
    const bombs = [
      zipSync(Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`${i}.npy`, part])), { level: 1 }),
    ];
    return {
      write(random) {
        if (random.uniform() < 0.01) return placeCase(path, pick(random, bombs), random);
        const sample = pick(random, samples);
        if (random.uniform() < 0.5)
          return placeCase(path, mutateBytes(sample, random, placesOfZip(sample)), random);
        const files: Record<string, Uint8Array<ArrayBufferLike>> = unzipSync(sample);
        files[pick(random, Object.keys(files))] = npyCase(random);
        return placeCase(path, zipSync(files, { level: random.uniform() < 0.5 ? 0 : 6 }), random);
      },
      async read() {
        for (const [name, { shape, data }] of await readNpz(path))
          holds(
            data.length === shape.reduce((product, n) => product * n, 1),
            `'${name}' gave ${data.length} numbers`,
          );
      },
    };
  },
};

export const gguf: FuzzedFormat = {
  name: 'gguf',
  prepare: async (folder) => {
    const path = join(folder, 'case.gguf');
    const samples = ['gguf/fixtures/everyType.gguf', 'gguf/fixtures/version2.gguf'].map(fixture);
    const places = samples.map((sample) => {
      const text = strFromU8(sample.subarray(0, 8192), true);
      const names = [...text.matchAll(/[a-z_]+\.[a-z0-9_.]+|Q\d_[K\d]|F16|F32/g)].map(({ index }) => index);
      return [
        4,
        8,
        16,
        ...names.flatMap((at) => [-8, 4, 8, 12, 16, 20, 24, 28, 32].map((by) => Math.max(0, at + by))),
      ];
    });
    return {
      write(random) {
        const which = below(random, samples.length);
        return placeCase(path, mutateBytes(samples[which], random, places[which]), random);
      },
      read: () => readAll(openGguf(path)),
    };
  },
};
