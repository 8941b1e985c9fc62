'use client';
import Link from 'next/link';
import { useQuery } from '@tanstack/react-query';
import { useTRPC } from '../../client/trpc.ts';
import { fixed, percent, significant } from '../../format/number.ts';
import { paths } from '../../client/paths.ts';
import { Panel } from '../ui/Panel.tsx';
import { Stats } from '../ui/Stat.tsx';
import { Term } from '../ui/Term.tsx';

/** How likely this latent is to come back in another seed, and by chance. Nothing where that was not measured. */
export function ReturnsPanel({ run, seed, latent }: { run: string; seed: number; latent: number }) {
  const trpc = useTRPC();
  const { data } = useQuery(trpc.features.reproducibility.queryOptions({ run, seed, latent }));
  if (!data) return null;
  return (
    <Panel
      title="Would it come back?"
      note={
        <>
          Over all {data.others} other {data.others === 1 ? 'seed' : 'seeds'} of the run.{' '}
          <Link href={paths.reproducibility(run)}>Reproducibility of the run</Link>
        </>
      }
    >
      <Stats
        items={[
          {
            label: <Term of="comesBack" />,
            value: `${data.returned} of ${data.others}`,
            note: `probability ${percent(data.low, 0)} to ${percent(data.high, 0)}`,
          },
          {
            label: 'in every seed up to',
            value: fixed(data.everySeed, 2),
            note: 'smaller of both cosines',
          },
          { label: 'in one seed up to', value: fixed(data.anySeed, 2), note: 'smaller of both cosines' },
          {
            label: 'by chance',
            value: percent(data.chance),
            note: `in a random dictionary, at most; p ${significant(data.chanceP, 2)}`,
          },
          {
            label: 'features like it',
            value: percent(data.matchedStability, 0),
            note: 'stability at the same density and strength',
          },
          ...(data.subspaceShare === null
            ? []
            : [
                {
                  label: <Term of="itsSubspace" />,
                  value: percent(data.subspaceShare, 0),
                  note: `in the space of other seeds’ unstable features, p ${significant(data.subspaceP, 2)}${data.cluster === null ? '' : `; cluster ${data.cluster}`}`,
                },
              ]),
          ...(data.worth
            ? [
                {
                  label: <Term of="attribution" />,
                  value: significant(data.worth.attribution, 2),
                  note:
                    data.worth.ablation === null
                      ? 'nats a token, by the gradient'
                      : `nats a token; measured ${significant(data.worth.ablation, 2)}`,
                },
                {
                  label: 'FVU without it',
                  value: data.worth.fvuChange === null ? '–' : `+${significant(data.worth.fvuChange, 2)}`,
                  note:
                    data.worth.group > 0
                      ? `in group ${data.worth.group} of 10 by stability`
                      : 'did not fire on the text',
                },
              ]
            : []),
        ]}
      />
    </Panel>
  );
}
