'use client';
import { useId } from 'react';
import styles from './Segmented.module.css';

/** A choice of one among a few options: radio buttons that look like a switch. */
export function Segmented<Value extends string>({
  label,
  value,
  options,
  change,
}: {
  label: string;
  value: Value;
  options: readonly { value: Value; name: string }[];
  change: (value: Value) => void;
}) {
  const group = useId();
  return (
    <fieldset className={styles.group}>
      <legend className="visually-hidden">{label}</legend>
      {options.map((option) => (
        <label key={option.value} className={styles.option}>
          <input
            type="radio"
            name={group}
            className="visually-hidden"
            checked={option.value === value}
            onChange={() => change(option.value)}
          />
          <span>{option.name}</span>
        </label>
      ))}
    </fieldset>
  );
}
