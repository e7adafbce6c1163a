#include "model/tune/journal/journal_record.h"

#include <math.h>
#include <string.h>
#include <zlib.h>

#define MAGIC       "DFJOURN1"
#define MAGIC_BYTES 8u
#define ID_BYTES    (DIGEST_HEX_BYTES - 1)
#define JUDGED      1u

#define DAMAGED_MOST 8u /* bytes of a header that is still known; ids differ in some sixty */

_Static_assert(MAGIC_BYTES + ID_BYTES + 8 == JOURNAL_HEADER_BYTES, "the header's fields");

static void put_u32(uint8_t *at, uint32_t v) {
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t get_u32(const uint8_t *at) {
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint32_t checksum(const uint8_t *bytes, size_t n) {
    return (uint32_t)crc32_z(0, bytes, n);
}

/* Of a record: its length and its body. */
static uint32_t record_checksum(const uint8_t *record, size_t body) {
    return (uint32_t)crc32_z(crc32_z(0, record, 4), record + JOURNAL_FRAME_BYTES, body);
}

void journal_record_header(const char *root_id, uint8_t ret[JOURNAL_HEADER_BYTES]) {
    size_t len = strnlen(root_id, ID_BYTES);

    memset(ret, 0, JOURNAL_HEADER_BYTES);
    memcpy(ret, MAGIC, MAGIC_BYTES);
    memcpy(ret + MAGIC_BYTES, root_id, len);
    put_u32(ret + JOURNAL_HEADER_BYTES - 4, checksum(ret, JOURNAL_HEADER_BYTES - 4));
}

enum journal_header journal_record_is_header(const uint8_t *bytes, const char *root_id) {
    uint8_t want[JOURNAL_HEADER_BYTES];
    unsigned differ = 0;

    journal_record_header(root_id, want);
    for (size_t i = 0; i < sizeof want; i++)
        differ += bytes[i] != want[i];
    if (differ == 0)
        return JOURNAL_OURS;
    if (differ > DAMAGED_MOST ||
        get_u32(bytes + JOURNAL_HEADER_BYTES - 4) == checksum(bytes, JOURNAL_HEADER_BYTES - 4))
        return JOURNAL_FOREIGN;
    return JOURNAL_OURS_DAMAGED;
}

void journal_record_sign(uint8_t *record, size_t n) {
    put_u32(record + 4, record_checksum(record, n - JOURNAL_FRAME_BYTES));
}

/* Length and checksum before a body of n bytes, which is padded with zeros to a multiple of 4. */
static size_t frame(uint8_t *record, size_t n) {
    size_t body = (n + 3) & ~(size_t)3;

    memset(record + JOURNAL_FRAME_BYTES + n, 0, body - n);
    put_u32(record, (uint32_t)body);
    journal_record_sign(record, JOURNAL_FRAME_BYTES + body);
    return JOURNAL_FRAME_BYTES + body;
}

static bool in_range(const struct feedback_row *row) {
    return row->stream_len >= 1 && row->stream_len <= LIMIT_STREAM_BYTES && row->label_len >= 1 &&
           row->label_len <= LIMIT_LABEL_BYTES && row->n >= 1 && row->n <= LIMIT_TOKENS &&
           isfinite(row->confidence);
}

size_t journal_record_row(const struct feedback_row *row, uint8_t *ret) {
    uint8_t *body = ret + JOURNAL_FRAME_BYTES, *p = body + JOURNAL_ROW_BYTES;
    uint32_t bits;

    if (!in_range(row))
        return 0;
    memcpy(&bits, &row->confidence, sizeof bits);
    body[0] = JOURNAL_ROW;
    body[1] = row->judged ? JUDGED : 0;
    body[2] = (uint8_t)row->stream_len;
    body[3] = (uint8_t)row->label_len;
    put_u32(body + 4, (uint32_t)row->seq);
    put_u32(body + 8, (uint32_t)(row->seq >> 32));
    put_u32(body + 12, row->predicted);
    put_u32(body + 16, bits);
    put_u32(body + 20, row->n);
    for (uint32_t i = 0; i < row->n; i++, p += 4)
        put_u32(p, row->ids[i]);
    memcpy(p, row->stream, row->stream_len);
    memcpy(p + row->stream_len, row->label, row->label_len);
    return frame(ret, (size_t)(p - body) + row->stream_len + row->label_len);
}

size_t journal_record_mark(uint8_t *ret) {
    ret[JOURNAL_FRAME_BYTES] = JOURNAL_MARK;
    return frame(ret, 1);
}

size_t journal_record_bytes(const uint8_t bytes[JOURNAL_FRAME_BYTES]) {
    uint32_t body = get_u32(bytes);

    if (body < 4 || body % 4 || body > JOURNAL_RECORD_MAX - JOURNAL_FRAME_BYTES)
        return 0;
    return JOURNAL_FRAME_BYTES + body;
}

static size_t row_bytes(size_t n, size_t names) {
    return (JOURNAL_ROW_BYTES + 4 * n + names + 3) & ~(size_t)3;
}

size_t journal_record_bytes_by_fields(const uint8_t *record) {
    static const uint8_t mark[4] = {JOURNAL_MARK};
    const uint8_t *body = record + JOURNAL_FRAME_BYTES;
    uint32_t n = get_u32(body + 20);

    if (memcmp(body, mark, sizeof mark) == 0)
        return JOURNAL_FRAME_BYTES + sizeof mark;
    if (body[0] != JOURNAL_ROW || body[1] > JUDGED || body[2] == 0 || body[3] == 0 || n == 0 ||
        n > LIMIT_TOKENS)
        return 0;
    return JOURNAL_FRAME_BYTES + row_bytes(n, (size_t)body[2] + body[3]);
}

static bool parse_row(uint8_t *body, size_t n, struct feedback_row *ret) {
    struct feedback_row row = {
        .stream_len = body[2], .label_len = body[3], .label_id = FEEDBACK_NO_LABEL};
    uint8_t *ids = body + JOURNAL_ROW_BYTES;
    uint32_t bits;

    if (n < JOURNAL_ROW_BYTES || body[1] > JUDGED)
        return false;
    row.judged = body[1];
    row.seq = get_u32(body + 4) | (uint64_t)get_u32(body + 8) << 32;
    row.predicted = get_u32(body + 12);
    bits = get_u32(body + 16);
    memcpy(&row.confidence, &bits, sizeof bits);
    row.n = get_u32(body + 20);
    if (!in_range(&row) || n != row_bytes(row.n, row.stream_len + row.label_len))
        return false;
    for (uint32_t i = 0; i < row.n; i++) { /* as this machine has them, in place */
        uint32_t id = get_u32(ids + 4 * (size_t)i);

        memcpy(ids + 4 * (size_t)i, &id, sizeof id);
    }
    row.ids = (const uint32_t *)(const void *)ids;
    row.stream = (const char *)ids + 4 * (size_t)row.n;
    row.label = row.stream + row.stream_len;
    *ret = row;
    return true;
}

bool journal_record_parse(uint8_t *bytes, size_t n, enum journal_kind *ret_kind,
                          struct feedback_row *ret_row) {
    uint8_t *body = bytes + JOURNAL_FRAME_BYTES;
    size_t len = n - JOURNAL_FRAME_BYTES;

    if (get_u32(bytes + 4) != record_checksum(bytes, len))
        return false;
    *ret_kind = (enum journal_kind)body[0];
    if (*ret_kind == JOURNAL_MARK)
        return len == 4;
    return *ret_kind == JOURNAL_ROW && parse_row(body, len, ret_row);
}
