/* kernel_quantize.h - rows of float to whole numbers, by themselves and together with what is done
 * to them before: a row does not leave the nearest cache. Included after kernel_real.h by a
 * kernel's file, which defines
 *
 *   KERNEL_WHOLE(n, x, by, q)  x(n) times by, to the nearest whole numbers, as its product has them
 */
#ifndef KERNEL_TOP
KERNEL_INLINE float top_lane(vec v) {
    float lane[KERNEL_LANES];

    memcpy(lane, &v, sizeof v);
    for (size_t half = KERNEL_LANES / 2; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            lane[i] = lane[i] > lane[i + half] ? lane[i] : lane[i + half];
    return lane[0];
}

#define KERNEL_TOP(v) top_lane(v)
#endif

/* x(rows,n) to q, the largest |x| of a row being in a lane of its `most`. No number is not finite
 * where that matters. */
KERNEL_INLINE void quantize_some(size_t rows, size_t n, const float *x, const vec *most, char *q,
                                 size_t bytes, float *scale) {
    float by[KERNEL_ABREAST];

    for (size_t r = 0; r < rows; r++) {
        float top = KERNEL_TOP(most[r]);

        scale[r] = top * (1 / 127.0f);
        by[r] = top > 0 ? 127 / top : 0;
    }
    for (size_t r = 0; r < rows; r++)
        KERNEL_WHOLE(n, x + r * n, by[r], q + r * n * bytes);
}

KERNEL_INLINE void quantize(size_t rows, size_t n, const float *x, void *q, size_t bytes,
                            float *scale) {
    for (size_t from = 0; from < rows; from += KERNEL_ABREAST, x += KERNEL_ABREAST * n) {
        size_t some = abreast(rows - from);
        vec most[KERNEL_ABREAST];

        for (size_t r = 0; r < some; r++) {
            most[r] = all(0);
            for (size_t i = 0; i < n; i += KERNEL_LANES)
                most[r] = KERNEL_MAX(size_of(load(x + r * n + i)), most[r]);
        }
        quantize_some(some, n, x, most, (char *)q + from * n * bytes, bytes, scale + from);
    }
}

KERNEL_INLINE void gelu_quantize(size_t rows, size_t n, float *x, void *q, size_t bytes,
                                 float *scale) {
    for (size_t from = 0; from < rows; from += KERNEL_ABREAST, x += KERNEL_ABREAST * n) {
        size_t some = abreast(rows - from);
        vec most[KERNEL_ABREAST];

        for (size_t r = 0; r < some; r++) {
            vec top = all(0);

            for (size_t i = 0; i < n; i += KERNEL_LANES) {
                vec v = gelu_of(load(x + r * n + i));

                top = KERNEL_MAX(size_of(v), top);
                save(v, x + r * n + i);
            }
            most[r] = top;
        }
        quantize_some(some, n, x, most, (char *)q + from * n * bytes, bytes, scale + from);
    }
}

KERNEL_INLINE void norm_quantize(const struct kernel_norm_quantize *p, size_t bytes) {
    size_t n = kernel_padded(p->width);

    for (size_t from = 0; from < p->rows; from += KERNEL_ABREAST) {
        size_t some = abreast(p->rows - from);
        vec most[KERNEL_ABREAST];

        norm_some(some, p->width, p->gain, p->bias, p->x + from, p->room, most);
        quantize_some(some, n, p->room, most, (char *)p->q + from * n * bytes, bytes,
                      p->scale + from);
    }
}
