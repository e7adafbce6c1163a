/* gemm.h - matrix products, row-major. gemm.c is the only file that knows OpenBLAS.
 *
 * The plain_ twins are the same sums in plain loops: oracle of the tests.
 * Threads: any number may call at once after gemm_single_thread.
 */
#ifndef MODEL_BASE_GEMM_H
#define MODEL_BASE_GEMM_H

#include <stddef.h>

#include "model/base/real.h"

/* C(M,N) = A(M,K) * B(N,K)^T + beta*C. beta is 0 or 1; with 0, C need not hold numbers. */
void gemm_nt(size_t M, size_t N, size_t K, const real *A, const real *B, real beta, real *C);

/* C(M,N) = A(M,K) * B(K,N) + beta*C */
void gemm_nn(size_t M, size_t N, size_t K, const real *A, const real *B, real beta, real *C);

/* C(M,N) = A(K,M)^T * B(K,N) + beta*C */
void gemm_tn(size_t M, size_t N, size_t K, const real *A, const real *B, real beta, real *C);

void gemm_plain_nt(size_t M, size_t N, size_t K, const real *A, const real *B, real beta, real *C);
void gemm_plain_nn(size_t M, size_t N, size_t K, const real *A, const real *B, real beta, real *C);
void gemm_plain_tn(size_t M, size_t N, size_t K, const real *A, const real *B, real beta, real *C);

/* From now on OpenBLAS computes in the calling thread alone: threads are ours to place. */
void gemm_single_thread(void);

const char *gemm_kernels(void); /* the processor that OpenBLAS's kernels were made for */

#endif
