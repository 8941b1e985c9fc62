/**
 * What clients may send, and how much of it. Every name, seed and latent that a client sends goes through the schemas
 * here, so that none leads out of the store or overflows a column of the database.
 */
import { z } from 'zod';
import { namePattern, nameRule } from '../../sae/spec/names.ts';

/** The largest integer that the database's columns and the tables' indices hold. */
const maxInteger = 2 ** 31 - 1;

/** The name of a run, capture, comparison, report or model. */
export const storeName = z.string().regex(namePattern, nameRule);

/** A seed of a run. */
export const seedNumber = z.int().nonnegative().max(maxInteger);

/** The index of a latent, a neuron or a row. */
export const indexNumber = z.int().nonnegative().max(maxInteger);

/** The id of a job, as the server gives them. */
export const jobId = z.string().min(1).max(100);

/** Bytes that the body of a request may have. The longest legitimate one is a prompt of 20,000 characters. */
export const maxBodyBytes = 1 << 20;
