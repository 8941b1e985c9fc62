/** What the jump box finds for a few typed characters. */
import { paths } from '../../client/paths.ts';

export interface JumpSources {
  runs: readonly { name: string; seed: number; architecture: string }[];
  comparisons: readonly { name: string }[];
  reports: readonly { name: string; model: string }[];
  labels: readonly { run: string; seed: number; latent: number; label: string }[];
  /** Features found by what was typed; absent before anything was. */
  found?: readonly { run: string; seed: number; latent: number; label: string | null; why: string }[];
}

export interface JumpTarget {
  href: string;
  title: string;
  kind: 'page' | 'search' | 'run' | 'dictionary' | 'feature' | 'comparison' | 'lazy neurons' | 'label';
}

const pages: JumpTarget[] = [
  { href: paths.overview(), title: 'Overview', kind: 'page' },
  { href: paths.runs(), title: 'Runs', kind: 'page' },
  { href: paths.comparisons(), title: 'Compare', kind: 'page' },
  { href: paths.search(), title: 'Search', kind: 'page' },
  { href: paths.labels(), title: 'Labels', kind: 'page' },
  { href: paths.lazy(), title: 'Lazy neurons', kind: 'page' },
  { href: paths.jobs(), title: 'Jobs', kind: 'page' },
];

/**
 * `topk 0 17`, `topk/0/17` and `topk:0:17` all lead to latent 17 of seed 0 of the first run whose name contains
 * `topk`; any other text finds names and labels that contain all of its words, then features that were found by it, and leads to the
 * page that searches for it.
 */
export function jumpTargets(query: string, sources: JumpSources, most = 12): JumpTarget[] {
  const words = query
    .toLowerCase()
    .split(/[\s/:]+/)
    .filter(Boolean);
  const targets: JumpTarget[] = [...addressed(words, sources)];
  const rest: JumpTarget[] = [
    ...sources.labels.map((label): JumpTarget => ({
      href: paths.feature(label.run, label.seed, label.latent),
      title: `${label.label} (${label.run} / ${label.seed} / ${label.latent})`,
      kind: 'label',
    })),
    ...unique(sources.runs.map((run) => run.name)).map((run): JumpTarget => ({
      href: paths.run(run),
      title: run,
      kind: 'run',
    })),
    ...sources.runs.map((run): JumpTarget => ({
      href: paths.dictionary(run.name, run.seed),
      title: `${run.name} / seed ${run.seed}`,
      kind: 'dictionary',
    })),
    ...sources.comparisons.map(({ name }): JumpTarget => ({
      href: paths.comparison(name),
      title: name,
      kind: 'comparison',
    })),
    ...sources.reports.map(({ name, model }): JumpTarget => ({
      href: `${paths.lazy()}#${name}`,
      title: name === model ? name : `${name} (${model})`,
      kind: 'lazy neurons',
    })),
    ...pages,
  ].filter((target) => words.every((word) => `${target.title} ${target.kind}`.toLowerCase().includes(word)));
  const shown = [...targets, ...rest].slice(0, most);
  if (words.length === 0) return shown;
  const listed = new Set(shown.map(({ href }) => href));
  const text = query.trim();
  return [
    ...shown,
    ...(sources.found ?? [])
      .map(({ run, seed, latent, label, why }): JumpTarget => ({
        href: paths.feature(run, seed, latent),
        title: `${label ?? `${run} / seed ${seed} / latent ${latent}`}: ${why}`,
        kind: 'feature',
      }))
      .filter(({ href }) => !listed.has(href)),
    { href: paths.search(text), title: `Search for “${text}” in all examples`, kind: 'search' },
  ];
}

function addressed(words: readonly string[], sources: JumpSources): JumpTarget[] {
  const numbers: number[] = [];
  const rest = [...words];
  while (rest.length > 1 && numbers.length < 2 && /^\d+$/.test(rest.at(-1) ?? ''))
    numbers.unshift(Number(rest.pop()));
  const [seed, latent] = numbers;
  if (seed === undefined) return [];
  return sources.runs
    .filter((run) => run.seed === seed && rest.every((word) => run.name.toLowerCase().includes(word)))
    .map((run) =>
      latent === undefined
        ? { href: paths.dictionary(run.name, seed), title: `${run.name} / seed ${seed}`, kind: 'dictionary' }
        : {
            href: paths.feature(run.name, seed, latent),
            title: `${run.name} / seed ${seed} / latent ${latent}`,
            kind: 'feature',
          },
    );
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
