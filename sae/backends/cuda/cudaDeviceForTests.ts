/** Makes tests of backend cuda run on the software device unless LAZYSCOPE_CUDA_DEVICE names another; call it before backends are probed. */
export function chooseCudaDeviceForTests(): void {
  process.env.LAZYSCOPE_CUDA_DEVICE ??= 'software';
}
