// @vitest-environment jsdom
import { act, useState } from 'react';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { click, find, press, rendered, textsOf, type } from '../testing/rendered.tsx';
import { ExampleText } from './ExampleText.tsx';
import { FeatureFilters } from './FeatureFilters.tsx';
import { featureTableDefaults, type FeatureTableState } from './featureQuery.ts';

describe('FeatureFilters', () => {
  afterEach(() => void vi.useRealTimers());

  async function filters(initial: Partial<FeatureTableState> = {}) {
    const asked: Partial<FeatureTableState>[] = [];
    function Page() {
      const [state, setState] = useState<FeatureTableState>({ ...featureTableDefaults, ...initial });
      return (
        <FeatureFilters
          state={state}
          change={(changes) => {
            asked.push(changes);
            setState((before) => ({ ...before, ...changes }));
          }}
        />
      );
    }
    return { place: await rendered(<Page />), asked };
  }
  const field = (place: HTMLElement, label: string) => find(place, `input[aria-label="${label}"]`);

  test('typing is asked for once, when it pauses; Enter does not wait', async () => {
    vi.useFakeTimers();
    const { place, asked } = await filters();
    const token = field(place, 'Find in examples, tokens and labels, or #latent');
    for (const typed of ['w', 'wh', 'wha']) {
      await type(token, typed);
      await act(async () => vi.advanceTimersByTime(200));
    }
    expect(asked).toEqual([]);
    await act(async () => vi.advanceTimersByTime(60));
    expect(asked).toEqual([{ token: 'wha' }]);
    const least = field(place, 'Least density in percent');
    await type(least, '0.5');
    await press(least, 'Enter');
    expect(asked.at(-1)).toEqual({ least: '0.5' });
    await act(async () => vi.advanceTimersByTime(1000));
    expect(asked).toHaveLength(2);
  });

  test('Clear is there when something is filtered, and empties the fields', async () => {
    const { place, asked } = await filters({ token: '#12', alive: 'dead', most: '3' });
    expect(place.querySelectorAll('button')).toHaveLength(1);
    await click(find(place, 'button'));
    const { alive, token, least, most, stability, labelled } = featureTableDefaults;
    expect(asked).toEqual([{ alive, token, least, most, stability, labelled }]);
    expect(
      [...place.querySelectorAll('input:not([type=radio])')].map(
        (input) => (input as HTMLInputElement).value,
      ),
    ).toEqual(['', '', '']);
    expect(place.querySelectorAll('button')).toHaveLength(0);
  });

  test('the choices say what they choose', async () => {
    const { place, asked } = await filters();
    const option = (name: string) =>
      [...place.querySelectorAll('label')].find(({ textContent }) => textContent === name)!;
    for (const name of ['Orphans', 'In every seed', 'Dead', 'All']) await click(find(option(name), 'input'));
    expect(asked).toEqual([
      { stability: 'orphan' },
      { stability: 'shared' },
      { alive: 'dead' },
      { alive: 'all' },
    ]);
  });
});

describe('ExampleText', () => {
  const tokens = [' the', ' wh', 'ale', '\n', '\u0000'].map((text, id) => ({ id, text }));
  const example = () =>
    rendered(<ExampleText tokens={tokens} activations={[0, 2, 4, 0, 1]} peak={2} max={8} />);

  test('each token is shaded by its share of the maximum, and one that does not fire is not', async () => {
    const place = await example();
    const shades = [...place.querySelectorAll<HTMLElement>('p > span > span')].map(
      (token) => /(\d+)%/.exec(token.getAttribute('style') ?? '')?.[1],
    );
    expect(shades).toEqual([undefined, '39', '59', undefined, '28']);
  });

  test('the text begins without its space, breaks where it broke, and bytes are visible', async () => {
    const place = await example();
    expect(find(place, 'p').textContent).toBe('the whale↵\\x00');
    expect(place.querySelectorAll('br')).toHaveLength(1);
  });

  test('the gutter holds the peak’s activation, and that of a token which is tapped', async () => {
    const place = await example();
    const gutter = () => [find(place, 'div > span').textContent, find(place, 'div > span').title];
    expect(gutter()).toEqual(['4.000', 'activation on “ale”']);
    await click([...place.querySelectorAll<HTMLElement>('p > span > span')][1]);
    expect(gutter()).toEqual(['2.000', 'activation on “·wh”']);
    expect(textsOf(place, 'div > span')[0]).toBe('2.000');
  });

  test('is one stop of the Tab key; the arrow keys move on from the peak, each token with its value', async () => {
    const place = await example();
    const stops = () => [...place.querySelectorAll<HTMLElement>('[tabindex="0"]')];
    expect(stops().map((token) => token.getAttribute('aria-label'))).toEqual(['ale, 4.000']);
    await press(stops()[0], 'ArrowLeft');
    expect(document.activeElement?.getAttribute('aria-label')).toBe('·wh, 2.000');
    await press(stops()[0], 'End');
    expect(find(place, 'div > span').textContent).toBe('1.000');
    await press(stops()[0], 'ArrowRight');
    expect(stops()).toHaveLength(1);
  });
});
