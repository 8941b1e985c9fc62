import { expect, test } from 'vitest';
import { hookPointsOf } from '../../../sae/models/hookPoints.ts';
import { offeredHooks } from './offeredHooks.ts';

const serial = { layers: 2, parallel: false, learnedPositions: undefined, finalNorm: true } as const;
const offered = (config: Parameters<typeof hookPointsOf>[0]) =>
  offeredHooks({ layers: config.layers, hookPoints: hookPointsOf(config) });

test('hook_resid_mid is offered only where a block has one', () => {
  expect(offered(serial)).toContain('blocks.1.hook_resid_mid');
  const parallel = offered({ ...serial, parallel: 'sharedNorm' });
  expect(parallel).toContain('blocks.1.hook_resid_post');
  expect(parallel.filter((hook) => hook.endsWith('hook_resid_mid'))).toEqual([]);
});

test('an encoder has what its next block reads', () => {
  expect(offered(serial)).not.toContain('blocks.0.hook_normalized_resid_post');
  const encoder = offered({ ...serial, encoder: { tokenTypes: 2, head: false } });
  expect(encoder).toContain('blocks.0.hook_normalized_resid_post');
});

test('without a model nothing is offered', () => {
  expect(offeredHooks(undefined)).toEqual([]);
});
