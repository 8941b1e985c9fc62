/** Addresses of the explorer's pages, each spelled once. */

const part = encodeURIComponent;

export const paths = {
  overview: () => '/',
  runs: () => '/runs',
  run: (run: string) => `/runs/${part(run)}`,
  dictionary: (run: string, seed: number) => `/runs/${part(run)}/${seed}`,
  feature: (run: string, seed: number, latent: number) => `/runs/${part(run)}/${seed}/${latent}`,
  comparisons: () => '/compare',
  comparison: (name: string) => `/compare/${part(name)}`,
  lazy: () => '/lazy',
  layer: (report: string, layer: number) => `/lazy/${part(report)}/${layer}`,
  neuron: (report: string, layer: number, neuron: number) => `/lazy/${part(report)}/${layer}/${neuron}`,
  emergence: () => '/lazy/emergence',
  playground: (state: { on?: string; latent?: string; text?: string } = {}) => {
    const given = Object.entries(state).filter(([, value]) => value !== '');
    const query = new URLSearchParams(given).toString();
    return query === '' ? '/playground' : `/playground?${query}`;
  },
  search: (text = '') => (text ? `/search?${new URLSearchParams({ text })}` : '/search'),
  jobs: () => '/jobs',
} as const;
