// @vitest-environment jsdom
import { QueryClient, QueryClientProvider, useQuery } from '@tanstack/react-query';
import { TRPCClientError } from '@trpc/client';
import { describe, expect, test } from 'vitest';
import { csvText } from '../../client/saveCsv.ts';
import { click, find, rendered, textsOf, until } from '../testing/rendered.tsx';
import { EmptyState } from './EmptyState.tsx';
import { ErrorNotice } from './ErrorNotice.tsx';
import { HeatCell } from './HeatCell.tsx';
import { Legend } from './Legend.tsx';
import { Loaded } from './Loaded.tsx';
import { Meter } from './Meter.tsx';
import { Segmented } from './Segmented.tsx';
import { Token } from './Token.tsx';

describe('Segmented', () => {
  const options = [
    { value: 'live', name: 'Live' },
    { value: 'dead', name: 'Dead' },
  ] as const;

  test('is a group of radio buttons with a name, of which one is chosen', async () => {
    const asked: string[] = [];
    const segmented = (
      <Segmented label="Alive" value="live" options={options} change={(value) => asked.push(value)} />
    );
    const place = await rendered(segmented);
    expect(find(place, 'legend').textContent).toBe('Alive');
    const [live, dead] = place.querySelectorAll('input');
    expect([live.checked, dead.checked]).toEqual([true, false]);
    await click(dead);
    expect(asked).toEqual(['dead']);
  });

  test('two on a page do not take each other’s choice', async () => {
    const one = <Segmented label="Alive" value="live" options={options} change={() => {}} />;
    const place = await rendered([<div key="a">{one}</div>, <div key="b">{one}</div>]);
    expect([...place.querySelectorAll('input')].map(({ checked }) => checked)).toEqual([
      true,
      false,
      true,
      false,
    ]);
  });
});

describe('shares', () => {
  test.each([
    [0.25, '25%'],
    [null, '0%'],
    [-0.1, '0%'],
    [1.7, '100%'],
  ])('the bar of %d is %s of its track wide', async (share, width) => {
    const place = await rendered(<Meter share={share} text="x" />);
    expect(find(place, '[aria-hidden] > span').style.width).toBe(width);
    expect(place.textContent).toBe('x');
  });

  test.each([
    [0.5, '20%'],
    [3, '40%'],
    [-1, '0%'],
  ])(
    'a cell of %d is mixed with %s of the colour, so that its number stays readable',
    async (share, mixed) => {
      const place = await rendered(<HeatCell share={share} colour="red" text="0.5" />);
      const style = find(place, 'span').getAttribute('style') ?? '';
      expect(style).toContain(`red ${mixed}`);
      expect(place.textContent).toBe('0.5');
    },
  );
});

test('a legend has an entry a name, with its colour and its dashes', async () => {
  const place = await rendered(
    <Legend
      items={[
        { name: 'seed 0', colour: 'red', dash: '6 3' },
        { name: 'shared', colour: 'blue', shape: 'block' },
      ]}
    />,
  );
  expect(textsOf(place, 'li')).toEqual(['seed 0', 'shared']);
  const [line, block] = place.querySelectorAll('path');
  expect([line.getAttribute('stroke'), line.getAttribute('stroke-dasharray')]).toEqual(['red', '6 3']);
  expect(block.getAttribute('fill')).toBe('blue');
});

describe('tokens', () => {
  test('a leading space and a byte are visible, and fainter than letters', async () => {
    const place = await rendered(<Token text={' a\u000b'} />);
    expect(place.textContent).toBe('·a\\x0b');
    expect(textsOf(place, 'span > span')).toEqual(['·', '\\x0b']);
  });

  test('in running text a space is a space', async () => {
    const place = await rendered(<Token running text=" a" />);
    expect(place.textContent).toBe(' a');
    expect(textsOf(place, 'span > span')).toEqual([]);
  });
});

describe('states', () => {
  test('where there is nothing yet, the command that makes some is there to copy', async () => {
    const place = await rendered(<EmptyState title="No runs yet" command="npx lazyscope train" />);
    expect(textsOf(place, 'p, code')).toEqual(['No runs yet', 'npx lazyscope train']);
    expect(find(place, 'button').getAttribute('aria-label')).toBe('Copy the command');
  });

  const refused = (code: string) =>
    new TRPCClientError<never>('There is no run ‘x’.', {
      result: { error: { message: 'There is no run ‘x’.', code: -32_004, data: { code } } } as never,
    });

  test('an error says what happened; trying again is offered unless it can’t help', async () => {
    let again = 0;
    const missing = await rendered(<ErrorNotice error={refused('NOT_FOUND')} retry={() => again++} />);
    expect(find(missing, '[role=alert]').textContent).toContain('There is no run ‘x’.');
    expect(textsOf(missing, 'p')[0]).toBe('Not in the store');
    expect(missing.querySelectorAll('button')).toHaveLength(0);
    const failed = await rendered(
      <ErrorNotice error={refused('INTERNAL_SERVER_ERROR')} retry={() => again++} />,
    );
    await click(find(failed, 'button'));
    expect(again).toBe(1);
  });

  test('a query shows a skeleton, then what came or what went wrong; earlier data outlives an error', async () => {
    const answers: (() => string)[] = [
      () => {
        throw refused('INTERNAL_SERVER_ERROR');
      },
      () => 'forty-two',
      () => {
        throw refused('INTERNAL_SERVER_ERROR');
      },
    ];
    let calls = 0;
    function Page() {
      const query = useQuery({ queryKey: ['q'], retry: false, queryFn: async () => answers[calls++]() });
      return (
        <>
          <Loaded query={query}>{(data) => <b>{data}</b>}</Loaded>
          <i onClick={() => void query.refetch()}>{query.status}</i>
        </>
      );
    }
    const place = await rendered(
      <QueryClientProvider client={new QueryClient()}>
        <Page />
      </QueryClientProvider>,
    );
    await until(() => place.querySelector('[role=alert]') !== null);
    expect(textsOf(place, 'b')).toEqual([]);
    await click(find(place, '[role=alert] button'));
    await until(() => textsOf(place, 'b')[0] === 'forty-two');
    await click(find(place, 'i'));
    await until(() => find(place, 'i').textContent === 'error');
    expect(textsOf(place, 'b')).toEqual(['forty-two']);
    expect(place.querySelector('[role=alert]')).toBe(null);
  });
});

test('a table as CSV: quotes where RFC 4180 wants them, nothing for what is missing', () => {
  expect(
    csvText(
      ['run', 'fvu'],
      [
        ['a,b', 0.5],
        ['say "hi"', null],
        ['two\nlines', 0],
      ],
    ),
  ).toBe('run,fvu\r\n"a,b",0.5\r\n"say ""hi""",\r\n"two\nlines",0\r\n');
});
