/** `lazyscope capture`: a model's activations on a text, to shards on the disk. */
import type { CaptureManifest } from '../../sae/spec/manifests/capture.ts';
import { loadModel } from '../commandLine/models.ts';
import { openGivenText } from '../commandLine/texts.ts';
import type { JobWork } from '../commandLine/jobCommand.ts';
import { figure, percent } from '../commandLine/table.ts';

declare global {
  interface JobCommands {
    capture: typeof run;
  }
}

export const run: JobWork<'capture'> = async (session, given) => {
  const { capture } = await import('../../sae/activations/capture.ts');
  const { parseHookPoint } = await import('../../sae/models/hookPoints.ts');
  const { parseExclusionRule } = await import('../../sae/activations/exclusionRule.ts');
  const text = await openGivenText(session.store, given);
  const backend = await session.startBackend();
  const model = await loadModel(session.store, given.model);
  const started = performance.now();
  const manifest = await capture({
    store: session.store,
    name: given.name ?? slug(`${model.name}-${text.source}`),
    model,
    text,
    hooks: given.hooks.map((hook) => parseHookPoint(hook, model.config.layers).name),
    contextLength: given.contextLength,
    maxTokens: given.maxTokens,
    ...(given.finish && { finish: true }),
    heldOutFraction: given.heldOut,
    firstPosition: given.firstPosition,
    separatorBefore: given.bos,
    ...(given.exclude !== undefined && { exclude: parseExclusionRule(given.exclude) }),
    dtype: given.dtype,
    report: session.report,
    signal: session.signal,
  });
  const tokens = manifest.contexts * manifest.contextLength;
  const seconds = (performance.now() - started) / 1000;
  const document = {
    name: manifest.name,
    model: manifest.model.name,
    text: manifest.text.source,
    tokens,
    heldOutTokens: manifest.heldOutContexts * manifest.contextLength,
    hooks: manifest.hooks.map(({ hook, width, norms }) => ({ hook, width, norms })),
    packing: manifest.packing,
    firstPosition: manifest.firstPosition,
    exclude: manifest.exclude ?? 'none',
    backend: backend.name,
    seconds,
  };
  return {
    document,
    text: `Captured ${tokens} tokens of ${text.source} at ${manifest.hooks.map((h) => h.hook).join(', ')} as '${manifest.name}' (${percent(manifest.heldOutContexts / Math.max(1, manifest.contexts))} held out) in ${seconds.toFixed(1)} s.${manifest.hooks.map((hook) => outliersOf(hook, manifest.exclude)).join('')}`,
  };
};

/** A warning about rows that are far longer than the others, if there are any. */
function outliersOf({ hook, norms }: CaptureManifest['hooks'][number], exclude = 'none'): string {
  if (!norms || norms.rows === 0) return '';
  const share = norms.varianceShare === null ? '' : `, with ${percent(norms.varianceShare)} of the variance`;
  const where = norms.positions.map(({ position }) => position).join(', ');
  const then =
    exclude === 'none'
      ? 'Training will be about them: --exclude norm:10 leaves them out.'
      : `Training and figures leave out '${exclude}'; --exclude none keeps all rows.`;
  return `\n${norms.rows} rows of ${hook} are longer than ${norms.factor} times the median of ${figure(norms.median, 1)} (up to ${figure(norms.largest, 1)}, at positions ${where})${share}. ${then}`;
}

/** Makes a valid name of any text. */
export function slug(words: string): string {
  return words
    .replace(/^dataset:/, '')
    .replaceAll('dataset:', '')
    .replace(/\.\w{1,5}$/, '')
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 100);
}
