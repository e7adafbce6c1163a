#include "model/ckpt/ckpt_round.h"

#include <string.h>

#include "model/base/int4.h"
#include "model/base/int8.h"
#include "model/base/narrow.h"
#include "proto/limits.h"

#define PIECE 1024u

static void round_row_i4(size_t n, const real *x, real *y) {
    float scale = int4_scale(n, x), q[LIMIT_WIDTH];
    uint8_t bytes[LIMIT_WIDTH / 2];

    int4_narrow(n, scale, x, bytes);
    int4_widen(n, bytes, q);
    for (size_t i = 0; i < n; i++)
        y[i] = (real)(scale * q[i]);
}

static void round_row(size_t n, const real *x, real *y) {
    float scale = int8_scale(n, x);
    int8_t q[PIECE];

    for (size_t done = 0, m; done < n; done += m) {
        m = n - done < PIECE ? n - done : PIECE;
        int8_narrow(m, scale, x + done, q);
        for (size_t i = 0; i < m; i++)
            y[done + i] = (real)(scale * (float)q[i]);
    }
}

enum ckpt_type ckpt_round_type(enum ckpt_type type, bool table, size_t cols) {
    if (type != CKPT_I8 && type != CKPT_I4)
        return type;
    if (table && cols < CKPT_NARROW_COLS)
        return CKPT_F16;
    if (cols == 0)
        return CKPT_F32;
    return table ? type : CKPT_I8;
}

void ckpt_round(enum ckpt_type type, size_t rows, size_t cols, const real *x, real *y) {
    size_t n = rows * (cols ? cols : 1);

    if (type == CKPT_F16) {
        for (size_t i = 0; i < n; i++)
            y[i] = (real)narrow_from_f16(narrow_to_f16((float)x[i]));
    } else if (type == CKPT_BF16) {
        for (size_t i = 0; i < n; i++)
            y[i] = (real)narrow_from_bf16(narrow_to_bf16((float)x[i]));
    } else if ((type == CKPT_I8 || type == CKPT_I4) && cols > 0) {
        for (size_t r = 0; r < rows; r++)
            (type == CKPT_I4 ? round_row_i4 : round_row)(cols, x + r * cols, y + r * cols);
    } else if (x != y) {
        memcpy(y, x, n * sizeof *y);
    }
}
