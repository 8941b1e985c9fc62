import type { RunRow } from '../../../server/client.ts';
import { architectureName } from '../../charts/architectureStyle.ts';
import type { SharedHeadline } from '../compare/sharedSummary.ts';
import { count } from '../../format/number.ts';

export interface LayerLine {
  name: string;
  architecture: string;
  layers: number[];
  /** Mean shared fraction over pairs of seeds, and over runs where a layer has several. */
  shared: number[];
}

type Configured = Pick<
  RunRow,
  'name' | 'architecture' | 'hook' | 'width' | 'capture' | 'tokens' | 'k' | 'sparsityCoefficient' | 'targetL0'
>;

/** Groups runs that differ only in the layer of their hook point into a line; runs at a single layer make none. */
export function sharedByLayer(
  headlines: readonly SharedHeadline[],
  runs: readonly Configured[],
): LayerLine[] {
  const groups = new Map<string, { architecture: string; shares: Map<number, number[]> }>();
  for (const { run, mean } of headlines) {
    const own = runs.find(({ name }) => name === run);
    const hook = own && /^blocks\.(\d+)\.(.+)$/.exec(own.hook);
    if (!own || !hook) continue;
    const name = [
      architectureName(own.architecture),
      sparsityOf(own),
      own.width,
      hook[2],
      own.capture,
      `${count(own.tokens)} tokens`,
    ].join(' · ');
    const group = groups.get(name) ?? { architecture: own.architecture, shares: new Map<number, number[]>() };
    const layer = Number(hook[1]);
    group.shares.set(layer, [...(group.shares.get(layer) ?? []), mean]);
    groups.set(name, group);
  }
  return [...groups]
    .filter(([, { shares }]) => shares.size > 1)
    .map(([name, { architecture, shares }]) => {
      const layers = [...shares.keys()].sort((a, b) => a - b);
      const mean = (values: readonly number[]) =>
        values.reduce((sum, value) => sum + value, 0) / values.length;
      return { name, architecture, layers, shared: layers.map((layer) => mean(shares.get(layer) ?? [])) };
    });
}

function sparsityOf({ k, targetL0, sparsityCoefficient }: Configured): string {
  if (k !== null) return `k = ${k}`;
  return targetL0 === null ? `λ = ${sparsityCoefficient}` : `L0 ${targetL0}`;
}
