import { LazyscopeError } from '../errors.ts';
import { hooksIn } from '../spec/jointHook.ts';
import { trainingConfigSchema } from '../spec/trainingConfig.ts';
import { describedArchitecture, type TrainingConfig } from '../spec/architectures/architectures.ts';

/** Parses a training configuration, once. Throws `bad_input` naming the field and what it must be. */
export function checkConfig(value: unknown): TrainingConfig {
  const parsed = trainingConfigSchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const field = issue.path.join('.');
    throw new LazyscopeError(
      'bad_input',
      `The training configuration is wrong${field ? ` at '${field}'` : ''}: ${issue.message}.`,
    );
  }
  const config = parsed.data;
  const refuse = (why: string) =>
    new LazyscopeError('bad_input', `The training configuration is wrong: ${why}.`);
  if (new Set(config.seeds).size < config.seeds.length) throw refuse(`seeds ${config.seeds} name one twice`);
  if (config.beta1 >= 1 || config.beta2 >= 1) throw refuse('beta1 and beta2 must be below 1');
  if (config.outputHook !== undefined) {
    if (config.outputHook === config.hook)
      throw refuse(`outputHook is '${config.hook}', which is read too: leave it out for an autoencoder`);
  }
  const hooks = hooksIn(config.hook);
  if (hooks.length > 1) {
    if (!describedArchitecture(config.architecture).hasCrosscoders)
      throw refuse(`${config.architecture} has no crosscoders (several hook points in hook)`);
    if (config.outputHook !== undefined)
      throw refuse('a crosscoder predicts what it reads: leave outputHook out, or name one hook point');
    const twice = hooks.find((hook, at) => hooks.indexOf(hook) < at);
    if (twice !== undefined) throw refuse(`hook names '${twice}' twice`);
    if (hooks.includes('')) throw refuse(`hook is '${config.hook}', which lacks a name beside a comma`);
  }
  if (config.skip && config.outputHook === undefined)
    throw refuse('skip (--skip) is of transcoders: give outputHook (--output-hook) too');
  if (config.outputHook !== undefined && config.biasStart !== undefined)
    throw refuse('a transcoder’s biases begin at the median of its inputs and outputs (biasStart)');
  const wrong = describedArchitecture(config.architecture).refuses?.(config);
  if (wrong) throw refuse(wrong);
  return config;
}
