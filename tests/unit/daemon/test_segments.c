/* The loop's side of running segments, with a worker that only writes down the tokens it was told:
 * what a label is about are the tokens of the whole text, whatever the cuts, the windows and the
 * other streams.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/path/segments.h"
#include "model/base/rng.h"
#include "model/engine/segment.h"

#define TEXT   600u /* bytes of a stream, at most */
#define PIECE  40u
#define LENGTH 64u /* max_length */
#define ROWS   3u

static const char vocab[] = "[UNK]\nthe\nmotor\n##s\n##or\nbat\n##tery\nlow\n.\n,\ncaf\n##e\n";
static const char *const words[] = {"the ",         "motors",       " motor, ", "battery",
                                    " low.",        "Caf\xc3\xa9 ", " ",        "x",
                                    "\xe4\xb8\xad", "  bat",        "tery "};

struct fixture {
    struct arena arena;
    struct model model;
    struct segments *running;
    struct conf conf;
    struct segments_size size;
};

/* What a worker would know of a cell. */
struct memory {
    uint32_t ids[TEXT + 8];
    size_t n;
};

static void set_up(struct fixture *f, enum tokenizer_kind kind, uint32_t max_length) {
    bool byte = kind == TOKENIZER_BYTE;
    memset(f, 0, sizeof *f);
    assert_int_equal(arena_init(&f->arena, 4u << 20), DIFFUSE_OK);
    net_config_paper(&f->model.config);
    f->model.config.boundary = NET_BOUNDARY_ZERO;
    f->model.config.width = 8;
    assert_int_equal(tokenizer_new(&f->arena, kind, byte ? NULL : (const uint8_t *)vocab,
                                   byte ? 0 : sizeof vocab - 1, &f->model.tokenizer, NULL),
                     DIFFUSE_OK);
    f->model.config.vocab = tokenizer_vocab_size(f->model.tokenizer);
    conf_init(&f->conf);
    f->conf.segments = ROWS;
    f->conf.segment_window = 16;
    f->size = segments_size(&f->conf, &f->model.config, max_length);
    size_t before = f->arena.used;
    assert_int_equal(segments_new(&f->arena, &f->conf, &f->size, &f->running), DIFFUSE_OK);
    assert_int_equal(f->arena.used - before, segments_bytes(&f->size)); /* the plan's figure */
    assert_int_equal(segments_use(f->running, &f->model, max_length), 0);
}

static struct stream_name named(const char *name, size_t len) {
    static const struct keyed key = {{7}};
    return stream_name(&key, name, len);
}

static diffuse_err take(struct fixture *f, const char *stream, const void *text, size_t len,
                        bool ends, const Diffused__V1__Policy *policy, struct inflight_sample *s,
                        struct segments_note *note) {
    Diffused__V1__Sample sample;
    uint32_t *ids = s->ids;
    struct reason why = {""};
    diffused__v1__sample__init(&sample);
    memset(s, 0, sizeof *s);
    s->ids = ids;
    s->stream_len = (uint8_t)strlen(stream);
    memcpy(s->stream, stream, s->stream_len);
    s->stream_hash = named(stream, s->stream_len).hash;
    sample.content_case = DIFFUSED__V1__SAMPLE__CONTENT_TEXT;
    sample.text = (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)text};
    sample.segment = ends ? DIFFUSED__V1__SEGMENT__ENDS : DIFFUSED__V1__SEGMENT__CONTINUES;
    sample.policy = (Diffused__V1__Policy *)(uintptr_t)policy;
    diffuse_err e = segments_take(f->running, &sample, s, note, &why);
    assert_true(!e == !why.text[0]);
    return e;
}

/* Do as told; the tokens that the label is about go into ret. */
static size_t obey(struct memory *m, const struct inflight_sample *s, uint32_t *ret) {
    const struct segment_work *p = &s->piece;
    size_t n = 0;
    if (s->settled)
        return 0;
    assert_int_equal(s->n, p->n_first + p->n_tail + p->n_after);
    if (p->slides) {
        memcpy(ret, s->ids, p->n_first * sizeof *ret);
        return p->n_first;
    }
    if (p->begins)
        m->n = 0;
    memcpy(m->ids + m->n, s->ids, p->n_first * sizeof *ret);
    m->n += p->n_first;
    memcpy(ret, m->ids, m->n * sizeof *ret);
    memcpy(ret + m->n, s->ids + p->n_first, p->n_tail * sizeof *ret);
    n = m->n + p->n_tail;
    if (p->renews) {
        m->n = p->n_after;
        memcpy(m->ids, s->ids + p->n_first, p->n_after * sizeof *ret);
    }
    return n;
}

