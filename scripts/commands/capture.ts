/** `lazyscope capture`: a model's activations on a text, or another program's activations, to shards on the disk. */
import { LazyscopeError } from '../../sae/errors.ts';
import { capture as description } from '../../sae/spec/jobs/capture.ts';
import { flagOf } from '../../sae/spec/jobs/job.ts';
import type { CommandOptionsOf } from '../../sae/spec/jobs/jobs.ts';
import type { CaptureManifest } from '../../sae/spec/manifests/capture.ts';
import type { CaptureOptions } from '../../sae/activations/planCapture.ts';
import { isElsewhere, jobsElsewhere } from '../commandLine/jobsElsewhere.ts';
import { loadModel } from '../commandLine/models.ts';
import { partGiven, partOutcome } from '../commandLine/partOutcome.ts';
import { refuseLoneFlags } from '../commandLine/runOnQueue.ts';
import { openGivenText } from '../commandLine/texts.ts';
import type { JobWork } from '../commandLine/jobCommand.ts';
import type { Outcome, Session } from '../commandLine/runCommand.ts';
import { figure, percent } from '../commandLine/table.ts';

declare global {
  interface JobCommands {
    capture: typeof run;
  }
}

type Given = CommandOptionsOf<'capture'>;

export const run: JobWork<'capture'> = async (session, given) => {
  refuseLoneFlags(given);
  if (isElsewhere(given)) return captureElsewhere(session, given);
  const part = partGiven(given.part);
  if (given.from !== undefined) return captureActivations(session, { ...given, from: given.from });
  const { model: modelName, text: textName } = given;
  if (given.column !== undefined)
    throw new LazyscopeError('bad_input', '--column has no effect without --from: leave it out.');
  if (modelName === undefined || textName === undefined)
    throw new LazyscopeError(
      'bad_input',
      `Nothing to capture: give --model and --text, or activations of another program with --from.`,
    );
  const { capture } = await import('../../sae/activations/capture.ts');
  const { parseHookPoint } = await import('../../sae/models/hookPoints.ts');
  const { parseExclusionRule } = await import('../../sae/activations/exclusionRule.ts');
  const text = await openGivenText(session.store, { ...given, text: textName });
  const backend = await session.startBackend();
  const model = await loadModel(session.store, modelName);
  const started = performance.now();
  const options: CaptureOptions = {
    store: session.store,
    name: given.name ?? slug(`${model.name}-${text.source}`),
    model,
    text,
    hooks: given.hooks.map((hook) => parseHookPoint(hook, model.config.layers).name),
    contextLength: given.contextLength ?? 128,
    maxTokens: given.maxTokens,
    ...(given.finish && { finish: true }),
    heldOutFraction: given.heldOut,
    firstPosition: given.firstPosition,
    separatorBefore: given.bos,
    ...(given.exclude !== undefined && { exclude: parseExclusionRule(given.exclude) }),
    dtype: given.dtype,
    shardBytes: given.shardBytes,
    report: session.report,
    signal: session.signal,
  };
  if (part) {
    const { capturePart } = await import('../../sae/activations/captureParts.ts');
    return partOutcome(part, [() => capturePart(options, part)]);
  }
  const manifest = await capture(options);
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
  return { document, text: captured(document) };
};

/** What is printed of a capture of a text, in the order of its fields. */
type CaptureDocument = Pick<CaptureManifest, 'name'> & {
  text: string;
  tokens: number;
  heldOutTokens: number;
  hooks: Pick<CaptureManifest['hooks'][number], 'hook' | 'width' | 'norms'>[];
  exclude: string;
  seconds: number;
};

function captured({ name, text, tokens, heldOutTokens, hooks, exclude, seconds }: CaptureDocument): string {
  return `Captured ${tokens} tokens of ${text} at ${hooks.map(({ hook }) => hook).join(', ')} as '${name}' (${percent(heldOutTokens / Math.max(1, tokens))} held out) in ${seconds.toFixed(1)} s.${hooks.map((hook) => outliersOf(hook, exclude)).join('')}`;
}

