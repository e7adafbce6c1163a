#include "proto/decode.h"

#include <string.h>

#include "proto/name.h"

/* What one message costs beside its bytes: the structs of the deepest nesting, and protobuf-c's own
 * list of fields, which it takes from the same allocator once there are more than 16. */
enum { ROOM_FIXED = 4096, ROOM_PER_BYTE = 4, ROOM_PER_ROW_BYTE = 40 };

size_t decode_room(size_t frame_bytes) {
    return ROOM_FIXED + ROOM_PER_BYTE * frame_bytes; /* a packed number of 1 byte becomes 4 */
}

size_t decode_reply_room(size_t frame_bytes) {
    return ROOM_FIXED + ROOM_PER_ROW_BYTE * frame_bytes;
}

/* Unpack, and tell a lack of room from bad bytes. */
static diffuse_err unpack(const ProtobufCMessageDescriptor *kind, const void *bytes, size_t len,
                          struct msgmem *mem, ProtobufCMessage **ret_message, struct reason *why) {
    static const unsigned char nothing[1];
    ProtobufCMessage *m = NULL;

    if (len > LIMIT_MESSAGE_BYTES)
        return reason_set(why, DIFFUSE_TOOBIG, "%s: frame of %zu bytes, at most %u are allowed",
                          kind->short_name, len, LIMIT_MESSAGE_BYTES);
    m = protobuf_c_message_unpack(kind, msgmem_allocator(mem), len, len ? bytes : nothing);
    if (m) {
        *ret_message = m;
        return DIFFUSE_OK;
    }
    if (msgmem_full(mem))
        return reason_set(why, DIFFUSE_TOOBIG, "%s: frame of %zu bytes unpacks to more than %zu",
                          kind->short_name, len, mem->cap);
    return reason_set(why, DIFFUSE_BADMSG, "%s: frame of %zu bytes is not a protobuf message",
                      kind->short_name, len);
}

static diffuse_err check_size(const char *field, size_t have, size_t limit, struct reason *why) {
    if (have <= limit)
        return DIFFUSE_OK;
    return reason_set(why, DIFFUSE_TOOBIG, "%s: %zu, at most %zu are allowed", field, have, limit);
}

static diffuse_err check_sample(const Diffused__V1__Sample *s, struct reason *why) {
    switch (s->content_case) {
    case DIFFUSED__V1__SAMPLE__CONTENT_TEXT:
        break;
    case DIFFUSED__V1__SAMPLE__CONTENT_TOKENS: /* a set submessage is never NULL */
        break;
    default:
        return reason_set(why, DIFFUSE_BADMSG, "Sample.content: neither text nor tokens are set");
    }
    switch (s->segment) {
    case DIFFUSED__V1__SEGMENT__WHOLE:
    case DIFFUSED__V1__SEGMENT__CONTINUES:
    case DIFFUSED__V1__SEGMENT__ENDS:
        return DIFFUSE_OK;
    default:
        return reason_set(why, DIFFUSE_BADMSG,
                          "Sample.segment: %d is none of WHOLE 0, CONTINUES 1, ENDS 2",
                          (int)s->segment);
    }
}

static bool is_private_topic(ProtobufCBinaryData topic) {
    const size_t prefix = strlen(DECODE_SYNC_PREFIX);

    return topic.len > prefix && memcmp(topic.data, DECODE_SYNC_PREFIX, prefix) == 0 &&
           name_valid(topic.data, topic.len);
}

