import { expect, test } from 'vitest';
import { systemError } from './systemError.ts';

const failed = (code: string, syscall: string, path?: string) =>
  Object.assign(new Error(`${code}: it failed, ${syscall}`), {
    code,
    syscall,
    ...(path === undefined ? {} : { path }),
  });

test.each([
  ['EROFS', 'unlink', '/d/x', 'bad_input', /^No permission to write '\/d\/x'/],
  ['EACCES', 'rename', '/d/x', 'bad_input', /^No permission to write '\/d\/x'/],
  ['EACCES', 'scandir', '/d', 'bad_input', /^No permission to read '\/d'/],
  ['EACCES', 'open', '/d/x', 'bad_input', /^No permission to open '\/d\/x'/],
  ['ENOSPC', 'write', undefined, 'no_space', /^The disk is full/],
  ['EMFILE', 'open', '/d/x', 'unavailable', /^Too many files are open/],
])('%s while it does %s %s is %s', (code, syscall, path, expected, message) => {
  expect(systemError(failed(code, syscall, path))).toMatchObject({
    code: expected,
    message: expect.stringMatching(message),
  });
});

test('a file that is missing or in the way is a fault of ours, and so is any other error', () => {
  for (const error of [
    failed('ENOENT', 'open', '/d/x'),
    failed('EACCES', 'connect'),
    new TypeError('x'),
    'text',
  ])
    expect(systemError(error)).toBeUndefined();
});
