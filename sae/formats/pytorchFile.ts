/**
 * State dicts as `torch.save` writes them: a zip with a pickle that describes tensors and one file of raw numbers
 * a storage (PyTorch's serialization notes), or, before PyTorch 1.6, all of that in one file (legacyPytorchArchive.ts). Nothing in the file is run; numbers are read when they are asked for.
 * A module that was saved whole is read as the state dict that it would give, and of a dictionary that holds one state
 * dict among other things (a checkpoint), that one is read.
 */
import { LazyscopeError } from '../errors.ts';
import { bfloat16ToFloat32 } from './bfloat16.ts';
import { float16ToFloat32 } from './float16.ts';
import { globalName, PickledObject, readPickle, type Pickled, type PickleHost } from './pickle.ts';
import { openLegacyArchive } from './legacyPytorchArchive.ts';
import { openZip } from './zipFile.ts';

export interface PytorchTensor {
  shape: number[];
  data: Float32Array;
}

/** Where the numbers of the storages are: a zip, or a file from before PyTorch 1.6. */
interface Archive {
  readRange(name: string, start: number, length: number): Uint8Array<ArrayBuffer>;
}

interface StorageType {
  /** As safetensors calls it. */
  dtype: string;
  bytes: number;
  decode?: (bytes: ArrayBuffer) => Float32Array;
}

const storageTypes: Readonly<Record<string, StorageType>> = {
  'torch.FloatStorage': { dtype: 'F32', bytes: 4, decode: (bytes) => new Float32Array(bytes) },
  'torch.DoubleStorage': {
    dtype: 'F64',
    bytes: 8,
    decode: (bytes) => Float32Array.from(new Float64Array(bytes)),
  },
  'torch.HalfStorage': {
    dtype: 'F16',
    bytes: 2,
    decode: (bytes) => float16ToFloat32(new Uint16Array(bytes)),
  },
  'torch.BFloat16Storage': {
    dtype: 'BF16',
    bytes: 2,
    decode: (bytes) => bfloat16ToFloat32(new Uint16Array(bytes)),
  },
  'torch.LongStorage': {
    dtype: 'I64',
    bytes: 8,
    decode: (bytes) => Float32Array.from(new BigInt64Array(bytes), Number),
  },
  'torch.IntStorage': { dtype: 'I32', bytes: 4, decode: (bytes) => Float32Array.from(new Int32Array(bytes)) },
  // Masks, kept as buffers in older files.
  'torch.BoolStorage': { dtype: 'BOOL', bytes: 1 },
  'torch.ByteStorage': { dtype: 'U8', bytes: 1 },
};

/** One file of numbers in the archive. */
class Storage {
  readonly type: StorageType;
  readonly file: string;
  readonly count: number;
  constructor(type: StorageType, file: string, count: number) {
    this.type = type;
    this.file = file;
    this.count = count;
  }
}

class Tensor {
  readonly storage: Storage;
  readonly offset: number;
  readonly shape: number[];
  readonly stride: number[];
  constructor(storage: Storage, offset: number, shape: number[], stride: number[]) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.stride = stride;
  }
}

export class PytorchFile {
  readonly path: string;
  /** The class of a module that was saved whole; null for a state dict. */
  readonly className: string | null;
  readonly #archive: Archive;
  readonly #tensors: ReadonlyMap<string, Tensor>;

  constructor(
    path: string,
    archive: Archive,
    tensors: ReadonlyMap<string, Tensor>,
    className: string | null,
  ) {
    this.path = path;
    this.className = className;
    this.#archive = archive;
    this.#tensors = tensors;
  }

