import { hooksIn } from '../../../sae/spec/jointHook.ts';
import type { RunDetail } from '../../../server/client.ts';
import { count, significant } from '../../format/number.ts';
import { Panel } from '../ui/Panel.tsx';
import styles from './RunConfiguration.module.css';

/** The full training configuration of a run. */
export function RunConfiguration({ detail }: { detail: RunDetail }) {
  const { config, environment, d, scale, createdAt } = detail.manifest;
  const settings = { ...config, hook: hooksIn(config.hook).join(' + ') };
  const rows: [string, string][] = [
    ...Object.entries(settings).map(([key, value]): [string, string] => [spoken(key), show(value)]),
    ['activation width d', count(d)],
    ['input scale s', significant(scale, 5)],
    ['started', createdAt.replace('T', ' ').slice(0, 19)],
    ['backend', `${environment.backend}, ${environment.threads} threads`],
    ['machine', `${environment.cpu}, ${environment.platform}`],
    ['versions', `Lazyscope ${environment.lazyscope}, Node ${environment.node}`],
  ];
  return (
    <Panel title="Configuration">
      <dl className={styles.list}>
        {rows.map(([name, value]) => (
          <div key={name} className={styles.row}>
            <dt>{name}</dt>
            <dd className="num">{value}</dd>
          </div>
        ))}
      </dl>
    </Panel>
  );
}

function spoken(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).replace(/(\D)(\d)$/, '$1 $2');
}

function show(value: unknown): string {
  if (value === null) return 'none';
  if (Array.isArray(value)) return value.join(', ');
  if (typeof value === 'number') return Number.isInteger(value) ? count(value) : significant(value, 4);
  return String(value);
}
