import { expect, test } from 'vitest';
import { tooSlow } from './processorTimeReporter.ts';
import { fastFileSeconds, slowTests } from './slowTests.ts';

test('a file of the fast tier that takes too long is named; slow ones may take their time', () => {
  const times = [
    { file: slowTests[0].path, seconds: fastFileSeconds + 100 },
    { file: 'sae/numerics/random.test.ts', seconds: fastFileSeconds - 0.1 },
    { file: 'sae/numerics/symmetricEigen.test.ts', seconds: fastFileSeconds + 0.1 },
  ];
  expect(tooSlow(times).map(({ file }) => file)).toEqual(['sae/numerics/symmetricEigen.test.ts']);
});
