/**
 * Activation functions beyond those with a kernel of their own (METHODS.md §5), as compositions of TF.js ops, from
 * which their gradients follow. Constants that a source leaves open are marked *choice*.
 */
import type { Random } from '../../numerics/random.ts';
import { tf, type Tensor } from '../../tensor/tf.ts';
import type { ActivationFunction } from './activationFunction.ts';

const relu = (x: Tensor): Tensor => tf.relu(x);
const square = (x: Tensor): Tensor => tf.mul(x, x);
/** Φ, the distribution function of the standard normal. */
const normalShare = (x: Tensor): Tensor => x.mul(Math.SQRT1_2).erf().mul(0.5).add(0.5);
/** e^(−x²/2) */
const bell = (x: Tensor): Tensor => tf.exp(square(x).mul(-0.5));

const plain = (apply: (x: Tensor) => Tensor, more: Partial<ActivationFunction> = {}): ActivationFunction => ({
  apply,
  aliases: [],
  exactZeros: false,
  ...more,
});

/** ReLU² (Primer, 2109.08668; ReLU² Wins, 2402.03804). */
const relu2 = plain((x) => square(relu(x)), { exactZeros: true, aliases: ['relu_squared'] });

/** Slope 0.01 below 0, TF.js's and PyTorch's default. */
const leakyRelu = plain((x) => relu(x).sub(relu(x.neg()).mul(0.01)), { aliases: ['leakyrelu'] });

/** e^x − 1 below 0 (Clevert et al., 1511.07289), α = 1. */
const elu = plain((x) => relu(x).add(tf.exp(relu(x.neg()).neg()).sub(1)));

/** The constants that keep mean 0 and variance 1 (Klambauer et al., 1706.02515). */
const [seluScale, seluAlpha] = [1.0507009873554805, 1.6732632423543772];
const selu = plain((x) =>
  relu(x)
    .add(tf.exp(relu(x.neg()).neg()).sub(1).mul(seluAlpha))
    .mul(seluScale),
);

/** x·σ(1.702x) (Hendrycks & Gimpel, 1606.08415, §2). */
const quickGelu = plain((x) => x.mul(tf.sigmoid(x.mul(1.702))));

const softplus = plain((x) => tf.softplus(x));
const sigmoid = plain((x) => tf.sigmoid(x));
const tanh = plain((x) => tf.tanh(x));

/** Swish with a trained β, from 1 (Ramachandran et al., 1710.05941). */
const swishBeta = plain((x) => x, {
  apply: (x, { beta }) => x.mul(tf.sigmoid(x.mul(beta))),
  parameters: { beta: [1] },
});

/** Misra, 1908.08681. */
const mish = plain((x) => x.mul(tf.tanh(tf.softplus(x))));

/** (α + tanh βx)·γx with α = 1, β = 1, γ = ½ (2209.06119). */
const aptx = plain((x) => tf.tanh(x).add(1).mul(x).mul(0.5));

/**
 * 0 below −β, (x + β)²/4β between, x above β = 1 (Smooth activations and reproducibility, 2010.09931); written as u²/4β +
 * ReLU(x − β) with u = x + β held to [0, 2β].
 */
const smelu = plain(
  (x) =>
    square(tf.minimum(relu(x.add(1)), 2))
      .div(4)
      .add(relu(x.sub(1))),
  { exactZeros: true },
);

/**
 * Leaky ReLU with slope s convolved with a Gaussian of deviation σ (SAU, 2109.13210): s·x + (1 − s)(x·Φ(x/σ) + σ·φ(x/σ)).
 * *Choice*: s = 0.15, σ = 0.5.
 */
const [sauSlope, sauDeviation] = [0.15, 0.5];
const sau = plain((x) => {
  const z = x.div(sauDeviation);
  const smooth = x.mul(normalShare(z)).add(bell(z).mul(sauDeviation / Math.sqrt(2 * Math.PI)));
  return smooth.mul(1 - sauSlope).add(x.mul(sauSlope));
});

/** x + sin²(ax)/a, a trained from 1 (Ziyin et al., 2006.08195). */
const snake = plain((x) => x, {
  apply: (x, { a }) => x.add(square(tf.sin(x.mul(a))).div(a)),
  parameters: { a: [1] },
});

