#include "daemon/path/segments.h"

#include <inttypes.h>
#include <string.h>

#include "daemon/common/lru.h"
#include "daemon/path/segment_cell.h"
#include "daemon/path/token_ids.h"
#include "model/engine/segment.h"
#include "model/text/tokenize_stream.h"

#define SLICE_BYTES 1024u /* of text, given to the tokenizer at once */

struct row {
    struct tokenize_stream text;
    uint64_t settled; /* tokens that no later piece can change, since the segment began */
    uint64_t in_text; /* of them, since the text began: with tumbling windows, anew in each */
    uint64_t mark;    /* multiples of policy.every that were labelled */
    struct policy policy;
    bool opens, begins; /* no worker knows yet of the segment; of the text */
};

struct segments {
    size_t cap, window_cap, pool_bytes;
    struct lru *names;         /* its rows are the numbers of all that follows */
    struct row *row;           /* (cap) */
    struct segment_cell *cell; /* (cap) */
    uint8_t *pool;             /* states of the model's size */
    uint32_t *window; /* (cap, window_cap) token i of a segment is at i modulo window_cap */
    uint32_t *ids;    /* of the piece at hand, and the tail that waits behind them */
    size_t ids_cap;
    struct policy_rule *rule; /* (rules) */
    size_t rules;

    const struct model *model;
    uint32_t max_length;
    size_t state_bytes; /* of the model; 0: it has no segments: */
    size_t limit;       /* segments that there is room for */
    struct reason refusal;
};

/* A piece, cut into tokens: `fresh` of them are settled, and `tail` more wait. */
struct cut {
    size_t fresh, tail;
    struct tokenize_stream text;
    bool ends;
};

/* --- memory -------------------------------------------------------------- */

bool segments_offered(const struct conf *c, const struct net_config *n) {
    struct reason why = {""};
    return c->segments > 0 && segment_check(n, &why) == DIFFUSE_OK;
}

struct segments_size segments_size(const struct conf *c, const struct net_config *n,
                                   uint32_t max_length) {
    struct segments_size size = {.max_length = max_length};
    size.rules = LIMIT_PUBLISHERS;
    if (!segments_offered(c, n))
        return size;
    size.segments = c->segments;
    size.state_bytes = segment_bytes(n);
    size.window = c->segment_window < max_length ? c->segment_window : max_length;
    return size;
}

size_t segments_ids(const struct segments_size *size) {
    return size->max_length + (size->segments > 0 ? TOKENIZE_STREAM_TAIL : 0);
}

static size_t ids_cap(const struct segments_size *size) {
    return size->max_length + SLICE_BYTES + 2 * TOKENIZE_STREAM_TAIL;
}

size_t segments_row_bytes(const struct segments_size *size) {
    size_t more = (lru_bytes(4096) - lru_bytes(2048)) / 2048;
    return more + sizeof(struct row) + sizeof(struct segment_cell) + size->state_bytes +
           size->window * sizeof(uint32_t);
}

size_t segments_bytes(const struct segments_size *s) {
    size_t rules = arena_block(s->rules * sizeof(struct policy_rule));
    if (s->segments == 0)
        return arena_block(sizeof(struct segments)) + rules;
    return rules + arena_block(sizeof(struct segments)) + lru_bytes(s->segments) +
           arena_block(s->segments * sizeof(struct row)) +
           arena_block(s->segments * sizeof(struct segment_cell)) +
           arena_block(s->segments * s->state_bytes) +
           arena_block(s->segments * s->window * sizeof(uint32_t)) +
           arena_block(ids_cap(s) * sizeof(uint32_t));
}

diffuse_err segments_new(struct arena *arena, const struct conf *c, const struct segments_size *s,
                         struct segments **ret_running) {
    struct segments *r = arena_alloc(arena, sizeof *r);
    if (!r)
        return DIFFUSE_NOMEM;
    *r = (struct segments){.cap = s->segments,
                           .window_cap = s->window,
                           .pool_bytes = s->segments * s->state_bytes,
                           .ids_cap = ids_cap(s)};
    *ret_running = r;
    r->rule = arena_alloc(arena, s->rules * sizeof *r->rule);
    if (!r->rule)
        return DIFFUSE_NOMEM;
    segments_rules(r, c);
    if (r->cap == 0)
        return DIFFUSE_OK;
    diffuse_err e = lru_new(arena, r->cap, &r->names);
    r->row = arena_alloc(arena, r->cap * sizeof *r->row);
    r->cell = arena_alloc(arena, r->cap * sizeof *r->cell);
    r->pool = arena_alloc(arena, r->pool_bytes);
    r->window = arena_alloc(arena, r->cap * r->window_cap * sizeof *r->window);
    r->ids = arena_alloc(arena, r->ids_cap * sizeof *r->ids);
    if (e || !r->row || !r->cell || !r->pool || !r->window || !r->ids)
        return DIFFUSE_NOMEM;
    memset(r->cell, 0, r->cap * sizeof *r->cell);
    return DIFFUSE_OK;
}