  get names(): string[] {
    return [...this.#tensors.keys()];
  }
  shape(name: string): number[] {
    return [...this.#tensor(name).shape];
  }
  dtype(name: string): string {
    return this.#tensor(name).storage.type.dtype;
  }

  /** Where its numbers are; the same of tensors that are tied. */
  view(name: string): string {
    const { storage, offset, shape, stride } = this.#tensor(name);
    return [storage.file, offset, shape.join(), stride.join()].join('|');
  }

  /** Row-major, whatever the strides in the file; widened or narrowed to float32. */
  float32(name: string): Float32Array {
    const { storage, offset, shape, stride } = this.#tensor(name);
    const { decode, bytes, dtype } = storage.type;
    if (!decode)
      throw new LazyscopeError(
        'bad_input',
        `Tensor '${name}' of '${this.path}' has type ${dtype}, which can't be read as float32.`,
      );
    const count = sizeOf(shape);
    const span = count === 0 ? 0 : shape.reduce((sum, n, axis) => sum + (n - 1) * stride[axis], 0) + 1;
    const values = decode(this.#archive.readRange(storage.file, offset * bytes, span * bytes).buffer);
    if (isRowMajor(shape, stride)) return values;
    const data = new Float32Array(count);
    const index = shape.map(() => 0);
    for (let i = 0; i < count; i++) {
      data[i] = values[index.reduce((sum, n, axis) => sum + n * stride[axis], 0)];
      for (let axis = shape.length - 1; axis >= 0 && ++index[axis] === shape[axis]; axis--) index[axis] = 0;
    }
    return data;
  }

  #tensor(name: string): Tensor {
    const tensor = this.#tensors.get(name);
    if (!tensor) throw new LazyscopeError('bad_input', `'${this.path}' has no tensor named '${name}'.`);
    return tensor;
  }
}

/** Reads what the file says of its tensors. Throws `corrupt` for a damaged file and `bad_input` for one that is more than a state dict. */
export function openPytorchFile(path: string): PytorchFile {
  const damaged = (why: string) =>
    new LazyscopeError('corrupt', `'${path}' is not a whole PyTorch file: ${why}.`);
  const construct = (name: string, args: Pickled[]) => {
    if (name === 'collections.OrderedDict') return new Map();
    // Modules have a set of the names of their buffers that aren't saved.
    if (name === '__builtin__.set' || name === 'builtins.set') return args;
    if (name === 'torch._utils._rebuild_parameter') return args[0];
    if (name !== 'torch._utils._rebuild_tensor_v2') return undefined;
    return tensor(args, damaged);
  };
  const storageType = (storage: Pickled) => {
    const name = globalName(storage);
    return name !== undefined && Object.hasOwn(storageTypes, name) ? storageTypes[name] : undefined;
  };
  const { archive, state } =
    openLegacyArchive(path, {
      construct,
      persistent: (id) => {
        const [kind, storage = null, key, , count, view = null] = Array.isArray(id) ? id : [];
        const type = storageType(storage);
        if (kind !== 'storage' || !type || !isCount(count) || !isKey(key) || view !== null)
          throw damaged(`storage ${shown(key)} is of unknown type`);
        return new Storage(type, String(key), count);
      },
    }) ?? openArchive(path, damaged, construct, storageType);
  const found = state instanceof PickledObject ? moduleTensors(state, damaged) : stateDict(state);
  if (!found) throw damaged('it holds no state dict, or several');
  checkViews(found, damaged);
  return new PytorchFile(path, archive, found, state instanceof PickledObject ? state.className : null);
}

/** The zip that `torch.save` writes since PyTorch 1.6. */
function openArchive(
  path: string,
  damaged: (why: string) => Error,
  construct: PickleHost['construct'],
  storageType: (storage: Pickled) => StorageType | undefined,
): { archive: Archive; state: Pickled } {
  const zip = openZip(path);
  const pickleName = zip.names.find((name) => name.endsWith('/data.pkl') || name === 'data.pkl');
  if (pickleName === undefined)
    throw new LazyscopeError('corrupt', `'${path}' is not a PyTorch file (it has no data.pkl).`);
  const root = pickleName.slice(0, -'data.pkl'.length);
  const order = zip.names.includes(`${root}byteorder`)
    ? Buffer.from(zip.read(`${root}byteorder`))
        .toString('latin1')
        .trim()
    : 'little';
  if (order !== 'little')
    throw new LazyscopeError(
      'bad_input',
      `'${path}' was written in ${order}-endian order, which can't be read.`,
    );
  const state = readPickle(zip.read(pickleName), path, {
    persistent: (id) => {
      const [kind, storage, key, , count] = Array.isArray(id) ? id : [];
      const type = storageType(storage ?? null);
      const file = `${root}data/${shown(key)}`;
      const size = zip.size(file);
      if (kind !== 'storage' || !type || !isKey(key) || size === undefined)
        throw damaged(`storage ${shown(key)} is missing or of unknown type`);
      if (!isCount(count) || count * type.bytes > size)
        throw damaged(
          `storage ${shown(key)} has ${size} bytes, which are not ${shown(count)} of ${type.bytes}`,
        );
      return new Storage(type, file, count);
    },
    construct,
  });
  return { archive: zip, state };
}

const isCount = (value: Pickled | undefined): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;
const isKey = (value: Pickled | undefined): value is string | number =>
  typeof value === 'string' || Number.isSafeInteger(value);
/** For a message: lists of lists could take for ever. */
const shown = (value: Pickled | undefined) => (isKey(value) ? String(value) : 'without a name');

/** Dictionaries in one another, and modules. */
const deepest = 64;
const mostNamed = 1_000_000;
/** Views of one storage that are no copies of each other: each would be read anew. */
const mostReread = 16;

/** The tensors of a dictionary, or of the only dictionary with tensors in it; null where there is none, or several. */
function stateDict(state: Pickled, seen = new Set<Pickled>(), depth = 0): Map<string, Tensor> | null {
  // A dictionary may be in itself, or in many others.
  if (!(state instanceof Map) || seen.has(state) || depth > deepest) return null;
  seen.add(state);
  const tensors = new Map<string, Tensor>();
  for (const [name, value] of state)
    if (typeof name === 'string' && value instanceof Tensor) tensors.set(name, value);
  if (tensors.size > 0) return tensors;
  const inner = [...state.values()]
    .map((value) => stateDict(value, seen, depth + 1))
    .filter((found) => found && found.size > 0);
  if (inner.length === 0) return tensors;
  return inner.length === 1 ? inner[0] : null;
}

/** A module's parameters and buffers under the names that its state dict gives them. */
function moduleTensors(
  { attributes, className }: PickledObject,
  damaged: (why: string) => Error,
  depth = 0,
  // Of all modules together; a module that is in several others has a name in each.
  named = { tensors: 0 },
): Map<string, Tensor> {
  if (depth > deepest || named.tensors > mostNamed)
    throw damaged('its modules are in one another without end');
  const tensors = new Map<string, Tensor>();
  const entries = (attribute: string) => {
    const value = attributes.get(attribute);
    if (!(value instanceof Map)) throw damaged(`it holds an object of ${className}, which is no module`);
    return value;
  };
  for (const attribute of ['_parameters', '_buffers'])
    for (const [name, value] of entries(attribute))
      if (value instanceof Tensor) tensors.set(shown(name), value);
  for (const [name, module] of entries('_modules')) {
    if (!(module instanceof PickledObject)) continue;
    named.tensors++;
    for (const [inner, tensor] of moduleTensors(module, damaged, depth + 1, named))
      tensors.set(`${shown(name)}.${inner}`, tensor);
  }
  named.tensors += tensors.size;
  return tensors;
}

/** Tied weights are one view under several names; a file of many large views of one storage is made to take time and memory. */
function checkViews(tensors: ReadonlyMap<string, Tensor>, damaged: (why: string) => Error): void {
  const views = new Map<string, { count: number; read: number; seen: Set<string> }>();
  for (const [name, { storage, offset, shape, stride }] of tensors) {
    const of = views.get(storage.file) ?? { count: storage.count, read: 0, seen: new Set() };
    views.set(storage.file, of);
    const view = [offset, shape.join(), stride.join()].join('|');
    if (of.seen.has(view)) continue;
    of.seen.add(view);
    of.read += sizeOf(shape);
    if (of.read > mostReread * of.count)
      throw damaged(`'${name}' and others read the same storage more than ${mostReread} times`);
  }
}

/** All tensors at once, tied ones with one array; as openPytorchFile. */
export function readPytorchFile(path: string): Map<string, PytorchTensor> {
  const file = openPytorchFile(path);
  const read = new Map<string, Float32Array>();
  return new Map(
    file.names.map((name) => {
      const view = file.view(name);
      const data = read.get(view) ?? file.float32(name);
      read.set(view, data);
      return [name, { shape: file.shape(name), data }];
    }),
  );
}

/** PyTorch's own limit is 64. */
const mostAxes = 64;

/** storage, offset, size, stride */
function tensor(args: Pickled[], damaged: (why: string) => Error): Tensor {
  const [storage, offset, size, stride] = args;
  const isShape = (value: unknown): value is number[] =>
    Array.isArray(value) && value.length <= mostAxes && value.every((n) => Number.isSafeInteger(n) && n >= 0);
  if (!(storage instanceof Storage) || !isShape([offset]) || !isShape(size) || !isShape(stride))
    throw damaged('a tensor is described in an unknown way');
  const count = sizeOf(size);
  const last = size.reduce((sum, n, axis) => sum + (n - 1) * stride[axis], Number(offset));
  if (size.length !== stride.length || count > storage.count || (count > 0 && !(last < storage.count)))
    throw damaged('a tensor reaches beyond its storage');
  return new Tensor(storage, Number(offset), size, stride);
}

function isRowMajor(shape: readonly number[], stride: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && stride[axis] !== expected) return false;
    expected *= shape[axis];
  }
  return true;
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}
