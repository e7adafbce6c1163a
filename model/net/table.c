/* table.c - see table.h. */
#include "model/net/table.h"

#include "model/base/narrow.h"
#include "model/base/vec.h"

VEC_CLONES static void copy_f16(size_t n, const uint16_t *restrict x, real *restrict y) {
    for (size_t i = 0; i < n; i++)
        y[i] = (real)narrow_from_f16(x[i]);
}

VEC_CLONES static void add_f16(size_t n, const uint16_t *restrict x, real *restrict y) {
    for (size_t i = 0; i < n; i++)
        y[i] += (real)narrow_from_f16(x[i]);
}

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

size_t table_entry_bytes(enum table_type type) {
    static const size_t bytes[] = {sizeof(real), 2, 2, 1};

    return bytes[type];
}

size_t table_bytes(const struct table *t) {
    return (size_t)t->rows * t->cols * table_entry_bytes(t->type);
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
    }
}

void table_widen(const struct table *t, real *y) {
    for (uint32_t r = 0; r < t->rows; r++)
        table_copy_row(t, r, y + (size_t)r * t->cols);
}
