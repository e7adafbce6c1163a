#include "model/net/table.h"

#include <stdbool.h>

#include "model/base/int4.h"
#include "model/base/narrow.h"
#include "model/base/vec.h"

#define LINE 64u /* bytes of the cache */

#if defined(__x86_64__) && !defined(DIFFUSE_DOUBLE)
#include <immintrin.h>
#define HAS_F16C 1
#else
#define HAS_F16C 0
#endif

VEC_CLONES static void copy_f16_any(size_t n, const uint16_t *restrict x, real *restrict y) {
    for (size_t i = 0; i < n; i++)
        y[i] = (real)narrow_from_f16(x[i]);
}

VEC_CLONES static void add_f16_any(size_t n, const uint16_t *restrict x, real *restrict y) {
    for (size_t i = 0; i < n; i++)
        y[i] += (real)narrow_from_f16(x[i]);
}

#if HAS_F16C

/* The processor has an instruction for it, which the compiler does not find by itself. The same
 * numbers, in half the time. */
__attribute__((target("avx2,f16c"))) static void copy_f16_f16c(size_t n, const uint16_t *restrict x,
                                                               real *restrict y) {
    size_t i = 0;

    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(y + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(x + i))));
    for (; i < n; i++)
        y[i] = narrow_from_f16(x[i]);
}

__attribute__((target("avx2,f16c"))) static void add_f16_f16c(size_t n, const uint16_t *restrict x,
                                                              real *restrict y) {
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        __m256 wide = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(x + i)));

        _mm256_storeu_ps(y + i, _mm256_add_ps(_mm256_loadu_ps(y + i), wide));
    }
    for (; i < n; i++)
        y[i] += narrow_from_f16(x[i]);
}

/* And of twice the width. */
__attribute__((target("avx512f"))) static void copy_f16_512(size_t n, const uint16_t *restrict x,
                                                            real *restrict y) {
    size_t i = 0;

    for (; i + 16 <= n; i += 16)
        _mm512_storeu_ps(y + i, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(x + i))));
    for (; i < n; i++)
        y[i] = narrow_from_f16(x[i]);
}

__attribute__((target("avx512f"))) static void add_f16_512(size_t n, const uint16_t *restrict x,
                                                           real *restrict y) {
    size_t i = 0;

    for (; i + 16 <= n; i += 16) {
        __m512 wide = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(x + i)));

        _mm512_storeu_ps(y + i, _mm512_add_ps(_mm512_loadu_ps(y + i), wide));
    }
    for (; i < n; i++)
        y[i] += narrow_from_f16(x[i]);
}

static bool has_512(void) {
    return __builtin_cpu_supports("avx512f");
}

