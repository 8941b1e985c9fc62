/** Which hook of a capture an imported dictionary belongs to, with a check that both are of the same model. */
import type { Capture } from '../../sae/activations/openCapture.ts';
import { LazyscopeError } from '../../sae/errors.ts';
import type { ImportedDictionary } from '../../sae/formats/dictionaryWeights.ts';
import { hooksIn } from '../../sae/spec/jointHook.ts';
import { hookPointFrom, isSameModel } from '../../sae/formats/hookNames.ts';

export interface Asked {
  /** The hook that the person gave, which goes before what the file says. */
  hook?: string | undefined;
  /** The hook whose activations a transcoder predicts. */
  outputHook?: string | undefined;
  /** Whether the capture may be of a model of another name. */
  anyModel?: boolean | undefined;
}

/** Throws `bad_input` or `not_found`, naming what doesn't fit and the option that says otherwise. */
export function placeInCapture(
  path: string,
  { hook, model, d, crosscoder }: Pick<ImportedDictionary, 'hook' | 'model' | 'd' | 'crosscoder'>,
  capture: Capture,
  asked: Asked,
): string {
  const { name, model: captured, hooks } = capture.manifest;
  const known = hooks.map((each) => each.hook);
  if (model !== null && model !== '' && !isSameModel(model, captured.name) && !asked.anyModel)
    throw new LazyscopeError(
      'bad_input',
      `'${path}' was trained on '${model}', but capture '${name}' is of '${captured.name}': give a capture of its model, or --any-model if that is the same under another name.`,
    );
  if (crosscoder) return placesInCapture(path, { hook, crosscoder }, capture, asked);
  const place = asked.hook ?? hookOf(path, hook, known);
  if (!known.includes(place))
    throw new LazyscopeError(
      'not_found',
      asked.hook === undefined
        ? `'${path}' was trained at '${hook}', which capture '${name}' does not have: give a capture that has '${place}', or --hook with one of ${known.join(', ')}.`
        : `Capture '${name}' has no hook '${place}'; it has ${known.join(', ')}.`,
    );
  const width = capture.width(place);
  if (width !== d)
    throw new LazyscopeError(
      'bad_input',
      `'${path}' reads activations of width ${d}, but '${place}' of capture '${name}' has ${width}: give the capture of its model.`,
    );
  return place;
}

/** The joint name of the hook points of a crosscoder. */
function placesInCapture(
  path: string,
  {
    hook,
    crosscoder: { widths },
  }: { hook: string | null; crosscoder: NonNullable<ImportedDictionary['crosscoder']> },
  capture: Capture,
  asked: Asked,
): string {
  const place = asked.hook ?? hook ?? '';
  const hooks = hooksIn(place);
  const known = capture.manifest.hooks.map((each) => each.hook);
  if (hooks.length !== widths.length || hooks.some((own) => !known.includes(own)))
    throw new LazyscopeError(
      'bad_input',
      `'${path}' is a crosscoder of ${widths.length} layers: give their hook points in its order with --hook, commas between them, of ${known.join(', ')}.`,
    );
  for (const [at, own] of hooks.entries())
    if (capture.width(own) !== widths[at])
      throw new LazyscopeError(
        'bad_input',
        `'${path}' reads activations of width ${widths[at]}, but '${own}' of capture '${capture.manifest.name}' has ${capture.width(own)}: give the capture of its model.`,
      );
  return place;
}

function hookOf(path: string, hook: string | null, known: readonly string[]): string {
  if (hook === null)
    throw new LazyscopeError('bad_input', `'${path}' does not say where it was trained: give --hook.`);
  if (known.includes(hook)) return hook;
  const place = hookPointFrom(hook);
  if (place === null)
    throw new LazyscopeError(
      'bad_input',
      `'${path}' was trained at '${hook}', which is no hook point that is known here: give --hook with one of ${known.join(', ')}.`,
    );
  return place;
}

/**
 * Which hook of the capture a transcoder predicts, where it reads `read`; undefined for an autoencoder, and `read` for one with a skip connection. Throws `bad_input` or `not_found`, naming what
 * doesn't fit and the option that says otherwise.
 */
export function outputInCapture(
  path: string,
  { transcoder, bDec, kind, hook }: Pick<ImportedDictionary, 'transcoder' | 'bDec' | 'kind' | 'hook'>,
  capture: Capture,
  { outputHook: asked, read }: Pick<Asked, 'outputHook'> & { read: string },
): string | undefined {
  if (!transcoder) {
    if (asked === undefined) return undefined;
    throw new LazyscopeError(
      'bad_input',
      `'${path}' is ${kind}, which is no transcoder: leave --output-hook out.`,
    );
  }
  const { name, hooks } = capture.manifest;
  const known = hooks.map((each) => each.hook);
  const { outputHook } = transcoder;
  const predictsInput = outputHook !== null && outputHook === hook;
  if (predictsInput && asked !== undefined && asked !== read)
    throw new LazyscopeError(
      'bad_input',
      `'${path}' is ${kind}, which predicts what it reads: leave --output-hook out.`,
    );
  const named = outputHook === null ? null : (hookPointFrom(outputHook) ?? outputHook);
  const place = predictsInput ? read : (asked ?? named);
  if (place === null || !known.includes(place))
    throw new LazyscopeError(
      place === null ? 'bad_input' : 'not_found',
      `'${path}' is a transcoder and ${place === null ? 'does not say what it predicts' : `predicts '${place}', which capture '${name}' does not have`}: give --output-hook with one of ${known.join(', ')}.`,
    );
  const width = capture.width(place);
  if (width !== bDec.length)
    throw new LazyscopeError(
      'bad_input',
      `'${path}' predicts activations of width ${bDec.length}, but '${place}' of capture '${name}' has ${width}: give the capture of its model.`,
    );
  return place;
}