static diffuse_err check_feedback(const Diffused__V1__Feedback *f, struct reason *why) {
    if (f->topic.len > 0 && !is_private_topic(f->topic))
        return reason_set(why, DIFFUSE_BADMSG,
                          "Feedback.topic: must be a name that begins with " DECODE_SYNC_PREFIX);
    switch (f->label_case) {
    case DIFFUSED__V1__FEEDBACK__LABEL_LABEL_ID:
        if (f->label_id < LIMIT_LABELS)
            return DIFFUSE_OK;
        return reason_set(why, DIFFUSE_BADMSG, "Feedback.label_id: %u, must be below %u",
                          (unsigned)f->label_id, LIMIT_LABELS);
    case DIFFUSED__V1__FEEDBACK__LABEL_LABEL_NAME:
        if (f->label_name.len == 0)
            return reason_set(why, DIFFUSE_BADMSG, "Feedback.label_name: empty");
        if (f->label_name.len > LIMIT_LABEL_BYTES)
            return check_size("Feedback.label_name bytes", f->label_name.len, LIMIT_LABEL_BYTES,
                              why);
        if (name_valid(f->label_name.data, f->label_name.len))
            return DIFFUSE_OK;
        return reason_set(why, DIFFUSE_BADMSG, "Feedback.label_name: byte %zu " NAME_FAULT,
                          name_span(f->label_name.data, f->label_name.len));
    default:
        return reason_set(why, DIFFUSE_BADMSG,
                          "Feedback.label: neither label_id nor label_name is set");
    }
}

diffuse_err decode_ingest(const void *bytes, size_t len, struct msgmem *mem,
                          Diffused__V1__Ingest **ret_ingest, struct reason *why) {
    ProtobufCMessage *m = NULL;
    Diffused__V1__Ingest *ingest;
    diffuse_err e = unpack(&diffused__v1__ingest__descriptor, bytes, len, mem, &m, why);

    if (e)
        return e;
    ingest = (Diffused__V1__Ingest *)m;
    switch (ingest->kind_case) {
    case DIFFUSED__V1__INGEST__KIND_SAMPLE:
        e = check_sample(ingest->sample, why);
        break;
    case DIFFUSED__V1__INGEST__KIND_FEEDBACK:
        e = check_feedback(ingest->feedback, why);
        break;
    default:
        e = reason_set(why, DIFFUSE_BADMSG, "Ingest.kind: neither sample nor feedback is set");
    }
    if (!e)
        *ret_ingest = ingest;
    return e;
}

static diffuse_err check_sync(const Diffused__V1__SyncRequest *s, struct reason *why) {
    if (is_private_topic(s->topic))
        return DIFFUSE_OK;
    return reason_set(why, DIFFUSE_BADMSG,
                      "SyncRequest.topic: must be a name that begins with " DECODE_SYNC_PREFIX);
}

static diffuse_err check_reload(const Diffused__V1__ReloadRequest *r, struct reason *why) {
    if (r->path.len > 0 && memchr(r->path.data, 0, r->path.len))
        return reason_set(why, DIFFUSE_BADMSG, "ReloadRequest.path: holds a NUL");
    return check_size("ReloadRequest.path bytes", r->path.len, LIMIT_PATH_BYTES, why);
}

static diffuse_err check_tune(const Diffused__V1__TuneRequest *t, struct reason *why) {
    if (t->action >= DIFFUSED__V1__TUNE_REQUEST__ACTION__STATUS &&
        t->action <= DIFFUSED__V1__TUNE_REQUEST__ACTION__SAVE)
        return DIFFUSE_OK;
    return reason_set(why, DIFFUSE_UNSUPPORTED,
                      "TuneRequest.action: %d is none of STATUS 0, ON 1, OFF 2, RESET 3, SAVE 4",
                      (int)t->action);
}

diffuse_err decode_request(const void *bytes, size_t len, struct msgmem *mem,
                           Diffused__V1__Request **ret_request, struct reason *why) {
    ProtobufCMessage *m = NULL;
    Diffused__V1__Request *request;
    diffuse_err e = unpack(&diffused__v1__request__descriptor, bytes, len, mem, &m, why);

    if (e)
        return e;
    request = (Diffused__V1__Request *)m;
    switch (request->verb_case) {
    case DIFFUSED__V1__REQUEST__VERB_STATUS:
    case DIFFUSED__V1__REQUEST__VERB_ROLLBACK:
    case DIFFUSED__V1__REQUEST__VERB_METRICS:
        break;
    case DIFFUSED__V1__REQUEST__VERB_SYNC:
        e = check_sync(request->sync, why);
        break;
    case DIFFUSED__V1__REQUEST__VERB_RELOAD:
        e = check_reload(request->reload, why);
        break;
    case DIFFUSED__V1__REQUEST__VERB_TUNE:
        e = check_tune(request->tune, why);
        break;
    case DIFFUSED__V1__REQUEST__VERB_STREAMS:
        e = check_size("StreamsRequest.prefix bytes", request->streams->prefix.len,
                       LIMIT_STREAM_BYTES, why);
        break;
    default:
        e = reason_set(why, DIFFUSE_UNSUPPORTED, "Request.verb: none that this version knows");
    }
    if (!e)
        *ret_request = request;
    return e;
}

