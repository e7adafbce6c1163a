#include "model/base/gemm.h"

#include <assert.h>
#include <cblas.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>

#define BUFFER_BYTES ((size_t)128 << 20) /* of OpenBLAS, for a thread; less on some processors */
#define SPARE_BYTES  ((size_t)16 << 20)  /* for what the program itself takes meanwhile */

#ifdef DIFFUSE_DOUBLE
#define cblas_gemm cblas_dgemm
#define cblas_gemv cblas_dgemv
#else
#define cblas_gemm cblas_sgemm
#define cblas_gemv cblas_sgemv
#endif

static int dim(size_t n) {
    assert(n <= INT_MAX);
    return n ? (int)n : 1; /* BLAS wants strides of at least one */
}

/* One row: a quarter to a third faster, as B is not packed first. */
static void one_row(size_t N, size_t K, const real *A, const real *B, real beta, real *C) {
    if (beta == 0)
        memset(C, 0, N * sizeof *C); /* C may hold anything, NaN too */
    cblas_gemv(CblasRowMajor, CblasNoTrans, (int)N, (int)K, 1, B, dim(K), A, 1, 1, C, 1);
}

void gemm_nt(size_t M, size_t N, size_t K, const real *A, const real *B, real beta, real *C) {
    if (M == 1) {
        one_row(N, K, A, B, beta, C);
        return;
    }
    cblas_gemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)M, (int)N, (int)K, 1, A, dim(K), B,
               dim(K), beta, C, dim(N));
}

void gemm_nn(size_t M, size_t N, size_t K, const real *A, const real *B, real beta, real *C) {
    cblas_gemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)M, (int)N, (int)K, 1, A, dim(K), B,
               dim(N), beta, C, dim(N));
}

void gemm_tn(size_t M, size_t N, size_t K, const real *A, const real *B, real beta, real *C) {
    cblas_gemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)M, (int)N, (int)K, 1, A, dim(M), B,
               dim(N), beta, C, dim(N));
}

/* One sum for all three: element (m,k) of A is A[m*am + k*ak], (k,n) of B is B[k*bk + n*bn]. */
static void plain(size_t M, size_t N, size_t K, const real *A, size_t am, size_t ak, const real *B,
                  size_t bk, size_t bn, real beta, real *C) {
    for (size_t m = 0; m < M; m++)
        for (size_t n = 0; n < N; n++) {
            double sum = 0;

            for (size_t k = 0; k < K; k++)
                sum += (double)A[m * am + k * ak] * (double)B[k * bk + n * bn];
            C[m * N + n] = (real)(beta == 0 ? sum : sum + (double)beta * (double)C[m * N + n]);
        }
}

void gemm_plain_nt(size_t M, size_t N, size_t K, const real *A, const real *B, real beta, real *C) {
    plain(M, N, K, A, K, 1, B, 1, K, beta, C);
}

void gemm_plain_nn(size_t M, size_t N, size_t K, const real *A, const real *B, real beta, real *C) {
    plain(M, N, K, A, K, 1, B, N, 1, beta, C);
}

void gemm_plain_tn(size_t M, size_t N, size_t K, const real *A, const real *B, real beta, real *C) {
    plain(M, N, K, A, 1, M, B, N, 1, beta, C);
}

void gemm_single_thread(void) {
    openblas_set_num_threads(1);
}

/* OpenBLAS's own allocator of its buffers, which are mapped once and kept. */
extern void *blas_memory_alloc(int where) __attribute__((weak));
extern void blas_memory_free(void *buffer) __attribute__((weak));

diffuse_err gemm_check(unsigned threads, struct reason *why) {
    size_t bytes = (size_t)threads * BUFFER_BYTES + SPARE_BYTES;
    void *tried = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (tried == MAP_FAILED)
        return reason_set(why, DIFFUSE_NOMEM,
                          "matrix products of %u thread%s take %zu MiB of address space, and the "
                          "system refuses them: raise ulimit -v (LimitAS= of a unit), or take "
                          "fewer threads",
                          threads, threads == 1 ? "" : "s", bytes >> 20);
    (void)munmap(tried, bytes);
    return DIFFUSE_OK;
}

diffuse_err gemm_reserve(unsigned threads, struct reason *why) {
    void *buffer[LIMIT_WORKERS];
    diffuse_err e = gemm_check(threads, why);

    if (e)
        return e;
    if (!blas_memory_alloc || !blas_memory_free)
        return DIFFUSE_OK;
    for (unsigned i = 0; i < threads && i < LIMIT_WORKERS; i++)
        buffer[i] = blas_memory_alloc(0);
    for (unsigned i = 0; i < threads && i < LIMIT_WORKERS; i++)
        blas_memory_free(buffer[i]);
    return DIFFUSE_OK;
}

const char *gemm_kernels(void) {
    return openblas_get_corename();
}
