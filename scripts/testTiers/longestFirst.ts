/** Test files begin in the order of what they take, so that at the end no long one runs alone. */
import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { turn } from './slowTests.ts';

export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const of = ({ moduleId }: TestSpecification) => turn(relative(this.ctx.config.root, moduleId));
    return sorted.toSorted((a, b) => of(a) - of(b));
  }
}
