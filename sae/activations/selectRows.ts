/** A capture without the rows that a rule leaves out: what training and figures read. */
import { LazyscopeError } from '../errors.ts';
import { expertOf } from '../models/hookPoints.ts';
import { printExclusionRule, type ExclusionRule } from './exclusionRule.ts';
import type { Capture } from './openCapture.ts';
import { median, rowNorms } from './rowNorms.ts';

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
export function selectRows(capture: Capture, hooks: readonly string[], rule: ExclusionRule): SelectedRows {
  const { manifest, trainRows, heldOutRows } = capture;
  const all = trainRows + heldOutRows;
  const lengths = [...new Set(hooks)].flatMap((hook) => {
    const least = expertOf(hook) ? Number.MIN_VALUE : 0;
    if (rule.norm === null && least === 0) return [];
    const norms = rowNorms(capture, hook);
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

type Rows = Pick<Capture, 'trainRows' | 'heldOutRows' | 'readRows' | 'gatherRows' | 'rowToken'>;

function rowsOf(capture: Capture): Rows {
  return {
    trainRows: capture.trainRows,
    heldOutRows: capture.heldOutRows,
    readRows: (hook, start, count) => capture.readRows(hook, start, count),
    gatherRows: (hook, rows, out) => capture.gatherRows(hook, rows, out),
    rowToken: (row) => capture.rowToken(row),
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
