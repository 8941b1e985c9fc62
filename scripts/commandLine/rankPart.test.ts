import { expect, test } from 'vitest';
import { rankPart } from './rankPart.ts';

test('mpirun and srun number processes from 0, parts are numbered from 1', () => {
  expect(rankPart({ OMPI_COMM_WORLD_RANK: '2', OMPI_COMM_WORLD_SIZE: '5' })).toEqual({ number: 3, of: 5 });
  expect(rankPart({ PMI_RANK: '0', PMI_SIZE: '3' })).toEqual({ number: 1, of: 3 });
  expect(rankPart({ SLURM_PROCID: '6', SLURM_STEP_NUM_TASKS: '7' })).toEqual({ number: 7, of: 7 });
});

test('an mpirun within a step of Slurm is the one that is meant', () => {
  const both = {
    SLURM_PROCID: '0',
    SLURM_STEP_NUM_TASKS: '1',
    OMPI_COMM_WORLD_RANK: '3',
    OMPI_COMM_WORLD_SIZE: '4',
  };
  expect(rankPart(both)).toEqual({ number: 4, of: 4 });
});

test('without a rank, or with too many processes, nothing is guessed', () => {
  expect(() => rankPart({})).toThrow(/needs mpirun or srun/);
  expect(() => rankPart({ OMPI_COMM_WORLD_RANK: '3' })).toThrow(/needs mpirun or srun/);
  expect(() => rankPart({ PMI_RANK: '4', PMI_SIZE: '4' })).toThrow(/PMI_RANK is '4'/);
  expect(() => rankPart({ PMI_RANK: '0', PMI_SIZE: '1001' })).toThrow(/1 to 1000 processes/);
});
