'use client';
import type { DictionaryOnText, TextOnModel } from '../../../server/client.ts';
import { fixed } from '../../format/number.ts';
import { Command } from '../ui/Command.tsx';
import { StatusTag } from '../ui/Tag.tsx';
import { LatentLabel } from './LatentLabel.tsx';
import { nameOf, type LatentName } from './playgroundState.ts';
import { ShadedText } from './ShadedText.tsx';
import { activationsOf, glanceOf, largestOf, shownIn, type Shown } from './traces.ts';
import styles from './SideBySide.module.css';

/** The same text once a dictionary, shaded by the chosen latent and by its counterparts. */
export function SideBySide({
  found,
  chosen,
  position,
  choose,
}: {
  found: TextOnModel;
  chosen: LatentName | undefined;
  position: number;
  choose: (position: number) => void;
}) {
  return (
    <div className={styles.texts}>
      {found.dictionaries.map((dictionary, at) => {
        const shown = shownIn(found, at, chosen);
        const glance = shown.kind === 'none' ? undefined : glanceOf(dictionary, shown.trace.latent);
        const trace = shown.kind === 'none' ? null : shown.trace;
        return (
          <section
            key={nameOf(dictionary)}
            className={styles.text}
            aria-label={`The text under ${nameOf(dictionary)}`}
          >
            <h3 className={styles.head}>
              {dictionary.run}, seed {dictionary.seed} <span className="xs muted">{dictionary.hook}</span>
            </h3>
            <div className={styles.shown}>
              {trace ? (
                <>
                  <LatentLabel
                    run={dictionary.run}
                    seed={dictionary.seed}
                    latent={trace.latent}
                    glance={glance}
                  />
                  {shown.kind === 'counterpart' && (
                    <span className="cluster xs muted num">
                      counterpart, cos {fixed(shown.trace.decoderCosine, 2)}
                      <StatusTag status={shown.trace.shared ? 'shared' : 'not shared'} />
                    </span>
                  )}
                </>
              ) : (
                <WhyNot shown={shown} first={found.dictionaries[0]!} dictionary={dictionary} />
              )}
            </div>
            <ShadedText
              label={`Tokens under ${nameOf(dictionary)}`}
              tokens={found.tokens}
              activations={activationsOf(trace, found.tokens.length)}
              leftOut={dictionary.leftOut}
              scale={glance?.maxActivation ?? (trace ? largestOf(trace) : 0)}
              position={position}
              choose={choose}
            />
          </section>
        );
      })}
    </div>
  );
}

function WhyNot({
  shown,
  first,
  dictionary,
}: {
  shown: Shown;
  first: DictionaryOnText;
  dictionary: DictionaryOnText;
}) {
  if (shown.kind !== 'none') return null;
  switch (shown.why) {
    case 'not compared':
      return first.hook === dictionary.hook ? (
        <>
          <span className="small muted">
            Not compared with {nameOf(first)}, so counterparts aren’t known.
          </span>
          <Command text={`npx lazyscope compare ${nameOf(first)} ${nameOf(dictionary)}`} />
        </>
      ) : (
        <span className="small muted">At another hook point: choose one of its own features below.</span>
      );
    case 'no counterpart':
      return <span className="small muted">The chosen latent has no counterpart here.</span>;
    case 'another dictionary':
      return (
        <span className="small muted">Counterparts are looked up for the first dictionary’s latents.</span>
      );
    case 'nothing fires':
      return <span className="small muted">The chosen latent is silent on this text.</span>;
  }
}
