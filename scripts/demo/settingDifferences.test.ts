import { expect, test } from 'vitest';
import { defaultTrainingConfig } from '../../sae/training/defaults.ts';
import { settingDifferences } from './settingDifferences.ts';

const relu = (settings: { targetL0?: number; seeds?: number[]; width?: number }) =>
  defaultTrainingConfig('relu', {
    capture: 'demo',
    hook: 'blocks.1.hook_resid_mid',
    d: 48,
    tokens: 70_000,
    ...settings,
  });

test('settings that changed since are named with what they were and are; the others are not', () => {
  expect(settingDifferences(relu({ targetL0: 7 }), relu({ targetL0: 7 }))).toEqual([]);
  expect(
    settingDifferences(relu({ width: 96, seeds: [3] }), relu({ width: 192, seeds: [3, 4], targetL0: 7 })),
  ).toEqual(['width 96 instead of 192', 'seeds [3] instead of [3,4]', 'targetL0 none instead of 7']);
});

test('a setting that configurations of earlier versions lack is named, unless it is unset today', () => {
  const { targetL0, ...before } = relu({ targetL0: 7 }) as ReturnType<typeof relu> & { targetL0: number };
  expect(targetL0).toBe(7);
  expect(settingDifferences(before as ReturnType<typeof relu>, relu({ targetL0: 9 }))).toEqual([
    'targetL0 none instead of 9',
  ]);
  expect(settingDifferences(before as ReturnType<typeof relu>, relu({}))).toEqual([]);
});
