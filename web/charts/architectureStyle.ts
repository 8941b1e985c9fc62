/** Label, colour and symbol of each architecture and activation function, the same in all charts and tables. */
import {
  allArchitectureNames,
  describedArchitecture,
  type DescribedArchitecture,
} from '../../sae/spec/architectures/architectures.ts';

/** By its name in files; a string that names no architecture has none. */
const described = new Map<string, DescribedArchitecture>(
  allArchitectureNames.map((name) => [name, describedArchitecture(name)]),
);

const activationNames: Record<string, string> = {
  gelu: 'GELU',
  gelu_new: 'GELU',
  silu: 'SiLU',
  swish: 'Swish',
  relu2: 'ReLU²',
  leaky_relu: 'LeakyReLU',
  elu: 'ELU',
  selu: 'SELU',
  softplus: 'Softplus',
  sigmoid: 'Sigmoid',
  tanh: 'tanh',
  swish_beta: 'Swish(β)',
  mish: 'Mish',
  aptx: 'APTx',
  smelu: 'SmeLU',
  sau: 'SAU',
  snake: 'Snake',
  xatlu: 'xATLU',
  xgelu: 'xGELU',
  xsilu: 'xSiLU',
  crrelu: 'CRReLU',
  polyrelu: 'PolyReLU',
  polynorm: 'PolyNorm',
  helu: 'HeLU',
  stocha: 'StochA',
  fatrelu: 'FATReLU',
  reglu: 'ReGLU',
  geglu: 'GEGLU',
  swiglu: 'SwiGLU',
};

const activationColours: Record<string, string> = {
  reglu: 'var(--relu)',
  relu2: 'var(--jumprelu)',
  fatrelu: 'var(--relu)',
  smelu: 'var(--topk)',
  tanh: 'var(--gated)',
  gelu: 'var(--gelu)',
  gelu_new: 'var(--gelu)',
  geglu: 'var(--gelu)',
  silu: 'var(--silu)',
  swiglu: 'var(--silu)',
  swish: 'var(--silu)',
};

export function architectureName(key: string): string {
  return described.get(key)?.label ?? activationNames[key] ?? key;
}

export function architectureColour(key: string): string {
  const own = described.get(key)?.colour;
  return own ? `var(${own})` : (activationColours[key] ?? 'var(--other)');
}

/** Marks differ in shape as well as in hue, so that a chart can be read without colour. */
export function architectureSymbol(key: string): DescribedArchitecture['symbol'] {
  return described.get(key)?.symbol ?? 'diamond';
}

/** The colour of a seed: the architecture's own for the first, mixed alternately with dark and light for others, so that five seeds are distinguishable. */
const shades = ['', 'var(--ink) 45%', 'var(--shade) 42%', 'var(--ink) 70%', 'var(--shade) 62%'];

export function seedColour(key: string, index: number): string {
  const shade = shades[index % shades.length];
  return shade ? `color-mix(in oklab, ${architectureColour(key)}, ${shade})` : architectureColour(key);
}

/** Lines of seeds also differ in their dashes. */
export function seedDash(index: number): string | undefined {
  return [undefined, '5 3', '1.5 3', '8 3 2 3', '2 2'][index % 5];
}
