#include "client/call/sample.h"

#include <string.h>

#include "proto/encode.h"
#include "proto/name.h"

enum { FIXED_BYTES = 192, TOKEN_BYTES = 5 }; /* of an Ingest, beside text, names and tokens */

static diffuse_err name_stream(diffuse_client *c, const char *stream, struct sample_frame *f) {
    f->own = !stream;
    f->stream = stream ? stream : c->stream;
    f->hash = flight_hash(f->stream, strlen(f->stream));
    return decode_stream_name(f->stream, strlen(f->stream), &c->why);
}

/* Checked before any sum is made of it. */
static diffuse_err check_text(diffuse_client *c, const char *text, size_t len) {
    if (!text && len > 0)
        return reason_set(&c->why, DIFFUSE_INVAL, "text is NULL and text_len is %zu", len);
    if (len > diffuse_text_max())
        return reason_set(&c->why, DIFFUSE_TOOBIG, "text of %zu bytes, at most %zu can be sent",
                          len, diffuse_text_max());
    return DIFFUSE_OK;
}

static diffuse_err check_content(diffuse_client *c, const struct diffuse_sample *s) {
    if (s->text && s->tokens)
        return reason_set(&c->why, DIFFUSE_INVAL, "sample has both text and tokens");
    if (!s->text && !s->tokens)
        return reason_set(&c->why, DIFFUSE_INVAL, "sample has neither text nor tokens");
    if (s->n_tokens > LIMIT_TOKENS)
        return reason_set(&c->why, DIFFUSE_TOOBIG, "sample of %zu tokens, at most %u can be sent",
                          s->n_tokens, LIMIT_TOKENS);
    if (s->segment < DIFFUSE_WHOLE || s->segment > DIFFUSE_ENDS)
        return reason_set(&c->why, DIFFUSE_INVAL, "sample.segment: %d is no diffuse_segment",
                          s->segment);
    return check_text(c, s->text, s->text_len);
}

/* A policy, when there is one, for as long as to lives. */
static diffuse_err read_policy(diffuse_client *c, const struct diffuse_policy *from,
                               Diffused__V1__Policy *to, Diffused__V1__Sample *s) {
    struct diffuse_policy p;
    diffuse_err e;

    if (!from)
        return DIFFUSE_OK;
    if ((e = client_read_struct(&p, sizeof p, from, "diffuse_policy", &c->why)))
        return e;
    diffused__v1__policy__init(to);
    to->every = p.every;
    to->change = p.change != 0;
    to->margin = p.margin;
    to->end = p.end != 0;
    to->min_confidence = p.min_confidence;
    to->window = p.window;
    to->step = p.step;
    s->policy = to;
    return DIFFUSE_OK;
}

static diffuse_err encode(diffuse_client *c, const Diffused__V1__Ingest *ingest, size_t payload,
                          struct sample_frame *f) {
    diffuse_err e = client_reserve(c, FIXED_BYTES + payload);

    if (!e && (e = encode_ingest(ingest, c->buffer, c->buffer_size, &f->len)))
        return reason_set(&c->why, e, "sample: %s", diffuse_strerror(e));
    return e;
}

diffuse_err sample_encode(diffuse_client *c, const struct diffuse_sample *sample,
                          struct sample_frame *ret_frame) {
    Diffused__V1__Tokens tokens = DIFFUSED__V1__TOKENS__INIT;
    Diffused__V1__Policy policy;
    Diffused__V1__Sample s;
    Diffused__V1__Ingest ingest;
    struct diffuse_sample in;
    struct sample_frame f = {0};
    diffuse_err e;

    if ((e = client_read_struct(&in, sizeof in, sample, "diffuse_sample", &c->why)) ||
        (e = name_stream(c, in.stream, &f)) || (e = check_content(c, &in)))
        return e;
    diffused__v1__sample__init(&s);
    f.seq = s.seq = f.own ? c->own_seq + 1 : in.seq;
    s.stamp_ns = in.stamp_ns;
    s.segment = (Diffused__V1__Segment)in.segment;
    s.max_age_ms = in.max_age_ms;
    if ((e = read_policy(c, in.policy, &policy, &s)))
        return e;
    if (in.text) {
        s.content_case = DIFFUSED__V1__SAMPLE__CONTENT_TEXT;
        s.text = (ProtobufCBinaryData){in.text_len, (uint8_t *)(uintptr_t)in.text};
    } else {
        tokens.n_id = in.n_tokens;
        tokens.id = (uint32_t *)(uintptr_t)in.tokens;
        s.content_case = DIFFUSED__V1__SAMPLE__CONTENT_TOKENS;
        s.tokens = &tokens;
    }
    diffused__v1__ingest__init(&ingest);
    ingest.kind_case = DIFFUSED__V1__INGEST__KIND_SAMPLE;
    ingest.sample = &s;
    if ((e = encode(c, &ingest, in.text_len + TOKEN_BYTES * in.n_tokens, &f)))
        return e;
    *ret_frame = f;
    return DIFFUSE_OK;
}

diffuse_err sample_encode_feedback(diffuse_client *c, const struct diffuse_feedback_info *feedback,
                                   const char *topic, struct sample_frame *ret_frame) {
    Diffused__V1__Feedback b;
    Diffused__V1__Ingest ingest;
    struct diffuse_feedback_info in;
    struct sample_frame f = {0};
    size_t label;
    diffuse_err e;

    if ((e = client_read_struct(&in, sizeof in, feedback, "diffuse_feedback_info", &c->why)) ||
        (e = name_stream(c, in.stream, &f)) || (e = check_text(c, in.text, in.text_len)))
        return e;
    label = in.label ? strlen(in.label) : 0;
    if (in.label && (label == 0 || label > LIMIT_LABEL_BYTES))
        return reason_set(&c->why, DIFFUSE_INVAL, "feedback.label of %zu bytes, expected 1 to %u",
                          label, LIMIT_LABEL_BYTES);
    if (in.label && !name_valid(in.label, label))
        return reason_set(&c->why, DIFFUSE_INVAL, "feedback.label: byte %zu " NAME_FAULT,
                          name_span(in.label, label));
    diffused__v1__feedback__init(&b);
    f.seq = b.seq = in.seq;
    b.label_case = in.label ? DIFFUSED__V1__FEEDBACK__LABEL_LABEL_NAME
                            : DIFFUSED__V1__FEEDBACK__LABEL_LABEL_ID;
    if (in.label)
        b.label_name = (ProtobufCBinaryData){label, (uint8_t *)(uintptr_t)in.label};
    else
        b.label_id = in.label_id;
    b.text = (ProtobufCBinaryData){in.text_len, (uint8_t *)(uintptr_t)in.text};
    if (topic)
        b.topic = (ProtobufCBinaryData){strlen(topic), (uint8_t *)(uintptr_t)topic};
    diffused__v1__ingest__init(&ingest);
    ingest.kind_case = DIFFUSED__V1__INGEST__KIND_FEEDBACK;
    ingest.feedback = &b;
    if ((e = encode(c, &ingest, in.text_len + label + b.topic.len, &f)))
        return e;
    *ret_frame = f;
    return DIFFUSE_OK;
}
