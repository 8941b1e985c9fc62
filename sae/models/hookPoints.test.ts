import { expect, test } from 'vitest';
import { blockHook, parseHookPoint } from './hookPoints.ts';

test('names are those of TransformerLens', () => {
  expect(blockHook(3, 'mlp.hook_post')).toBe('blocks.3.mlp.hook_post');
  expect(parseHookPoint('blocks.3.mlp.hook_post', 4)).toEqual({
    name: 'blocks.3.mlp.hook_post',
    layer: 3,
    hook: 'mlp.hook_post',
  });
  expect(parseHookPoint('hook_embed')).toEqual({ name: 'hook_embed', hook: 'hook_embed' });
});

test.each([
  ['blocks.4.mlp.hook_post', /layer 4, but the model has layers 0 to 3/],
  ['blocks.-1.mlp.hook_post', /Unknown hook point 'blocks\.-1\.mlp\.hook_post'/],
  ['blocks.0.mlp.hook_inside', /Unknown hook point.*mlp\.hook_post/],
  ['resid_post', /Unknown hook point 'resid_post'/],
])('%s is refused', (name, message) => {
  expect(() => parseHookPoint(name, 4)).toThrow(message);
});
