'use client';
import { useRouter } from 'next/navigation';
import { useState } from 'react';
import { paths } from '../../client/paths.ts';
import { latentNameOf, nameOf } from './playgroundState.ts';
import styles from './TryText.module.css';

/** A box for a text of one's own, which opens the playground on this dictionary, or on one of its latents. */
export function TryText({ run, seed, latent }: { run: string; seed: number; latent?: number }) {
  const router = useRouter();
  const [text, setText] = useState('');
  const what = latent === undefined ? 'this dictionary' : `latent ${latent}`;
  return (
    <form
      className={styles.form}
      aria-label={`Try a text on ${what}`}
      onSubmit={(event) => {
        event.preventDefault();
        const on = nameOf({ run, seed });
        router.push(
          paths.playground({
            on,
            text,
            ...(latent !== undefined && { latent: latentNameOf({ run, seed, latent }) }),
          }),
        );
      }}
    >
      <input
        type="text"
        className={`field ${styles.text}`}
        aria-label={`A text to try on ${what}`}
        placeholder={latent === undefined ? 'Which features fire on …' : 'Does it fire on …'}
        maxLength={2_000}
        autoComplete="off"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <button type="submit" className="button">
        {text === '' ? 'Open the playground' : 'Try it'}
      </button>
    </form>
  );
}