void segments_rules(struct segments *r, const struct conf *c) {
    r->rules = 0;
    for (uint32_t i = 0; r->rule && i < c->policy.n; i++) {
        if (policy_parse(c->policy.item[i], &r->rule[r->rules], NULL) == DIFFUSE_OK)
            r->rules++;
    }
}

bool segments_abstains(const struct segments *r, const struct inflight_sample *s) {
    const char *label = s->model->labels[s->label];
    float least;
    if (policy_least(r->rule, r->rules, s->stream, s->stream_len, label, &least))
        return s->confidence < least;
    if (s->piece.cell)
        return s->abstained;
    return s->confidence < policy_find(r->rule, r->rules, s->stream, s->stream_len).min_confidence;
}

size_t segments_use(struct segments *r, const struct model *model, uint32_t max_length) {
    size_t had = segments_count(r);
    r->model = model;
    r->max_length = max_length;
    r->limit = 0;
    r->refusal = (struct reason){""};
    if (r->names)
        lru_clear(r->names);
    if (segment_check(&model->config, &r->refusal))
        return had;
    r->state_bytes = segment_bytes(&model->config);
    r->limit = r->pool_bytes / r->state_bytes;
    if (r->limit > r->cap)
        r->limit = r->cap;
    if (r->limit == 0)
        (void)reason_set(&r->refusal, DIFFUSE_UNSUPPORTED,
                         r->cap > 0
                             ? "no room was laid for a segment of this model; restart with it"
                             : "running segments are not offered; set segments in the "
                               "configuration, or send WHOLE samples");
    return had;
}

size_t segments_count(const struct segments *r) {
    return r->names ? lru_count(r->names) : 0;
}

/* --- a piece to tokens --------------------------------------------------- */

static diffuse_err too_long(const struct segments *r, struct reason *why) {
    return reason_set(why, DIFFUSE_TOOBIG,
                      "the piece has more than max_length %" PRIu32
                      " tokens; send it in smaller ones: where a text is cut makes no difference",
                      r->max_length);
}

static diffuse_err cut_text(struct segments *r, const ProtobufCBinaryData *text, struct cut *cut,
                            struct reason *why) {
    const struct tokenizer *t = r->model->tokenizer;
    if (!t)
        return reason_set(why, DIFFUSE_UNSUPPORTED,
                          "this model has no vocabulary; send token ids instead of text");
    for (size_t at = 0; at < text->len;) {
        size_t len = text->len - at < SLICE_BYTES ? text->len - at : SLICE_BYTES, n = 0;
        diffuse_err e = tokenize_stream_feed(t, &cut->text, (const char *)text->data + at, len,
                                             r->ids + cut->fresh, r->ids_cap - cut->fresh, &n);
        if (e)
            return reason_set(why, e, "%s", diffuse_strerror(e));
        cut->fresh += n;
        at += len;
        if (cut->fresh > r->max_length)
            return too_long(r, why);
    }
    cut->tail = tokenize_stream_tail(t, &cut->text, r->ids + cut->fresh);
    return DIFFUSE_OK;
}

/* Ids end the text before them: what waited is settled. */
static diffuse_err cut_tokens(struct segments *r, const Diffused__V1__Tokens *tokens,
                              struct cut *cut, struct reason *why) {
    const struct model *m = r->model;
    if (tokenize_stream_torn(&cut->text))
        return reason_set(why, DIFFUSE_BADTEXT,
                          "token ids, when the text before them ended within a character");
    if (tokens->n_id > r->max_length)
        return too_long(r, why);
    diffuse_err e = token_ids_check(tokens, m->config.vocab, why);
    if (e)
        return e;
    if (m->tokenizer)
        cut->fresh = tokenize_stream_tail(m->tokenizer, &cut->text, r->ids);
    memset(&cut->text, 0, sizeof cut->text);
    if (tokens->n_id > 0)
        memcpy(r->ids + cut->fresh, tokens->id, tokens->n_id * sizeof *r->ids);
    cut->fresh += tokens->n_id;
    return DIFFUSE_OK;
}

