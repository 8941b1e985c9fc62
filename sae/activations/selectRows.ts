/** A capture without the rows that a rule leaves out: what training and figures read. */
import { LazyscopeError } from '../errors.ts';
import { expertOf } from '../models/hookPoints.ts';
import { printExclusionRule, type ExclusionRule } from './exclusionRule.ts';
import type { CaptureStream } from './captureStream.ts';
import type { Capture } from './openCapture.ts';
import { fetchedRowNorms, median, rowNorms } from './rowNorms.ts';

/** Rows numbered anew: those that are kept, training rows first. `rowsPerContext` is not defined of them. */
export interface SelectedRows extends Omit<Capture, 'rowsPerContext'> {
  readonly rule: ExclusionRule;
  /** Rows of the capture that are left out, ascending: first training rows, then held-out ones. */
  readonly excluded: Uint32Array;
  /** 1 for each held-out row of the capture that is left out [heldOutRows of the capture]. */
  readonly excludedHeldOut: Uint8Array;
}

/**
 * A row is left out when its token or position is, or when its norm is too large at any of `hooks`. At a hook point of an expert, rows
 * of zeros are left out under every rule: the router sent their tokens elsewhere.
 *
 * Throws `bad_input` when the rule asks for special tokens and the capture does not say which they are, or when it leaves
 * no row to train on. A rule that leaves nothing out costs nothing: rows are then the capture's own.
 */
export function selectRows(
  capture: Capture,
  hooks: readonly string[],
  rule: ExclusionRule,
  normsOf = (hook: string) => rowNorms(capture, hook),
): SelectedRows {
  const { manifest, trainRows, heldOutRows } = capture;
  const all = trainRows + heldOutRows;
  const lengths = [...new Set(hooks)].flatMap((hook) => {
    if (!readsNorms(capture, hook, rule)) return [];
    const least = leastNorm(hook);
    const norms = normsOf(hook);
    const present = least === 0 ? norms : norms.filter((norm) => norm >= least);
    return [{ norms, least, limit: rule.norm === null ? Infinity : rule.norm * median(present) }];
  });
  const special = specialTokens(capture, rule);
  const kept = new Uint32Array(all);
  const excluded: number[] = [];
  let count = 0;
  let keptTraining = 0;
  for (let row = 0; row < all; row++) {
    const { context, position } = capture.rowToken(row);
    const out =
      position < rule.position ||
      lengths.some(({ norms, least, limit }) => norms[row] > limit || norms[row] < least) ||
      (special !== null && special.has(capture.tokens[context * manifest.contextLength + position]));
    if (out) excluded.push(row);
    else kept[count++] = row;
    if (!out && row < trainRows) keptTraining++;
  }
  if (trainRows > 0 && keptTraining === 0)
    throw new LazyscopeError(
      'bad_input',
      `'${printExclusionRule(rule)}' leaves no training row of capture '${manifest.name}': leave out fewer.`,
    );
  const excludedHeldOut = new Uint8Array(heldOutRows);
  for (const row of excluded) if (row >= trainRows) excludedHeldOut[row - trainRows] = 1;
  return {
    manifest,
    tokens: capture.tokens,
    rule,
    excluded: Uint32Array.from(excluded),
    excludedHeldOut,
    ...(excluded.length === 0 ? rowsOf(capture) : renumbered(capture, kept.slice(0, count), keptTraining)),
    width: (name) => capture.width(name),
    close: () => capture.close(),
  };
}

/** The same of a capture that may be fetched as it is read. */
export async function selectFetchedRows(
  capture: Capture,
  hooks: readonly string[],
  rule: ExclusionRule,
): Promise<SelectedRows> {
  if (!capture.streaming) return selectRows(capture, hooks, rule);
  const norms = new Map<string, Float32Array>();
  for (const hook of hooks)
    if (!norms.has(hook) && readsNorms(capture, hook, rule))
      norms.set(hook, await fetchedRowNorms(capture, hook));
  return selectRows(capture, hooks, rule, (hook) => norms.get(hook) ?? rowNorms(capture, hook));
}

/** Not where no norm matters, or where the capture says that none is too large. */
function readsNorms({ manifest }: Capture, hook: string, rule: ExclusionRule): boolean {
  if (leastNorm(hook) > 0) return true;
  if (rule.norm === null) return false;
  const known = manifest.hooks.find((one) => one.hook === hook)?.norms;
  return !known || !(known.largest <= rule.norm * known.median);
}

/** Below which a row is one of zeros, of a token that the router sent elsewhere. */
const leastNorm = (hook: string) => (expertOf(hook) ? Number.MIN_VALUE : 0);

type Rows = Pick<
  Capture,
  'trainRows' | 'heldOutRows' | 'readRows' | 'gatherRows' | 'rowToken' | 'streaming' | 'storedRows'
>;

function rowsOf(capture: Capture): Rows {
  return {
    trainRows: capture.trainRows,
    heldOutRows: capture.heldOutRows,
    readRows: (hook, start, count) => capture.readRows(hook, start, count),
    gatherRows: (hook, rows, out) => capture.gatherRows(hook, rows, out),
    rowToken: (row) => capture.rowToken(row),
    ...(capture.streaming && { streaming: capture.streaming }),
    ...(capture.storedRows && { storedRows: capture.storedRows }),
  };
}

function renumbered(capture: Capture, kept: Uint32Array, trainRows: number): Rows {
  return {
    trainRows,
    heldOutRows: kept.length - trainRows,
    readRows(hook, start, count) {
      const out = new Float32Array(count * capture.width(hook));
      capture.gatherRows(hook, kept.subarray(start, start + count), out);
      return out;
    },
    gatherRows: (hook, rows, out) =>
      capture.gatherRows(
        hook,
        rows.map((row) => kept[row]),
        out,
      ),
    rowToken: (row) => capture.rowToken(kept[row]),
    ...(capture.streaming && { streaming: renumberedStream(capture.streaming, kept) }),
    ...(capture.storedRows && { storedRows: renumberedStored(capture.storedRows, kept) }),
  };
}

/** Rows that are left out keep their places. */
function renumberedStored(
  storedRows: NonNullable<Capture['storedRows']>,
  kept: Uint32Array,
): NonNullable<Capture['storedRows']> {
  return (hook) =>
    storedRows(hook).map((rows) => ({
      ...rows,
      placesOf: (some) => rows.placesOf(some.map((row) => kept[row])),
    }));
}

function renumberedStream(stream: CaptureStream, kept: Uint32Array): CaptureStream {
  /** Rows of the capture from the first to the last of these. */
  const span = (from: number, to: number) => [kept[from], kept[to - 1] + 1] as const;
  return {
    memory: stream.memory,
    async ready(hook, start, count, next) {
      if (count === 0) return;
      const [from, to] = span(start, start + count);
      await stream.ready(hook, from, to - from, next && next[1] > next[0] ? span(...next) : undefined);
    },
    collect: (hook, rows, out, stop) =>
      stream.collect(
        hook,
        rows.map((row) => kept[row]),
        out,
        stop,
      ),
  };
}

function specialTokens(capture: Capture, rule: ExclusionRule): ReadonlySet<number> | null {
  if (!rule.special) return null;
  const { specialTokens: ids, name } = capture.manifest;
  if (!ids)
    throw new LazyscopeError(
      'bad_input',
      `Capture '${name}' does not say which tokens are special: capture again, or leave 'special' out of the rule.`,
    );
  return new Set(ids);
}
