/**
 * What a job takes, as formulas of its facts. The explorer shows the words beside the number before a job is started; the
 * seconds of a unit of work are learnt from what was run on the machine before.
 */

/** Facts that formulas are made of. What isn't known before the start is absent, and then there is no estimate. */
export interface JobFacts {
  /** Tokens of text that a model reads, or rows of activations that a dictionary reads. */
  tokens?: number;
  /** Width of the activations. */
  d?: number;
  latents?: number;
  /** Dictionaries that are made or read; pairs of them for a comparison. */
  seeds?: number;
  /** Of the language model, and its vocabulary. */
  parameters?: number;
  vocabulary?: number;
  /** Numbers that all hook points of a capture have for each token, and bytes of one. */
  hookWidths?: number;
  bytesPerValue?: number;
  /** Tokens that a language model is run on several times for its losses, or with neurons masked. */
  lossTokens?: number;
  /** Of files that are read or written. */
  bytes?: number;
  /** All rows of activations of a capture, which stay in memory. */
  rows?: number;
  /** Latents that are labelled, of all dictionaries together. */
  labelled?: number;
  /** Requests to an endpoint, and how many of them it is sent in a minute. */
  requests?: number;
  requestsPerMinute?: number;
  /** Latents of both dictionaries that a map shows. */
  points?: number;
  /** How often a language model is run on the tokens of its losses, for each dictionary. */
  modelRuns?: number;
}

/** A formula in words and as a function; NaN where a fact is missing. */
export interface Formula {
  readonly words: string;
  /** The number of what `words` says. */
  readonly of: (facts: Required<JobFacts>) => number;
}

/** What a kind of job takes. */
export interface JobCost {
  /** The work that time is proportional to, mostly in multiply-adds. */
  readonly work: Formula & {
    readonly unit: string;
    /** How much of it one core does in a second: a guess, for machines on which nothing of the kind was run. */
    readonly guess: number;
  };
  /** Seconds that pass while something else is waited for, on any machine; absent for none. */
  readonly waiting?: Formula;
  /** Bytes that stay on the disk. */
  readonly disk: Formula;
  /** Most bytes in memory at a time. */
  readonly memory: Formula;
}

/** What Node, the libraries and the backend take by themselves. */
const base = 250e6;
const baseWords = '250 MB';
const multiplyAdds = 'multiply-adds';

const dictionaryWords = '2 × d × latents × 4 bytes';
const dictionary = ({ d, latents }: Required<JobFacts>) => 2 * d * latents * 4;
const modelMemory: Formula = {
  words: `4 bytes × parameters of the model + ${baseWords}`,
  of: ({ parameters }) => 4 * parameters + base,
};
const modelAndDictionary: Formula = {
  words: `4 bytes × parameters of the model + ${dictionaryWords} + ${baseWords}`,
  of: (facts) => modelMemory.of(facts) + dictionary(facts),
};
const figuresAlone: Formula = { words: 'a few kilobytes of figures', of: () => 16e3 };

export const captureCost: JobCost = {
  work: {
    words: 'tokens × parameters of the model',
    of: ({ tokens, parameters }) => tokens * parameters,
    unit: multiplyAdds,
    guess: 1e10,
  },
  disk: {
    words: 'tokens × widths of the hook points × bytes of a number + 4 bytes × tokens',
    of: ({ tokens, hookWidths, bytesPerValue }) => tokens * (hookWidths * bytesPerValue + 4),
  },
  memory: modelMemory,
};

export const trainCost: JobCost = {
  work: {
    words: '6 × seeds × tokens × d × latents',
    of: ({ seeds, tokens, d, latents }) => 6 * seeds * tokens * d * latents,
    unit: multiplyAdds,
    // Sparse steps leave most of these products out.
    guess: 1e11,
  },
  disk: {
    words: `seeds × ${dictionaryWords}; four times that while it trains, for checkpoints`,
    of: (facts) => facts.seeds * dictionary(facts),
  },
  memory: {
    words: `seeds × ${dictionaryWords} × 4 (weights, gradients, two moments) + ${baseWords}`,
    of: (facts) => 4 * facts.seeds * dictionary(facts) + base,
  },
};

