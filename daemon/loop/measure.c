#include "daemon/loop/measure.h"

#include <inttypes.h>
#include <string.h>

#include "daemon/common/stats.h"
#include "daemon/conf/conftcp.h"
#include "daemon/door/curve.h"
#include "daemon/door/sockets.h"
#include "daemon/door/topics.h"
#include "daemon/learn/tuner.h"
#include "daemon/loop/intake.h"
#include "daemon/path/inflight.h"
#include "daemon/path/loaded_model.h"
#include "daemon/path/path.h"
#include "daemon/path/segments.h"
#include "daemon/path/stream.h"
#include "daemon/path/worker.h"
#include "daemon/report/ctl.h"
#include "daemon/report/metrics_http.h"
#include "daemon/report/tune_reply.h"
#include "proto/encode.h"

/* Measured on x86-64, Debian 12, and rounded up; tests/system holds them against a run. */
#define GROWTH_BYTES (4608u * 1024) /* of program and libraries, first touched later */
_Static_assert(2 * LIMIT_HEADER_BYTES <= GROWTH_BYTES,
               "a checkpoint's header and what is read of it");
#define STRANGER_BYTES (20u * 1024)  /* of one before its handshake is done: it has no pipes */
#define PEER_BYTES     (24u * 1024)  /* of ZeroMQ a connection: session, engine, buffers, pipes */
#define CURVE_BYTES    (20u * 1024)  /* that CURVE adds: keys, cookies, what it seals and opens */
#define FRAME_BYTES    320u          /* of ZeroMQ and malloc around one frame, names included */
#define STACK_BYTES    (96u * 1024)  /* that a thread touches of its stack and local memory */
#define LOADER_BYTES   (256u * 1024) /* the same of the background thread, which loads models */
#define FIXED_THREADS  3u            /* loop, and ZeroMQ's own two */
#define BLAS_BYTES     (1u << 20)    /* of OpenBLAS for one thread, beside the matrices' panels */

static uint64_t largest_panel(const struct net_config *n) {
    uint64_t widest = n->width > n->mlp_width ? n->width : n->mlp_width;
    uint64_t update = 3 * (uint64_t)n->width * widest;
    uint64_t head = (uint64_t)n->head_width *
                    (n->labels > net_config_pool_width(n) ? n->labels : net_config_pool_width(n));
    return sizeof(real) * (update > head ? update : head);
}

/* What one more token of a batch costs a bench. */
static uint64_t token_bytes(const struct conf *c, const struct plan_shape *shape) {
    struct conf more = *c;
    more.batch_tokens += PLAN_TOKEN_STEP;
    return (loaded_model_bench_bytes(&more, shape) - loaded_model_bench_bytes(c, shape)) /
           PLAN_TOKEN_STEP;
}

/* The threads that call OpenBLAS: workers for groups of brackets, the background one to learn. */
static void add_blas(struct plan *p, const struct conf *c, const struct plan_facts *facts,
                     uint64_t bench) {
    const struct net_config *n = facts->serving->config;
    const struct net_config *n2 = facts->second ? facts->second->config : NULL;
    bool brackets = n->n_open > 0 || (n2 && n2->n_open > 0);
    uint64_t workers = brackets ? c->workers : 0,
             background = n2 && (brackets || facts->tuning) ? 1 : 0;
    uint64_t panel = largest_panel(n), panel2 = n2 ? largest_panel(n2) : 0;
    uint64_t blas = BLAS_BYTES + (panel > panel2 ? panel : panel2);
    if (workers + background == 0)
        return;
    plan_add(p, "matrix library", (workers + background) * blas,
             workers ? CONF_KEY_workers : CONF_KEYS,
             blas + bench + sizeof(struct worker) + STACK_BYTES, c->workers,
             "OpenBLAS's buffers at these matrix sizes, %s",
             workers ? "for the groups of brackets" : "for tuning");
}

static void add_compute(struct plan *p, const struct conf *c, const struct plan_facts *facts) {
    const struct plan_shape *first = facts->serving, *second = facts->second;
    uint64_t bench = loaded_model_bench_bytes(c, first),
             bench2 = second ? loaded_model_bench_bytes(c, second) : 0;
    uint64_t workers = arena_block(c->workers * sizeof(struct worker)), background = second ? 1 : 0;
    uint64_t token = token_bytes(c, first) + (second ? token_bytes(c, second) : 0);
    plan_add(p, "engine", first->engine_bytes, CONF_KEYS, 0, 0,
             "its matrices, packed: kernel %s, %s", first->kind.kernel->name,
             engine_precision_name(first->kind.precision));
    plan_add(p, "scratch", c->workers * bench + workers, CONF_KEY_batch_tokens, c->workers * token,
             p->batch_tokens,
             "workers %" PRIu64 " x one batch: %" PRIu32 " tokens, %" PRIu64 " samples", c->workers,
             p->batch_tokens, c->batch_max);
    p->arena_bytes += workers;
    add_blas(p, c, facts, bench + bench2);
    uint64_t threads = FIXED_THREADS + c->workers;
    plan_add(p, "stacks", threads * STACK_BYTES + background * LOADER_BYTES, CONF_KEY_workers,
             STACK_BYTES + sizeof(struct worker) + bench + bench2, c->workers,
             "threads %" PRIu64 " x %u KiB%s", threads, STACK_BYTES / 1024u,
             background ? ", and the one aside" : "");
}

