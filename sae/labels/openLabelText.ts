/** Opens what labels are made from: a dictionary's firings on the held-out text of its capture. The language model is not needed. */
import { parseExclusionRule } from '../activations/exclusionRule.ts';
import { openCaptureOf } from '../activations/jointRows.ts';
import type { Capture } from '../activations/openCapture.ts';
import { selectFetchedRows } from '../activations/selectRows.ts';
import { loadAutoencoder } from '../autoencoders/autoencoder.ts';
import { LazyscopeError } from '../errors.ts';
import { collectFirings } from '../features/collectFirings.ts';
import { silent, type Report } from '../progress.ts';
import { hooksOf } from '../spec/hooksOf.ts';
import { runKind } from '../spec/manifests/run.ts';
import type { StoreLayout } from '../store/layout.ts';
import { readManifest } from '../store/readManifest.ts';
import { hasEnoughContexts, labelContexts, type LabelText } from './labelContexts.ts';
import { promotedTokens } from './promotedTokens.ts';

export interface LabelSubject extends LabelText {
  capture: Capture;
  run: string;
  seed: number;
  latents: number;
  /** [latents]: held-out tokens on which each is active. */
  firingCounts: Uint32Array;
  /** The tokens that a latent promotes; none where the dictionary isn't indexed. */
  promoted(latent: number): readonly number[];
  close(): void;
}

/** Throws 'not_found' for a run, seed or capture that isn't there, 'bad_input' for a capture that holds nothing out. */
export async function openLabelText(options: {
  store: StoreLayout;
  run: string;
  seed: number;
  report?: Report;
  signal?: AbortSignal | undefined;
}): Promise<LabelSubject> {
  const { store, run, seed, report = silent, signal } = options;
  const manifest = await readManifest(store.runManifest(run), runKind);
  const { config, exclusion } = manifest;
  const capture = await openCaptureOf(store, manifest, { fetch: 'as read' });
  if (capture.heldOutRows === 0)
    throw new LazyscopeError(
      'bad_input',
      `Capture '${config.capture}' holds nothing out to label on: capture with a held-out fraction.`,
    );
  const rule = parseExclusionRule(exclusion?.rule ?? 'none');
  const excluded = (await selectFetchedRows(capture, hooksOf(config), rule)).excludedHeldOut;
  const autoencoder = await loadAutoencoder(store, run, seed);
  try {
    const firings = await collectFirings({
      capture,
      hook: config.hook,
      autoencoder,
      excluded,
      report: (progress) => report({ ...progress, stage: 'label: encode' }),
      signal,
    });
    const latents = autoencoder.latents;
    const promoted = await promotedTokens(store.features(run, seed));
    // A capture whose firings don't fit in memory is covered in part; contexts are drawn from that part.
    const last = firings.rows.reduce((largest, row) => Math.max(largest, row), 0);
    const covered =
      firings.tokens < excluded.length - countOf(excluded) ? lastContext(capture, last) : excluded.length;
    return {
      run,
      seed,
      capture,
      excluded: excluded.subarray(0, covered),
      firings,
      latents,
      firingCounts: Uint32Array.from({ length: latents }, (_, i) => firings.start[i + 1] - firings.start[i]),
      promoted: (latent) => promoted.get(latent) ?? [],
      close: () => capture.close(),
    };
  } finally {
    autoencoder.dispose();
  }
}

const countOf = (excluded: Uint8Array) => excluded.reduce((sum, out) => sum + out, 0);

/** The rows of whole contexts up to that of the last firing. */
function lastContext({ rowsPerContext }: Capture, row: number): number {
  return (Math.floor(row / rowsPerContext) + 1) * rowsPerContext;
}

/** Latents to label, ascending, with those that were passed over. */
export interface ChosenLatents {
  latents: number[];
  /** Latents that are active on no held-out token. */
  inactive: number;
  /** Latents passed over on the way to the `top`, because they have too few contexts for a label and its score. */
  tooFewContexts: number;
}

/** The latents named, or all; of these with `top` so many of the labellable ones as are active on most tokens. Throws 'not_found' for a latent that isn't there. */
export function latentsToLabel(
  subject: LabelSubject,
  { top, only }: { top?: number | undefined; only?: readonly number[] | undefined },
): ChosenLatents {
  const { latents, firingCounts, run } = subject;
  const unknown = only?.find((latent) => latent >= latents);
  if (unknown !== undefined)
    throw new LazyscopeError(
      'not_found',
      `Run '${run}' has no latent ${unknown}: its last one is ${latents - 1}.`,
    );
  const all = only ?? [...firingCounts.keys()];
  const active = all.filter((latent) => firingCounts[latent] > 0);
  const inactive = all.length - active.length;
  if (top === undefined) return { latents: active.sort((a, b) => a - b), inactive, tooFewContexts: 0 };
  const chosen: number[] = [];
  let tooFewContexts = 0;
  for (const latent of active.sort((a, b) => firingCounts[b] - firingCounts[a] || a - b)) {
    if (chosen.length === top) break;
    if (hasEnoughContexts(labelContexts(subject, latent))) chosen.push(latent);
    else tooFewContexts++;
  }
  return { latents: chosen.sort((a, b) => a - b), inactive, tooFewContexts };
}
