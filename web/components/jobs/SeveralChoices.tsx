import { takenOf, withTaken, type Choice } from './jobForms.ts';
import styles from './JobForm.module.css';

/** A tick box for each choice; where the order counts, those that were taken are numbered. */
export function SeveralChoices({
  name,
  label,
  optional,
  value,
  choices,
  order,
  empty,
  describedBy,
  invalid,
  change,
}: {
  name: string;
  label: string;
  optional: boolean;
  /** The choices that were taken, with commas between them. */
  value: string;
  choices: readonly Choice[];
  order: 'in order' | 'as taken';
  /** What happens when none is taken. */
  empty: string | undefined;
  describedBy: string;
  invalid: boolean;
  change: (value: string) => void;
}) {
  const taken = takenOf(value);
  return (
    <fieldset className={styles.several} aria-describedby={describedBy}>
      <legend>
        {label}
        {optional && <span className="faint xs"> optional</span>}
      </legend>
      <div className={styles.choices}>
        {choices.map((choice) => {
          const at = taken.indexOf(choice.value);
          const numbered = order === 'as taken' && at >= 0 && taken.length > 1;
          return (
            <label key={choice.value} className={`${styles.tick} small`}>
              <input
                type="checkbox"
                name={name}
                value={choice.value}
                checked={at >= 0}
                aria-invalid={invalid || undefined}
                onChange={() => change(withTaken(value, choice.value, { order, choices }))}
              />
              <span>
                {choice.name}
                {numbered && (
                  <span className="faint xs">
                    {' '}
                    {at + 1} of {taken.length}
                  </span>
                )}
              </span>
            </label>
          );
        })}
      </div>
      {taken.length === 0 && empty !== undefined && <p className="xs faint">None taken: {empty}.</p>}
    </fieldset>
  );
}
