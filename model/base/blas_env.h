/* blas_env.h - the environment OpenBLAS reads when it is loaded, put right before it matters.
 *
 * OPENBLAS_NUM_THREADS=1, because threads are ours to place and a pool of its own costs memory that
 * no later call gives back. OPENBLAS_CORETYPE, when the library does not know this processor and
 * fell back to kernels many times slower than the instructions at hand allow.
 */
#ifndef MODEL_BASE_BLAS_ENV_H
#define MODEL_BASE_BLAS_ENV_H

/* First thing in main: sets what is missing and starts the program again with the same arguments,
 * once. Returns when there is nothing to set, or when the system refuses the new start. What the
 * user set stays as it is. */
void blas_env_settle(char **argv);

#endif
