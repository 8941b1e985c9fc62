'use client';
import { useQuery } from '@tanstack/react-query';
import { architectureName } from '../../charts/architectureStyle.ts';
import type { FieldSource } from './jobForms.ts';
import { useTRPC } from '../../client/trpc.ts';

export interface Choice {
  value: string;
  name: string;
}

/** What the store offers for each field of the forms; some depend on what was chosen before. */
export function useJobChoices(values: Readonly<Record<string, string>>): Record<FieldSource, Choice[]> {
  const trpc = useTRPC();
  const models = useQuery(trpc.models.list.queryOptions());
  const captures = useQuery(trpc.captures.list.queryOptions());
  const runs = useQuery(trpc.runs.list.queryOptions());
  const comparisons = useQuery(trpc.comparisons.list.queryOptions());
  const model = chosen(models.data, values.model);
  const capture = chosen(
    captures.data?.filter((one) => one.status === 'complete'),
    values.capture,
  );
  return {
    models: (models.data ?? []).map((one) => ({
      value: one.name,
      name: `${one.name} (${architectureName(one.activation)}, ${one.layers} layers)`,
    })),
    captures: (captures.data ?? [])
      .filter((one) => one.status === 'complete')
      .map((one) => ({
        value: one.name,
        name: `${one.name} (${one.tokens.toLocaleString('en-US')} tokens)`,
      })),
    captureHooks: (capture?.hooks ?? []).map(({ hook, width }) => ({
      value: hook,
      name: `${hook} (${width} wide)`,
    })),
    runs: [...new Set((runs.data ?? []).map((run) => run.name))].map(same),
    runSeeds: (runs.data ?? []).map((run) => ({
      value: `${run.name}/${run.seed}`,
      name: `${run.name}, seed ${run.seed} (${architectureName(run.architecture)}, ${run.width})`,
    })),
    comparisons: (comparisons.data ?? []).map((one) => same(one.name)),
    hooks: Array.from({ length: model?.layers ?? 0 }, (_, layer) =>
      ['hook_resid_post', 'hook_resid_mid', 'hook_mlp_out', 'hook_attn_out', 'mlp.hook_post'].map((hook) =>
        same(`blocks.${layer}.${hook}`),
      ),
    ).flat(),
    texts: [
      { value: 'dataset:moby-dick', name: 'Moby-Dick' },
      { value: 'dataset:sotu', name: 'State of the Union addresses' },
    ],
    architectures: ['topk', 'relu', 'jumprelu'].map((value) => ({ value, name: architectureName(value) })),
    dtypes: [
      { value: 'float16', name: 'float16' },
      { value: 'float32', name: 'float32' },
    ],
  };
}

/** The one that was chosen, or the only one there is. */
function chosen<Item extends { name: string }>(
  items: readonly Item[] | undefined,
  name: string | undefined,
): Item | undefined {
  return (
    items?.find((item) => item.name === name) ??
    (name === undefined && items?.length === 1 ? items[0] : undefined)
  );
}

function same(value: string): Choice {
  return { value, name: value };
}
