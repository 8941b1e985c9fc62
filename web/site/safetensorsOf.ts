import type { SearchTensors } from '../../sae/features/searchTensors.ts';

interface Entry {
  dtype: string;
  data_offsets: [number, number];
}

/** The tensors of a safetensors file (sae/formats/safetensors.ts) in memory. `path` names it in errors. Whoever wrote the site wrote a whole one. */
export function safetensorsOf(bytes: Uint8Array, path: string): SearchTensors {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const begin = 8 + Number(view.getBigUint64(0, true));
  const { __metadata__: metadata = {}, ...entries } = JSON.parse(
    new TextDecoder().decode(bytes.subarray(8, begin)),
  ) as { __metadata__?: Record<string, string> } & Record<string, Entry>;
  return {
    path,
    metadata,
    int32(name) {
      const entry = entries[name];
      if (entry?.dtype !== 'I32') throw new Error(`'${path}' has no tensor '${name}' of type I32.`);
      const [from, to] = entry.data_offsets;
      // A copy, because tensors need not begin at a multiple of four bytes.
      return new Int32Array(bytes.slice(begin + from, begin + to).buffer);
    },
  };
}
