import Link from 'next/link';
import type { LatentGlance } from '../../../server/client.ts';
import { paths } from '../../client/paths.ts';
import { TokenRow } from '../ui/TokenRow.tsx';
import styles from './LatentLabel.module.css';

/** A latent by its number, with its label, or else the tokens it fires on most often. */
export function LatentLabel({
  run,
  seed,
  latent,
  glance,
}: {
  run: string;
  seed: number;
  latent: number;
  glance: LatentGlance | undefined;
}) {
  const tokens = glance && (glance.topTokens.length > 0 ? glance.topTokens : glance.promoted);
  return (
    <span className={styles.label}>
      <Link href={paths.feature(run, seed, latent)} className="num">
        {latent}
      </Link>
      {glance?.label ? (
        <span className={styles.words}>{glance.label}</span>
      ) : (
        tokens && tokens.length > 0 && <TokenRow tokens={tokens} most={3} />
      )}
    </span>
  );
}
