import { count } from '../../format/number.ts';
import { Command } from '../ui/Command.tsx';
import styles from './SearchView.module.css';

/** Which dictionaries have no search index, and the command that makes it. */
export function NotSearched({ missing }: { missing: readonly { run: string; seed: number }[] }) {
  if (missing.length === 0) return null;
  const runs = [...new Set(missing.map(({ run }) => run))];
  return (
    <div className={styles.missing}>
      <p className="small">
        {missing.length === 1
          ? `Seed ${missing[0]?.seed} of ${missing[0]?.run} was`
          : `${count(missing.length)} dictionaries were`}{' '}
        indexed before there was search: only labels are searched there. This makes the rest:
      </p>
      <Command text={`npx lazyscope index ${runs.join(' ')} --search-only`} />
    </div>
  );
}
