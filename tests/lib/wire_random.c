#include "tests/lib/wire_random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/encode.h"
#include "proto/limits.h"

enum { BYTES = 300, ITEMS = 64 };

struct wire_random wire_random_start(const char *test) {
    const char *given = getenv("DIFFUSE_TEST_SEED");
    struct wire_random r = {given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL)};

    printf("%s: DIFFUSE_TEST_SEED=%llu\n", test, (unsigned long long)r.state);
    return r;
}

uint64_t wire_random_next(struct wire_random *r) {
    uint64_t z = r->state += 0x9e3779b97f4a7c15u; /* splitmix64 */

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

size_t wire_random_below(struct wire_random *r, size_t n) {
    return (size_t)(wire_random_next(r) % n);
}

static size_t damage_once(struct wire_random *r, unsigned char *b, size_t len, size_t cap) {
    size_t at = len ? wire_random_below(r, len) : 0, n;

    switch (wire_random_below(r, 6)) {
    case 0: /* flip a bit */
        if (len)
            b[at] ^= (unsigned char)(1u << wire_random_below(r, 8));
        return len;
    case 1: /* any byte */
        if (len)
            b[at] = (unsigned char)wire_random_next(r);
        return len;
    case 2: /* a length or number that is huge */
        for (n = at; n < len && n < at + 5; n++)
            b[n] = 0xff;
        return len;
    case 3: /* cut */
        return at;
    case 4: /* double what is there */
        n = len - at < cap - len ? len - at : cap - len;
        memmove(b + len, b + at, n);
        return len + n;
    default: /* insert a byte */
        if (len >= cap)
            return len;
        memmove(b + at + 1, b + at, len - at);
        b[at] = (unsigned char)wire_random_next(r);
        return len + 1;
    }
}

size_t wire_random_damage(struct wire_random *r, unsigned char *buffer, size_t len, size_t cap) {
    for (size_t i = wire_random_below(r, 4) + 1; i > 0; i--)
        len = damage_once(r, buffer, len, cap);
    return len;
}

static uint64_t number(struct wire_random *r) {
    return wire_random_next(r) >> wire_random_below(r, 64); /* all magnitudes alike */
}

/* Up to most random bytes, in a block that the caller keeps for the message. */
static ProtobufCBinaryData bytes(struct wire_random *r, unsigned char *block, size_t most) {
    ProtobufCBinaryData d = {wire_random_below(r, most + 1), block};

    for (size_t i = 0; i < d.len; i++)
        block[i] = (unsigned char)wire_random_next(r);
    return d;
}

static void must(diffuse_err e) {
    if (e)
        abort(); /* the caller's buffer is too small: a bug of the test */
}

size_t wire_random_ingest(struct wire_random *r, unsigned char *buffer, size_t cap) {
    unsigned char text[BYTES], name[BYTES];
    uint32_t ids[ITEMS];
    Diffused__V1__Tokens tokens;
    Diffused__V1__Sample s;
    Diffused__V1__Feedback f;
    Diffused__V1__Ingest m;
    size_t len = 0;

    diffused__v1__ingest__init(&m);
    diffused__v1__sample__init(&s);
    diffused__v1__feedback__init(&f);
    diffused__v1__tokens__init(&tokens);
    s.seq = f.seq = number(r);
    s.stamp_ns = (int64_t)number(r);
    s.segment = (Diffused__V1__Segment)wire_random_below(r, 3);
    s.content_case = DIFFUSED__V1__SAMPLE__CONTENT_TEXT;
    s.text = f.text = bytes(r, text, sizeof text);
    if (wire_random_below(r, 2)) {
        tokens.id = ids;
        tokens.n_id = wire_random_below(r, ITEMS + 1);
        for (size_t i = 0; i < tokens.n_id; i++)
            ids[i] = (uint32_t)number(r);
        s.content_case = DIFFUSED__V1__SAMPLE__CONTENT_TOKENS;
        s.tokens = &tokens;
    }
    f.label_case = DIFFUSED__V1__FEEDBACK__LABEL_LABEL_NAME;
    f.label_name = bytes(r, name, LIMIT_LABEL_BYTES - 1);
    f.label_name.len += f.label_name.len == 0;
    for (size_t i = 0; i < f.label_name.len; i++)
        name[i] = (uint8_t)(' ' + name[i] % 95); /* what no name may hold is refused */
    m.kind_case = DIFFUSED__V1__INGEST__KIND_SAMPLE;
    m.sample = &s;
    if (wire_random_below(r, 4) == 0) {
        m.kind_case = DIFFUSED__V1__INGEST__KIND_FEEDBACK;
        m.feedback = &f;
    }
    must(encode_ingest(&m, buffer, cap, &len));
    return len;
}

size_t wire_random_label(struct wire_random *r, unsigned char *buffer, size_t cap) {
    unsigned char name[BYTES], model[BYTES], why[BYTES];
    float scores[ITEMS];
    Diffused__V1__Times t;
    Diffused__V1__Label m;
    size_t len = 0;

    diffused__v1__label__init(&m);
    diffused__v1__times__init(&t);
    m.seq = number(r);
    m.stamp_ns = (int64_t)number(r);
    m.n_scores = wire_random_below(r, ITEMS) + 1;
    m.scores = scores;
    for (size_t i = 0; i < m.n_scores; i++)
        scores[i] = (float)wire_random_below(r, 1000) / 1000;
    m.label_id = (uint32_t)wire_random_below(r, m.n_scores);
    m.label_name = bytes(r, name, LIMIT_LABEL_BYTES);
    m.model_id = bytes(r, model, 64);
    m.error = (uint32_t)wire_random_below(r, 20);
    m.error_text = bytes(r, why, sizeof why);
    t.queue_ns = number(r);
    t.total_ns = number(r);
    if (wire_random_below(r, 2))
        m.times = &t;
    must(encode_label(&m, buffer, cap, &len));
    return len;
}

size_t wire_random_reply(struct wire_random *r, unsigned char *buffer, size_t cap) {
    unsigned char block[3 * ITEMS][16];
    ProtobufCBinaryData labels[ITEMS];
    Diffused__V1__PlanRow rows[ITEMS], *row[ITEMS];
    Diffused__V1__Status s;
    Diffused__V1__Reply m;
    size_t len = 0;

    diffused__v1__reply__init(&m);
    diffused__v1__status__init(&s);
    m.id = number(r);
    m.result_case = DIFFUSED__V1__REPLY__RESULT_STATUS;
    m.status = &s;
    s.labels = labels;
    s.n_labels = wire_random_below(r, ITEMS + 1);
    for (size_t i = 0; i < s.n_labels; i++)
        labels[i] = bytes(r, block[i], sizeof block[i]);
    s.plan = row;
    s.n_plan = wire_random_below(r, ITEMS + 1);
    for (size_t i = 0; i < s.n_plan; i++) {
        row[i] = &rows[i];
        diffused__v1__plan_row__init(row[i]);
        row[i]->bytes = number(r);
        row[i]->name = bytes(r, block[ITEMS + i], sizeof block[0]);
        row[i]->detail = bytes(r, block[2 * ITEMS + i], sizeof block[0]);
    }
    s.uptime_ns = number(r);
    must(encode_reply(&m, buffer, cap, &len));
    return len;
}

size_t wire_random_request(struct wire_random *r, unsigned char *buffer, size_t cap) {
    char topic[LIMIT_STREAM_BYTES];
    Diffused__V1__StatusRequest status;
    Diffused__V1__SyncRequest sync;
    Diffused__V1__ReloadRequest reload;
    Diffused__V1__RollbackRequest rollback;
    Diffused__V1__TuneRequest tune;
    Diffused__V1__MetricsRequest metrics;
    Diffused__V1__Request m;
    size_t len = 0, verb = wire_random_below(r, 6);

    diffused__v1__request__init(&m);
    diffused__v1__status_request__init(&status);
    diffused__v1__sync_request__init(&sync);
    diffused__v1__reload_request__init(&reload);
    diffused__v1__rollback_request__init(&rollback);
    diffused__v1__tune_request__init(&tune);
    diffused__v1__metrics_request__init(&metrics);
    m.id = number(r);
    m.verb_case =
        verb == 5 ? DIFFUSED__V1__REQUEST__VERB_METRICS
                  : (Diffused__V1__Request__VerbCase)(DIFFUSED__V1__REQUEST__VERB_STATUS + verb);
    int n = snprintf(topic, sizeof topic, "$sys/sync/%llx", (unsigned long long)number(r));
    ProtobufCBinaryData text = {(size_t)n, (uint8_t *)topic};
    switch (m.verb_case) {
    case DIFFUSED__V1__REQUEST__VERB_SYNC:
        sync.topic = text;
        m.sync = &sync;
        break;
    case DIFFUSED__V1__REQUEST__VERB_RELOAD:
        reload.path = text;
        m.reload = &reload;
        break;
    case DIFFUSED__V1__REQUEST__VERB_ROLLBACK:
        m.rollback = &rollback;
        break;
    case DIFFUSED__V1__REQUEST__VERB_TUNE:
        tune.action = (Diffused__V1__TuneRequest__Action)wire_random_below(r, 5);
        m.tune = &tune;
        break;
    case DIFFUSED__V1__REQUEST__VERB_METRICS:
        m.metrics = &metrics;
        break;
    default:
        m.status = &status;
    }
    must(encode_request(&m, buffer, cap, &len));
    return len;
}
