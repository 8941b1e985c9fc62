/** The model and the text of `lazyscope train --from-model`, with its held-out rows captured. */
import type { CommandOptionsOf } from '../../sae/spec/jobs/jobs.ts';
import type { RunManifest } from '../../sae/spec/manifests/run.ts';
import type { ModelSource, OpenModelSource } from '../../sae/training/fromModel.ts';
import { slug } from '../commands/capture.ts';
import { knownModelOfRun } from './dictionaries.ts';
import { loadModel } from './models.ts';
import type { Session } from './runCommand.ts';
import { openGivenText } from './texts.ts';

type Given = CommandOptionsOf<'train'> & { fromModel: string; text: string; hook: string };

const usualContextLength = 128;
const usualHeldOutTokens = 65_536;

/** Opens both and captures the held-out rows, unless they are captured already. */
export async function openSource(session: Session, given: Given) {
  const { parseHookPoint } = await import('../../sae/models/hookPoints.ts');
  const { parseExclusionRule } = await import('../../sae/activations/exclusionRule.ts');
  const { holdOut, usualBufferTokens } = await import('../../sae/training/fromModel.ts');
  const { store, report, signal } = session;
  const text = await openGivenText(store, given);
  await session.startBackend();
  const model = await loadModel(store, given.fromModel);
  const hook = parseHookPoint(given.hook, model.config.layers).name;
  const capture = given.capture ?? slug(`${model.name}-${slug(text.source)}-${hook}-held-out`);
  const dtype = given.dtype ?? 'float16';
  const bufferTokens = given.bufferTokens ?? usualBufferTokens(model.width(hook), dtype);
  const source = await holdOut({
    store,
    capture,
    model,
    hook,
    text,
    named: { text: given.text, ...(given.textField !== undefined && { textField: given.textField }) },
    contextLength: given.contextLength ?? Math.min(usualContextLength, model.config.contextLength),
    firstPosition: given.firstPosition ?? 1,
    before: given.bos ?? 'contexts',
    dtype,
    exclude: given.exclude === undefined ? undefined : parseExclusionRule(given.exclude),
    heldOutTokens: given.heldOutTokens ?? usualHeldOutTokens,
    bufferTokens,
    report,
    signal,
  });
  session.say(
    `Rows come from '${model.name}' through a shuffle buffer of ${bufferTokens} tokens (--buffer-tokens); held-out rows are in capture '${capture}'.`,
  );
  return { source, capture, hook };
}

/** Opens again what a run that was interrupted reads from. */
export async function reopenSource(
  session: Session,
  run: RunManifest,
  facts: ModelSource,
): Promise<OpenModelSource> {
  const text = await openGivenText(session.store, facts);
  await session.startBackend();
  return { model: await knownModelOfRun(session.store, run, 'Going on'), text, facts };
}