/* Of a publisher, as ZeroMQ holds it. */
static uint64_t message_max(const struct conf *c) {
    return plan_frame_max(c) + LIMIT_STREAM_BYTES + 8 * FRAME_BYTES;
}

static void add_tables(struct plan *p, const struct conf *c, uint32_t labels, uint64_t reply_max) {
    struct inflight_size size = {c->queue, segments_ids(&p->room.running), p->room.scores};
    uint64_t bytes = inflight_bytes(&size);
    plan_add(p, "samples", bytes, CONF_KEY_queue, bytes / c->queue, c->queue,
             "queue %" PRIu64 " x (%" PRIu32 " tokens, stream name, result)", c->queue,
             (uint32_t)size.ids);
    p->arena_bytes += bytes;

    const struct segments_size *s = &p->room.running;
    bytes = segments_bytes(s);
    plan_add(
        p, "segments", bytes, s->segments > 0 ? CONF_KEY_segments : CONF_KEYS,
        segments_row_bytes(s), s->segments,
        s->segments > 0 || c->segments == 0
            ? "segments %zu x (%zu in the model, %zu of a window, tokenizer, policy, stream name)"
            : "segments %zu: this model cannot have any (diffused says why when it starts)",
        s->segments, s->state_bytes, s->window * sizeof(uint32_t));
    p->arena_bytes += bytes;

    bytes = stream_bytes(c->streams);
    plan_add(p, "streams", bytes, CONF_KEY_streams, bytes / c->streams, c->streams,
             "streams %" PRIu64 " x one table row", c->streams);
    p->arena_bytes += bytes;

    bytes = tuner_queue_bytes(c->tune_queue, p->room.max_length) + tune_reply_bytes();
    plan_add(p, "feedback", bytes, CONF_KEY_tune_queue, bytes / c->tune_queue, c->tune_queue,
             "tune_queue %" PRIu64 " x (%" PRIu32 " tokens, stream name, label)", c->tune_queue,
             p->room.max_length);
    p->arena_bytes += bytes;

    if (c->metrics[0]) {
        plan_add(p, "metrics", metrics_http_bytes() + metrics_http_extra(), CONF_KEYS, 0, 0,
                 "two texts, and connections %u x one text and its buffers",
                 METRICS_HTTP_CONNECTIONS);
        p->arena_bytes += metrics_http_bytes();
    }

    uint64_t reply = arena_block(reply_max) + arena_block(encode_rows_room(labels, STATS_COUNTS));
    uint64_t in_hand = INTAKE_WAYS * message_max(c);
    bytes = path_bytes(c->max_message) + ctl_bytes() + arena_block(p->room.answer_max);
    plan_add(p, "messages", bytes + reply + in_hand, CONF_KEY_max_message, 4 + 2 * INTAKE_WAYS,
             c->max_message, "one of each kind, decoded and encoded, and %d in hand", INTAKE_WAYS);
    p->arena_bytes += bytes;
}

static void add_queue(struct plan *p, const char *name, uint64_t peers, uint64_t hwm,
                      uint64_t message, enum conf_key key, const char *what) {
    char text[32];
    plan_human(message, text, sizeof text);
    plan_add(p, name, peers * (PEER_BYTES + hwm * message), key, peers * message, hwm,
             "%s %" PRIu64 " x %" PRIu64 " messages of up to %s", what, peers, hwm, text);
}

static void add_queues(struct plan *p, const struct conf *c, uint64_t reply_max) {
    uint64_t frame = message_max(c);
    uint64_t publishers = c->publishers + c->ingest_connect.n;
    add_queue(p, "ingest queue", publishers, c->ingest_hwm, frame, CONF_KEY_ingest_hwm,
              "publishers");
    add_queue(p, "push queue", c->publishers, c->push_hwm, frame, CONF_KEY_push_hwm, "publishers");
    add_queue(p, "labels queue", c->subscribers, c->label_hwm, p->room.answer_max + 2 * FRAME_BYTES,
              CONF_KEY_label_hwm, "subscribers");
    plan_add(p, "subscriptions", c->subscribers * (uint64_t)TOPICS_COST, CONF_KEY_subscribers,
             TOPICS_COST, c->subscribers, "subscribers %" PRIu64 " x %u topics, %u bytes together",
             c->subscribers, TOPICS_MAX, TOPICS_BYTES);
    uint64_t strangers = (uint64_t)DOORS * (conftcp_used(c) ? 2 : 1) * DOOR_STRANGERS;
    plan_add(p, "handshakes", strangers * STRANGER_BYTES, CONF_KEYS, 0, 0,
             "connections %" PRIu64 " x %u KiB that are not known yet", strangers,
             STRANGER_BYTES / 1024u);
    /* As many requests as replies. */
    add_queue(p, "control queue", c->subscribers + SOCKETS_CLIENTS_SPARE, CTL_HWM,
              reply_max + CTL_REQUEST_BYTES + 6 * FRAME_BYTES, CONF_KEYS, "clients");
}

