/** The words of the field, one sentence each, with the paper that defines them. */
export interface GlossaryEntry {
  term: string;
  meaning: string;
  source?: string;
}

export const glossary = {
  l0: { term: 'L0', meaning: 'Latents active on a token, on average over held-out tokens.' },
  fvu: {
    term: 'FVU',
    meaning:
      'Fraction of variance unexplained: squared error of the reconstruction over the variance of the activations. 0 is perfect, 1 is what the mean would do.',
  },
  ceRecovered: {
    term: 'CE recovered',
    meaning:
      'How much of the language model’s cross-entropy survives when the reconstruction takes the activations’ place: 100 % is untouched, 0 % is as bad as zeros.',
  },
  dead: { term: 'Dead', meaning: 'Share of latents that fire on no held-out token.' },
  density: { term: 'Density', meaning: 'Share of held-out tokens on which the latent fires.' },
  stability: {
    term: 'Stability',
    meaning: 'Share of the other seeds of the same configuration in which this latent is shared.',
    source: 'After Paulo & Belrose, arXiv 2501.16615',
  },
  shared: {
    term: 'Shared',
    meaning:
      'The best one-to-one matchings of decoder rows and of encoder rows, solved separately, give the latent the same counterpart, and both cosines reach the threshold.',
    source: 'Paulo & Belrose, arXiv 2501.16615',
  },
  mmcs: {
    term: 'MMCS',
    meaning:
      'Mean over latents of the best decoder cosine in the other dictionary, whether or not the best ones collide.',
  },
  pwMcc: {
    term: 'PW-MCC',
    meaning: 'Mean decoder cosine over the optimal one-to-one matching.',
    source: 'arXiv 2505.20254',
  },
  correlation: {
    term: 'Correlation',
    meaning: 'Pearson correlation of the two latents’ activations on held-out tokens where either fires.',
  },
  jaccard: { term: 'Jaccard', meaning: 'Tokens on which both fire, over tokens on which either fires.' },
  orphan: { term: 'Orphan', meaning: 'A live latent that is shared with no other seed.' },
  gap: {
    term: 'Gap',
    meaning: 'How far, relatively, the matching could be from the optimum; 0 is proven optimal.',
  },
  activationRatio: {
    term: 'Activation ratio',
    meaning: 'Share of the MLP’s neurons whose activation is not exactly zero, on average over tokens.',
    source: 'Li et al., The Lazy Neuron Phenomenon, arXiv 2210.06313',
  },
  cett: {
    term: 'CETT',
    meaning:
      'Cumulative error of tail truncation: the relative error of the MLP’s output when the neurons with the smallest contributions rest. As one figure: when the strongest 2 % stay active.',
    source: 'Zhang et al., ReLU² Wins, arXiv 2402.03804',
  },
  ratioAtCett: {
    term: 'Active at CETT 0.2',
    meaning: 'Share of neurons that must stay active for the MLP’s output to be at most 20 % off.',
    source: 'Sparsing Law, arXiv 2411.02335',
  },
  deadRate: { term: 'Dead neurons', meaning: 'Share of neurons that fire on no token of the text.' },
  dynamicDeadRate: {
    term: 'Dynamic dead',
    meaning: 'Share of neurons silent in a whole batch, on average over batches.',
  },
  reconstructionBias: {
    term: 'γ',
    meaning:
      'The factor by which reconstructions are off in size: below 1 they are shrunk, as the L1 penalty does.',
  },
  kl: {
    term: 'KL',
    meaning:
      'Divergence of the model’s predictions with the reconstruction in place from its own, in nats a token.',
  },
  encoderDecoderCosine: {
    term: 'Enc·dec',
    meaning:
      'Cosine between the latent’s encoder and decoder rows; low values mean it reads one direction and writes another.',
  },
  outputNorm: {
    term: '‖W_down‖',
    meaning: 'Norm of what one unit of the neuron’s activation writes to the residual stream.',
  },
  pplP: {
    term: 'PPL-p %',
    meaning:
      'One CETT for all layers, as large as it may be for perplexity to rise by at most p percent; the share of neurons still active there.',
    source: 'Luo et al., Sparsing Law, arXiv 2411.02335',
  },
  tradeoff: {
    term: 'Methods',
    meaning:
      'CETT: contributions below a layer’s threshold rest. Magnitude and TEAL: |a| below one threshold for all layers, or a share in each. Top-k: all but the k largest. Spark: pre-activations below mean + std · Φ⁻¹(1 − k/n). FATReLU: activations below T. R-Sparse: TEAL, with what rests sent through a few directions. Circa: sign faults near 0. Random: the control.',
  },
  savedMultiplyAdds: {
    term: 'Multiply-adds saved',
    meaning:
      'Rows of W_down that need not be read for neurons that rest. It takes W_in, or the gate, to know who rests, so these are done in full, except where a draw decides. Where the MLP is gated, W_up is spared as well for gates that are closed, or closed by the rule (Spark, FATReLU, Circa). R-Sparse pays its rank out of it. Arithmetic, not seconds.',
  },
  ece: {
    term: 'Expected calibration error',
    meaning:
      'Predictions binned by the probability of the likeliest token: the mean gap between a bin’s confidence and its accuracy.',
    source: 'Guo et al., arXiv 1706.04599',
  },
  alignment: {
    term: 'Kernel alignment (CKA)',
    meaning:
      'How far tokens with the same label lie together and apart from others: 0 not at all, 1 entirely.',
    source: 'Kornblith et al., arXiv 1905.00414',
  },
  signal: {
    term: 'Signal propagation',
    meaning:
      'Of each token’s residual vector, the variance over its components and its squared mean, averaged over tokens.',
    source: 'Brock et al., arXiv 2101.08692',
  },
  attentionOverload: {
    term: 'Entropic overload',
    meaning: 'Share of attention heads whose entropy is above three quarters of the largest possible.',
    source: 'ReLU’s Revival, arXiv 2410.09637',
  },
  spaceFolding: {
    term: 'Space folding',
    meaning:
      'Along a straight path between two inputs, how much of the way the activation pattern walks comes back towards its start: 0 for a linear network.',
    source: 'The Space Between: On Folding, Symmetries and Sampling',
  },
  loading: {
    term: 'Loading',
    meaning: 'Cosine of a latent’s decoder row with what a neuron writes, its row of W_down.',
  },
  law: {
    term: 'Law of emergence',
    meaning:
      'Where zeros are exact, the active share falls as exp(−c·D^α + b) + A₀; for smooth functions it rises as A₀ − c/D^α.',
    source: 'Luo et al., Sparsing Law, arXiv 2411.02335',
  },
  frequency: { term: 'Frequency', meaning: 'Share of tokens on which the neuron is not exactly zero.' },
} as const satisfies Record<string, GlossaryEntry>;

export type GlossaryKey = keyof typeof glossary;
