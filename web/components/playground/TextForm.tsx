'use client';
import { useState } from 'react';
import type { RunRow } from '../../../server/client.ts';
import { ArchitectureMark } from '../ui/Tag.tsx';
import { Icon } from '../ui/Icon.tsx';
import { nameOf, sameDictionary, type DictionaryName } from './playgroundState.ts';
import styles from './TextForm.module.css';

/** As many as the server answers about at a time. */
const mostDictionaries = 8;

/** The text and the dictionaries that read it. The text takes effect when it is sent, dictionaries at once. */
export function TextForm({
  text,
  dictionaries,
  runs,
  busy,
  read,
  choose,
}: {
  text: string;
  dictionaries: readonly DictionaryName[];
  runs: readonly RunRow[];
  busy: boolean;
  read: (text: string) => void;
  choose: (dictionaries: DictionaryName[]) => void;
}) {
  const [typed, setTyped] = useState(text);
  // The address may change without typing, by the browser's back button.
  const [seen, setSeen] = useState(text);
  if (seen !== text) {
    setSeen(text);
    setTyped(text);
  }
  const rowOf = (one: DictionaryName) =>
    runs.find((row) => sameDictionary({ run: row.name, seed: row.seed }, one));
  const model = dictionaries[0] && rowOf(dictionaries[0])?.model;
  // All dictionaries of a question are of one model.
  const offered = runs.filter(
    (row) =>
      row.status === 'complete' &&
      row.model !== null &&
      (model === undefined || row.model === model) &&
      !dictionaries.some((one) => sameDictionary(one, { run: row.name, seed: row.seed })),
  );
  return (
    <form
      className={styles.form}
      aria-label="Text and dictionaries"
      onSubmit={(event) => {
        event.preventDefault();
        read(typed);
      }}
    >
      <label className="small" htmlFor="playground-text">
        Text
      </label>
      <textarea
        id="playground-text"
        className={`field ${styles.text}`}
        rows={3}
        maxLength={20_000}
        placeholder="Type or paste a text"
        spellCheck={false}
        value={typed}
        onChange={(event) => setTyped(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
          event.preventDefault();
          read(typed);
        }}
      />
      <div className={styles.line}>
        <ul className={styles.chips} aria-label="Dictionaries">
          {dictionaries.map((one) => {
            const row = rowOf(one);
            return (
              <li key={nameOf(one)} className={styles.chip}>
                {row && <ArchitectureMark architecture={row.architecture} />}
                <span>
                  {one.run}, seed {one.seed}
                  {row && <span className="xs muted"> {row.hook}</span>}
                </span>
                <button
                  type="button"
                  className={styles.remove}
                  aria-label={`Leave out ${nameOf(one)}`}
                  onClick={() => choose(dictionaries.filter((other) => !sameDictionary(one, other)))}
                >
                  <Icon name="close" size={12} />
                </button>
              </li>
            );
          })}
        </ul>
        {offered.length > 0 && dictionaries.length < mostDictionaries && (
          <select
            className="field"
            aria-label="Add a dictionary"
            value=""
            onChange={(event) => {
              const row = offered.find((one) => `${one.name}/${one.seed}` === event.target.value);
              if (row) choose([...dictionaries, { run: row.name, seed: row.seed }]);
            }}
          >
            <option value="">Add a dictionary…</option>
            {[...new Set(offered.map(({ hook }) => hook))].map((hook) => (
              <optgroup key={hook} label={hook}>
                {offered
                  .filter((row) => row.hook === hook)
                  .map((row) => (
                    <option key={`${row.name}/${row.seed}`} value={`${row.name}/${row.seed}`}>
                      {row.name}, seed {row.seed}
                    </option>
                  ))}
              </optgroup>
            ))}
          </select>
        )}
        <button
          type="submit"
          className="button primary"
          disabled={busy || typed === '' || dictionaries.length === 0}
        >
          {busy ? 'Reading…' : 'Read the text'}
        </button>
        <span className="xs muted with-keyboard">Ctrl Enter</span>
      </div>
    </form>
  );
}
