/** Runs wherever NCCL is found; it needs no GPU for what is asked here. */
import { expect, test } from 'vitest';
import { isLazyscopeError } from '../../errors.ts';
import { loadLibrary } from './libraries.ts';
import { describeNccl, Nccl, uniqueIdBytes } from './nccl.ts';

function found(): Nccl | null {
  try {
    return new Nccl(loadLibrary('libnccl').library);
  } catch (error) {
    if (!isLazyscopeError(error)) throw error;
    expect(error.message).toMatch(/finds no libnccl\.so\.2\. .*pip install nvidia-nccl-cu13/);
    return null;
  }
}
const nccl = found();
const skip = nccl ? '' : ' (SKIPPED: no NCCL on this machine; pip install nvidia-nccl-cu13 brings it)';

test.skipIf(!nccl)(`every function that is called is there, and answers without a GPU${skip}`, () => {
  expect(nccl?.version).toMatch(/^2\.\d+\.\d+$/);
  expect(nccl?.nameOf(0)).toBe('no error');
  expect(nccl?.nameOf(5)).toBe('invalid usage');
  expect(nccl?.nameOf(6)).toMatch(/remote process exited/);
});

test.skipIf(!nccl)(`ids are as long as is said, and never the same${skip}`, () => {
  const [one, other] = [nccl?.newUniqueId(), nccl?.newUniqueId()];
  expect(one).toHaveLength(uniqueIdBytes);
  expect(one).not.toEqual(other);
});

test('doctor says which version there is, and where, or that there is none', () => {
  expect(describeNccl()).toMatch(
    nccl ? /^NCCL 2\.\d+\.\d+( in \/.+)?$/ : /^no NCCL \(needed for train --mpi alone\)$/,
  );
});
