/**
 * State dicts as `torch.save` writes them: a zip with a pickle that describes tensors and one file of raw numbers
 * a storage (PyTorch's serialization notes). Nothing in the file is run.
 */
import { zipSync, type Zippable } from 'fflate';
import { LazyscopeError } from '../errors.ts';
import { writeFileAtomic } from '../store/atomicWrite.ts';
import { bfloat16ToFloat32 } from './bfloat16.ts';
import { float16ToFloat32 } from './float16.ts';
import { globalName, readPickle, type Pickled } from './pickle.ts';
import { readZip } from './readZip.ts';

export interface PytorchTensor {
  shape: number[];
  data: Float32Array;
}

const storages: Record<string, (bytes: ArrayBuffer) => Float32Array> = {
  'torch.FloatStorage': (bytes) => new Float32Array(bytes),
  'torch.DoubleStorage': (bytes) => Float32Array.from(new Float64Array(bytes)),
  'torch.HalfStorage': (bytes) => float16ToFloat32(new Uint16Array(bytes)),
  'torch.BFloat16Storage': (bytes) => bfloat16ToFloat32(new Uint16Array(bytes)),
  'torch.LongStorage': (bytes) => Float32Array.from(new BigInt64Array(bytes), Number),
  'torch.IntStorage': (bytes) => Float32Array.from(new Int32Array(bytes)),
};

/** Tensors by name. Throws `corrupt` for a damaged file and `bad_input` for one that is more than a state dict. */
export async function readPytorchFile(path: string): Promise<Map<string, PytorchTensor>> {
  const files = await readZip(path);
  const pickleName = [...files.keys()].find((name) => name.endsWith('/data.pkl') || name === 'data.pkl');
  const pickle = pickleName === undefined ? undefined : files.get(pickleName);
  if (pickleName === undefined || !pickle)
    throw new LazyscopeError('corrupt', `'${path}' is not a PyTorch file (it has no data.pkl).`);
  const root = pickleName.slice(0, -'data.pkl'.length);
  const damaged = (why: string) =>
    new LazyscopeError('corrupt', `'${path}' is not a whole PyTorch file: ${why}.`);

  const state = readPickle(pickle, path, {
    persistent: (id) => {
      const [kind, storage, key] = Array.isArray(id) ? id : [];
      const type = globalName(storage ?? null);
      const decode = type === undefined ? undefined : storages[type];
      const bytes = files.get(`${root}data/${String(key)}`);
      if (kind !== 'storage' || !decode || !bytes)
        throw damaged(`storage ${String(key)} is missing or of unknown type`);
      return decode(Uint8Array.from(bytes).buffer);
    },
    construct: (name, args) => {
      if (name === 'collections.OrderedDict') return new Map();
      if (name === 'torch._utils._rebuild_parameter') return args[0];
      if (name !== 'torch._utils._rebuild_tensor_v2') return undefined;
      return tensor(args, damaged);
    },
  });
  if (!(state instanceof Map)) throw damaged('it holds no state dict');
  const tensors = new Map<string, PytorchTensor>();
  for (const [name, value] of state)
    if (typeof name === 'string' && isTensor(value)) tensors.set(name, value);
  return tensors;
}

/** storage, offset, size, stride; a transposed tensor is stored with strides and is laid out row-major here. */
function tensor(args: Pickled[], damaged: (why: string) => Error): PytorchTensor {
  const [storage, offset, size, stride] = args;
  const isShape = (value: unknown): value is number[] =>
    Array.isArray(value) && value.every(Number.isSafeInteger);
  if (!(storage instanceof Float32Array) || typeof offset !== 'number' || !isShape(size) || !isShape(stride))
    throw damaged('a tensor is described in an unknown way');
  const count = size.reduce((product, n) => product * n, 1);
  const last = size.reduce((sum, n, axis) => sum + (n - 1) * stride[axis], offset);
  if (size.length !== stride.length || count > storage.length || (count > 0 && !(last < storage.length)))
    throw damaged('a tensor reaches beyond its storage');
  const data = new Float32Array(count);
  const index = size.map(() => 0);
  for (let i = 0; i < count; i++) {
    data[i] = storage[index.reduce((sum, n, axis) => sum + n * stride[axis], offset)];
    for (let axis = size.length - 1; axis >= 0 && ++index[axis] === size[axis]; axis--) index[axis] = 0;
  }
  return { shape: size, data };
}

function isTensor(value: unknown): value is PytorchTensor {
  return typeof value === 'object' && value !== null && 'shape' in value && 'data' in value;
}

export interface TensorToSave {
  shape: readonly number[];
  data: Float32Array | BigInt64Array;
}

/** Writes what `torch.load(path, weights_only=True)` reads back as an OrderedDict of float32 and int64 tensors. */
export async function writePytorchFile(
  path: string,
  tensors: Readonly<Record<string, TensorToSave>>,
): Promise<void> {
  const names = Object.keys(tensors);
  const files: Zippable = { 'archive/data.pkl': [pickleOf(tensors), { level: 0 }] };
  files['archive/byteorder'] = [Buffer.from('little'), { level: 0 }];
  names.forEach((name, key) => {
    const { data } = tensors[name];
    files[`archive/data/${key}`] = [
      new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      { level: 0 },
    ];
  });
  files['archive/version'] = [Buffer.from('3\n'), { level: 0 }];
  await writeFileAtomic(path, zipSync(files));
}

/** Protocol 2, as torch.save uses it. */
function pickleOf(tensors: Readonly<Record<string, TensorToSave>>): Uint8Array {
  const parts: Buffer[] = [];
  const code = (opcodes: string) => parts.push(Buffer.from(opcodes, 'latin1'));
  const string = (value: string) => {
    const bytes = Buffer.from(value);
    const length = Buffer.alloc(5);
    length.write('X');
    length.writeUInt32LE(bytes.length, 1);
    parts.push(length, bytes);
  };
  const integer = (value: number) => {
    const bytes = Buffer.alloc(5);
    bytes.write('J');
    bytes.writeInt32LE(value, 1);
    parts.push(bytes);
  };
  const tuple = (values: readonly number[]) => {
    code('(');
    values.forEach(integer);
    code('t');
  };
  code('\x80\x02ccollections\nOrderedDict\n)R(');
  Object.entries(tensors).forEach(([name, { shape, data }], key) => {
    string(name);
    code('ctorch._utils\n_rebuild_tensor_v2\n((');
    string('storage');
    code(`ctorch\n${data instanceof Float32Array ? 'FloatStorage' : 'LongStorage'}\n`);
    string(String(key));
    string('cpu');
    integer(data.length);
    code('tQ');
    integer(0);
    tuple(shape);
    tuple(shape.map((_, axis) => shape.slice(axis + 1).reduce((product, n) => product * n, 1)));
    code('\x89ccollections\nOrderedDict\n)RtR');
  });
  code('u.');
  return Buffer.concat(parts);
}
