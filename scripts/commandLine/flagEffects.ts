/**
 * What shows that a flag has an effect: for each command a call on the fixture store, and for each flag what is added to it. With it
 * the command must print, write or say something else, or refuse what was given by name.
 */
/** What is added to which call; `refused` is how it is refused where that is not by its name or value. */
export interface Witness {
  add: string;
  call: readonly string[];
  refused?: RegExp;
}

export interface Witnesses {
  /** The call that flags are added to. */
  call: readonly string[];
  /** What is added; with `call`, another call to add it to. */
  flags: Readonly<Record<string, string | Witness>>;
}

const common = ['json', 'data', 'backend', 'threads'];
const text = 'STORE/words.txt';
const hook = 'blocks.0.hook_resid_post';
const training = [
  '--capture=fixture',
  '--architecture=relu',
  '--width=32',
  '--tokens=2048',
  '--batch-size=64',
];
const fromModel = [
  'train', '--from-model=fixture-relu', `--text=${text}`, `--hook=${hook}`, '--capture=streamed', '--architecture=relu', '--width=32',
  '--tokens=1024', '--batch-size=64', '--held-out-tokens=200', '--context-length=16', '--buffer-tokens=400', '--name=r',
]; // prettier-ignore
const modelFlag = (add: string) => ({ add, call: fromModel });
const trainCall = ['train', ...training, '--name=r'];
const withArchitecture = (architecture: string, add: string, ...more: string[]) => ({
  add,
  call: ['train', ...training, `--architecture=${architecture}`, '--name=r', ...more],
});
const evaluated = ['--max-tokens=256', '--loss-tokens=64'];
const importing = ['import', 'STORE/exported', '--capture=fixture', '--name=i'];
const converting = ['convert', 'STORE/exported', 'STORE/out', '--format=dictionary-learning'];
const neuronpedia = (add: string) => ({
  add,
  call: ['export', 'fixture-topk/0', '--to=STORE/np', '--format=neuronpedia'],
});
/** Each is refused by its name, or by what it needs. */
const launching = {
  queue: '--queue=http://somewhere',
  launcher: '--launcher=nowhere',
  sbatch: '--sbatch=--time=1',
  resources: '--resources=gpu=1',
  priority: '--priority=3',
  parts: '--parts=3',
  part: '--part=1/2',
};
const lm = [
  'lm', 'train', `--text=${text}`, '--name=m', '--vocabulary=280', '--d=16', '--layers=1', '--heads=1', '--neurons=32',
  '--context-length=16', '--batch-size=4', '--steps=8', '--warmup-steps=2', '--validation-sequences=4', '--validate-every=4',
]; // prettier-ignore
const kubernetes = ['plan', 'STORE/starts.yaml', '--format=k8s'];
const judging = ['matchings', 'fixture-topk', '--max-tokens=256', '--sample=3', '--contexts=1'];
/** Port 9 takes no connection, and without `--yes` none is tried. */
const askingNobody = [
  'label', 'fixture-topk', '--seed=0', '--top=4', '--method=endpoint', '--base-url=http://127.0.0.1:9/v1', '--model=m',
]; // prettier-ignore