/* Length of the prefix that ends with a whole character. */
static size_t whole_characters(const struct fixture *f, const uint8_t *text, size_t len) {
    size_t back = 0;
    if (tokenizer_kind_of(f->model.tokenizer) == TOKENIZER_BYTE || len == 0)
        return len;
    while (back < len && (text[len - 1 - back] & 0xc0) == 0x80)
        back++;
    uint8_t lead = back < len ? text[len - 1 - back] : 0;
    size_t want = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    return want > back + 1 ? len - 1 - back : len;
}

static size_t encode(const struct fixture *f, const char *text, size_t len, uint32_t *ids) {
    size_t n = 0;
    bool cut;
    diffuse_err e =
        tokenizer_encode(f->model.tokenizer, text, whole_characters(f, (const uint8_t *)text, len),
                         ids, TEXT + 8, &n, &cut);
    assert_true(!e || e == DIFFUSE_EMPTY);
    return e ? 0 : n;
}

static size_t make_text(struct rng *rng, char *text) {
    size_t n = 0;
    for (uint32_t left = 1 + rng_below(rng, 60); left > 0 && n + 16 < TEXT; left--) {
        const char *w = words[rng_below(rng, sizeof words / sizeof words[0])];
        memcpy(text + n, w, strlen(w));
        n += strlen(w);
    }
    return n;
}

/* One text in random pieces under a policy. */
static void follow(struct fixture *f, struct rng *rng, const char *stream,
                   const Diffused__V1__Policy *policy, struct memory *memory) {
    char text[TEXT];
    uint32_t whole[TEXT + 8], about[TEXT + 8];
    size_t len = make_text(rng, text), at = 0;
    uint32_t *room = arena_alloc(&f->arena, segments_ids(&f->size) * sizeof *room);
    bool window = policy->window > 0;
    while (at < len || rng_below(rng, 2) == 0) {
        struct inflight_sample s = {.ids = room};
        struct segments_note note;
        size_t n = rng_below(rng, PIECE);
        n = n < len - at ? n : len - at;
        diffuse_err e = take(f, stream, text + at, n, false, policy, &s, &note);
        assert_int_equal(e, DIFFUSE_OK);
        at += n;
        size_t all = encode(f, text, at, whole), got = obey(memory, &s, about);
        assert_true(s.n <= segments_ids(&f->size));
        if (policy->every == 0 && !policy->end && !window)
            assert_true(s.held ? all == 0 : s.piece.due == (all > 0));
        if (policy->every > 0 && all < policy->every)
            assert_false(s.piece.due);
        if (s.held || !s.piece.due)
            continue;
        assert_int_equal(got, s.piece.tokens);
        if (!window) {
            assert_int_equal(got, all);
            assert_memory_equal(about, whole, all * sizeof *about);
            continue;
        }
        /* A window lies in the text, ends where it says, and is as long as it can be. */
        size_t from;
        bool found = false;
        for (from = 0; from + got <= all && !found; from++)
            found =
                memcmp(whole + from, about, got * sizeof *about) == 0 &&
                (s.piece.slides ? (from + got) % policy->step == 0 : from % policy->window == 0);
        assert_true(found);
        assert_true(got <= policy->window);
        if (s.piece.renews)
            assert_int_equal(got, policy->window);
    }
    struct inflight_sample s = {.ids = room};
    struct segments_note note;
    size_t all = encode(f, text, len, whole);
    diffuse_err e = take(f, stream, "", 0, true, policy, &s, &note);
    assert_int_equal(e, all == 0 ? DIFFUSE_EMPTY : DIFFUSE_OK);
    assert_true(note.ended);
    if (!e && !s.held) {
        size_t got = obey(memory, &s, about);
        assert_memory_equal(about, whole + all - got, got * sizeof *about);
        assert_true(s.piece.due && s.piece.ends);
        if (policy->step > 0)
            assert_int_equal(got, all < policy->window ? all : policy->window);
        else
            assert_int_equal(got, !window                ? all
                                  : all % policy->window ? all % policy->window
                                                         : policy->window);
    }
}

