import { expect, it } from 'vitest';
import { startBackend } from '../../sae/backends/startBackend.ts';
import { randomModel } from '../../sae/fixtures/randomModel.ts';
import { Random } from '../../sae/numerics/random.ts';
import { tf } from '../../sae/tensor/tf.ts';
import { benchSparsity } from './benchSparsity.ts';

it.each(['gpt2', 'llama'] as const)(
  'measures a small %s both ways, and checks what it times',
  async (family) => {
    await startBackend('auto');
    const tensors = tf.memory().numTensors;
    const model = randomModel({ family });
    const { contextLength, vocabularySize } = model.config;
    const random = Random.fromSeed(3);
    const contexts = Int32Array.from({ length: 9 * contextLength }, () => random.below(vocabularySize));
    const seen: number[] = [];
    const result = await benchSparsity(model, contexts, contextLength, ({ done }) => void seen.push(done));
    expect(seen.at(-1)).toBe(contexts.length);
    expect(result.tokens).toBe(contexts.length);
    expect(result.ratio).toBeCloseTo(result.streamingTokensPerSecond / result.forwardTokensPerSecond, 9);
    model.dispose();
    expect(tf.memory().numTensors).toBe(tensors);
  },
);