/** What `run` gives, made by workers or a cluster. */
async function captureElsewhere(session: Session, given: Given): Promise<Outcome> {
  const { model, text } = given;
  if (model === undefined || text === undefined)
    throw new LazyscopeError('bad_input', 'Nothing to capture: give --model and --text.');
  const name = given.name ?? slug(`${model}-${text}`);
  const { results, failure } = await jobsElsewhere(session, 'capture', given, [{ name, options: { name } }]);
  const [document] = results as CaptureDocument[];
  return { document, text: results.length === 0 ? '' : captured(document), failure };
}

/** Flags of a capture of a text, which have no effect on activations that are there already. */
const ofTexts = ['text', 'textField', 'maxTokens', 'finish', 'bos', 'part'] as const;

async function captureActivations(session: Session, given: Given & { from: string[] }): Promise<Outcome> {
  const { captureFrom } = await import('../../sae/activations/captureFrom.ts');
  const { openActivations } = await import('../../sae/formats/activations/openActivations.ts');
  const { parseHookPoint } = await import('../../sae/models/hookPoints.ts');
  const { hookPointFrom } = await import('../../sae/formats/hookNames.ts');
  const { parseExclusionRule } = await import('../../sae/activations/exclusionRule.ts');
  const useless = ofTexts.find((option) => given[option] !== undefined);
  if (useless !== undefined)
    throw new LazyscopeError(
      'bad_input',
      `--${flagOf(useless, description.options[useless])} has no effect with --from: leave it out.`,
    );
  const files = await openActivations(given.from, process.stdin);
  if (given.model !== undefined) await session.startBackend();
  const model = given.model === undefined ? undefined : await loadModel(session.store, given.model);
  const started = performance.now();
  const { manifest, leftOver } = await captureFrom({
    store: session.store,
    name: given.name ?? slug(files.source),
    files,
    hooks: given.hooks.map((hook) => parseHookPoint(hookPointFrom(hook) ?? hook, model?.config.layers).name),
    column: given.column,
    model,
    contextLength: given.contextLength,
    heldOutFraction: given.heldOut,
    firstPosition: given.firstPosition,
    dtype: given.dtype,
    shardBytes: given.shardBytes,
    ...(given.exclude !== undefined && { exclude: parseExclusionRule(given.exclude) }),
    report: session.report,
    signal: session.signal,
  });
  const tokens = manifest.contexts * manifest.contextLength;
  const seconds = (performance.now() - started) / 1000;
  const document = {
    name: manifest.name,
    from: files.source,
    model: model?.name ?? null,
    hasTokens: manifest.tokens !== null,
    contextLength: manifest.contextLength,
    tokens,
    heldOutTokens: manifest.heldOutContexts * manifest.contextLength,
    rowsLeftOver: leftOver,
    hooks: manifest.hooks.map(({ hook, width, norms }) => ({ hook, width, norms })),
    firstPosition: manifest.firstPosition,
    exclude: manifest.exclude ?? 'none',
    seconds,
  };
  const missing = [...(model ? [] : ['language model']), ...(manifest.tokens ? [] : ['tokens'])];
  const without =
    missing.length === 0
      ? ''
      : `\nWithout ${missing.join(' and ')}: figures that need ${missing.length > 1 ? 'them' : 'it'} will be left out.`;
  const rest =
    leftOver === 0 ? '' : `\n${leftOver} rows at the end of files don't fill a context and were left out.`;
  return {
    document,
    text: `Captured ${tokens} rows of ${files.source} at ${manifest.hooks.map((h) => h.hook).join(', ')} as '${manifest.name}', in contexts of ${manifest.contextLength} (${percent(manifest.heldOutContexts / manifest.contexts)} held out) in ${seconds.toFixed(1)} s.${without}${rest}${manifest.hooks.map((hook) => outliersOf(hook, manifest.exclude)).join('')}`,
  };
}

/** A warning about rows that are far longer than the others, if there are any. */
function outliersOf(
  { hook, norms }: Pick<CaptureManifest['hooks'][number], 'hook' | 'norms'>,
  exclude = 'none',
): string {
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
