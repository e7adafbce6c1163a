/* test_gemm.c - OpenBLAS behind gemm.h against its plain twins, over random shapes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/base/gemm.h"
#include "model/base/rng.h"

#define MOST 40
#define SEED 3

typedef void product(size_t M, size_t N, size_t K, const real *A, const real *B, real beta,
                     real *C);

static void fill(struct rng *rng, real *x) {
    for (int i = 0; i < MOST * MOST; i++)
        x[i] = (real)rng_normal(rng);
}

static void compare(product *fast, product *plain) {
    static real A[MOST * MOST], B[MOST * MOST], C[MOST * MOST], D[MOST * MOST];
    struct rng rng;

    rng_init(&rng, SEED, 0);
    for (int round = 0; round < 200; round++) {
        size_t M = 1 + rng_below(&rng, MOST), N = 1 + rng_below(&rng, MOST);
        size_t K = 1 + rng_below(&rng, MOST);
        real beta = (real)(round % 2);

        fill(&rng, A);
        fill(&rng, B);
        fill(&rng, C);
        for (int i = 0; i < MOST * MOST; i++)
            D[i] = C[i];
        if (beta == 0)
            C[0] = (real)NAN; /* with beta 0 the old value must not matter */
        fast(M, N, K, A, B, beta, C);
        plain(M, N, K, A, B, beta, D);
        for (size_t i = 0; i < M * N; i++)
            assert_true(fabs((double)(C[i] - D[i])) < 1e-4);
        for (size_t i = M * N; i < MOST * MOST; i++)
            assert_true(C[i] == D[i]); /* nothing beyond is touched */
    }
}

static void test_products(void **state) {
    (void)state;
    compare(gemm_nt, gemm_plain_nt);
    compare(gemm_nn, gemm_plain_nn);
    compare(gemm_tn, gemm_plain_tn);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_products)};

    gemm_single_thread();
    return cmocka_run_group_tests_name("gemm", tests, NULL, NULL);
}
