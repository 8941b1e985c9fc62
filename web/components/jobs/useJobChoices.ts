'use client';
import { useQuery } from '@tanstack/react-query';
import { architectureName } from '../../charts/architectureStyle.ts';
import { useTRPC } from '../../client/trpc.ts';
import type { Choice, Offered } from './jobForms.ts';
import { offeredHooks } from './offeredHooks.ts';

/** What the store offers for each field of the forms; some depend on what was chosen before. */
export function useJobChoices(values: Readonly<Record<string, string>>): Offered {
  const trpc = useTRPC();
  const models = useQuery(trpc.models.list.queryOptions());
  const datasets = useQuery(trpc.datasets.list.queryOptions());
  const captures = useQuery(trpc.captures.list.queryOptions());
  const runs = useQuery(trpc.runs.list.queryOptions());
  const comparisons = useQuery(trpc.comparisons.list.queryOptions());
  const imports = useQuery(trpc.jobs.imports.queryOptions());
  const model = chosen(models.data, values.model);
  const capture = chosen(
    captures.data?.filter((one) => one.status === 'complete'),
    values.capture,
  );
  const hooks = (capture?.hooks ?? []).map(({ hook, width }) => ({
    value: hook,
    name: `${hook} (${width} wide)`,
  }));
  return {
    models: models.data?.map((one) => ({
      value: one.name,
      name: `${one.name} (${architectureName(one.activation)}, ${one.layers} layers)`,
    })),
    datasets: datasets.data?.map(({ name, title, bundled }) => ({
      value: name,
      name: bundled ? title : `${title} (fetched)`,
    })),
    captures: captures.data
      ?.filter((one) => one.status === 'complete')
      .map((one) => ({
        value: one.name,
        name: `${one.name} (${one.tokens.toLocaleString('en-US')} tokens)`,
      })),
    captureHooks: hooks,
    // With one hook point there is nothing else to predict.
    outputHooks: hooks.length < 2 ? [] : hooks.filter(({ value }) => value !== values.hook),
    runs: runs.data && [...new Set(runs.data.map((run) => run.name))].map(same),
    dictionaries: runs.data?.map((run) => ({
      value: `${run.name}/${run.seed}`,
      name: `${run.name}, seed ${run.seed} (${architectureName(run.architecture)}, ${run.width})`,
    })),
    comparisons: comparisons.data?.map((one) => same(one.name)),
    imports: imports.data?.map(same),
    modelHooks: offeredHooks(model).map(same),
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