static diffuse_err cut_piece(struct segments *r, const Diffused__V1__Sample *sample,
                             struct cut *cut, struct reason *why) {
    cut->ends = sample->segment == DIFFUSED__V1__SEGMENT__ENDS;
    diffuse_err e = sample->content_case == DIFFUSED__V1__SAMPLE__CONTENT_TEXT
                        ? cut_text(r, &sample->text, cut, why)
                        : cut_tokens(r, sample->tokens, cut, why);
    if (e || !cut->ends)
        return e;
    if (tokenize_stream_torn(&cut->text))
        return reason_set(why, DIFFUSE_BADTEXT, "the segment ends within a character");
    cut->fresh += cut->tail; /* nothing comes that could change it */
    cut->tail = 0;
    return DIFFUSE_OK;
}

/* --- what a worker is to do ---------------------------------------------- */

static void settle(struct inflight_sample *slot) {
    slot->settled = slot->held = true;
    slot->taken_ns = slot->accepted_ns;
}

static void keep(uint32_t *ring, size_t cap, uint64_t at, const uint32_t *ids, size_t n) {
    size_t skip = n > cap ? n - cap : 0;
    for (size_t i = skip; i < n; i++)
        ring[(at + i) % cap] = ids[i];
}

/* The window ends at the last multiple of the step, or with the segment. */
static void slide(struct segments *r, uint32_t i, const struct cut *cut,
                  struct inflight_sample *slot) {
    struct row *row = &r->row[i];
    struct segment_work *p = &slot->piece;
    uint32_t *ring = r->window + i * r->window_cap;
    size_t cap = row->policy.window;
    uint64_t before = row->settled, now = before + cut->fresh;
    uint64_t end = cut->ends ? now : now - now % row->policy.step;
    p->due = cut->ends || (end > before && !row->policy.end);
    p->slides = true;
    row->settled = now;
    if (!p->due) {
        keep(ring, cap, before, r->ids, cut->fresh);
        p->tokens = now < cap ? now : cap;
        settle(slot);
        return;
    }
    keep(ring, cap, before, r->ids, (size_t)(end - before));
    p->n_first = end < cap ? (uint32_t)end : (uint32_t)cap;
    p->tokens = slot->n = p->n_first;
    for (uint32_t k = 0; k < p->n_first; k++)
        slot->ids[k] = ring[(end - p->n_first + k) % cap];
    keep(ring, cap, end, r->ids + (end - before), (size_t)(now - end));
}

/* Has the policy's next multiple been reached? */
static bool reached(struct row *row, uint64_t tokens) {
    uint64_t every = row->policy.every;
    if (every == 0)
        return true;
    if (tokens / every <= row->mark)
        return false;
    row->mark = tokens / every;
    return true;
}

/* The text grows; with a tumbling window it begins anew where one is full, and the label is about
 * the last that the piece filled. At the end it is about what the end leaves. */
static void grow(struct segments *r, uint32_t i, const struct cut *cut,
                 struct inflight_sample *slot) {
    struct row *row = &r->row[i];
    struct segment_work *p = &slot->piece;
    uint64_t window = row->policy.window, now = row->in_text + cut->fresh;
    bool full = window > 0 && now >= window;
    size_t label = full && !cut->ends ? cut->fresh - (size_t)(now % window) : cut->fresh;
    uint64_t about = row->in_text + label; /* tokens that the label is about */
    if (full)
        about = about % window == 0 ? window : about % window;
    size_t from = about < label ? label - (size_t)about : 0, tail = cut->tail;
    p->begins = row->begins || about <= label;
    p->n_first = (uint32_t)(label - from);
    p->renews = full && !cut->ends;
    p->n_after = (uint32_t)(cut->fresh - label);
    row->in_text = p->renews ? p->n_after : now;
    if (p->renews)
        tail = row->mark = 0;
    else if (window > 0 && tail > window - now)
        tail = (size_t)(window - now);
    p->tokens = about + tail;
    p->due =
        p->tokens > 0 && (p->renews || cut->ends || (!row->policy.end && reached(row, p->tokens)));
    p->n_tail = p->due ? (uint32_t)tail : 0;
    row->settled += cut->fresh;
    if (!p->due && cut->fresh == 0) {
        settle(slot);
        return;
    }
    row->begins = false;
    slot->n = (uint32_t)(cut->fresh - from) + p->n_tail;
    memcpy(slot->ids, r->ids + from, slot->n * sizeof *slot->ids);
}

