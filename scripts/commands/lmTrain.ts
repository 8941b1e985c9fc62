/** `lazyscope lm train`: a decoder from scratch on a text. */
import type { CommandOptionsOf } from '../../sae/spec/jobs/jobs.ts';
import { describeEnvironment } from '../commandLine/environment.ts';
import type { JobWork } from '../commandLine/jobCommand.ts';
import { openGivenText } from '../commandLine/texts.ts';
import { slug } from './capture.ts';

type Options = CommandOptionsOf<'lmTrain'>;

declare global {
  interface JobCommands {
    lmTrain: typeof run;
  }
}

export const run: JobWork<'lmTrain'> = async (session, given) => {
  const { name, resume, vocabulary, checkpointEvery, emergence } = given;
  const { tokenizeCorpus } = await import('../../sae/tokens/tokenizeCorpus.ts');
  const { trainLanguageModel } = await import('../../sae/pretraining/trainLanguageModel.ts');
  const { languageModelTrainingSchema } = await import('../../sae/pretraining/languageModelTraining.ts');
  const { emergenceObserver } = await import('../../sae/sparsity/emergence/emergence.ts');
  const chosenMlp = await mlpOf(given);
  const folder = session.store.model(name);
  const text = await openGivenText(session.store, given);
  const corpus = await tokenizeCorpus({
    text,
    field: given.textField,
    folder: session.store.corpus(slug(`${text.source}-${vocabulary}`)),
    vocabularySize: vocabulary,
    report: session.report,
    signal: session.signal,
  });
  const environment = describeEnvironment(await session.startBackend());
  const fields = Object.keys(languageModelTrainingSchema.shape);
  const chosen = Object.fromEntries(Object.entries(given).filter(([field]) => fields.includes(field)));
  const trained = await trainLanguageModel({
    corpus,
    folder,
    config: { ...chosen, ...chosenMlp, vocabularySize: vocabulary },
    ...(emergence === undefined ? {} : { observer: emergenceObserver(given.steps, emergence) }),
    resume,
    ...(checkpointEvery === undefined ? {} : { checkpointEvery }),
    report: session.report,
    signal: session.signal,
    environment: { ...environment },
  });
  return {
    document: { name, ...trained },
    text: `Trained '${name}' (${trained.parameters} parameters) for ${trained.steps} steps: validation loss ${trained.validationLoss?.toFixed(3) ?? 'not a number'} nats a token. It is in ${trained.folder}.`,
  };
};

/** Family and activation function: a gated form's name stands for both. */
async function mlpOf({ family, activation }: Options) {
  const { gatedForms, parseActivationFunction } =
    await import('../../sae/models/activationFunctions/activationFunctions.ts');
  const gated = Object.entries(gatedForms).find(([form]) => form === activation);
  return gated
    ? ({ family: 'llama', activation: gated[1] } as const)
    : { family, activation: parseActivationFunction(activation) };
}