/** x·(g(x)(1 + 2α) − α): the gate's range grows to (−α, 1 + α), α trained from 0 (2405.20768). */
const expandedGate = (gate: (x: Tensor) => Tensor): ActivationFunction =>
  plain((x) => x, {
    apply: (x, { alpha }) => x.mul(gate(x).mul(alpha.mul(2).add(1)).sub(alpha)),
    parameters: { alpha: [0] },
  });

/** max(0, x) + ε·x·e^(−x²/2), ε trained from 0.01 (CRReLU). */
const crrelu = plain((x) => x, {
  apply: (x, { epsilon }) => relu(x).add(x.mul(bell(x)).mul(epsilon)),
  parameters: { epsilon: [0.01] },
});

const third = 1 / 3;
/**
 * Σ a_i ReLU(x)^i, i = 1 … 3, trained from ⅓ (PolyCom, 2411.03884). *Choice*: no constant a₀, which would do what the bias of W_down does
 * and take away the exact zeros.
 */
const polyrelu = plain((x) => x, {
  apply: (x, { coefficients }) => polynomial(relu(x), coefficients),
  exactZeros: true,
  parameters: { coefficients: [third, third, third] },
});

/** Σ a_i x^i/‖x^i‖ over the neurons, i = 1 … 3, trained from ⅓ (the same source). */
const polynorm = plain((x) => x, {
  apply: (x, { coefficients }) => {
    const powers = [x, square(x), square(x).mul(x)];
    const terms = powers.map((power, i) => {
      const norm = tf.sqrt(square(power).sum(-1, true).add(1e-12));
      return power.div(norm).mul(coefficients.slice(i, 1));
    });
    return terms[0].add(terms[1]).add(terms[2]);
  },
  parameters: { coefficients: [third, third, third] },
});

/** a₁x + a₂x² + a₃x³, by Horner's rule. */
function polynomial(x: Tensor, a: Tensor): Tensor {
  return x.mul(a.slice(2, 1)).add(a.slice(1, 1)).mul(x).add(a.slice(0, 1)).mul(x);
}

/** How far below 0 HeLU still learns. *Choice*. */
const heluMargin = 0.1;
const heluOp = tf.customGrad((x, save) => {
  const input = x as Tensor;
  (save as (tensors: Tensor[]) => void)([input]);
  return {
    value: relu(input),
    gradFunc: (dy: Tensor, [saved]: Tensor[]) => dy.mul(saved.greater(-heluMargin).cast('float32')),
  };
});
/** ReLU forward; backward the gate is open above −α (hysteresis). */
const helu = plain((x) => heluOp(x), { exactZeros: true });

/** While training, a fair coin for each entry chooses SiLU or ReLU; afterwards it is ReLU (Stochastic activations). */
const stocha: ActivationFunction = {
  apply: relu,
  train(x, _, random) {
    const coins = tf.tensor(fairCoins(random, x.size), x.shape);
    // ReLU + coin · (SiLU − ReLU)
    return relu(x).add(x.mul(tf.sigmoid(x)).sub(relu(x)).mul(coins));
  },
  aliases: [],
  exactZeros: true,
};

/** 0 or 1, 32 of them from one draw. */
export function fairCoins(random: Random, count: number): Float32Array {
  const coins = new Float32Array(count);
  for (let at = 0, bits = 0; at < count; at++) {
    if ((at & 31) === 0) bits = random.uint32();
    coins[at] = bits & 1;
    bits >>>= 1;
  }
  return coins;
}

/** x where it exceeds τ, else 0 (FATReLU; ProSparse's threshold shift, 2402.13516). τ is set, not trained: 0.01. */
const fatrelu = plain((x) => x, {
  // The step's gradient is 0, so training leaves τ where it was set.
  apply: (x, { threshold }) => x.mul(tf.step(x.sub(threshold))),
  exactZeros: true,
  parameters: { threshold: [0.01] },
});

export const activationZoo = {
  relu2,
  leaky_relu: leakyRelu,
  elu,
  selu,
  quick_gelu: quickGelu,
  softplus,
  sigmoid,
  tanh,
  swish_beta: swishBeta,
  mish,
  aptx,
  smelu,
  sau,
  snake,
  xatlu: expandedGate((x) => tf.atan(x).div(Math.PI).add(0.5)),
  xgelu: expandedGate(normalShare),
  xsilu: expandedGate((x) => tf.sigmoid(x)),
  crrelu,
  polyrelu,
  polynorm,
  helu,
  stocha,
  fatrelu,
} as const satisfies Record<string, ActivationFunction>;
