import { fusedActivationFunctionNames } from '../../../ops/fusedActivationFunction.ts';
import type { KernelContext, NativeKernels } from './kernelContext.ts';

/** Activation functions of MLPs; their numbers, their order in `fusedActivationFunctionNames`, are those of source/activationFunctions.cc. */
export function activationKernels({ backend, library }: KernelContext): NativeKernels {
  const { activation, activationGrad } = library.functions;
  const numberOf = (name: unknown) => fusedActivationFunctionNames.findIndex((known) => known === name);
  return {
    Activation: ({ x }, { name }) => {
      const out = backend.output(x.shape, 'float32');
      activation(numberOf(name), backend.floats(x), out.values, out.values.length);
      return out.info;
    },
    ActivationGrad: ({ x, dy }, { name }) => {
      const out = backend.output(x.shape, 'float32');
      activationGrad(numberOf(name), backend.floats(x), backend.floats(dy), out.values, out.values.length);
      return out.info;
    },
  };
}
