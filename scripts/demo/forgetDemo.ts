/** Removes what the demo made under its own names; everything else in the store stays. */
import { rm } from 'node:fs/promises';
import type { StoreLayout } from '../../sae/store/layout.ts';
import { seedPairs } from '../commands/compare.ts';
import { demoArchitectures, reportName, runName } from './demoSteps.ts';
import type { DemoPlan } from './demoSteps.ts';

export async function forgetDemo(store: StoreLayout, plan: DemoPlan): Promise<void> {
  const runs = demoArchitectures.map((architecture) => runName(plan, architecture));
  const folders = [
    store.capture(plan.name),
    ...runs.map((run) => store.run(run)),
    ...runs.flatMap((run) => seedPairs(run, plan.seeds).map(({ name }) => store.comparison(name))),
    ...plan.models.map((model) => store.sparsity(reportName(plan, model))),
  ];
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
}
