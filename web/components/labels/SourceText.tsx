import Link from 'next/link';
import type { LabelSource } from '../../../sae/spec/labelSources.ts';
import { paths } from '../../client/paths.ts';
import { fixed } from '../../format/number.ts';

/** Where a label comes from, in a few words. */
export function SourceText({ source }: { source: LabelSource | null }) {
  if (!source) return <span className="faint">–</span>;
  switch (source.kind) {
    case 'hand':
      return <>hand</>;
    case 'data':
      return <span title="A rule found in the examples by ‘lazyscope label’">data</span>;
    case 'endpoint':
      return <span title="Written by a language model">{source.model}</span>;
    case 'carried':
      return (
        <>
          carried from{' '}
          <Link href={paths.feature(source.run, source.seed, source.latent)}>
            {source.run} seed {source.seed}, latent {source.latent}
          </Link>
          , cosine {fixed(source.cosine, 2)}
        </>
      );
    case 'imported':
      return <>{source.was === null ? 'imported' : `imported: ${source.was}`}</>;
  }
}
