import { fusedActivationFunctionNames } from '../../../ops/fusedActivationFunction.ts';
import type { KernelContext, NativeKernels } from './kernelContext.ts';

/** Activation functions of MLPs; their numbers, their order in `fusedActivationFunctionNames`, are those of source/activationFunctions.cc. */
export function activationKernels({ backend, library }: KernelContext): NativeKernels {
  const forward = library.bind<[number, unknown, unknown, number]>(
    'void lazyscope_activation(int32_t function, void* x, void* y, int64_t count)',
  );
  const backward = library.bind<[number, unknown, unknown, unknown, number]>(
    'void lazyscope_activation_grad(int32_t function, void* x, void* dy, void* dx, int64_t count)',
  );
  const numberOf = (name: unknown) => fusedActivationFunctionNames.findIndex((known) => known === name);
  return {
    Activation: ({ x }, { name }) => {
      const out = backend.output(x.shape, 'float32');
      forward(numberOf(name), backend.values(x), out.values, out.values.length);
      return out.info;
    },
    ActivationGrad: ({ x, dy }, { name }) => {
      const out = backend.output(x.shape, 'float32');
      backward(numberOf(name), backend.values(x), backend.values(dy), out.values, out.values.length);
      return out.info;
    },
  };
}