/* --- segments ------------------------------------------------------------ */

static diffuse_err choose_policy(const struct segments *r, const Diffused__V1__Sample *sample,
                                 const struct inflight_sample *slot, struct policy *ret,
                                 struct reason *why) {
    size_t most = r->window_cap < r->max_length ? r->window_cap : r->max_length;
    *ret = policy_find(r->rule, r->rules, slot->stream, slot->stream_len);
    diffuse_err e = sample->policy ? policy_read(sample->policy, ret, why) : DIFFUSE_OK;
    if (!e && ret->step > 0 && ret->window > most)
        return reason_set(why, DIFFUSE_INVAL,
                          "policy: a sliding window of %" PRIu32
                          " tokens; at most %zu are offered (segment_window, max_length)",
                          ret->window, most);
    return e;
}

static uint32_t open_row(struct segments *r, const struct inflight_sample *slot,
                         const struct policy *policy, struct segments_note *note) {
    if (lru_count(r->names) == r->limit) {
        uint32_t oldest = lru_oldest(r->names);
        const char *name = lru_name(r->names, oldest, &note->stream_len);
        memcpy(note->stream, name, note->stream_len);
        note->stream[note->stream_len] = '\0';
        note->tokens = r->row[oldest].settled;
        note->closed = true;
        lru_drop(r->names, oldest);
    }
    uint32_t i = lru_add(r->names, inflight_stream(slot));
    r->row[i] = (struct row){.policy = *policy, .opens = true, .begins = true};
    note->began = true;
    return i;
}

/* The tokens belong to the segment from here on. */
static void extend(struct segments *r, uint32_t i, const struct cut *cut,
                   struct inflight_sample *slot) {
    struct row *row = &r->row[i];
    row->text = cut->text;
    slot->piece = (struct segment_work){.cell = &r->cell[i],
                                        .state = r->pool + i * r->state_bytes,
                                        .opens = row->opens,
                                        .ends = cut->ends,
                                        .policy = row->policy};
    if (row->policy.step > 0)
        slide(r, i, cut, slot);
    else
        grow(r, i, cut, slot);
    row->opens = row->opens && slot->settled;
}

diffuse_err segments_take(struct segments *r, const Diffused__V1__Sample *sample,
                          struct inflight_sample *slot, struct segments_note *note,
                          struct reason *why) {
    struct cut cut = {.fresh = 0};
    struct policy policy;
    *note = (struct segments_note){.began = false};
    if (r->limit == 0)
        return reason_set(why, DIFFUSE_UNSUPPORTED, "%s", r->refusal.text);
    uint32_t i = lru_find(r->names, inflight_stream(slot));
    bool fresh = i == LRU_NONE;
    diffuse_err e = fresh ? choose_policy(r, sample, slot, &policy, why) : DIFFUSE_OK;
    if (!fresh) {
        cut.text = r->row[i].text;
        lru_use(r->names, i);
    }
    if (!e)
        e = cut_piece(r, sample, &cut, why);
    if (!e && cut.ends && cut.fresh == 0 && (fresh || r->row[i].settled == 0))
        e = reason_set(why, DIFFUSE_EMPTY, "the segment ends without a token");
    if (!e && fresh)
        i = open_row(r, slot, &policy, note);
    if (!e)
        extend(r, i, &cut, slot);
    if (i != LRU_NONE && sample->segment == DIFFUSED__V1__SEGMENT__ENDS) {
        lru_drop(r->names, i);
        note->ended = true;
    }
    return e;
}

bool segments_end(struct segments *r, struct stream_name stream) {
    uint32_t i = r->limit > 0 ? lru_find(r->names, stream) : LRU_NONE;
    if (i == LRU_NONE)
        return false;
    lru_drop(r->names, i);
    return true;
}
