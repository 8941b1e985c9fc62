'use client';
import { useMutation } from '@tanstack/react-query';
import { starredList } from '../../../sae/spec/labelSources.ts';
import { useTRPC } from '../../client/trpc.ts';
import { Icon } from '../ui/Icon.tsx';
import { useLabelsChanged } from './useLabelsChanged.ts';
import styles from './StarButton.module.css';

/** Puts a feature on the list of starred ones, or takes it off. */
export function StarButton({
  run,
  seed,
  latent,
  lists,
}: {
  run: string;
  seed: number;
  latent: number;
  lists: readonly string[];
}) {
  const trpc = useTRPC();
  const starred = lists.includes(starredList);
  const onSuccess = useLabelsChanged({ lists: true });
  const add = useMutation(trpc.lists.add.mutationOptions({ onSuccess }));
  const take = useMutation(trpc.lists.take.mutationOptions({ onSuccess }));
  const change = starred ? take : add;
  return (
    <button
      type="button"
      className={`button quiet ${styles.star}`}
      aria-pressed={starred}
      aria-label={`Star latent ${latent} of ${run}, seed ${seed}`}
      title={starred ? 'Take the star off' : 'Star it'}
      data-starred={starred || undefined}
      disabled={change.isPending}
      onClick={() => change.mutate({ name: starredList, features: [{ run, seed, latent }] })}
    >
      <Icon name="star" />
    </button>
  );
}