diffuse_err decode_label(const void *bytes, size_t len, struct msgmem *mem,
                         Diffused__V1__Label **ret_label, struct reason *why) {
    ProtobufCMessage *m = NULL;
    Diffused__V1__Label *l;
    diffuse_err e = unpack(&diffused__v1__label__descriptor, bytes, len, mem, &m, why);

    if (e)
        return e;
    l = (Diffused__V1__Label *)m;
    if ((e = check_size("Label.scores", l->n_scores, LIMIT_LABELS, why)) ||
        (e = check_size("Label.label_name bytes", l->label_name.len, LIMIT_LABEL_BYTES, why)) ||
        (e = check_size("Label.model_id bytes", l->model_id.len, LIMIT_LABEL_BYTES, why)) ||
        (e = check_size("Label.error_text bytes", l->error_text.len, LIMIT_REASON_BYTES, why)))
        return e;
    if (l->n_scores > 0 && l->label_id >= l->n_scores)
        return reason_set(why, DIFFUSE_BADMSG, "Label.label_id: %u of %zu scores",
                          (unsigned)l->label_id, l->n_scores);
    *ret_label = l;
    return DIFFUSE_OK;
}

diffuse_err decode_event(const void *bytes, size_t len, struct msgmem *mem,
                         Diffused__V1__Event **ret_event, struct reason *why) {
    ProtobufCMessage *m = NULL;
    Diffused__V1__Event *event;
    diffuse_err e = unpack(&diffused__v1__event__descriptor, bytes, len, mem, &m, why);

    if (e)
        return e;
    event = (Diffused__V1__Event *)m;
    if ((e = check_size("Event.kind bytes", event->kind.len, LIMIT_REASON_BYTES, why)) ||
        (e = check_size("Event.text bytes", event->text.len, LIMIT_REASON_BYTES, why)))
        return e;
    *ret_event = event;
    return DIFFUSE_OK;
}

diffuse_err decode_reply(const void *bytes, size_t len, struct msgmem *mem,
                         Diffused__V1__Reply **ret_reply, struct reason *why) {
    ProtobufCMessage *m = NULL;
    Diffused__V1__Reply *reply;
    diffuse_err e = unpack(&diffused__v1__reply__descriptor, bytes, len, mem, &m, why);

    if (e)
        return e;
    reply = (Diffused__V1__Reply *)m;
    if ((e = check_size("Reply.error_text bytes", reply->error_text.len, LIMIT_REASON_BYTES, why)))
        return e;
    *ret_reply = reply;
    return DIFFUSE_OK;
}

diffuse_err decode_stream_name(const void *bytes, size_t len, struct reason *why) {
    if (len == 0)
        return reason_set(why, DIFFUSE_BADNAME, "stream name: empty");
    if (len > LIMIT_STREAM_BYTES)
        return reason_set(why, DIFFUSE_BADNAME, "stream name: %zu bytes, at most %u are allowed",
                          len, LIMIT_STREAM_BYTES);
    if (!name_valid(bytes, len))
        return reason_set(why, DIFFUSE_BADNAME, "stream name: byte %zu " NAME_FAULT,
                          name_span(bytes, len));
    if (*(const char *)bytes == '$')
        return reason_set(why, DIFFUSE_BADNAME, "stream name: '$...' is reserved");
    return DIFFUSE_OK;
}
