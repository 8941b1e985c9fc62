'use client';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { readField } from '../../../sae/spec/readField.ts';
import type { HookCheck } from '../../../server/client.ts';
import { useTRPC } from '../../client/trpc.ts';
import { usePaused } from '../../client/usePaused.ts';
import type { FormOption, Typed } from './jobForms.ts';

/** As many as the server checks at a time. */
const most = 64;

/** Hook points that were typed and that the chosen model doesn't have, as soon as typing pauses. */
export function useHookChecks(options: readonly FormOption[], values: Typed): HookCheck[] {
  const trpc = useTRPC();
  const option = options.find(({ form }) => form.source === 'modelHooks');
  const typed = usePaused(option ? (values[option.name] ?? '') : '');
  const read = option && typed.trim() !== '' ? readField(option.option.field, typed) : undefined;
  const hooks = read && 'value' in read && Array.isArray(read.value) ? read.value.map(String) : [];
  const model = values.model ?? '';
  const checks = useQuery(
    trpc.models.hooks.queryOptions(
      { model, hooks: hooks.slice(0, most) },
      { enabled: model !== '' && hooks.length > 0, placeholderData: keepPreviousData, staleTime: Infinity },
    ),
  );
  // What was found out about a name that is no longer there says nothing.
  return hooks.length === 0
    ? []
    : (checks.data ?? []).filter(({ hook, fault }) => fault !== null && hooks.includes(hook));
}
