/**
 * Language models on one backend: `languageModel.ts BACKEND [small]`. Each of their ops is compared with its reference on TF.js's plain
 * CPU backend, value and gradients; then a model of random weights reads text, and takes training steps. Prints JSON.
 *
 * `worst` is the largest difference of an op's numbers, relative to the largest of them or to 1. `kernels`: milliseconds of a forward pass by the
 * device's clock, where the backend has one.
 */
import { backendNames } from '../../sae/backends/backend.ts';
import { startBackend } from '../../sae/backends/startBackend.ts';
import { languageModelCases, valueAndGradients } from '../../sae/fixtures/languageModelCases.ts';
import { runDecoder } from '../../sae/models/decoder.ts';
import { familyOf } from '../../sae/models/families/families.ts';
import { HookTap } from '../../sae/models/hookTap.ts';
import { Random } from '../../sae/numerics/random.ts';
import { adamWStep, createAdamWState, globalNorm } from '../../sae/ops/adamW.ts';
import { fusedKernels } from '../../sae/ops/kernelTable.ts';
import { softmaxCrossEntropy } from '../../sae/ops/softmaxCrossEntropy.ts';
import { initialWeights } from '../../sae/pretraining/initialWeights.ts';
import { modelConfigOf, parseLanguageModelTraining } from '../../sae/pretraining/languageModelTraining.ts';
import { tf, type Tensor, type Variable } from '../../sae/tensor/tf.ts';

const name = backendNames.find((known) => known === process.argv[2]);
if (!name) throw new Error(`languageModel.ts BACKEND [small]: choose one of ${backendNames.join(', ')}.`);
const small = process.argv[3] === 'small';

await startBackend('cpu');
const random = Random.fromSeed(11, 'gpu check');
const references = languageModelCases.map(({ name: op, shapes, op: run, reference }) => {
  const inputs = shapes.map((shape) => ({ values: random.normals(shape.reduce((a, b) => a * b, 1)), shape }));
  const size = tf.tidy(() => reference(...inputs.map(({ values, shape }) => tf.tensor(values, shape))).size);
  const weights = random.normals(size);
  return { op, run, inputs, weights, expected: valueAndGradients(reference, inputs, weights) };
});

const { detail } = await startBackend(name);
const ops = references.map(({ op, run, inputs, weights, expected }) => {
  const actual = valueAndGradients(run, inputs, weights);
  const pairs = [actual.output, ...actual.gradients].map((got, i) => [
    got,
    [expected.output, ...expected.gradients][i],
  ]);
  return { op, off: Math.max(...pairs.map(([got, want]) => difference(got, want))) };
});
ops.sort((a, b) => b.off - a.off);
const failures = ops.filter(({ off }) => !(off < 1e-4));

const training = parseLanguageModelTraining({
  family: 'llama',
  activation: 'silu',
  ...(small
    ? { d: 32, layers: 2, heads: 2, neurons: 48, contextLength: 32, vocabularySize: 300, batchSize: 2 }
    : {
        d: 768,
        layers: 6,
        heads: 12,
        neurons: 2048,
        contextLength: 1024,
        vocabularySize: 32_000,
        batchSize: 8,
      }),
});
const { batchSize, contextLength, vocabularySize } = training;
const config = modelConfigOf(training);
const { shapes } = familyOf(config);
const initial = initialWeights(shapes, config.layers, 1);
const parameters = new Map<string, Variable>(
  [...shapes].map(([key, shape]) => [
    key,
    tf.tidy(() => tf.variable(tf.tensor(initial.get(key)!, [...shape]))),
  ]),
);
const rate = <T>(list: readonly T[]) => batchSize * contextLength * list.length;
const ids = Int32Array.from({ length: batchSize * contextLength }, () => random.below(vocabularySize));
const tokens = tf.tensor2d(ids, [batchSize, contextLength], 'int32');
const labels = tf.tensor1d(
  ids.map((_, i) => ids[(i + 1) % ids.length]),
  'int32',
);
const losses = () =>
  softmaxCrossEntropy(runDecoder({ config, weights: parameters, tap: new HookTap() }, tokens)!, labels);
const meanLoss = () => tf.mean(losses()).asScalar();

const forward = () => tf.tidy(() => meanLoss().dataSync()[0]);
const variables = [...parameters.values()];
const moments = createAdamWState(variables);
let step = 0;
const train = () => {
  const { value, grads } = tf.variableGrads(meanLoss, variables);
  const gradients: Tensor[] = variables.map((variable) => grads[variable.name]);
  globalNorm(gradients);
  const { beta1, beta2, epsilon } = training;
  adamWStep(variables, gradients, moments, {
    learningRate: 1e-3,
    beta1,
    beta2,
    epsilon,
    weightDecay: 0.1,
    step: ++step,
  });
  const [loss] = value.dataSync();
  tf.dispose([value, ...gradients]);
  return loss;
};

const repeats = small ? 2 : 5;
const timed = (run: () => number) => {
  const first = run();
  const started = performance.now();
  const values = Array.from({ length: repeats }, run);
  return {
    first,
    last: values.at(-1),
    tokensPerSecond: rate(values) / ((performance.now() - started) / 1000),
  };
};
const reading = timed(forward);
const kernels = await fusedKernels().timed?.(async () => void forward());
const learning = timed(train);
const trainingKernels = await fusedKernels().timed?.(async () => void train());
// A backend with another format for products takes the same steps with it.
const other = name === 'cuda' ? await startBackend(name, { products: 'tf32' }) : null;
const inTf32 = other && { reading: timed(forward), learning: timed(train) };
const brief = (times: typeof kernels) =>
  times?.slice(0, 12).map(({ kernel, calls, milliseconds }) => ({ kernel, calls, milliseconds })) ?? null;
process.stdout.write(
  `${JSON.stringify({
    device: detail,
    worst: ops[0],
    failed: failures.length,
    failures,
    tokens: batchSize * contextLength,
    reading,
    learning,
    ...(inTf32 && { tf32: inTf32 }),
    kernels: brief(kernels),
    trainingKernels: brief(trainingKernels),
  })}\n`,
);
process.exit(0);

function difference(got: readonly number[], want: readonly number[]): number {
  const scale = Math.max(1, ...want.map(Math.abs));
  // A NaN makes the result NaN, which JSON writes as null and which no limit admits.
  return got.reduce((most, x, i) => Math.max(most, Math.abs(x - want[i]) / scale), 0);
}