static void labels_are_about_the_whole_text(void **state) {
    static const struct {
        uint32_t every, window, step;
        bool end;
    } kinds[] = {{0, 0, 0, false},  {7, 0, 0, false}, {0, 0, 0, true},   {0, 5, 0, false},
                 {0, 16, 0, false}, {3, 9, 0, false}, {0, 16, 4, false}, {0, 5, 5, false},
                 {0, 1, 1, false},  {0, 1, 0, false}, {0, 16, 16, true}};
    (void)state;
    for (unsigned kind = TOKENIZER_WORDPIECE; kind <= TOKENIZER_BYTE; kind++) {
        struct fixture f;
        struct rng rng;
        struct memory memory = {.n = 0};
        set_up(&f, (enum tokenizer_kind)kind, LENGTH);
        rng_init(&rng, kind + 1, 0);
        size_t mark = f.arena.used;
        for (uint32_t i = 0; i < 1500; i++) {
            Diffused__V1__Policy p = DIFFUSED__V1__POLICY__INIT;
            size_t k = i % (sizeof kinds / sizeof kinds[0]);
            p.every = kinds[k].every;
            p.window = kinds[k].window;
            p.step = kinds[k].step;
            p.end = kinds[k].end;
            follow(&f, &rng, "robot7/log", &p, &memory);
            arena_rewind(&f.arena, mark);
        }
        assert_int_equal(segments_count(f.running), 0);
        arena_done(&f.arena);
    }
}

static void the_one_silent_longest_makes_room(void **state) {
    static const char *const calls[] = {"a", "b", "c", "a", "d", "e", "b"};
    static const char *const closed[] = {"", "", "", "", "b", "c", "a"};
    struct fixture f;
    uint32_t room[LENGTH + 400];
    (void)state;
    set_up(&f, TOKENIZER_BYTE, LENGTH);
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        struct inflight_sample s = {.ids = room};
        struct segments_note note;
        assert_int_equal(take(&f, calls[i], "xy", 2, false, NULL, &s, &note), DIFFUSE_OK);
        assert_string_equal(note.closed ? note.stream : "", closed[i]);
        assert_int_equal(note.closed ? note.tokens : 0, !note.closed          ? 0
                                                        : closed[i][0] == 'a' ? 4
                                                                              : 2);
        assert_int_equal(s.piece.opens, strcmp(calls[i], "a") != 0 || i == 0);
    }
    assert_int_equal(segments_count(f.running), ROWS);
    /* Another model whose segments are larger has room for fewer; one that is far larger for none.
     */
    f.model.config.width = 16;
    assert_int_equal(segments_use(f.running, &f.model, LENGTH), ROWS);
    assert_int_equal(segments_count(f.running), 0);
    struct inflight_sample s = {.ids = room};
    struct segments_note note;
    assert_int_equal(take(&f, "a", "x", 1, false, NULL, &s, &note), DIFFUSE_OK);
    assert_int_equal(take(&f, "b", "x", 1, false, NULL, &s, &note), DIFFUSE_OK);
    assert_true(note.closed);
    f.model.config.width = 4096;
    assert_int_equal(segments_use(f.running, &f.model, LENGTH), 1);
    assert_int_equal(take(&f, "a", "x", 1, false, NULL, &s, &note), DIFFUSE_UNSUPPORTED);
    arena_done(&f.arena);
}

static void what_is_refused_changes_nothing(void **state) {
    struct fixture f;
    uint32_t room[LENGTH + 400];
    struct inflight_sample s = {.ids = room};
    struct segments_note note;
    char longer[2 * (LENGTH + 1)];
    (void)state;
    set_up(&f, TOKENIZER_WORDPIECE, LENGTH);
    for (size_t i = 0; i < sizeof longer; i++)
        longer[i] = i % 2 ? '.' : ' ';
    assert_int_equal(take(&f, "a", "mo", 2, false, NULL, &s, &note), DIFFUSE_OK);
    assert_int_equal(take(&f, "a", "tor\xff", 4, false, NULL, &s, &note), DIFFUSE_BADTEXT);
    assert_int_equal(take(&f, "a", longer, sizeof longer, false, NULL, &s, &note), DIFFUSE_TOOBIG);
    assert_int_equal(take(&f, "a", "tor", 3, false, NULL, &s, &note), DIFFUSE_OK);
    assert_int_equal(s.piece.tokens, 1);
    assert_int_equal(s.ids[0], 2); /* motor */
    assert_int_equal(take(&f, "a", "\xe4", 1, true, NULL, &s, &note), DIFFUSE_BADTEXT);
    assert_true(note.ended); /* in any case */
    assert_int_equal(take(&f, "b", "\xff", 1, false, NULL, &s, &note), DIFFUSE_BADTEXT);
    assert_false(note.began);
    assert_int_equal(segments_count(f.running), 0);
    arena_done(&f.arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_about_the_whole_text),
        cmocka_unit_test(the_one_silent_longest_makes_room),
        cmocka_unit_test(what_is_refused_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
