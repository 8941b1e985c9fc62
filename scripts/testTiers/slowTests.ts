/**
 * What the fast tier, `npm run test:fast`, leaves out, and `apartTests`, which `npm test` leaves out too.
 *
 * A test file is slow when it takes more than `fastFileSeconds` of processor time, its own start and its child processes
 * included. The fast tier fails when one of its files does, so that a file which has become slow is made faster or
 * named here; `npm test` says of every file named here that no longer takes as long.
 */
export interface SlowTests {
  /** A test file or a folder of them, from the root of the repository. */
  path: string;
  /** What takes the time. */
  reason: string;
  /** Takes over half a minute, and so begins before the others: begun last it would run alone, beside an idle core. */
  long?: true;
}

export const fastFileSeconds = 5;

export const slowTests: readonly SlowTests[] = [
  {
    path: 'scripts/ggufInBucket.test.ts',
    reason: 'captures, trains and asks models in a bucket, in processes of their own',
    long: true,
  },
  { path: 'scripts/namedFolders.test.ts', reason: 'starts the command line seven times' },
  { path: 'server/publishedStore.test.ts', reason: 'two servers, one over a published store' },
  { path: 'server/openApi.test.ts', reason: 'a server over a store, and every address it describes' },
  {
    path: 'scripts/labelNeuronpedia.test.ts',
    reason: 'a server, and a dozen commands in processes of their own',
  },
  {
    path: 'sae/comparison/compareParts.test.ts',
    reason: 'makes comparisons in one, two, three and five parts',
  },
  {
    path: 'sae/training/sharding/shardingOnDevices.test.ts',
    reason: 'trains on devices in software, in up to four processes',
    long: true,
  },
  {
    path: 'sae/training/sharding/sharding.test.ts',
    reason: 'trains in processes that mpirun starts',
    long: true,
  },
  {
    path: 'scripts/stabilityCommand.test.ts',
    reason: 'trains a small sweep twice over, in processes of its own',
  },
  {
    path: 'sae/comparison/reproducibility/subspaces/wideSubspaces.test.ts',
    reason: 'draws thousands of directions in 2,304 dimensions',
  },
  {
    path: 'scripts/studies/measureReproducibilityStudy.test.ts',
    reason: 'trains three seeds, compares them and takes groups of their latents out of a model',
  },
  {
    path: 'scripts/bucketCommands.test.ts',
    reason: 'starts the command line twenty times on a store in a bucket',
    long: true,
  },
  { path: 'sae/store/remote/s3', reason: 'an S3 server, and faults on the way to it' },
  { path: 'server/sharedLabels.test.ts', reason: 'an S3 server that two writers race on' },
  {
    path: 'sae/training/streamedCapture.test.ts',
    reason: 'trains ten times from a web server in passes over a capture',
  },
  {
    path: 'scripts/storeCommand.test.ts',
    reason: 'starts the command line six times, a server among them',
  },
  {
    path: 'sae/comparison/consensus/consensusStart.test.ts',
    reason: 'trains consensus dictionaries, one of them twice',
  },
  {
    path: 'sae/comparison/reproducibility/measureReproducibility.test.ts',
    reason: 'compares planted dictionaries and measures them three times',
  },
  {
    path: 'sae/store/writeManifest.test.ts',
    reason: 'writes each number of each kind of document many times',
  },
  {
    path: 'scripts/bench/benchChance.test.ts',
    reason: 'matches random dictionaries, to compare the cost of chance at two widths',
  },
  {
    path: 'web/explorer.browser.test.ts',
    reason: 'builds the explorer and visits its pages in a browser',
    long: true,
  },
  { path: 'web/address.browser.test.ts', reason: 'builds the explorer and uses its history in a browser' },
  { path: 'web/jobs.browser.test.ts', reason: 'builds the explorer and runs jobs in a browser', long: true },
  { path: 'web/keyboard.browser.test.ts', reason: 'builds the explorer and uses it by keys in a browser' },
  { path: 'web/playground.browser.test.ts', reason: 'builds the explorer and uses a model in a browser' },
  {
    path: 'web/reproducibility.browser.test.ts',
    reason: 'builds the explorer and visits a page in a browser',
  },
  {
    path: 'web/site',
    reason: 'publishes a site, compares all its answers, and visits it in a browser',
    long: true,
  },
  { path: 'web/workers.browser.test.ts', reason: 'builds the explorer and follows workers in a browser' },
  { path: 'server/site', reason: 'publishes sites of a store, one after the other' },
  { path: 'web/search.browser.test.ts', reason: 'builds the explorer and searches in a browser' },
  {
    path: 'web/exports.browser.test.ts',
    reason: 'builds the explorer and saves its charts and tables in a browser',
    long: true,
  },
  { path: 'web/labels.browser.test.ts', reason: 'builds the explorer and labels features in a browser' },
  {
    path: 'sae/features/indexParts.test.ts',
    reason: 'indexes three dictionaries of 4,100 latents, several times over',
  },
  { path: 'scripts/workers', reason: 'trains on workers that take jobs from a Redis', long: true },
  { path: 'scripts/slurm', reason: 'trains in a Slurm of its own', long: true },
  { path: 'scripts/labelCommand.test.ts', reason: 'starts the command line beside an endpoint' },
  {
    path: 'server/labels.test.ts',
    reason: 'labels of a server over a store, by hand, by job and from files',
  },
  {
    path: 'server/featurePages.test.ts',
    reason: 'a server over a store, and every page of a dictionary four times',
  },
  { path: 'server/search.test.ts', reason: 'a server over a store, and searches of it' },
  { path: 'server/explorer.test.ts', reason: 'builds the explorer' },
  {
    path: 'sae/backends/webgpu',
    reason: 'kernels on a software driver, which compiles each of them',
    long: true,
  },
  {
    path: 'sae/backends/cuda',
    reason: 'compiles a device in software and kernels for it, and trains on it',
    long: true,
  },
  {
    path: 'sae/activations/rowsOnDevice.test.ts',
    reason: 'trains on the device in software, ten times over',
  },
  { path: 'scripts/gpu/check.test.ts', reason: 'trains on two backends, each in a process of its own' },
  {
    path: 'sae/backends/tensorflow/fused.test.ts',
    reason: 'every fused kernel against the reference, where TensorFlow is installed',
  },
  {
    path: 'sae/backends/tensorflow/training.test.ts',
    reason: 'trains every architecture, where TensorFlow is installed',
  },
  { path: 'sae/backends/conformance.test.ts', reason: 'every kernel of every backend against the reference' },
  {
    path: 'sae/autoencoders/architectureGoldens.test.ts',
    reason: 'runs every architecture on a software GPU',
  },
  { path: 'sae/autoencoders/golden.test.ts', reason: 'trains every architecture on every backend' },
  { path: 'sae/training/transcoder.test.ts', reason: 'trains until planted dictionaries are found' },
  { path: 'sae/training/crosscoder.test.ts', reason: 'trains until planted dictionaries are found' },
  { path: 'sae/training/skipConnection.test.ts', reason: 'trains until planted maps are found' },
  {
    path: 'sae/autoencoders/transcoderGoldens.test.ts',
    reason: 'runs every architecture on a software GPU',
  },
  {
    path: 'sae/autoencoders/crosscoderGoldens.test.ts',
    reason: 'runs crosscoders on a software GPU',
  },
  { path: 'sae/training/syntheticDictionary.test.ts', reason: 'trains until a planted dictionary is found' },
  { path: 'sae/models/families/familyUse.test.ts', reason: 'every family through the whole product' },
  {
    path: 'sae/backends/native/fused.test.ts',
    reason: 'every fused kernel against the reference, at many sizes',
  },
  { path: 'sae/comparison/compare.test.ts', reason: 'whole comparisons, with what chance would give' },
  { path: 'sae/sparsity/measureSparsity.test.ts', reason: 'whole measurements of a model' },
  {
    path: 'sae/evaluation/contextLosses.test.ts',
    reason: 'losses of models by whole passes and by continued ones',
  },
  { path: 'sae/store/pastStores.test.ts', reason: 'opens stores of past versions, models included' },
  {
    path: 'server/limits.test.ts',
    reason: 'sends hundreds of megabytes and waits for time-outs',
    long: true,
  },
  { path: 'server/jobs/jobEstimate.test.ts', reason: 'starts jobs as processes of their own' },
  { path: 'server/jobs/jobQueue.test.ts', reason: 'starts jobs as processes of their own' },
  { path: 'scripts/commandLine/flagEffects.test.ts', reason: 'tries two hundred flags', long: true },
  { path: 'server/tables.test.ts', reason: 'every table of a server over a store' },
  { path: 'sae/activations/capture.test.ts', reason: 'captures of toys, of all shapes and after every stop' },
  { path: 'server/tableAnswers.test.ts', reason: 'hands hundreds of megabytes to readers who take nothing' },
  { path: 'server/jobs/jobProcesses.test.ts', reason: 'starts servers and jobs, and kills them' },
  { path: 'sae/models/stretch.test.ts', reason: 'every family, cut before each block' },
  { path: 'sae/tokens/text/memory.test.ts', reason: 'unpacks texts of 192 MiB in processes of their own' },
  {
    path: 'sae/training/fromModel.test.ts',
    reason: 'trains from a model many times, and as processes that are killed',
  },
  { path: 'scripts/exportNeuronpedia.test.ts', reason: 'runs commands beside a server over a store' },
  { path: 'scripts/commandLine/analyse.test.ts', reason: 'trains and analyses as processes of their own' },
  { path: 'scripts/captureFrom.test.ts', reason: 'runs commands one after another on a capture' },
  { path: 'scripts/fuzz/hostileFiles.test.ts', reason: 'files of megabytes that are made to take time' },
  { path: 'scripts/fuzz/fuzzedFormats.test.ts', reason: 'damaged files of every format' },
  { path: 'server/names.test.ts', reason: 'every table of a server over a store' },
  {
    path: 'server/disks.test.ts',
    reason: 'fills a small disk under a server, and runs commands on a read-only one',
  },
  { path: 'server/notFinite.test.ts', reason: 'starts jobs as processes of their own' },
  { path: 'server/linksOutside.test.ts', reason: 'a server over a store' },
  { path: 'scripts/commandLine/resumeFlags.test.ts', reason: 'starts the command line for every flag' },
  { path: 'scripts/load/loadSuite.test.ts', reason: 'a server with explorers, and a load run' },
  { path: 'scripts/stopping.test.ts', reason: 'starts long commands and stops them', long: true },
  { path: 'sae/models/gguf/ggufModel.test.ts', reason: 'a model in every GGUF quantisation' },
  { path: 'web/components/served.test.tsx', reason: 'the explorer’s forms and tables on a server' },
  { path: 'server/server.test.ts', reason: 'every procedure of a server over a store, its jobs included' },
  { path: 'server/playground.test.ts', reason: 'starts and kills the process that keeps a model' },
  { path: 'server/manifestCache.test.ts', reason: 'counts what a server over a store reads from disk' },
  { path: 'scripts/readme.test.ts', reason: 'runs what the README and the documents say' },
  { path: 'scripts/sparsityCommand.test.ts', reason: 'starts the command line, with a whole measurement' },
  { path: 'scripts/outOfMemory.test.ts', reason: 'fills the memory of processes of their own' },
  {
    path: 'scripts/importCommand.test.ts',
    reason: 'starts the command line for every import',
    long: true,
  },
  { path: 'scripts/featuresCommand.test.ts', reason: 'starts the command line for every question' },
  { path: 'scripts/cli.test.ts', reason: 'starts the command line for every command', long: true },
];

