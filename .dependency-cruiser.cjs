/**
 * Which folder may import which, checked by `npm run lint`.
 *
 * Each row says what a folder under sae/ may import besides itself. `spec`, `numerics`, `formats`, `store` and the files at the
 * root of sae/ are open to everyone; `fixtures` is for tests alone and may import anything.
 */
const open = ['spec', 'numerics', 'formats', 'store'];
const arrows = {
  spec: [],
  tensor: [],
  numerics: [],
  'backends/[^/]+': ['tensor', 'ops', 'backends'],
  ops: ['tensor'],
  tokens: [],
  models: ['tensor', 'ops', 'tokens'],
  pretraining: ['models'],
  activations: ['models'],
  autoencoders: ['ops'],
  training: ['autoencoders', 'activations'],
  evaluation: ['autoencoders', 'models', 'activations'],
  features: ['evaluation'],
  labels: ['features'],
  comparison: ['features'],
  inference: ['comparison'],
  probing: ['inference'],
  sparsity: ['models', 'pretraining'],
  formats: [],
  store: [],
};

/** A folder may import what its row names, and whatever those may import. */
function reachable(folder, seen = new Set()) {
  for (const next of arrows[folder] ?? []) {
    if (seen.has(next)) continue;
    seen.add(next);
    reachable(next, seen);
  }
  return [...seen];
}

const saeRules = Object.keys(arrows).map((folder) => {
  const allowed = [folder, ...reachable(folder), ...open];
  return {
    name: `sae/${folder} imports only ${allowed.join(', ')}`,
    severity: 'error',
    from: { path: `^sae/${folder}/`, pathNot: '\\.test\\.ts$' },
    to: { path: '^(sae|server|web|scripts)/', pathNot: [`^sae/(${allowed.join('|')})/`, '^sae/[^/]+\\.ts$'] },
  };
});

module.exports = {
  forbidden: [
    {
      name: 'no circles',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    ...saeRules,
    {
      name: 'sae knows nothing of the server, the explorer or the scripts',
      severity: 'error',
      from: { path: '^sae/' },
      to: { path: '^(server|web|scripts)/' },
    },
    {
      name: 'fixtures are for tests, for the check that a GPU computes as the tests want, and for servers that tests and a benchmark start',
      severity: 'error',
      from: {
        path: '^(sae|server|web|scripts)/',
        pathNot: [
          '\\.test\\.tsx?$',
          '^(sae|server)/fixtures/',
          '^scripts/slurm/slurmCluster\\.ts$',
          '^scripts/gpu/',
          '^scripts/bench/benchBucket\\.ts$',
        ],
      },
      to: { path: '^sae/fixtures/' },
    },
    {
      name: 'what speaks to Redis is loaded only where there is one: server/workers is imported late',
      severity: 'error',
      from: {
        path: '^(server|scripts)/',
        pathNot: ['^server/workers/', '\\.test\\.ts$', '^server/fixtures/', '^scripts/workers/'],
      },
      to: {
        path: '^(server/workers/|node_modules/(bullmq|ioredis)/)',
        dynamic: false,
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'what speaks to S3 is loaded only where a store lies there: sae/store/remote/s3 is imported late',
      severity: 'error',
      from: {
        path: '^(sae|server|scripts)/',
        pathNot: ['^sae/store/remote/s3/', '\\.test\\.ts$', '^sae/fixtures/', '^scripts/bench/'],
      },
      to: {
        path: '^(sae/store/remote/s3/|node_modules/@aws-sdk/)',
        dynamic: false,
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'server knows nothing of the explorer or the scripts',
      severity: 'error',
      from: { path: '^server/' },
      to: { path: '^(web|scripts)/' },
    },
    {
      name: 'the explorer takes only types from the server, and values from sae/spec alone, but for published sites, which have no server',
      severity: 'error',
      from: { path: '^web/', pathNot: ['\\.test\\.tsx?$', '^web/browserExplorer\\.ts$', '^web/site/'] },
      to: { path: '^(server|sae|scripts)/', pathNot: '^sae/spec/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'only published sites take what web/site has',
      severity: 'error',
      from: { path: '^(sae|server|web|scripts)/', pathNot: ['^web/site/', '\\.test\\.tsx?$'] },
      to: { path: '^web/site/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)\\.next/' },
    tsPreCompilationDeps: 'specify',
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.tsx', '.mjs', '.cjs', '.js'] },
  },
};
