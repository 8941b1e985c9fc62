import type { VariantName } from '../../../server/client.ts';
import { fixed } from '../../format/number.ts';
import { Legend } from '../ui/Legend.tsx';
import { ProbabilityBars } from './ProbabilityBars.tsx';
import styles from './SteeredTexts.module.css';
import type { Steering } from './useSteering.ts';

const titles: Record<VariantName, string> = {
  without: 'Without',
  with: 'With',
  counterpart: 'With the counterparts',
};
const whyStopped: Record<string, string> = {
  end: 'The model ended it.',
  context: 'The context is full.',
};

/** The continuations beside each other, and how the distribution of the next token changed. */
export function SteeredTexts({ steering, prompt }: { steering: Steering; prompt: string }) {
  const { variants, continuations, next, counterparts } = steering;
  if (variants.length === 0) return null;
  const missing = counterparts?.filter(({ counterpart }) => counterpart === null) ?? [];
  return (
    <div className={styles.result}>
      <div className={styles.columns}>
        {variants.map((variant, at) => (
          <section
            key={variant}
            className={styles.column}
            data-variant={variant}
            aria-label={titles[variant]}
          >
            <h3>{titles[variant]}</h3>
            {next && at > 0 && (
              <p className="xs muted num">next token: KL from without {fixed(next.divergence[at], 3)} nats</p>
            )}
            {variant === 'counterpart' && counterparts && (
              <p className="xs muted num">
                {counterparts
                  .map(
                    ({ latent, counterpart, decoderCosine }) =>
                      `${latent} → ${counterpart ?? 'none'}${counterpart === null ? '' : ` (cos ${fixed(decoderCosine, 2)})`}`,
                  )
                  .join(', ')}
                {missing.length > 0 && '; those without one are not steered'}
              </p>
            )}
            {continuations
              .filter((one) => one.variant === variant)
              .map((one) => (
                <div key={one.sample ?? 'greedy'} className={styles.text}>
                  <p className="xs muted">{one.sample === null ? 'greedy' : `draw ${one.sample + 1}`}</p>
                  <p>
                    <span className="muted">{tail(prompt)}</span>
                    {one.text}
                  </p>
                  {one.stopped && whyStopped[one.stopped] && (
                    <p className="xs muted">{whyStopped[one.stopped]}</p>
                  )}
                </div>
              ))}
          </section>
        ))}
      </div>
      {next && (
        <section aria-label="Change of the next token" className={styles.next}>
          <h3>Next token after the text</h3>
          <Legend
            items={variants.map((variant) => ({
              name: titles[variant].toLowerCase(),
              colour: colours[variant],
            }))}
          />
          <ProbabilityBars rows={next.tokens.slice(0, 10)} names={variants} />
        </section>
      )}
    </div>
  );
}

const colours: Record<VariantName, string> = {
  without: 'var(--chart-fill)',
  with: 'var(--accent)',
  counterpart: 'color-mix(in oklab, var(--accent) 45%, var(--surface))',
};

/** The end of the prompt, so that a long one doesn't push what follows out of sight. */
function tail(prompt: string): string {
  return prompt.length > 160 ? `…${prompt.slice(-140)}` : prompt;
}
