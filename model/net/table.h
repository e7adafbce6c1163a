/* table.h - a matrix that is looked up by row, in the type that it is stored in.
 *
 * Tables are most of a small model: kept in 16, 8 or 4 bits they take a half to an eighth of the
 * memory, and a row comes through the caches in so many lines less. Rows are widened as they are
 * read; nothing is computed in the narrow type.
 */
#ifndef MODEL_NET_TABLE_H
#define MODEL_NET_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/real.h"

enum table_type {
    TABLE_REAL, /* real */
    TABLE_F16,  /* uint16_t, as narrow.h has them */
    TABLE_BF16,
    TABLE_I8, /* int8_t, times the scale of the row */
    TABLE_I4  /* two to a byte as int4.h has them, times the scale of the row */
};

/* Borrowed memory. All zero: there is no such table. */
struct table {
    enum table_type type;
    uint32_t rows, cols;
    const void *at;     /* (rows, cols) of type, row-major; each row begins where the last ends */
    const float *scale; /* (rows) of I8 and I4, else NULL */
};

/* Bytes of a row of so many entries, without its scale. */
size_t table_row_bytes(enum table_type type, size_t cols);

/* Bytes of the scales: 0 for a type without. */
size_t table_scale_bytes(const struct table *t);

/* Bytes of the entries, without the scales. */
size_t table_bytes(const struct table *t);

/* y(cols) = row, and y(cols) += row; row below rows. */
void table_copy_row(const struct table *t, uint32_t row, real *y);
void table_add_row(const struct table *t, uint32_t row, real *y);

/* Ask the memory for a row that is soon to be read. */
void table_fetch_row(const struct table *t, uint32_t row);

/* y(rows, cols) = the whole table. */
void table_widen(const struct table *t, real *y);

#endif
