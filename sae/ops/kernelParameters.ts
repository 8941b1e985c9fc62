/**
 * The parameters that the fused kernels train, in the order in which they and what is written of them are gone through. W_skip isn't one of
 * them; see `FusedKernels.updateSkip`.
 */
export const kernelParameters = ['wEnc', 'bEnc', 'wDec', 'bDec', 'logThreshold', 'rMag', 'bMag'] as const;
