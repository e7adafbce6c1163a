/* embed.c - see embed.h. */
#include "model/net/embed.h"

uint32_t embed_ngram_row(const struct net_config *c, const uint32_t *last, uint32_t n) {
    uint64_t h = 0xcbf29ce484222325u ^ n;

    for (uint32_t k = n; k-- > 0;) {
        h = (h ^ *(last - k)) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    return (uint32_t)(h % c->ngram_rows);
}

void embed_onward(const struct net_config *c, const struct net_weights *w, const uint32_t *ids,
                  size_t before, size_t n, real *h) {
    for (size_t i = 0; i < n; i++, h += c->width) {
        table_copy_row(&w->embed_table, ids[i], h);
        for (uint32_t k = 2; k <= c->ngram_order && k <= before + i + 1; k++)
            table_add_row(&w->ngram_table, embed_ngram_row(c, ids + i, k), h);
    }
}

void embed_forward(const struct net_config *c, const struct net_weights *w, const uint32_t *ids,
                   size_t n, real *h) {
    embed_onward(c, w, ids, 0, n, h);
}