/* Who subscribes may ask as well. */
static void add_doors(struct plan *p, const struct conf *c) {
    const struct sockets_limits limits = {plan_frame_max(c), CTL_REQUEST_BYTES, CTL_HWM};
    struct door_limits doors[DOORS];
    sockets_doors(c, &limits, doors);
    plan_add(p, "connections", doors_bytes(doors), CONF_KEY_subscribers,
             doors_place_bytes(&doors[DOOR_LABELS]) + doors_place_bytes(&doors[DOOR_CONTROL]),
             c->subscribers, "a place for each at the sockets: who it is, what it is sending");
}

/* The list of keys is there twice while it is read again. A frame is copied to be opened or sealed,
 * and small frames that a full queue holds up are kept sealed. */
static void add_curve(struct plan *p, const struct conf *c) {
    if (!conftcp_curve(c))
        return;
    uint64_t peers = 2 * (c->publishers + c->subscribers) + SOCKETS_CLIENTS_SPARE;
    plan_add(p, "keys", curve_bytes() + peers * CURVE_BYTES + 3 * plan_frame_max(c),
             CONF_KEY_publishers, 2 * (uint64_t)CURVE_BYTES, c->publishers,
             "%u keys that may be let in, connections %" PRIu64 " x %u KiB of CURVE", LIMIT_KEYS,
             peers, CURVE_BYTES / 1024u);
}

static void settle_sizes(struct plan *p, const struct conf *c, const struct plan_facts *facts) {
    const struct plan_shape *s = facts->serving;
    p->budget = c->memory_budget;
    p->batch_tokens = (uint32_t)c->batch_tokens;
    p->max_length = (uint32_t)c->max_length;
    if (s->max_length > 0 && s->max_length < p->max_length)
        p->max_length = s->max_length;
    if (facts->room) {
        p->room = *facts->room;
        if (p->max_length > p->room.max_length)
            p->max_length = p->room.max_length;
        return;
    }
    /* Labels that tuning may add have room, too. */
    uint32_t scores = c->scores ? s->config->labels + (uint32_t)c->tune_new_labels : 0;
    p->room = (struct plan_room){.max_length = p->max_length,
                                 .scores = scores,
                                 .answer_max = path_answer_max(scores),
                                 .running = segments_size(c, s->config, p->max_length)};
}

static void sum_up(struct plan *p, const struct conf *c, const struct plan_facts *facts) {
    const struct plan_shape *serving = facts->serving, *second = facts->second;
    uint64_t reply_max =
        encode_reply_max(serving->config->labels, serving->label_bytes, STATS_COUNTS);
    memset(p, 0, sizeof *p);
    settle_sizes(p, c, facts);
    plan_add(p, "program", facts->resident + GROWTH_BYTES, CONF_KEYS, 0, 0,
             "measured at start, and %.1f MiB for what is touched later",
             (double)GROWTH_BYTES / (1u << 20));
    plan_add(p, "model", serving->model_bytes - serving->wide_bytes, CONF_KEYS, 0, 0,
             "weights, vocabulary and names of one model");
    if (serving->wide_bytes)
        plan_add(p, "wide part", serving->wide_bytes, CONF_KEYS, 0, 0,
                 "%" PRIu32 " features of words and letters, %" PRIu32 " weights",
                 serving->config->wide.features, serving->config->wide.entries);
    if (second)
        plan_add(p, "second model", loaded_model_bytes(c, second),
                 facts->room ? CONF_KEYS : CONF_KEY_reload, loaded_model_bytes(c, second), 1,
                 "%s: weights, vocabulary, names, scratch of workers %" PRIu64,
                 facts->room ? "the one before" : "loaded aside at a reload", c->workers);
    add_compute(p, c, facts);
    add_tables(p, c, serving->config->labels, reply_max);
    add_queues(p, c, reply_max);
    add_doors(p, c);
    add_curve(p, c);
    if (facts->tuning)
        plan_add(p, "tuning", facts->tuning, CONF_KEYS, 0, 0,
                 "candidate, optimiser, rows to learn from (tune_rows, tune_parts), samples kept "
                 "(tune_window)");
}

void measure_plan(struct plan *p, const struct conf *c, const struct plan_facts *facts) {
    sum_up(p, c, facts);
    if (c->tune && facts->second && !facts->tuning) { /* it will be on */
        struct plan_facts with = *facts;
        with.tuning = tuner_bytes(c, facts->serving->config, p->max_length);
        sum_up(p, c, &with);
    }
}
