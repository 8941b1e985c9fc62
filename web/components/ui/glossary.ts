/** Definitions of technical terms, with the papers that define them. */
import { layerMetrics, type LayerMetricName } from '../../../sae/spec/layerMetrics/layerMetrics.ts';

export interface GlossaryEntry {
  term: string;
  meaning: string;
  source?: string;
}

const words = {
  l0: { term: 'L0', meaning: 'Latents active on a token, on average over held-out tokens.' },
  fvu: {
    term: 'FVU',
    meaning:
      'Fraction of variance unexplained: squared error of the reconstruction over the variance of the activations. 0 is perfect, 1 is as good as their mean.',
  },
  medianFvu: {
    term: 'Median FVU',
    meaning:
      'Squared error over squared distance from the mean, token by token; the middle of these ratios. A few very long activations cannot move it.',
  },
  ceRecovered: {
    term: 'CE recovered',
    meaning:
      'Of the loss in cross-entropy that zero-ablating the activations causes, the share recovered when the reconstruction replaces them: 100 % is the unchanged model, 0 % is zero ablation.',
  },
  sparseProbing: {
    term: 'Accuracy',
    meaning:
      'Share of test documents that a logistic regression on k latents tells right: the k whose mean over tokens differs most between the documents of a class and as many others. The mean over classes.',
    source: 'Gurnee et al., arXiv 2305.01610; SAEBench, 2503.09532',
  },
  tpp: {
    term: 'TPP',
    meaning:
      'Targeted probe perturbation: with the n latents set to 0 that matter most for a class, the fall of the accuracy of its own probe less the mean fall of the other classes’ probes. The mean over classes.',
    source: 'Karvonen et al., arXiv 2411.18895; SAEBench, 2503.09532',
  },
  scr: {
    term: 'SCR',
    meaning:
      'Spurious correlation removal: a probe learnt from documents in which two properties go together; with the n latents of one set to 0, how much of the way its accuracy on the other rises to that of a probe which learnt that alone. 1 is all of it.',
    source: 'Karvonen et al., arXiv 2411.18895; SAEBench, 2503.09532',
  },
  absorptionFraction: {
    term: 'Absorbed',
    meaning:
      'Of the first letter of a word, as a probe finds it in the activations, the share that latents of narrower things carry in place of the letter’s own. The mean over words, and over letters that a probe finds (F1 above 0.6).',
    source: 'Chanin et al., arXiv 2409.14507; SAEBench, 2503.09532',
  },
  absorptionFull: {
    term: 'Fully',
    meaning:
      'Share of words on which no latent of the letter fires, and one other carries at least 40 % of it.',
    source: 'Chanin et al., arXiv 2409.14507; SAEBench, 2503.09532',
  },
  dead: { term: 'Dead', meaning: 'Share of latents that fire on no held-out token.' },
  density: { term: 'Density', meaning: 'Share of held-out tokens on which the latent fires.' },
  stability: {
    term: 'Stability',
    meaning: 'Share of the other seeds of the same configuration in which this latent is shared.',
    source: 'After Paulo & Belrose, arXiv 2501.16615',
  },
  comesBack: {
    term: 'Comes back',
    meaning:
      'Estimated probability that another seed shares the feature: the share of the other seeds that do, with the interval that so few seeds leave (Jeffreys, 95 %).',
    source: 'After arXiv 2606.12138',
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
      'Mean max cosine similarity: the mean over latents of the largest decoder cosine with any latent of the other dictionary; several may share the same one.',
  },
  pwMcc: {
    term: 'PW-MCC',
    meaning:
      'Pairwise dictionary mean correlation coefficient: mean decoder cosine over the optimal one-to-one matching.',
    source: 'arXiv 2505.20254',
  },
  qualityCoverage: {
    term: 'Area',
    meaning:
      'Area under the curve of quality against coverage: features in the order in which a matching is sure of them, the mean share of what each does that its counterpart recovers. 1 is a perfect stand-in for every feature.',
  },
  fingerprint: {
    term: 'Fingerprint',
    meaning:
      'Change of the log-probabilities of the likeliest next tokens when a feature is taken out; compared by cosine between a feature and its counterpart.',
  },
  transport: {
    term: 'Optimal transport',
    meaning:
      'Every feature has the same mass, which is moved to the features of the other dictionary at the least cost, 1 − cosine of the decoder rows; some may stay behind, at a price.',
    source: 'Sinkhorn’s iteration, Cuturi, arXiv 1306.0895; Chizat et al., arXiv 1607.05816',
  },
  attribution: {
    term: 'Attribution',
    meaning:
      'By how much the loss would grow if the feature were set to 0, as far as the gradient can tell: minus the sum over tokens of its activation times the loss’s slope along its decoder row, in nats a predicted token.',
    source: 'Marks et al., arXiv 2403.19647',
  },
  itsSubspace: {
    term: 'Its subspace',
    meaning:
      'Of a feature that comes back in fewer than half of the other seeds: the share of its squared norm inside the leading dimensions that such features of another seed fill. A feature may not be found again while its subspace is.',
  },
  affinity: {
    term: 'Affinity',
    meaning:
      'Mean squared cosine of the principal angles between two spaces: 1 where one holds the other, rank over dimensions for random ones.',
    source: 'Björck & Golub, 1973',
  },
  beyondChance: {
    term: 'Beyond chance',
    meaning:
      'Share of latents whose counterpart is nearer than the nearest of as many random directions would be, among which 5 % false ones are expected (Benjamini & Hochberg).',
  },
  activationCorrelation: {
    term: 'Correlation',
    meaning: 'Pearson correlation of the two latents’ activations on held-out tokens where either fires.',
  },
  firingJaccard: {
    term: 'Jaccard',
    meaning: 'Tokens on which both fire, over tokens on which either fires.',
  },
  orphan: { term: 'Orphan', meaning: 'A live latent that is shared with no other seed.' },
  gap: {
    term: 'Gap',
    meaning: 'Upper bound on how far the matching is from the optimum, relative to it; 0 is proven optimal.',
  },
  reconstructionBias: {
    term: 'γ',
    meaning:
      'Reconstruction bias: the factor by which reconstructions differ in size from the activations; below 1 they are shrunk, as by the L1 penalty.',
  },
  kl: {
    term: 'KL',
    meaning:
      'Kullback–Leibler divergence from the model’s predictions to those it makes with the reconstruction in place, in nats per token.',
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
      'Which neurons are masked. CETT: those with contributions below a layer’s threshold. Magnitude and TEAL: |a| below one threshold for all layers, or a share in each. Top-k: all but the k largest. Spark: pre-activations below mean + std · Φ⁻¹(1 − k/n). FATReLU: activations below T. R-Sparse: TEAL, with the masked activations sent through a low-rank approximation of W_down. Circa: sign faults near 0. Random: the control.',
  },
  savedMultiplyAdds: {
    term: 'Multiply-adds saved',
    meaning:
      'Rows of W_down need not be read for masked neurons. Which neurons are masked is known only after W_in, or W_gate, so these are computed in full, except by the random control. In a gated MLP, W_up is saved as well for gates that are closed, or closed by the rule (Spark, FATReLU, Circa). R-Sparse spends rank · (neurons + d) of it again. Arithmetic, not seconds.',
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
      'How far similarity of representations agrees with having the same label: 0 not at all, 1 entirely.',
    source: 'Kornblith et al., arXiv 1905.00414',
  },
  signal: {
    term: 'Signal propagation',
    meaning:
      'Of each token’s residual vector, the variance over its components and its squared mean, averaged over tokens.',
    source: 'Brock et al., arXiv 2101.08692',
  },
  loading: {
    term: 'Loading',
    meaning: 'Cosine of a latent’s decoder row with what a neuron writes, its row of W_down.',
  },
  law: {
    term: 'Law of emergence',
    meaning:
      'The activation ratio against the training tokens D: where zeros are exact it falls as exp(−c·D^α + b) + A₀; for smooth activation functions it rises as A₀ − c/D^α.',
    source: 'Luo et al., Sparsing Law, arXiv 2411.02335',
  },
  frequency: { term: 'Frequency', meaning: 'Share of tokens on which the neuron is not exactly zero.' },
} as const satisfies Record<string, GlossaryEntry>;

/** With the metrics of layers, which their descriptions explain. */
export const glossary: Readonly<Record<GlossaryKey, GlossaryEntry>> = { ...words, ...layerMetrics };

export type GlossaryKey = keyof typeof words | LayerMetricName;
