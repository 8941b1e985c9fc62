import {
  architectureNames,
  architectures,
  describedArchitecture,
  type ArchitectureName,
} from '../architectures/architectures.ts';
import { startFields } from '../startFields.ts';
import { trainingFields } from '../trainingFields.ts';
import { architectureOptions } from './architectureOptions.ts';
import { trainCost } from './cost.ts';
import type { JobDescription } from './job.ts';
import { shardTypes } from '../shardTypes.ts';
import { capture } from './capture.ts';
import {
  contextLength,
  devices,
  exclude,
  graphs,
  launching,
  nameOf,
  products,
  screening,
  storage,
  text,
  textField,
} from './sharedOptions.ts';

/** Rates are chosen for dictionaries up to this width; wider ones take smaller steps. */
const usualWidth = 1024;
const learningRates = Object.fromEntries(
  architectureNames.map((name) => [
    name,
    String(describedArchitecture(name).defaults(usualWidth, usualWidth / 8).learningRate),
  ]),
);

/** `lazyscope train`: sparse autoencoders, all seeds of a configuration in one pass over a capture. */
export const train = {
  summary: 'train sparse autoencoders on a capture, or straight from a model, by flags or by a sweep file',
  title: 'Train dictionaries',
  shortTitle: 'Train',
  introduction: 'Trains sparse autoencoders on a capture, all seeds in one pass.',
  options: {
    sweep: {
      field: {
        type: 'text',
        placeholder: 'sweep',
        doc: 'a YAML file with lists of architectures, hooks, widths, sparsities and seeds',
      },
      argument: 'one',
    },
    architecture: {
      field: {
        type: 'choice',
        choices: architectureNames,
        titles: Object.fromEntries(architectureNames.map((name) => [name, architectures[name].label])),
        placeholder: 'name',
        doc: `the architecture: ${inWords(architectureNames)}`,
      },
      required: 'job',
      form: { label: 'Architecture', hint: 'which latents fire, and how that is trained' },
    },
    capture: {
      field: { type: 'name', doc: trainingFields.capture.doc },
      required: 'job',
      form: { label: trainingFields.capture.label, source: 'captures' },
    },
    hook: {
      field: {
        ...trainingFields.hook,
        maxLength: 4000,
        placeholder: 'hook',
        doc: `${trainingFields.hook.doc}; several with commas between them train a crosscoder, whose latents read and reconstruct them all`,
      },
      otherwise: "the capture's only one",
      form: {
        label: trainingFields.hook.label,
        source: 'captureHooks',
        several: 'in order',
        hint: 'where in the model; two or more train a crosscoder, whose latents read and reconstruct them all',
      },
    },
    outputHook: {
      field: {
        type: 'text',
        maxLength: 100,
        placeholder: 'hook',
        doc: 'train a transcoder: predict the activations of this hook point of the capture',
      },
      otherwise: 'what is read, as an autoencoder does',
      form: {
        label: 'Output hook point',
        source: 'outputHooks',
        hint: 'what is predicted; another hook point than the one that is read trains a transcoder',
        differsFrom: 'hook',
        against: [
          {
            option: 'hook',
            having: 'several',
            why: 'A crosscoder predicts what it reads: take one hook point, or leave this empty.',
          },
          {
            option: 'biasStart',
            having: 'any',
            why: `A transcoder’s biases begin at the median of its inputs and outputs: leave “${startFields.biasStart.label}” at its default, or this empty.`,
          },
        ],
      },
    },
    skip: {
      field: {
        type: 'flag',
        doc: 'of a transcoder: also train a matrix from inputs to outputs, whose product is added (a skip transcoder)',
      },
      form: {
        label: 'With a skip connection, a matrix from inputs to outputs',
        when: { option: 'outputHook', values: 'any' },
      },
    },
    fromModel: {
      field: {
        type: 'name',
        placeholder: 'name|folder',
        doc: `train without a capture of the training rows: activations of this model on --text are computed as needed. The held-out rows alone are captured, under --capture, for evaluate, index and compare; --hook and --tokens are needed`,
      },
      open: true,
    },
    text: { field: { ...text.field, doc: `with --from-model: ${text.field.doc}` }, open: true },
    textField: {
      ...textField,
      field: { ...textField.field, doc: `with --from-model: ${textField.field.doc}` },
    },
    bufferTokens: {
      field: {
        type: 'integer',
        min: 1,
        doc: 'with --from-model: tokens in the shuffle buffer, which is filled with activations in the order of the text, given in a random order, and filled again',
      },
      otherwise: '262,144, or as many as fit 1 GiB',
    },
    heldOutTokens: {
      field: {
        type: 'integer',
        min: 1,
        doc: 'with --from-model: tokens that are captured and not trained on, a random tenth of the first ten times as many (of the whole text if it is shorter); their median norm decides which rows norm:M leaves out',
      },
      otherwise: '65,536',
    },
    contextLength: {
      field: { ...contextLength, doc: 'with --from-model: tokens a context' },
      otherwise: '128, or the model’s own if that is less',
    },
    firstPosition: {
      field: {
        type: 'integer',
        min: 0,
        doc: 'with --from-model: leave out activations before this position',
      },
      otherwise: '1',
    },
    bos: {
      field: {
        ...capture.options.bos.field,
        doc: 'with --from-model: where the separator goes, as for capture',
      },
      otherwise: 'contexts',
    },
    dtype: {
      field: {
        ...capture.options.dtype.field,
        doc: `with --from-model: how activations are stored, ${shardTypes.join(' or ')}`,
      },
      otherwise: 'float16',
    },
    name: nameOf('run', 'capture and architecture'),
    width: {
      field: trainingFields.width,
      otherwise: '8 to 16 times the width of the activations',
      form: { label: trainingFields.width.label },
    },
    seeds: {
      field: trainingFields.seeds,
      otherwise: '0',
      form: { label: trainingFields.seeds.label },
    },
    tokens: {
      field: trainingFields.tokens,
      otherwise: "the capture's, four times over",
      form: { label: trainingFields.tokens.label },
    },
    ...architectureOptions,
    batchSize: {
      field: trainingFields.batchSize,
      otherwise: '2,048, fewer in short runs',
      form: { label: trainingFields.batchSize.label, advanced: true },
    },
    learningRate: {
      field: trainingFields.learningRate,
      otherwise: { option: 'architecture', words: learningRates },
      form: {
        label: trainingFields.learningRate.label,
        hint: `after warm-up; by default smaller for more than ${usualWidth.toLocaleString('en-US')} latents`,
        advanced: true,
      },
    },
    warmupSteps: {
      field: { ...trainingFields.warmupSteps, placeholder: 'steps' },
      otherwise: 'a fiftieth of all steps, 1,000 at most',
      form: { label: trainingFields.warmupSteps.label, advanced: true },
    },
    decayFraction: {
      field: { ...trainingFields.decayFraction, placeholder: 'share' },
      otherwise: '0.2',
      form: { label: trainingFields.decayFraction.label, advanced: true },
    },
    deadAfter: {
      field: { ...trainingFields.deadAfter, placeholder: 'tokens' },
      otherwise: "a tenth of the run's tokens, 10 M at most",
      form: { label: trainingFields.deadAfter.label, advanced: true },
    },
    decoderStart: {
      field: { ...startFields.decoderStart, placeholder: 'start' },
      otherwise: 'random',
      form: { label: startFields.decoderStart.label, advanced: true },
    },
    encoderStart: {
      field: { ...startFields.encoderStart, placeholder: 'start' },
      otherwise: 'tied',
      form: { label: startFields.encoderStart.label, advanced: true },
    },
    biasStart: {
      field: { ...startFields.biasStart, placeholder: 'start' },
      otherwise: 'median',
      form: { label: startFields.biasStart.label, advanced: true },
    },
    rowOrder: {
      field: startFields.rowOrder,
      otherwise: '0',
      form: { label: startFields.rowOrder.label, advanced: true },
    },
    checkpointEvery: {
      field: trainingFields.checkpointEvery,
      otherwise: '500',
      form: { label: trainingFields.checkpointEvery.label, advanced: true },
    },
    logEvery: {
      field: trainingFields.logEvery,
      otherwise: 'a hundredth of all steps, 50 at most',
      form: { label: trainingFields.logEvery.label, advanced: true },
    },
    tensorboard: {
      field: {
        type: 'flag',
        doc: "write event files of TensorBoard too, into the run's folder (tensorboard --logdir data/runs)",
      },
    },
    wandb: {
      field: {
        type: 'flag',
        doc: "write the history as W&B's client does too (wandb-history.jsonl), into the run's folder",
      },
    },
    exclude: exclude('training', 'what the capture says; with --from-model norm:10'),
    analyse: {
      field: {
        type: 'flag',
        doc: 'then evaluate and index every seed, and compare each pair of seeds',
      },
      form: { label: 'Then evaluate, index and compare' },
    },
    resume: {
      field: {
        type: 'flag',
        doc: 'go on with what was interrupted (of one run, --name is enough); finished runs stay as they are',
      },
      form: { label: 'Go on from the last checkpoint', advanced: true },
    },
    queue: {
      field: {
        ...launching.queue.field,
        doc: 'let workers (lazyscope worker) do it, a job a run of a sweep: the address of the Redis from which they take jobs, redis://host:6379. What is stopped then is the waiting: the jobs go on, and the same command with --resume waits for them again',
      },
    },
    launcher: {
      ...launching.launcher,
      field: {
        ...launching.launcher.field,
        doc: 'hand it to Slurm as a job array with a task a run, and wait for it as with --queue',
      },
    },
    sbatch: launching.sbatch,
    resources: launching.resources,
    priority: launching.priority,
    mpi: {
      field: {
        type: 'flag',
        doc: 'spread the latents of each dictionary over the processes that mpirun started: mpirun -n 2 npx lazyscope train --mpi … (docs/SCALE.md)',
      },
    },
    screening,
    graphs,
    devices,
    storage,
    products: { ...products, field: { ...products.field, doc: `with --from-model: ${products.field.doc}` } },
  },
  subject: {
    what: 'run',
    option: 'name',
    inDocument: ['runs', 0, 'name'],
    otherwise: ['capture', 'architecture'],
  },
  cost: trainCost,
  checkpoints: true,
  needs: { cores: 'all', memory: 0.5, gpu: true },
} as const satisfies JobDescription;

function inWords(names: readonly ArchitectureName[]): string {
  return `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}