export const evaluateCost: JobCost = {
  work: {
    words: 'seeds × (2 × held-out rows × d × latents + 4 × tokens of the losses × parameters)',
    of: ({ seeds, tokens, d, latents, lossTokens, parameters }) =>
      seeds * (2 * tokens * d * latents + 4 * lossTokens * parameters),
    unit: multiplyAdds,
    guess: 1e10,
  },
  disk: figuresAlone,
  memory: modelAndDictionary,
};

export const probeCost: JobCost = {
  work: {
    words: 'tokens of the documents × parameters + seeds × 2 × (those tokens + words) × d × latents',
    of: ({ seeds, tokens, lossTokens, d, latents, parameters }) =>
      lossTokens * parameters + seeds * 2 * (lossTokens + tokens) * d * latents,
    unit: multiplyAdds,
    guess: 1e10,
  },
  disk: figuresAlone,
  memory: modelAndDictionary,
};

export const indexCost: JobCost = {
  work: {
    words: 'seeds × latents × d × (2 × held-out rows + latents + vocabulary)',
    of: ({ seeds, tokens, d, latents, vocabulary }) =>
      seeds * latents * d * (2 * tokens + latents + vocabulary),
    unit: multiplyAdds,
    guess: 1e10,
  },
  disk: {
    words: 'seeds × latents × 5 kB of figures and examples',
    of: ({ seeds, latents }) => 5e3 * seeds * latents,
  },
  memory: modelAndDictionary,
};

export const compareCost: JobCost = {
  work: {
    words: 'pairs × (latents² × (2 × d + latents / 8) + 4 × tokens × d × latents)',
    of: ({ seeds, tokens, d, latents }) =>
      seeds * (latents ** 2 * (2 * d + latents / 8) + 4 * tokens * d * latents),
    unit: multiplyAdds,
    guess: 1e10,
  },
  disk: { words: 'pairs × latents × 100 bytes', of: ({ seeds, latents }) => 100 * seeds * latents },
  memory: {
    words: `2 × latents² × 4 bytes, less for wide dictionaries and with a limit of memory, + ${baseWords}`,
    of: ({ latents }) => Math.min(8 * latents ** 2, 1.5e9) + base,
  },
};

export const sparsityCost: JobCost = {
  work: {
    words: '(tokens + 100 × tokens of the trade-off) × parameters of the model',
    of: ({ tokens, lossTokens, parameters }) => (tokens + 100 * lossTokens) * parameters,
    unit: multiplyAdds,
    guess: 1e10,
  },
  disk: { words: 'about a megabyte', of: () => 1e6 },
  memory: modelMemory,
};

export const lmTrainCost: JobCost = {
  work: {
    words: '3 × steps × contexts a step × context length × parameters',
    of: ({ tokens, parameters }) => 3 * tokens * parameters,
    unit: multiplyAdds,
    guess: 5e9,
  },
  disk: {
    words: '2 bytes × parameters; 14 bytes × parameters while it trains, for the checkpoint',
    of: ({ parameters }) => 2 * parameters,
  },
  memory: {
    words: `parameters × 4 bytes × 4 (weights, gradients, two moments) + activations of a step + ${baseWords}`,
    of: ({ parameters, bytes }) => 16 * parameters + bytes + base,
  },
};

const activationWords = 'rows of the capture × d × 4 bytes, at most 2 GB';
const activationMemory = ({ rows, d }: Required<JobFacts>) => Math.min(4 * rows * d, 2 * 2 ** 30);

export const labelCost: JobCost = {
  work: {
    words: 'seeds × held-out rows × d × latents + 1.5 × 10⁷ × latents to label',
    of: ({ seeds, tokens, d, latents, labelled }) => seeds * tokens * d * latents + 1.5e7 * labelled,
    unit: multiplyAdds,
    guess: 1e10,
  },
  waiting: {
    words: 'requests ÷ requests a minute',
    of: ({ requests, requestsPerMinute }) => (60 * requests) / requestsPerMinute,
  },
  disk: { words: 'latents to label × 40 bytes', of: ({ labelled }) => 40 * labelled },
  memory: {
    words: `${activationWords}, + ${dictionaryWords} + ${baseWords}`,
    of: (facts) => activationMemory(facts) + dictionary(facts) + base,
  },
};

