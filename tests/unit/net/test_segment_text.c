/* test_segment_text.c - text in pieces to logits: after any piece, those of the text so far alone.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/base/gemm.h"
#include "model/engine/segment.h"
#include "model/net/net.h"
#include "model/text/tokenize_stream.h"

#define BYTES  200
#define LABELS 3

static const char vocab[] = "[UNK]\na\nb\n##a\n##b\n##ab\n\xcf\x83\n##\xcf\x82\n##\xcf\x83\n'\n.\n"
                            "\xe4\xb8\xad\ne\n##e\nab\na'\n";

static struct net_config config_of(unsigned which, uint32_t words) {
    static const enum net_pool pools[] = {NET_POOL_MEAN, NET_POOL_MAX, NET_POOL_MEAN_MAX};
    struct net_config c;

    net_config_paper(&c);
    c.vocab = words;
    c.width = c.mlp_width = c.head_width = 8;
    c.labels = LABELS;
    c.boundary = NET_BOUNDARY_ZERO;
    c.steps = which % 3;
    c.offsets[1] = 3;
    c.norm = (enum net_norm)(which % 3);
    c.pool = pools[which / 3 % 3];
    c.ngram_order = which % 2 ? 4 : 0;
    c.ngram_rows = which % 2 ? 64 : 0;
    return c;
}

struct rig {
    struct arena arena;
    struct net_config c;
    struct tokenizer *t;
    struct net_weights *w;
    struct net_scratch *whole;
    struct engine *e;
    struct segment_scratch *scratch;
    struct segment *segment;
};

static void rig_open(struct rig *r, enum tokenizer_kind kind, unsigned which) {
    const size_t room = BYTES + TOKENIZE_STREAM_TAIL;
    struct engine_kind how;
    struct rng rng;
    struct reason why;

    /* A generous arena: what things take exactly is other tests' business. */
    assert_int_equal(arena_init(&r->arena, (size_t)4 << 20), DIFFUSE_OK);
    assert_int_equal(
        tokenizer_new(&r->arena, kind, (const uint8_t *)vocab, sizeof vocab - 1, &r->t, NULL),
        DIFFUSE_OK);
    r->c = config_of(which, tokenizer_vocab_size(r->t));
    assert_int_equal(weights_new(&r->arena, &r->c, &r->w), DIFFUSE_OK);
    assert_int_equal(engine_kind_make("auto", ENGINE_F32, &how, &why), DIFFUSE_OK);
    assert_int_equal(net_scratch_new(&r->arena, &r->c, BYTES, 1, &r->whole), DIFFUSE_OK);
    assert_int_equal(segment_scratch_new(&r->arena, &r->c, &how, room, 1, &r->scratch), DIFFUSE_OK);
    r->segment = segment_begin(&r->c, arena_alloc(&r->arena, segment_bytes(&r->c)));
    rng_init(&rng, which, 0);
    weights_init(r->w, &r->c, 1, &rng);
    assert_int_equal(engine_new(&r->arena, &r->c, r->w, &how, &r->e), DIFFUSE_OK);
}

/* The logits after a piece, against those of the prefix; false: neither has a token. */
static bool compare(struct rig *r, const struct tokenize_stream *s, const char *text, size_t len) {
    uint32_t ids[BYTES], tail[TOKENIZE_STREAM_TAIL];
    size_t n = 0, n_tail = tokenize_stream_tail(r->t, s, tail);
    real grown[LABELS], whole[LABELS];
    bool truncated, bytes = tokenizer_kind_of(r->t) == TOKENIZER_BYTE;

    if (tokenizer_encode(r->t, text, bytes ? len : utf8_span(text, len), ids, BYTES, &n,
                         &truncated)) {
        assert_int_equal(segment_tokens(r->segment) + n_tail, 0);
        return false;
    }
    segment_logits(r->e, r->scratch, &(struct segment_feed){r->segment, tail, n_tail}, 1, grown);
    net_forward(&r->c, r->w, r->whole,
                &(struct net_batch){ids, (const uint32_t[]){0, (uint32_t)n}, 1}, whole);
    for (int k = 0; k < LABELS; k++)
        if (!(fabs((double)(grown[k] - whole[k])) < 1e-5))
            fail_msg("\"%.*s\": label %d: %.9g, whole %.9g", (int)len, text, k, (double)grown[k],
                     (double)whole[k]);
    return true;
}

static unsigned grow(struct rig *r, const char *text, size_t len, struct rng *rng) {
    struct tokenize_stream s = {0};
    uint32_t most = 1 + rng_below(rng, 12);
    unsigned compared = 0;

    segment_begin(&r->c, r->segment);
    for (size_t at = 0, piece, n; at < len; at += piece) {
        uint32_t ids[BYTES + TOKENIZE_STREAM_TAIL];

        piece = rng_below(rng, most + 1);
        piece = piece < len - at ? piece : len - at;
        assert_int_equal(
            tokenize_stream_feed(r->t, &s, text + at, piece, ids, sizeof ids / sizeof *ids, &n),
            DIFFUSE_OK);
        segment_advance(r->e, r->scratch, &(struct segment_feed){r->segment, ids, n}, 1);
        compared += compare(r, &s, text, at + piece);
    }
    return compared;
}

static size_t random_text(struct rng *rng, char text[BYTES]) {
    static const char *const pieces[] = {"a",
                                         "b",
                                         "ab",
                                         " ",
                                         "'",
                                         ".",
                                         "\xce\xa3",
                                         "\xcc\x81",
                                         "\xe4\xb8\xad",
                                         "\xc3\xa9",
                                         "\xf0\x9f\x98\x80",
                                         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    size_t len = 0, want = rng_below(rng, 40);

    for (size_t i = 0; i < want; i++) {
        const char *piece = pieces[rng_below(rng, sizeof pieces / sizeof *pieces)];

        if (len + strlen(piece) > BYTES)
            break;
        memcpy(text + len, piece, strlen(piece));
        len += strlen(piece);
    }
    return len;
}

static void test_text_in_pieces(void **state) {
    unsigned compared = 0;

    (void)state;
    for (unsigned which = 0; which < 54; which++) {
        struct rig r;
        struct rng rng;

        rig_open(&r, (enum tokenizer_kind)(which / 18), which % 18);
        rng_init(&rng, which, 2);
        for (int i = 0; i < 40; i++) {
            char text[BYTES];
            size_t len = random_text(&rng, text);

            compared += grow(&r, text, len, &rng);
        }
        arena_done(&r.arena);
    }
    print_message("%u prefixes\n", compared);
    assert_true(compared > 10000);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_text_in_pieces)};

    gemm_single_thread();
    return cmocka_run_group_tests_name("segment of text", tests, NULL, NULL);
}
