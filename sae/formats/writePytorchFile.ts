/** State dicts as `torch.save` writes them. */
import { writeStoredZip, type StoredFile } from './writeStoredZip.ts';

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
  const files: Record<string, StoredFile> = { 'archive/data.pkl': [pickleOf(tensors)] };
  files['archive/byteorder'] = [Buffer.from('little')];
  names.forEach((name, key) => {
    const { data } = tensors[name];
    files[`archive/data/${key}`] = [new Uint8Array(data.buffer, data.byteOffset, data.byteLength)];
  });
  files['archive/version'] = [Buffer.from('3\n')];
  await writeStoredZip(path, files);
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
    if (value > 0x7fffffff) {
      // LONG1, of eight bytes.
      const long = Buffer.alloc(10);
      long[0] = 0x8a;
      long[1] = 8;
      long.writeBigInt64LE(BigInt(value), 2);
      parts.push(long);
      return;
    }
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
