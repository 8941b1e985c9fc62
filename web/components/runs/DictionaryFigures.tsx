import type { RunRow } from '../../../server/client.ts';
import { architectureName } from '../../charts/architectureStyle.ts';
import { count, fixed, percent, significant } from '../../format/number.ts';

/** The main figures of a dictionary in one line. */
export function DictionaryFigures({ row }: { row: RunRow }) {
  return (
    <span className="num">
      {architectureName(row.architecture)}, {count(row.width)} latents on <code>{row.hook}</code>
      {row.model ? ` of ${row.model}` : ''}
      {row.l0 !== null && (
        <>
          {' '}
          · L0 {significant(row.l0)} · FVU {fixed(row.fvu)} · CE recovered {percent(row.ceRecovered)} ·
          {` dead\u00a0${percent(row.deadFraction)}`}
        </>
      )}
    </span>
  );
}
