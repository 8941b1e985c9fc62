import { expect, test } from 'vitest';
import { bandName } from './bandName.ts';

test('bands of examples are fifths of the range', () => {
  expect(['top', 'quantile-0', 'quantile-4'].map(bandName)).toEqual(['Top', '0–20 %', '80–100 %']);
});
