/** Tensors that keep the format of their file on this backend; see sae/ops/storedTensor.ts. */
import { storedFormats, type StoredValues } from '../../ops/storedTensor.ts';
import { tf, type Tensor } from '../../tensor/tf.ts';
import type { NativeLibrary } from './library.ts';
import type { NativeBackend } from './nativeBackend.ts';
import { writable } from './pointers.ts';

/** Vectors are widened when they are first used, and stay so: they are small, and every kernel takes them. */
export function storedTensors(backend: NativeBackend, library: NativeLibrary) {
  const { widen } = library.functions;
  return (shape: readonly number[], { format, read }: StoredValues): Tensor => {
    let kept: Uint8Array | undefined;
    const bytes = () => (kept ??= read());
    const index = storedFormats.indexOf(format);
    const size = shape.reduce((product, n) => product * n, 1);
    const width = shape.at(-1) ?? 1;
    const values = () => {
      const out = new Float32Array(size);
      if (size > 0) widen(index, bytes(), size / width, width, writable(out));
      return out;
    };
    if (format !== 'F32' && shape.length >= 2)
      return toTensor(backend, backend.storedTensor(shape, { format: index, bytes }, values));
    const info = backend.storedTensor(shape, { format: index, bytes }, () => {
      const plain = values();
      backend.data.get(info.dataId).values = plain;
      return plain;
    });
    return toTensor(backend, info);
  };
}

function toTensor(backend: NativeBackend, info: Parameters<NativeBackend['stored']>[0]): Tensor {
  return tf.engine().makeTensorFromTensorInfo(info, backend);
}
