import { fusedActivationFunctionNames } from '../../../ops/fusedActivationFunction.ts';
import type { DeviceBuffer } from '../deviceMemory.ts';
import type { KernelRequest } from '../programs.ts';
import { numbers, sizeOf } from '../../kernelInputs.ts';
import { across, blockPerRow, type CudaKernels, type KernelContext } from './kernelContext.ts';

const from =
  (file: string) =>
  (name: string): KernelRequest => ({ file, name });
const [rmsNorm, rmsNormGrad, layerNorm, layerNormGrad, gainGrad] = [
  'rmsNorm', 'rmsNormGrad', 'layerNorm', 'layerNormGrad', 'gainGrad',
].map(from('norms.cu')); // prettier-ignore
const [crossEntropy, crossEntropyGrad, reduceColumns] = [
  'crossEntropy',
  'crossEntropyGrad',
  'reduceColumns',
].map(from('reduction.cu'));
const [rotary, activation, activationGrad, adamW, squares, sumDoubles] = [
  'rotary', 'activation', 'activationGrad', 'adamW', 'squares', 'sumDoubles',
].map(from('languageModel.cu')); // prettier-ignore

/** Rows whose gradients of gain and bias one block adds up, as source/norms.cu has it. */
const rowsOfPiece = 64;

/** The fused kernels of sae/ops for language models besides attention: norms, loss, rotation, activation functions, optimiser. */
export function languageModelKernels({ backend }: KernelContext): CudaKernels {
  const { programs } = backend;

  const rowsOf = (shape: readonly number[]) => {
    const d = shape[shape.length - 1];
    return { d, rows: d === 0 ? 0 : sizeOf(shape) / d };
  };

  /** The gradients of gain and, after it, bias: `to` [width], width being d or 2 d. */
  function addGainGrads(
    inputs: { x: DeviceBuffer; dy: DeviceBuffer; means: DeviceBuffer | null; scales: DeviceBuffer },
    to: DeviceBuffer,
    ...[rows, d, width]: [number, number, number]
  ): void {
    const pieces = Math.max(1, Math.ceil(rows / rowsOfPiece));
    const partial = pieces === 1 ? to : backend.scratch(4 * pieces * width);
    const { x, dy, means, scales } = inputs;
    programs.run(gainGrad, { grid: [Math.ceil(d / 32), pieces, 1], block: 256 }, [
      x, dy, means, scales, partial, rows, d, width,
    ]); // prettier-ignore
    if (pieces === 1) return;
    const launch = { grid: Math.ceil(width / 32), block: 256 };
    programs.run(reduceColumns, launch, [0, partial, to, pieces, width, 1, pieces, 1]);
    backend.give(partial);
  }

  const functionOf = (name: unknown) => fusedActivationFunctionNames.findIndex((known) => known === name);

  return {
    RmsNorm: ({ x, gain }, { epsilon }) => {
      const { rows, d } = rowsOf(x.shape);
      const out = backend.output(x.shape, 'float32');
      programs.run(rmsNorm, blockPerRow(rows, d), [
        backend.buffer(x),
        backend.buffer(gain),
        out.buffer,
        d,
        Number(epsilon),
      ]);
      return out.info;
    },

    RmsNormGrad: ({ x, gain, dy }, { epsilon }) => {
      const { rows, d } = rowsOf(x.shape);
      const dx = backend.output(x.shape, 'float32');
      const dGain = backend.output([d], 'float32');
      const scales = backend.scratch(4 * rows);
      const given = { x: backend.buffer(x), dy: backend.buffer(dy) };
      programs.run(rmsNormGrad, blockPerRow(rows, d), [
        given.x, backend.buffer(gain), given.dy, dx.buffer, scales, d, Number(epsilon),
      ]); // prettier-ignore
      addGainGrads({ ...given, means: null, scales }, dGain.buffer, rows, d, d);
      backend.give(scales);
      return [dx.info, dGain.info];
    },

    LayerNorm: ({ x, gain, bias }, { epsilon }) => {
      const { rows, d } = rowsOf(x.shape);
      const out = backend.output(x.shape, 'float32');
      programs.run(layerNorm, blockPerRow(rows, d), [
        backend.buffer(x), backend.buffer(gain), backend.buffer(bias), out.buffer, d, Number(epsilon),
      ]); // prettier-ignore
      return out.info;
    },

    LayerNormGrad: ({ x, gain, dy }, { epsilon }) => {
      const { rows, d } = rowsOf(x.shape);
      const dx = backend.output(x.shape, 'float32');
      const dGain = backend.output([d], 'float32');
      const dBias = backend.output([d], 'float32');
      const [means, scales, sums] = [rows, rows, 2 * d].map((n) => backend.scratch(4 * n));
      const given = { x: backend.buffer(x), dy: backend.buffer(dy) };
      programs.run(layerNormGrad, blockPerRow(rows, d), [
        given.x, backend.buffer(gain), given.dy, dx.buffer, means, scales, d, Number(epsilon),
      ]); // prettier-ignore
      addGainGrads({ ...given, means, scales }, sums, rows, d, 2 * d);
      backend.copy(sums, dGain.buffer, 4 * d);
      backend.copy(sums, dBias.buffer, 4 * d, 4 * d);
      for (const buffer of [means, scales, sums]) backend.give(buffer);
      return [dx.info, dGain.info, dBias.info];
    },

    SoftmaxCrossEntropy: ({ logits, labels }) => {
      const [rows, n] = logits.shape;
      const known = backend.onHost(labels);
      const bad = known?.findIndex((label) => label < 0 || label >= n) ?? -1;
      if (known && bad >= 0)
        throw new Error(`softmaxCrossEntropy: label ${known[bad]} of row ${bad} is not in [0, ${n - 1}].`);
      const out = backend.output([rows], 'float32');
      programs.run(crossEntropy, blockPerRow(rows, n), [
        backend.buffer(logits),
        backend.buffer(labels),
        out.buffer,
        n,
      ]);
      return out.info;
    },

    SoftmaxCrossEntropyGrad: ({ logits, labels, dy }) => {
      const [rows, n] = logits.shape;
      const out = backend.output(logits.shape, 'float32');
      programs.run(crossEntropyGrad, blockPerRow(rows, n), [
        backend.buffer(logits), backend.buffer(labels), backend.buffer(dy), out.buffer, n,
      ]); // prettier-ignore
      return out.info;
    },

    RotaryEmbedding: ({ x, cos, sin }, { inverse }) => {
      const [batch, heads, seq, head] = x.shape;
      const half = head / 2;
      const pairs = batch * heads * seq * half;
      const out = backend.output(x.shape, 'float32');
      programs.run(rotary, across(backend, pairs), [
        backend.buffer(x), backend.buffer(cos), backend.buffer(sin), out.buffer,
        pairs, seq, half, inverse ? -1 : 1,
      ]); // prettier-ignore
      return out.info;
    },

    Activation: ({ x }, { name }) => {
      const out = backend.output(x.shape, 'float32');
      const count = sizeOf(x.shape);
      programs.run(activation, across(backend, count), [
        functionOf(name),
        backend.buffer(x),
        out.buffer,
        count,
      ]);
      return out.info;
    },

    ActivationGrad: ({ x, dy }, { name }) => {
      const out = backend.output(x.shape, 'float32');
      const count = sizeOf(x.shape);
      programs.run(activationGrad, across(backend, count), [
        functionOf(name),
        backend.buffer(x),
        backend.buffer(dy),
        out.buffer,
        count,
      ]);
      return out.info;
    },

    AdamWStep: ({ parameter, gradient, m, v }, attributes) => {
      const option = (name: string) => numbers(attributes[name])[0];
      const count = sizeOf(parameter.shape);
      programs.run(adamW, across(backend, count), [
        backend.buffer(parameter),
        backend.buffer(gradient),
        backend.buffer(m),
        backend.buffer(v),
        count,
        option('beta1'),
        option('beta2'),
        option('learningRate') / option('correction1'),
        1 / Math.sqrt(option('correction2')),
        1 - option('learningRate') * option('decay'),
        option('epsilon'),
        option('gradientScale'),
      ]);
      for (const tensor of [parameter, m, v]) backend.changed(tensor);
      return [];
    },

    SumOfSquares: ({ x }) => {
      const count = sizeOf(x.shape);
      const out = backend.output([], 'float32');
      // The order of the sum depends on the number of blocks, which is that of the shape alone.
      const blocks = Math.max(1, Math.min(1024, Math.ceil(count / 1024)));
      const partial = backend.scratch(8 * blocks);
      programs.run(squares, { grid: blocks, block: 256 }, [backend.buffer(x), partial, count]);
      programs.run(sumDoubles, { grid: 1, block: 256 }, [partial, out.buffer, blocks, 1]);
      backend.give(partial);
      return out.info;
    },
  };
}
