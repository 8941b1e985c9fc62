import { expect, test } from 'vitest';
import { z } from 'zod';
import { layerMetricShape } from './layerMetricShape.ts';
import { layerMetricNames, layerMetricOf, meanOverNeurons } from './layerMetrics.ts';

const first = { activationRatio: 0.3, deadRate: 0, cett: 0.7, ratioAtCett: 0.1, dynamicDeadRate: 0.2 };
const second = { activationRatio: 0.1, deadRate: 0.4, cett: 0.1, ratioAtCett: 0.3, dynamicDeadRate: 0.6 };

test('the mean over layers weighs them by their neurons, and leaves out what a layer lacks', () => {
  const layers = [
    { neurons: 100, ...first, attentionOverload: 0.5, spaceFolding: 0.2 },
    { neurons: 300, ...second, attentionOverload: 0.9 },
  ];
  const mean = meanOverNeurons(layers);
  expect(mean.activationRatio).toBeCloseTo(0.15, 12);
  expect(mean.deadRate).toBeCloseTo(0.3, 12);
  expect(mean.attentionOverload).toBeCloseTo(0.8, 12);
  expect(mean).not.toHaveProperty('spaceFolding');
});

test('a report made before the optional metrics is read, one without the others is not', () => {
  const schema = z.strictObject(layerMetricShape);
  expect(schema.parse(first)).toEqual(first);
  expect(schema.safeParse({ ...first, cett: undefined }).success).toBe(false);
});

test('labels tell the columns of a table apart', () => {
  const labels = layerMetricNames.map((name) => layerMetricOf(name).label);
  expect(new Set(labels).size).toBe(labels.length);
});