/** Slow tests with a script of their own, `npm run test:apart`, which CI runs beside `npm test`, so that the latter stays below ten minutes. */
export const apartTests: readonly string[] = [
  'sae/activations/rowsOnDevice.test.ts',
  'sae/backends/cuda/deviceRows.test.ts',
  'sae/backends/cuda/fused.test.ts',
  'sae/backends/cuda/fusedTraining.test.ts',
  'sae/backends/cuda/memoryShortage.test.ts',
  'sae/backends/cuda/severalDevices.test.ts',
  'sae/backends/cuda/softwareDevice/nccl.test.ts',
  'sae/backends/cuda/stepRecorder.test.ts',
  'sae/backends/webgpu/deviceRows.test.ts',
  'sae/backends/webgpu/expectedEntries.test.ts',
  'sae/backends/webgpu/fused.test.ts',
  'sae/backends/webgpu/hostTraffic.test.ts',
  'sae/backends/webgpu/rowsOnDevice.test.ts',
  'sae/backends/webgpu/streamedTopK.test.ts',
  'sae/backends/webgpu/training.test.ts',
  'sae/comparison/consensus/consensusStart.test.ts',
  'sae/training/crosscoder.test.ts',
  'sae/training/sharding/sharding.test.ts',
  'sae/training/sharding/shardingOnDevices.test.ts',
  'sae/training/transcoder.test.ts',
  'scripts/bench/benchChance.test.ts',
  'scripts/bucketCommands.test.ts',
  'scripts/captureFrom.test.ts',
  'scripts/commandLine/flagEffects.test.ts',
  'scripts/ggufInBucket.test.ts',
  'scripts/labelNeuronpedia.test.ts',
  'scripts/load/loadSuite.test.ts',
  'scripts/namedFolders.test.ts',
  'scripts/outOfMemory.test.ts',
  'scripts/readme.test.ts',
  'scripts/slurm/slurm.test.ts',
  'scripts/stopping.test.ts',
  'scripts/studies/measureReproducibilityStudy.test.ts',
  'scripts/workers/bucketWorkers.test.ts',
  'scripts/workers/splitJobs.test.ts',
  'scripts/workers/workers.test.ts',
  'server/site/publishSite.test.ts',
  'web/exports.browser.test.ts',
  'web/labels.browser.test.ts',
  'web/playground.browser.test.ts',
  'web/reproducibility.browser.test.ts',
  'web/search.browser.test.ts',
  'web/site/answer.test.ts',
  'web/site/site.browser.test.ts',
  'web/workers.browser.test.ts',
];

/** Patterns of the test files under the slow paths. */
export function slowPatterns(): string[] {
  return slowTests.map(({ path }) => (/\.test\.tsx?$/.test(path) ? path : `${path}/**/*.test.{ts,tsx}`));
}

export function isSlow(file: string): boolean {
  return slowTests.some(({ path }) => file === path || file.startsWith(`${path}/`));
}

/** Where a file stands when files begin in turn: the long ones, the other slow ones, the rest. */
export function turn(file: string): number {
  const slow = slowTests.find(({ path }) => file === path || file.startsWith(`${path}/`));
  return slow?.long ? 0 : slow ? 1 : 2;
}