export const witnesses: Readonly<Record<string, Witnesses>> = {
  capture: {
    call: [
      'capture',
      '--model=fixture-relu',
      `--text=${text}`,
      `--hook=${hook}`,
      '--max-tokens=512',
      '--context-length=16',
      '--name=c',
    ],
    flags: {
      model: '--model=fixture-gelu',
      text: '--text=STORE/other.txt',
      'text-field': '--text-field=nowhere',
      from: '--from=STORE/nothing.npy',
      column: '--column=nowhere',
      hook: '--hook=blocks.0.hook_mlp_out',
      name: '--name=other',
      'context-length': '--context-length=8',
      'max-tokens': '--max-tokens=256',
      finish: '--finish',
      'held-out': '--held-out=0.5',
      'first-position': '--first-position=3',
      bos: '--bos=nothing',
      exclude: '--exclude=position:4',
      dtype: '--dtype=float32',
      'shard-bytes': '--shard-bytes=4096',
      ...launching,
      queue: {
        add: launching.queue,
        call: ['capture', '--model=fixture-relu', '--text=dataset:moby-dick', `--hook=${hook}`, '--max-tokens=512', '--context-length=16', '--name=c'],
      }, // prettier-ignore
    },
  },
  train: {
    call: trainCall,
    flags: {
      architecture: '--architecture=jumprelu',
      capture: '--capture=nowhere',
      hook: '--hook=blocks.0.hook_mlp_out',
      'from-model': '--from-model=fixture-relu',
      text: modelFlag('--text=STORE/other.txt'),
      'text-field': modelFlag('--text-field=nowhere'),
      'buffer-tokens': modelFlag('--buffer-tokens=300'),
      'held-out-tokens': modelFlag('--held-out-tokens=100'),
      'context-length': modelFlag('--context-length=8'),
      'first-position': modelFlag('--first-position=2'),
      bos: modelFlag('--bos=nothing'),
      dtype: modelFlag('--dtype=float32'),
      name: '--name=other',
      width: '--width=48',
      seeds: '--seeds=3',
      tokens: '--tokens=1024',
      'sparsity-coefficient': '--sparsity-coefficient=9',
      'target-l0': withArchitecture('jumprelu', '--target-l0=3'),
      k: withArchitecture('topk', '--k=3'),
      prefixes: withArchitecture('matryoshka', '--prefixes=8,32', '--k=4'),
      'batch-size': '--batch-size=128',
      'learning-rate': '--learning-rate=0.1',
      'warmup-steps': '--warmup-steps=20',
      'decay-fraction': '--decay-fraction=0.9',
      'dead-after': '--dead-after=64',
      launcher: '--launcher=nowhere',
      sbatch: '--sbatch=--time=1',
      queue: '--queue=http://somewhere',
      resources: '--resources=gpu=1',
      priority: '--priority=3',
      'decoder-start': '--decoder-start=pca',
      'encoder-start': '--encoder-start=random',
      'bias-start': '--bias-start=zero',
      'row-order': '--row-order=3',
      'checkpoint-every': '--checkpoint-every=0',
      'log-every': '--log-every=7',
      tensorboard: '--tensorboard',
      wandb: '--wandb',
      exclude: '--exclude=position:4',
      analyse: '--analyse',
      resume: { add: '--resume', call: ['train', '--name=fixture-topk'] },
      'output-hook': '--output-hook=nowhere',
      skip: '--skip',
      'no-screening': '--no-screening',
      'no-graphs': { add: '--no-graphs', call: trainCall, refused: /Graphs are the cuda backend's/ },
      devices: { add: '--devices=0,1', call: trainCall, refused: /Several devices are the cuda backend's/ },
      storage: '--storage=f16',
      mpi: '--mpi',
      products: modelFlag('--products=tf32'),
    },
  },
  export: {
    call: ['export', 'fixture-relu/0', '--to=STORE/out', '--format=saelens'],
    flags: {
      to: '--to=STORE/elsewhere',
      name: { add: '--name=called', call: ['export', 'fixture-relu/0', '--format=saelens'] },
      format: '--format=sparsify',
      'model-id': neuronpedia('--model-id=gpt2-small'),
      'source-set': neuronpedia('--source-set=res-jb'),
      release: neuronpedia('--release=a-release'),
      creator: neuronpedia('--creator=somebody'),
      'creator-id': neuronpedia('--creator-id=cm0000000000000000000'),
    },
  },
  probe: {
    call: ['probe', 'fixture-topk', '--text=STORE/classes.jsonl', '--documents=12', '--ablate=1'],
    flags: {
      seeds: '--seeds=1',
      text: '--text=dataset:sotu',
      'text-field': '--text-field=nowhere',
      'label-field': '--label-field=other',
      'spurious-field': '--spurious-field=second',
      documents: '--documents=10',
      'context-length': '--context-length=3',
      k: '--k=1',
      ablate: '--ablate=2',
      words: '--words=0',
    },
  },
  evaluate: {
    call: ['evaluate', 'fixture-topk', ...evaluated],
    flags: {
      seeds: '--seeds=1',
      'max-tokens': '--max-tokens=128',
      'loss-tokens': '--loss-tokens=128',
      exclude: '--exclude=position:9',
    },
  },
  index: {
    call: ['index', 'fixture-topk', '--seeds=0'],
    flags: {
      seeds: '--seeds=1',
      exclude: '--exclude=position:9',
      'search-only': '--search-only',
      ...launching,
    },
  },
  compare: {
    call: ['compare', 'fixture-topk/0', 'fixture-relu/1', '--name=c', '--max-tokens=256', '--no-chance'],
    flags: {
      name: '--name=other',
      threshold: '--threshold=0.1',
      swap: '--swap',
      memory: '--memory=1MB',
      gap: '--gap=0',
      'max-tokens': '--max-tokens=128',
      exclude: '--exclude=position:9',
      'no-activations': '--no-activations',
      ...launching,
      queue: {
        add: launching.queue,
        call: ['compare', 'fixture-topk/0', 'fixture-relu/1', '--name=c', '--max-tokens=128'],
      },
      'no-chance': {
        add: '--no-chance',
        call: ['compare', 'fixture-topk/0', 'fixture-topk/1', '--name=c', '--max-tokens=128'],
      },
    },
  },
  consensus: {
    call: ['consensus', 'fixture-topk', '--tokens=512'],
    flags: {
      seeds: '--seeds=0,1',
      'min-support': '--min-support=3',
      groups: {
        add: '--groups=9',
        call: ['consensus', 'fixture-topk', '--tokens=512'],
        refused: /make fewer groups/,
      },
      control: '--control',
      threshold: '--threshold=0.1',
      tokens: '--tokens=1024',
      name: '--name=other',
    },
  },
  label: {
    call: ['label', 'fixture-topk', '--seed=0', '--top=4'],
    flags: {
      seed: '--seed=1',
      top: '--top=2',
      latents: '--latents=3',
      method: { add: '--method=endpoint', call: ['label', 'fixture-topk', '--seed=0'], refused: /base-url/ },
      from: {
        add: '--from=STORE/other.txt',
        call: ['label', 'fixture-topk', '--seed=0', '--method=neuronpedia'],
        refused: /other\.txt' is not JSON/,
      },
      'any-source': { add: '--any-source', call: ['label', 'fixture-topk', '--seed=0'] },
      yes: { add: '--yes --retries=0', call: askingNobody, refused: /127\.0\.0\.1:9/ },
      'base-url': { add: '--base-url=http://127.0.0.1:9/v1', call: ['label', 'fixture-topk', '--seed=0'] },
      model: { add: '--model=m', call: ['label', 'fixture-topk', '--seed=0'] },
      'prompt-price': { add: '--prompt-price=3', call: [...askingNobody, '--answer-price=1'] },
      'answer-price': { add: '--answer-price=3', call: [...askingNobody, '--prompt-price=1'] },
      'scored-contexts': { add: '--scored-contexts=10', call: askingNobody },
      'requests-per-minute': { add: '--requests-per-minute=3', call: ['label', 'fixture-topk', '--seed=0'] },
      timeout: { add: '--timeout=3', call: ['label', 'fixture-topk', '--seed=0'] },
      retries: { add: '--retries=3', call: ['label', 'fixture-topk', '--seed=0'] },
    },
  },
  reproducibility: {
    call: ['reproducibility', 'fixture-topk'],
    flags: {
      threshold: '--threshold=0.1',
      worth: '--worth --max-tokens=64 --loss-tokens=64 --draws=3',
      'max-tokens': {
        add: '--max-tokens=64',
        call: ['reproducibility', 'fixture-topk', '--worth', '--loss-tokens=64', '--draws=3'],
      },
      'loss-tokens': {
        add: '--loss-tokens=32',
        call: [
          'reproducibility',
          'fixture-topk',
          '--worth',
          '--max-tokens=64',
          '--draws=3',
          '--loss-tokens=64',
        ],
      },
      draws: {
        add: '--draws=5',
        call: [
          'reproducibility',
          'fixture-topk',
          '--worth',
          '--max-tokens=64',
          '--loss-tokens=64',
          '--draws=3',
        ],
      },
    },
  },
  matchings: {
    call: [...judging, '--no-predictions'],
    flags: {
      against: { add: '--against=fixture-relu', call: [...judging, '--no-predictions'] },
      'max-tokens': '--max-tokens=128',
      sample: { add: '--sample=6', call: judging },
      contexts: { add: '--contexts=2', call: judging },
      'no-predictions': { add: '--no-predictions', call: judging },
      epsilon: '--epsilon=0.3',
      rho: '--rho=0.05',
      threshold: '--threshold=0.05',
    },
  },
  map: { call: ['map', 'fixture-topk-0-1'], flags: { points: '--points=40' } },
  sparsity: {
    call: [
      'sparsity',
      '--model=fixture-relu',
      `--text=${text}`,
      '--name=s',
      '--max-tokens=256',
      '--context-length=16',
      '--intervention-tokens=64',
      '--methods=cett',
    ],
    flags: {
      model: '--model=fixture-gelu',
      text: '--text=STORE/other.txt',
      'text-field': '--text-field=nowhere',
      name: '--name=other',
      'max-tokens': '--max-tokens=128',
      'context-length': '--context-length=8',
      'replace-activation': '--replace-activation=gelu',
      'no-interventions': '--no-interventions',
      'intervention-tokens': '--intervention-tokens=128',
      methods: '--methods=nowhere',
      against: '--against=fixture-gelu',
    },
  },
  features: {
    call: ['features', 'fixture-topk/0', '--text=the white whale'],
    flags: {
      text: '--text=the captain said',
      top: '--top=1',
      traced: '--traced=1',
      predictions: '--predictions=1',
      latent: '--latent=5',
    },
  },
  search: {
    call: ['search', 'the'],
    flags: { run: '--run=fixture-relu', seed: '--run=fixture-relu --seed=2', limit: '--limit=1' },
  },
  spaces: {
    call: ['spaces', 'fixture-topk/0', 'fixture-relu/1', '--draws=19', '--max-tokens=400'],
    flags: {
      'max-tokens': '--max-tokens=300',
      'least-correlation': '--least-correlation=0.99',
      draws: '--draws=29',
    },
  },
  stability: {
    call: ['stability', 'STORE/starts.yaml', '--max-tokens=256', '--loss-tokens=64'],
    flags: {
      threshold: '--threshold=0.1',
      'max-tokens': '--max-tokens=200',
      'loss-tokens': '--loss-tokens=32',
    },
  },
  steer: {
    call: [
      'steer',
      'fixture-topk/0',
      '--prompt=the white',
      '--clamp=5=8',
      '--max-new-tokens=3',
      '--samples=1',
    ],
    flags: {
      prompt: '--prompt=the captain',
      add: '--add=7=9',
      clamp: '--clamp=9=7',
      ablate: '--ablate=3',
      reconstruction: '--reconstruction',
      counterpart: '--counterpart=fixture-topk/1',
      'max-new-tokens': '--max-new-tokens=1',
      samples: '--samples=2',
      'no-greedy': '--no-greedy',
      temperature: '--temperature=9',
      'top-k': '--top-k=1',
      'top-p': '--top-p=0.01',
      seed: '--seed=77',
    },
  },
  'lm train': {
    call: lm,
    flags: {
      text: '--text=STORE/other.txt',
      'text-field': '--text-field=nowhere',
      name: '--name=other',
      family: '--family=llama',
      activation: '--activation=gelu',
      vocabulary: '--vocabulary=270',
      d: '--d=8',
      layers: '--layers=2',
      heads: '--heads=2',
      neurons: '--neurons=16',
      'context-length': '--context-length=8',
      'batch-size': '--batch-size=2',
      steps: '--steps=5',
      'learning-rate': '--learning-rate=0.1',
      'final-rate': '--final-rate=0.9',
      'warmup-steps': '--warmup-steps=5',
      'weight-decay': '--weight-decay=5',
      'validation-fraction': '--validation-fraction=0.3',
      'validation-sequences': '--validation-sequences=2',
      'validate-every': '--validate-every=2',
      seed: '--seed=5',
      initialisation: '--initialisation=lsuv',
      task: '--task=random-labels',
      products: '--products=tf32',
      'l1-coefficient': '--l1-coefficient=0.5',
      'l1-stages': { add: '--l1-stages=2', call: [...lm, '--l1-coefficient=0.5', '--l1-start=0'] },
      'l1-start': { add: '--l1-start=0.6', call: [...lm, '--l1-coefficient=0.5'] },
      'threshold-shift': '--threshold-shift=0.1',
      emergence: '--emergence=2',
    },
  },
  'lm generate': {
    call: ['lm', 'generate', '--model=fixture-relu', '--prompt=the white', '--max-new-tokens=4'],
    flags: {
      model: '--model=fixture-gelu',
      prompt: '--prompt=the captain',
      'replace-activation': '--replace-activation=tanh',
      'max-new-tokens': '--max-new-tokens=2',
      temperature: '--temperature=9 --seed=1',
      'top-k': {
        add: '--top-k=1',
        call: [
          'lm',
          'generate',
          '--model=fixture-relu',
          '--prompt=the white',
          '--max-new-tokens=6',
          '--temperature=9',
          '--seed=3',
        ],
      },
      'top-p': {
        add: '--top-p=0.01',
        call: [
          'lm',
          'generate',
          '--model=fixture-relu',
          '--prompt=the white',
          '--max-new-tokens=6',
          '--temperature=9',
          '--seed=3',
        ],
      },
      seed: {
        add: '--seed=4',
        call: [
          'lm',
          'generate',
          '--model=fixture-relu',
          '--prompt=the white',
          '--max-new-tokens=6',
          '--temperature=9',
          '--seed=3',
        ],
      },
    },
  },
  metrics: {
    call: ['metrics', 'fixture-topk', '--to=STORE/out.csv', '--format=csv'],
    flags: { to: '--to=STORE/other.csv', format: '--format=tensorboard' },
  },
  import: {
    call: importing,
    flags: {
      capture: '--capture=nowhere',
      hook: '--hook=blocks.0.hook_mlp_out',
      name: '--name=other',
      format: { add: '--format=sparsify', call: importing, refused: /k: Invalid input/ },
      'output-hook': '--output-hook=blocks.0.hook_mlp_out',
      class: '--class=AutoEncoder',
      transposed: { add: '--transposed=both', call: importing, refused: /leave the transposition out/ },
      explain: '--explain',
    },
  },
  convert: {
    call: converting,
    flags: {
      format: '--format=saelens',
      from: { add: '--from=sparsify', call: converting, refused: /k: Invalid input/ },
      class: '--class=AutoEncoder',
      transposed: { add: '--transposed=both', call: converting, refused: /leave the transposition out/ },
    },
  },
  // It stays until Ctrl-C, so only what it refuses is tried here.
  serve: {
    call: ['serve', '--no-explorer', '--port=0', '--host=192.0.2.1'],
    flags: {
      port: '--port=99999',
      host: '--host=192.0.2.7',
      token: '--token= ',
      'read-token': { add: '--read-token=reader', call: ['serve', '--no-explorer', '--port=0'] },
      log: '--log=nowhere',
      cache: '--cache=STORE/cache',
      'cache-size': '--cache-size=1GB',
      launcher: '--launcher=nowhere',
      sbatch: '--sbatch=--time=1',
      queue: { add: '--queue=http://somewhere', call: ['serve', '--no-explorer', '--port=0'] },
    },
  },
  plan: {
    call: ['plan', 'STORE/starts.yaml', '--format=slurm'],
    flags: {
      format: '--format=commands',
      analyse: '--analyse',
      resources: '--resources=gpu=1',
      sbatch: '--sbatch=--time=9',
      image: { add: '--image=other', call: [...kubernetes, '--image=one', '--claim=data'] },
      claim: { add: '--claim=other', call: [...kubernetes, '--image=one', '--claim=data'] },
    },
  },
  'store index': { call: ['store', 'index'], flags: {} },
  publish: {
    call: ['publish', 'fixture-topk', '--out=STORE/site'],
    flags: {
      out: '--out=STORE/elsewhere',
      report: '--report=fixture-gelu',
      'no-reports': '--no-reports',
      tables: '--tables',
    },
  },
  doctor: { call: ['doctor'], flags: {} },
  'models list': { call: ['models', 'list'], flags: {} },
  'models check': { call: ['models', 'check', 'fixture-relu'], flags: {} },
  'datasets list': { call: ['datasets', 'list'], flags: {} },
};

/** Flags that are not tried, by their command, and why. That each is read is what flags.test.ts looks for in the sources. */
export const notTried: Readonly<Record<string, { flags: readonly string[]; why: string }>> = {
  import: { flags: ['any-model'], why: 'importCommand.test.ts has a dictionary of another model for it' },
  demo: {
    flags: [
      'model',
      'other-model',
      'text',
      'tokens',
      'training-tokens',
      'fresh',
      'no-serve',
      'port',
      'host',
      'token',
      'read-token',
      'log',
      ...common,
    ],
    why: 'takes minutes; npm run test:package runs it',
  },
  worker: {
    flags: ['queue', 'concurrency', 'resources', 'lease', ...common],
    why: 'stays until Ctrl-C; scripts/workers starts workers with them',
  },
  workers: {
    flags: ['queue', 'json', 'data'],
    why: 'asks a Redis; scripts/workers starts one',
  },
  serve: {
    flags: ['no-explorer', ...common],
    why: 'stays until Ctrl-C; tests of the server start it with them',
  },
  'lm train': {
    flags: ['checkpoint-every', 'resume'],
    why: 'show only when it is stopped; npm run test:chaos does',
  },
  'models get': {
    flags: ['file', 'name', 'revision', 'json', 'data'],
    why: 'asks the hub; tests in sae/models/hub ask one of their own',
  },
  'store fetch': {
    flags: ['json', 'data'],
    why: 'asks a host; scripts/storeCommand.test.ts asks one of its own',
  },
  'store upload': {
    flags: ['json', 'data'],
    why: 'sends to a bucket; scripts/bucketCommands.test.ts has one of its own',
  },
  'datasets get': {
    flags: ['file', 'name', 'revision', 'json', 'data'],
    why: 'asks the hub; tests in sae/models/hub ask one of their own',
  },
  'bench gemm': { flags: common, why: 'prints times, which differ by themselves' },
  'bench train': {
    flags: [
      'arch',
      'd',
      'width',
      'k',
      'l0',
      'dead',
      'path',
      'batch',
      'seeds',
      'steps',
      'no-screening',
      'no-graphs',
      'storage',
      ...common,
    ],
    why: 'prints times, which differ by themselves',
  },
  'bench architectures': {
    flags: ['d', 'width', 'k', 'l0', 'batch', 'rounds', ...common],
    why: 'prints times, which differ by themselves',
  },
  'bench forward': {
    flags: ['model', 'batch', 'context-length', 'repeats', ...common],
    why: 'prints times, which differ by themselves',
  },
  'bench lm-train': {
    flags: ['model', 'batch', 'context-length', 'repeats', ...common],
    why: 'prints times, which differ by themselves',
  },
  'bench sparsity': {
    flags: ['model', 'text', 'max-tokens', 'context-length', ...common],
    why: 'prints times, which differ by themselves',
  },
  'bench compare': {
    flags: ['relation', 'latents', 'd', 'solver', 'memory', 'gap', ...common],
    why: 'prints times, which differ by themselves',
  },
  'bench chance': {
    flags: ['latents', 'd', 'tokens', ...common],
    why: 'prints times, which differ by themselves',
  },
  'bench matchings': {
    flags: ['latents', 'd', 'tokens', ...common],
    why: 'prints times, which differ by themselves',
  },
  'tensorflow install': {
    flags: ['from', 'wheel', 'package', 'headers', 'json'],
    why: 'builds an add-on; tests in sae/backends/tensorflow/installation do',
  },
  'tensorflow status': { flags: ['json'], why: 'looks at what is installed for everything on the machine' },
  'tensorflow uninstall': { flags: ['json'], why: 'removes what is installed for everything on the machine' },
  'jobs watch': {
    flags: ['url', 'token', 'json', 'data'],
    why: 'needs a job; it connects as jobs list does',
  },
  'jobs cancel': {
    flags: ['url', 'token', 'json', 'data'],
    why: 'needs a job; it connects as jobs list does',
  },
  'jobs start': {
    flags: ['url', 'token', 'json', 'data'],
    why: 'needs a server; it connects as jobs list does',
  },
  'jobs estimate': {
    flags: ['url', 'token', 'json', 'data'],
    why: 'needs a server; it connects as jobs list does',
  },
  'model-process': { flags: common, why: 'is started by the server alone, which its tests do' },
};
