#include "proto/encode.h"

#include "proto/limits.h"

enum { VARINT_MAX = 10, TAG_MAX = 2, FIELD_MAX = TAG_MAX + VARINT_MAX };

static diffuse_err pack(const ProtobufCMessage *message, void *buffer, size_t cap,
                        size_t *ret_len) {
    size_t size = protobuf_c_message_get_packed_size(message);

    if (size > cap)
        return DIFFUSE_TOOBIG;
    *ret_len = protobuf_c_message_pack(message, buffer);
    return DIFFUSE_OK;
}

diffuse_err encode_ingest(const Diffused__V1__Ingest *ingest, void *buffer, size_t cap,
                          size_t *ret_len) {
    return pack(&ingest->base, buffer, cap, ret_len);
}

diffuse_err encode_label(const Diffused__V1__Label *label, void *buffer, size_t cap,
                         size_t *ret_len) {
    return pack(&label->base, buffer, cap, ret_len);
}

diffuse_err encode_event(const Diffused__V1__Event *event, void *buffer, size_t cap,
                         size_t *ret_len) {
    return pack(&event->base, buffer, cap, ret_len);
}

diffuse_err encode_request(const Diffused__V1__Request *request, void *buffer, size_t cap,
                           size_t *ret_len) {
    return pack(&request->base, buffer, cap, ret_len);
}

diffuse_err encode_reply(const Diffused__V1__Reply *reply, void *buffer, size_t cap,
                         size_t *ret_len) {
    return pack(&reply->base, buffer, cap, ret_len);
}

size_t encode_label_max(size_t n_labels, size_t name_bytes, size_t model_id_bytes) {
    size_t n = diffused__v1__label__descriptor.n_fields * FIELD_MAX; /* tag and number or length */

    n += 4 * n_labels + name_bytes + model_id_bytes + LIMIT_REASON_BYTES;
    return n + diffused__v1__times__descriptor.n_fields * FIELD_MAX;
}

size_t encode_event_max(void) {
    return diffused__v1__event__descriptor.n_fields * FIELD_MAX + 2 * (size_t)LIMIT_REASON_BYTES;
}

size_t encode_reply_max(uint32_t labels, size_t label_bytes, size_t counters) {
    size_t rows = LIMIT_PLAN_ROWS * (LIMIT_PLAN_DETAIL + 64u);
    size_t status = label_bytes + labels * (size_t)4 + rows + counters * 64u + LIMIT_PATH_BYTES +
                    LIMIT_REASON_BYTES + 1024u;
    size_t metrics = LIMIT_METRICS_BYTES + 64u;
    return status > metrics ? status : metrics;
}

size_t encode_rows_room(uint32_t labels, size_t counters) {
    return LIMIT_PLAN_ROWS * (sizeof(Diffused__V1__PlanRow) + sizeof(void *)) +
           counters * (sizeof(Diffused__V1__Counter) + sizeof(void *) + 32u) +
           labels * sizeof(ProtobufCBinaryData) + 1024u;
}
