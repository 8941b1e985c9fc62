import { expect, test } from 'vitest';
import { agreedLatents, type Link } from './agreedLatents.ts';

const link = (a: string, b: string, cosine: number): Link => {
  const latent = (text: string) => ({ dictionary: Number(text[0]), latent: Number(text[1]) });
  return { a: latent(a), b: latent(b), cosine };
};
const said = (links: Link[], dictionaries = 3, latents = 3) =>
  agreedLatents(dictionaries, latents, links)
    .map(({ members }) => members.map(({ dictionary, latent }) => `${dictionary}${latent}`).join(' '))
    .sort();

test('counterparts of counterparts are one, and everything else is alone', () => {
  const found = agreedLatents(3, 3, [link('00', '11', 0.9), link('11', '22', 0.8), link('02', '10', 0.7)]);
  expect(said([link('00', '11', 0.9), link('11', '22', 0.8), link('02', '10', 0.7)])).toEqual([
    '00 11 22',
    '01',
    '02 10',
    '12',
    '20',
    '21',
  ]);
  expect(found[0].cosine).toBeCloseTo(0.85, 12);
  expect(found.flatMap(({ members }) => members)).toHaveLength(9);
});

test('two latents of one dictionary never are: the nearer one stays', () => {
  // 00–11–22 and 22–01 would join latents 0 and 1 of the first dictionary.
  const links = [link('00', '11', 0.9), link('11', '22', 0.8), link('01', '22', 0.85)];
  expect(said(links)).toEqual(['00 11', '01 22', '02', '10', '12', '20', '21']);
});

test('the order of the links does not matter', () => {
  const links = [
    link('00', '10', 0.9),
    link('10', '20', 0.9),
    link('00', '21', 0.8),
    link('01', '21', 0.75),
    link('02', '12', 0.7),
  ];
  expect(said([...links].reverse())).toEqual(said(links));
  expect(said(links)).toEqual(['00 10 20', '01 21', '02 12', '11', '22']);
});
