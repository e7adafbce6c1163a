#include "model/net/embed.h"

uint32_t embed_ngram_row(const struct net_config *c, const uint32_t *last, uint32_t n) {
    uint64_t h = 0xcbf29ce484222325u ^ n;

    for (uint32_t k = n; k-- > 0;) {
        h = (h ^ *(last - k)) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    return (uint32_t)(h % c->ngram_rows);
}

/* Rows lie anywhere in tables that are larger than caches: they are asked for so many tokens before
 * they are read. */
#define AHEAD 4u

/* Where a token's vector comes from. */
struct source {
    uint32_t piece, ngram[LIMIT_NGRAM_ORDER + 1]; /* by the number of its tokens, from 2 to order */
    uint32_t order;
};

static void find(const struct net_config *c, const struct net_weights *w, const uint32_t *last,
                 size_t before, struct source *s) {
    s->piece = *last;
    s->order = c->ngram_order <= before + 1 ? c->ngram_order : (uint32_t)before + 1;
    table_fetch_row(&w->embed_table, s->piece);
    for (uint32_t k = 2; k <= s->order; k++) {
        s->ngram[k] = embed_ngram_row(c, last, k);
        table_fetch_row(&w->ngram_table, s->ngram[k]);
    }
}

static void put(const struct net_weights *w, const struct source *s, real *h) {
    table_copy_row(&w->embed_table, s->piece, h);
    for (uint32_t k = 2; k <= s->order; k++)
        table_add_row(&w->ngram_table, s->ngram[k], h);
}

void embed_onward(const struct net_config *c, const struct net_weights *w, const uint32_t *ids,
                  size_t before, size_t n, real *h) {
    struct source s[AHEAD];

    for (size_t i = 0; i < n + AHEAD; i++) {
        if (i >= AHEAD && i - AHEAD < n)
            put(w, &s[i % AHEAD], h + (i - AHEAD) * c->width);
        if (i < n)
            find(c, w, ids + i, before + i, &s[i % AHEAD]);
    }
}

void embed_forward(const struct net_config *c, const struct net_weights *w, const uint32_t *ids,
                   size_t n, real *h) {
    embed_onward(c, w, ids, 0, n, h);
}