/* Clang 14 cannot ask for F16C; who has AVX2 and FMA has it (x86-64-v3). */
static bool has_f16c(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static void copy_f16(size_t n, const uint16_t *x, real *y) {
    (has_512() ? copy_f16_512 : has_f16c() ? copy_f16_f16c : copy_f16_any)(n, x, y);
}

static void add_f16(size_t n, const uint16_t *x, real *y) {
    (has_512() ? add_f16_512 : has_f16c() ? add_f16_f16c : add_f16_any)(n, x, y);
}

#else

static void copy_f16(size_t n, const uint16_t *x, real *y) {
    copy_f16_any(n, x, y);
}

static void add_f16(size_t n, const uint16_t *x, real *y) {
    add_f16_any(n, x, y);
}

#endif

VEC_CLONES static void copy_bf16(size_t n, const uint16_t *restrict x, real *restrict y) {
    for (size_t i = 0; i < n; i++)
        y[i] = (real)narrow_from_bf16(x[i]);
}

VEC_CLONES static void add_bf16(size_t n, const uint16_t *restrict x, real *restrict y) {
    for (size_t i = 0; i < n; i++)
        y[i] += (real)narrow_from_bf16(x[i]);
}

VEC_CLONES static void copy_i8(size_t n, real scale, const int8_t *restrict x, real *restrict y) {
    for (size_t i = 0; i < n; i++)
        y[i] = scale * (real)x[i];
}

VEC_CLONES static void add_i8(size_t n, real scale, const int8_t *restrict x, real *restrict y) {
    for (size_t i = 0; i < n; i++)
        y[i] += scale * (real)x[i];
}

/* A half of a row; the compiler makes vector code of each. */
VEC_CLONES static void copy_i4(size_t n, real scale, const uint8_t *restrict x, real *restrict y) {
    size_t half = int4_bytes(n);

    for (size_t i = 0; i < half; i++)
        y[i] = scale * (real)((x[i] & 15) - INT4_ZERO);
    for (size_t i = half; i < n; i++)
        y[i] = scale * (real)((x[i - half] >> 4) - INT4_ZERO);
}

VEC_CLONES static void add_i4(size_t n, real scale, const uint8_t *restrict x, real *restrict y) {
    size_t half = int4_bytes(n);

    for (size_t i = 0; i < half; i++)
        y[i] += scale * (real)((x[i] & 15) - INT4_ZERO);
    for (size_t i = half; i < n; i++)
        y[i] += scale * (real)((x[i - half] >> 4) - INT4_ZERO);
}

size_t table_row_bytes(enum table_type type, size_t cols) {
    static const size_t bytes[] = {sizeof(real), 2, 2, 1};

    return type == TABLE_I4 ? int4_bytes(cols) : cols * bytes[type];
}

size_t table_scale_bytes(const struct table *t) {
    return t->type == TABLE_I8 || t->type == TABLE_I4 ? t->rows * sizeof *t->scale : 0;
}

size_t table_bytes(const struct table *t) {
    return t->rows * table_row_bytes(t->type, t->cols);
}

void table_fetch_row(const struct table *t, uint32_t row) {
    size_t bytes = table_row_bytes(t->type, t->cols);
    const char *from = (const char *)t->at + row * bytes;

    for (size_t at = 0; at < bytes; at += LINE)
        __builtin_prefetch(from + at);
    if (t->scale)
        __builtin_prefetch(t->scale + row);
}

void table_copy_row(const struct table *t, uint32_t row, real *y) {
    size_t n = t->cols, at = row * n;

    switch (t->type) {
    case TABLE_REAL:
        vec_copy(n, (const real *)t->at + at, y);
        break;
    case TABLE_F16:
        copy_f16(n, (const uint16_t *)t->at + at, y);
        break;
    case TABLE_BF16:
        copy_bf16(n, (const uint16_t *)t->at + at, y);
        break;
    case TABLE_I8:
        copy_i8(n, (real)t->scale[row], (const int8_t *)t->at + at, y);
        break;
    case TABLE_I4:
        copy_i4(n, (real)t->scale[row], (const uint8_t *)t->at + row * int4_bytes(n), y);
        break;
    }
}

void table_add_row(const struct table *t, uint32_t row, real *y) {
    size_t n = t->cols, at = row * n;

    switch (t->type) {
    case TABLE_REAL:
        vec_add(n, (const real *)t->at + at, y);
        break;
    case TABLE_F16:
        add_f16(n, (const uint16_t *)t->at + at, y);
        break;
    case TABLE_BF16:
        add_bf16(n, (const uint16_t *)t->at + at, y);
        break;
    case TABLE_I8:
        add_i8(n, (real)t->scale[row], (const int8_t *)t->at + at, y);
        break;
    case TABLE_I4:
        add_i4(n, (real)t->scale[row], (const uint8_t *)t->at + row * int4_bytes(n), y);
        break;
    }
}

void table_widen(const struct table *t, real *y) {
    for (uint32_t r = 0; r < t->rows; r++)
        table_copy_row(t, r, y + (size_t)r * t->cols);
}
