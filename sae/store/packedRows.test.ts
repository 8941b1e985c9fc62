import { expect, test } from 'vitest';
import { LazyscopeError } from '../errors.ts';
import { PackedRows, packRows } from './packedRows.ts';

const table = {
  latent: { type: 'INTEGER', doc: '' },
  firings: { type: 'BIGINT', doc: '' },
  density: { type: 'DOUBLE', doc: '' },
  dead: { type: 'BOOLEAN', doc: '' },
  band: { type: 'VARCHAR', doc: '' },
  tokens: { type: 'INTEGER[]', doc: '' },
  activations: { type: 'FLOAT[]', doc: '' },
} as const;
const other = { share: { type: 'FLOAT', doc: '' } } as const;
const damaged = (cause?: unknown) => new LazyscopeError('corrupt', 'damaged', { cause });

const columns = {
  latent: Float64Array.of(7, -8, 9),
  firings: Float64Array.of(3e9, 0, 2 ** 40),
  density: Float64Array.of(1 / 7, 2 / 7, 3 / 7),
  dead: Uint8Array.of(1, 0, 1),
  band: ['top', 'it’s “odd”\n', ''],
  tokens: { values: Uint16Array.of(1, 2, 65_535, 4), offsets: Int32Array.of(0, 1, 1, 4) },
  activations: { values: Float32Array.of(0.1, -0.2, 0.3), offsets: Int32Array.of(0, 2, 3, 3) },
};
const packed = packRows([
  { table, columns, from: 1, to: 3 },
  { table, columns, from: 3, to: 3 },
  { table: other, columns: { share: Float64Array.of(0, 0.25) }, from: 1, to: 2 },
]);

test('rows of several tables come back as they were, also where there are none', () => {
  const rows = new PackedRows(packed, damaged);
  expect(rows.rows(table)).toEqual([
    { latent: -8, firings: 0, density: 2 / 7, dead: false, band: 'it’s “odd”\n', tokens: [], activations: [Math.fround(0.3)] },
    { latent: 9, firings: 2 ** 40, density: 3 / 7, dead: true, band: '', tokens: [2, 65_535, 4], activations: [] },
  ]); // prettier-ignore
  expect(rows.rows(table)).toEqual([]);
  expect(rows.rows(other)).toEqual([{ share: 0.25 }]);
});

test('every changed byte is damage, and so is every missing one', () => {
  const read = (bytes: Uint8Array) => {
    const rows = new PackedRows(bytes, damaged);
    return [rows.rows(table), rows.rows(table), rows.rows(other)];
  };
  const whole = read(packed);
  for (let at = 0; at < packed.length; at++) {
    const changed = Uint8Array.from(packed);
    changed[at] ^= 0x55;
    expect(() => read(changed), `byte ${at}`).toThrow('damaged');
    expect(() => read(packed.subarray(0, at)), `${at} bytes`).toThrow('damaged');
  }
  expect(read(packed)).toEqual(whole);
});

test('a table with other columns than were packed is damage rather than other numbers', () => {
  const rows = new PackedRows(
    packRows([{ table: other, columns: { share: Float64Array.of(1) }, from: 0, to: 1 }]),
    damaged,
  );
  expect(() => rows.rows(table)).toThrow('damaged');
});
