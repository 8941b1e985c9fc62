/** `lazyscope capture`: a model's activations on a text, to shards on the disk. */
import { loadModel } from '../commandLine/models.ts';
import type { JobWork } from '../commandLine/jobCommand.ts';
import { percent } from '../commandLine/table.ts';

declare module '../commandLine/jobCommand.ts' {
  interface JobCommands {
    capture: typeof run;
  }
}

export const run: JobWork<'capture'> = async (session, given) => {
  const { capture } = await import('../../sae/activations/capture.ts');
  const { readText } = await import('../../sae/tokens/readText.ts');
  const { parseHookPoint } = await import('../../sae/models/hookPoints.ts');
  const text = await readText(given.text);
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
    heldOutFraction: given.heldOut,
    firstPosition: given.firstPosition,
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
    hooks: manifest.hooks.map(({ hook, width }) => ({ hook, width })),
    backend: backend.name,
    seconds,
  };
  return {
    document,
    text: `Captured ${tokens} tokens of ${text.source} at ${manifest.hooks.map((h) => h.hook).join(', ')} as '${manifest.name}' (${percent(manifest.heldOutContexts / Math.max(1, manifest.contexts))} held out) in ${seconds.toFixed(1)} s.`,
  };
};

/** A name out of any words. */
export function slug(words: string): string {
  return words
    .replace(/^dataset:/, '')
    .replaceAll('dataset:', '')
    .replace(/\.\w{1,5}$/, '')
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 100);
}
