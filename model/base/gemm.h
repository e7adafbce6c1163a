/* gemm.h - matrix products, row-major. gemm.c is the only file that knows OpenBLAS.
 *
 * The plain_ twins are the same sums in plain loops: oracle of the tests.
 * Threads: any number may call at once after gemm_single_thread.
 */
#ifndef MODEL_BASE_GEMM_H
#define MODEL_BASE_GEMM_H

#include <stddef.h>

#include "model/base/real.h"
#include "proto/diffuse_err.h"
#include "proto/limits.h"
#include "proto/reason.h"

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

/* Is there address space for the buffers that OpenBLAS needs for so many threads at once? Where the
 * system refuses one, OpenBLAS tries again for ever. Products touch little of it. Errors: NOMEM:
 * the reason says how much is needed, and what to raise. */
DIFFUSE_MUST_CHECK diffuse_err gemm_check(unsigned threads, struct reason *why);

/* The same, and OpenBLAS takes them now and keeps them. Errors: as gemm_check. */
DIFFUSE_MUST_CHECK diffuse_err gemm_reserve(unsigned threads, struct reason *why);

const char *gemm_kernels(void); /* the processor that OpenBLAS's kernels were made for */

#endif
