import { expect, test } from 'vitest';
import { nearestName } from './nearestName.ts';

const hooks = [
  'hook_embed',
  'blocks.0.hook_resid_post',
  'blocks.1.hook_resid_post',
  'blocks.1.mlp.hook_post',
];

test.each([
  ['blocks.1.hook_resid_pst', 'blocks.1.hook_resid_post'],
  ['blocks.1.resid_post', 'blocks.1.hook_resid_post'],
  ['block.0.hook_resid_post', 'blocks.0.hook_resid_post'],
  ['blocks.1.mlp_hook_post', 'blocks.1.mlp.hook_post'],
  ['hook_embd', 'hook_embed'],
])('%s is nearest to %s', (typed, nearest) => {
  expect(nearestName(typed, hooks)).toBe(nearest);
});

test('something else altogether is near to nothing', () => {
  expect(nearestName('residual', hooks)).toBe(null);
  expect(nearestName('', hooks)).toBe(null);
});
