/** Addresses of the explorer's pages, each spelled once. */

import type { JobKind } from '../../sae/spec/jobs/jobs.ts';

const part = encodeURIComponent;

export const paths = {
  overview: () => '/',
  runs: () => '/runs',
  run: (run: string) => `/runs/${part(run)}`,
  reproducibility: (run: string) => `/runs/${part(run)}/reproducibility`,
  dictionary: (run: string, seed: number) => `/runs/${part(run)}/${seed}`,
  feature: (run: string, seed: number, latent: number) => `/runs/${part(run)}/${seed}/${latent}`,
  comparisons: () => '/compare',
  comparison: (name: string) => `/compare/${part(name)}`,
  lazy: () => '/lazy',
  report: (report: string) => `/lazy?reports=${part(report)}`,
  layer: (report: string, layer: number) => `/lazy/${part(report)}/${layer}`,
  neuron: (report: string, layer: number, neuron: number) => `/lazy/${part(report)}/${layer}/${neuron}`,
  emergence: () => '/lazy/emergence',
  playground: (state: { on?: string; latent?: string; text?: string } = {}) => {
    const given = Object.entries(state).filter(([, value]) => value !== '');
    const query = new URLSearchParams(given).toString();
    return query === '' ? '/playground' : `/playground?${query}`;
  },
  search: (text = '') => (text ? `/search?${new URLSearchParams({ text })}` : '/search'),
  labels: (state: { list?: string; run?: string; seed?: string; find?: string } = {}) => {
    const given = Object.entries(state).filter(([, value]) => value !== '');
    const query = new URLSearchParams(given).toString();
    return query === '' ? '/labels' : `/labels?${query}`;
  },
  jobs: () => '/jobs',
  job: (id: string) => `/jobs?job=${part(id)}`,
  /** The form of a kind of job with some fields filled in. */
  startJob: (kind: JobKind, fields: Readonly<Record<string, string>> = {}) =>
    `/jobs?${new URLSearchParams({ start: kind, ...fields })}`,
} as const;
