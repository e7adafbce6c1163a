/* engine_part.h - what the files of the engine share. engine/ only. */
#ifndef MODEL_ENGINE_ENGINE_PART_H
#define MODEL_ENGINE_ENGINE_PART_H

#include "model/base/layout.h"
#include "model/engine/engine.h"
#include "model/engine/matrix.h"

/* Tokens of a tile: with them and all that is between the matrices of a step, half of an L2.
 * Measured on Zen 4, at both shapes of docs/results/engine, in float and int8: from 32 to 96 the
 * rates are within 2 %; 24 costs up to 4 %. */
#define ENGINE_TILE 48u

struct engine_step {
    struct matrix mix, in, out;
    real *gain, *bias; /* (width padded) of the LayerNorm */
};

struct engine {
    const struct net_config *config; /* borrowed */
    const struct net_weights *w;     /* borrowed */
    struct engine_kind kind;
    size_t C, M, H, L;                    /* width, mlp_width, head_width, labels: padded */
    struct engine_step step[LIMIT_STEPS]; /* shared weights: the first stands for all */
    real *final_gain, *final_bias;
    struct matrix head_in, head_out;
};

/* What a tile is worked on in. */
struct engine_tile {
    real *seen;        /* (3 ENGINE_TILE + 1, C) what neighbours see; the last is the zero vector */
    void *seen_narrow; /* the same, quantised */
    float *seen_scale; /* (3 ENGINE_TILE + 1) */
    uint32_t *source;  /* (3, ENGINE_TILE) rows of seen, by relation and token */
    const real **from; /* (3 ENGINE_TILE) the columns that are seen, where they came from */
    const void **at;   /* (3, ENGINE_TILE) where the rows of a product lie */
    float *at_scale;   /* (3, ENGINE_TILE) */
    real *s, *g;       /* (ENGINE_TILE, C) (ENGINE_TILE, M) */
    void *s_narrow, *g_narrow;
};

/* Room for a tile; its zero vector is there once the layout takes. */
void engine_tile_lay(struct layout *l, const struct net_config *c, const struct engine_kind *kind,
                     struct engine_tile *tile);

/* Tokens that come out of a step: n in a row, of one text, from column `from` on. */
struct engine_run {
    size_t text;
    int64_t from;
    size_t n;
};

/* A column that goes into the step, of a text: config.width numbers, borrowed for the tile at hand;
 * NULL where nothing lies. */
typedef const real *engine_column(void *user, size_t text, int64_t column);

/* y(C padded): one step on n runs, of ENGINE_TILE tokens in all at most. */
void engine_step_tile(const struct engine *e, uint32_t t, struct engine_tile *tile,
                      const struct engine_run *runs, size_t n, engine_column *column, void *user,
                      real *y);

/* Through the LayerNorm before the pool, where there is one, in place: x(rows, C padded). */
void engine_finish(const struct engine *e, size_t rows, real *x);

/* Embed n tokens, `before` of whose text lie right before them: x(n, C padded). */
void engine_embed(const struct engine *e, const uint32_t *ids, size_t before, size_t n, real *x);

/* Pooled vectors to logits, in tiles. Vector b is p(parts, C padded) from p + b * parts * C, with
 * the parts that net_config_pool_width counts. */
void engine_label(const struct engine *e, struct engine_tile *tile, size_t n, const real *p,
                  real *logits);

/* Room that engine_label takes of a tile. */
size_t engine_pool_parts(const struct net_config *c);

#endif