export const mapCost: JobCost = {
  work: {
    words: 'points² × d + 10⁷ × points',
    of: ({ points, d }) => points ** 2 * d + 1e7 * points,
    unit: multiplyAdds,
    guess: 1e10,
  },
  disk: { words: 'points × 10 bytes', of: ({ points }) => 10 * points },
  memory: {
    words: `2 × ${dictionaryWords} + points × (4 × d + 500 bytes) + ${baseWords}`,
    of: (facts) => 2 * dictionary(facts) + facts.points * (4 * facts.d + 500) + base,
  },
};

/** Rows that a covariance is over, and latents of all seeds that are clustered, at most. */
const mostCovarianceRows = 131_072;
const mostClustered = 131_072;

export const reproducibilityCost: JobCost = {
  work: {
    words:
      'rows of the capture (at most 131,072) × d² + 2 × seeds × latents × d² + 4 × (seeds × latents, at most 131,072)² × d for products, (2 × seeds + 6) × 200 × d³ for spectra and 40,000 × d × (seeds × latents + 10,000) for laws of chance, and for --worth seeds × (2 × tokens × d × latents + runs of the model × tokens of the losses × parameters)',
    of: ({ seeds, rows, d, latents, tokens, modelRuns, lossTokens, parameters }) =>
      Math.min(rows, mostCovarianceRows) * d ** 2 +
      2 * seeds * latents * d ** 2 +
      4 * Math.min(seeds * latents, mostClustered) ** 2 * d +
      // These are loops of JavaScript, in which a multiply-add takes as long as some twenty of a product of matrices.
      200 * (2 * seeds + 6) * d ** 3 +
      40_000 * d * (seeds * latents + 10_000) +
      // Without it the model may not even be known.
      (modelRuns === 0 ? 0 : seeds * (2 * tokens * d * latents + modelRuns * lossTokens * parameters)),
    unit: multiplyAdds,
    guess: 1e10,
  },
  disk: { words: 'seeds × latents × 40 bytes', of: ({ seeds, latents }) => 40 * seeds * latents },
  memory: {
    words: `${activationWords}, + 2 × seeds × d × latents × 4 bytes + ${baseWords}, and for --worth 4 bytes × parameters`,
    of: (facts) =>
      activationMemory(facts) +
      facts.seeds * dictionary(facts) +
      base +
      (facts.modelRuns === 0 ? 0 : 4 * facts.parameters),
  },
};

export const matchingsCost: JobCost = {
  work: {
    words:
      'pairs of dictionaries × latents × (latents × d + 2 × tokens × d + 10⁷ for transport and lists) and, with predictions, runs of the model × tokens of the contexts × parameters',
    of: ({ seeds, tokens, d, latents, modelRuns, lossTokens, parameters }) =>
      seeds * latents * (latents * d + 2 * tokens * d + 1e7) +
      // Without predictions the model may not even be known.
      (modelRuns === 0 ? 0 : modelRuns * lossTokens * parameters),
    unit: multiplyAdds,
    guess: 1e10,
  },
  disk: {
    words: 'pairs of dictionaries × 2 × latents × 100 bytes',
    of: ({ seeds, latents }) => 200 * seeds * latents,
  },
  memory: {
    words: `4 × ${dictionaryWords} + 10 kB × latents + ${baseWords}, and with predictions 4 bytes × parameters`,
    of: (facts) =>
      4 * dictionary(facts) + 1e4 * facts.latents + base + (facts.modelRuns === 0 ? 0 : 4 * facts.parameters),
  },
};

const filesCost: JobCost = {
  work: {
    words: 'bytes of the files',
    of: ({ bytes }) => bytes,
    unit: 'bytes',
    guess: 1e8,
  },
  disk: { words: 'bytes of the files', of: ({ bytes }) => bytes },
  memory: { words: `3 × bytes of the files + ${baseWords}`, of: ({ bytes }) => 3 * bytes + base },
};
export const importCost = filesCost;
export const exportCost = filesCost;
