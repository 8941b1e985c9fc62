import Link from 'next/link';
import type { SearchRow } from '../../../server/client.ts';
import { paths } from '../../client/paths.ts';
import { TokenRow } from '../ui/TokenRow.tsx';
import { MatchedText } from './MatchedText.tsx';
import { MatchLine } from './MatchLine.tsx';
import styles from './SearchView.module.css';

export function SearchResult({ row }: { row: SearchRow }) {
  const { run, seed, latent, label, match, topTokens } = row;
  return (
    <li className={styles.result}>
      <div className={styles.head}>
        <h3 className={styles.name}>
          <Link href={paths.feature(run, seed, latent)}>{label ?? `Latent ${latent}`}</Link>
        </h3>
        <span className="small muted">
          {run} / seed {seed}
          {label !== null && ` / latent ${latent}`}
        </span>
        <MatchLine row={row} />
      </div>
      {match ? (
        <MatchedText example={match.example} />
      ) : (
        <div className={styles.tokens}>
          <span className="small muted">Fires on</span> <TokenRow tokens={topTokens} most={5} />
        </div>
      )}
    </li>
  );
}
