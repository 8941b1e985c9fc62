/**
 * Times the streaming measures of the sparsity report beside the plain forward pass they share. The two take turns on the
 * same batches, so that other work on the machine slows both alike, and neither always finds the buffers that the other
 * left.
 */
import { LazyscopeError } from '../../sae/errors.ts';
import { meanCrossEntropy } from '../../sae/models/crossEntropy.ts';
import { blockHook } from '../../sae/models/hookPoints.ts';
import type { LanguageModel } from '../../sae/models/languageModel.ts';
import { attentionEntropySums } from '../../sae/ops/attentionEntropySums.ts';
import type { Report } from '../../sae/progress.ts';
import { AttentionEntropy } from '../../sae/sparsity/depth/attentionEntropy.ts';
import { ratioThresholds } from '../../sae/sparsity/measureSparsity.ts';
import { streamActivations } from '../../sae/sparsity/streamActivations.ts';
import { StreamingMeasures } from '../../sae/sparsity/streamingMeasures.ts';
import { tf, type Tensor4D } from '../../sae/tensor/tf.ts';

export interface SparsityBenchmark {
  tokens: number;
  forwardTokensPerSecond: number;
  /** With every streaming measure, the forward pass included. */
  streamingTokensPerSecond: number;
  /** Time with the measures over time without them. */
  ratio: number;
  /** The same ratio, of the processor time of all threads. */
  cpuRatio: number;
}

const batchTokens = 2048;
const turn = 8;

/** Contexts of a text, [contexts · seq]. They are of a real text because the measures keep other examples of random tokens. */
export async function benchSparsity(
  model: LanguageModel,
  contexts: Int32Array,
  seq: number,
  report?: Report,
): Promise<SparsityBenchmark> {
  const batchContexts = Math.max(1, Math.floor(batchTokens / seq));
  const step = batchContexts * seq;
  const stream = (measures: StreamingMeasures, first: number) => {
    const streaming = { seq, batchContexts, hooks: measures.hooks, attentionEntropy: true };
    return streamActivations(model, contexts.subarray(first, first + step), streaming, (batch) =>
      measures.add({ ...batch, firstToken: first }),
    );
  };
  // The first pass is not timed: it compiles kernels and fills caches and pools of buffers.
  const trial = measuresOf(model, contexts.length, seq);
  await stream(trial, 0);
  checkFirstBatch(model, contexts.subarray(0, step), seq, trial);
  const measures = measuresOf(model, contexts.length, seq);
  const plain = new Stopwatch();
  const streaming = new Stopwatch();
  const pass = (tokens: Int32Array) => {
    const ids = tf.tensor2d(tokens, [tokens.length / seq, seq], 'int32');
    const { logits } = model.forward(ids);
    if (!logits) throw new TypeError('a whole forward pass gave no logits');
    // Reading one result waits until the device has computed all of them.
    const last = logits.slice([tokens.length / seq - 1, seq - 1, 0], [1, 1, 1]);
    last.dataSync();
    tf.dispose([ids, logits, last]);
  };
  for (let first = 0; first < contexts.length; first += turn * step) {
    const part = contexts.subarray(first, first + turn * step);
    plain.time(() => {
      for (let at = 0; at < part.length; at += step) pass(part.subarray(at, at + step));
    });
    await streaming.timeAsync(async () => {
      for (let at = 0; at < part.length; at += step) await stream(measures, first + at);
    });
    report?.({ stage: 'bench sparsity', done: first + part.length, total: contexts.length, unit: 'tokens' });
  }
  return {
    tokens: contexts.length,
    forwardTokensPerSecond: (1000 * contexts.length) / plain.wallMs,
    streamingTokensPerSecond: (1000 * contexts.length) / streaming.wallMs,
    ratio: plain.wallMs / streaming.wallMs,
    cpuRatio: plain.cpuMs / streaming.cpuMs,
  };
}

/** The measures of `lazyscope sparsity`, as it takes them. */
function measuresOf(model: LanguageModel, tokens: number, seq: number): StreamingMeasures {
  return new StreamingMeasures(model, {
    tokens,
    seq,
    thresholds: ratioThresholds,
    sampleTokens: 512,
    examples: 4,
  });
}

/** Checks loss, activation ratio and attention entropies against other ways of computing them. */
function checkFirstBatch(
  model: LanguageModel,
  contexts: Int32Array,
  seq: number,
  measures: StreamingMeasures,
): void {
  const { layers, heads, gated } = model.config;
  const last = layers - 1;
  const [fired, pattern] = [
    blockHook(last, gated ? 'mlp.hook_pre' : 'mlp.hook_post'),
    blockHook(last, 'attn.hook_pattern'),
  ];
  const entropy = new AttentionEntropy(heads);
  const ratio = tf.tidy(() => {
    const ids = tf.tensor2d(contexts, [contexts.length / seq, seq], 'int32');
    const { activations } = model.forward(ids, { read: [fired, pattern], readOnly: true });
    entropy.add(attentionEntropySums(activations.get(pattern) as Tensor4D), seq);
    const values = activations.get(fired)!;
    const act = (gated ? model.activate(last, values) : values).dataSync<'float32'>();
    tf.dispose([...activations.values()]);
    return act.reduce((count, value) => count + (value === 0 ? 0 : 1), 0) / act.length;
  });
  const expected = [meanCrossEntropy(model, contexts, seq), ratio, ...entropy.byHead()];
  const got = [
    measures.crossEntropy(),
    measures.firing[last].activationRatio(),
    ...measures.entropy[last].byHead(),
  ];
  const off = expected.findIndex((value, i) => !(Math.abs(value - got[i]) < 1e-3));
  if (off >= 0)
    throw new LazyscopeError(
      'unavailable',
      `Backend ${tf.getBackend()} measures wrongly: ${['the loss', 'the activation ratio'][off] ?? `the entropy of head ${off - 2}`} is ${got[off]} while streaming and ${expected[off]} by itself.`,
    );
}

class Stopwatch {
  wallMs = 0;
  cpuMs = 0;

  time(work: () => void): void {
    const done = this.#start();
    work();
    done();
  }

  async timeAsync(work: () => Promise<void>): Promise<void> {
    const done = this.#start();
    await work();
    done();
  }

  #start(): () => void {
    const wall = performance.now();
    const cpu = process.cpuUsage();
    return () => {
      this.wallMs += performance.now() - wall;
      const { user, system } = process.cpuUsage(cpu);
      this.cpuMs += (user + system) / 1000;
    };
  }
}
