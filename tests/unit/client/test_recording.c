/* test_recording.c - recordings: round trip, every tear, every flipped bit, lengths that lie, a
 * full disk. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/ctl/recording/recording.h"
#include "client/ctl/recording/recording_bytes.h"
#include "model/base/rng.h"
#include "tests/lib/ckpt_sample.h"

#include "cmocka.h"

static char folder[64], path[96];

static const struct recording_about about = {.wall_ns = -5,
                                             .mono_ns = 1000,
                                             .both_ways = true,
                                             .version = "0.1.0",
                                             .model = "0123456789abcdef"};

static int set_up(void **state) {
    (void)state;
    (void)snprintf(folder, sizeof folder, "%s/test_recording.XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(path, sizeof path, "%s/r", folder);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

/* Message i: what it holds follows from i. */
struct made {
    struct diffuse_message message;
    unsigned char bytes[DIFFUSE_MESSAGE_FRAMES][64];
};

static void make(struct made *m, uint64_t i) {
    struct rng rng;

    rng_init(&rng, i, 3);
    m->message = (struct diffuse_message){
        .way = (int)(i % 3), .cut = i % 11 == 0, .n_frames = i % 5 ? 2 : rng_below(&rng, 9)};
    for (size_t k = 0; k < m->message.n_frames; k++) {
        m->message.frames[k] = (struct diffuse_frame){m->bytes[k], rng_below(&rng, 64)};
        for (size_t b = 0; b < m->message.frames[k].len; b++)
            m->bytes[k][b] = (unsigned char)rng_next(&rng);
    }
}

static void assert_made(const struct diffuse_message *got, uint64_t i) {
    struct made m;

    make(&m, i);
    assert_int_equal(got->way, m.message.way);
    assert_int_equal(got->cut, m.message.cut);
    assert_int_equal(got->n_frames, m.message.n_frames);
    for (size_t k = 0; k < got->n_frames; k++) {
        assert_int_equal(got->frames[k].len, m.message.frames[k].len);
        assert_memory_equal(got->frames[k].data, m.message.frames[k].data, got->frames[k].len);
    }
}

static struct recording_writer *create(int sync_ms) {
    struct recording_writer *w;
    struct recording_why why = {""};

    (void)unlink(path);
    if (recording_create(path, &about, sync_ms, &w, &why))
        fail_msg("%s", why.text);
    return w;
}

static void add(struct recording_writer *w, uint64_t i) {
    struct recording_why why = {""};
    struct made m;

    make(&m, i);
    if (recording_add(w, about.mono_ns + (int64_t)i * 10, &m.message, &why))
        fail_msg("%s", why.text);
}

static void write_file(uint64_t n) {
    struct recording_writer *w = create(0);
    struct recording_why why = {""};

    for (uint64_t i = 0; i < n; i++)
        add(w, i);
    assert_int_equal(recording_count(w), n);
    assert_int_equal(recording_close(w, about.mono_ns + 9999, &why), DIFFUSE_OK);
}

/* Read to the end; how many messages came, all of which must be those that were written. */
static uint64_t read_file(diffuse_err *ret_end, bool *ret_complete, struct recording_why *why) {
    struct recording_about got;
    struct recording_reader *r;
    struct diffuse_message m;
    uint64_t n = 0;
    int64_t after;
    diffuse_err e = recording_open(path, &got, &r, why);

    *ret_complete = false;
    *ret_end = e;
    if (e)
        return 0;
    assert_int_equal(got.wall_ns, about.wall_ns);
    assert_int_equal(got.mono_ns, about.mono_ns);
    assert_true(got.both_ways);
    assert_string_equal(got.version, about.version);
    assert_string_equal(got.model, about.model);
    while (!(e = recording_next(r, &after, &m, why))) {
        assert_int_equal(after, n * 10);
        assert_made(&m, n++);
    }
    assert_int_equal(recording_next(r, &after, &m, why), DIFFUSE_NOTFOUND); /* and stays there */
    *ret_end = e;
    *ret_complete = recording_complete(r);
    recording_free(r);
    return n;
}

static void put_file(const uint8_t *bytes, size_t n) {
    FILE *f;

    (void)unlink(path);
    f = fopen(path, "wb");
    assert_true(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
}

static void test_round_trip(void **state) {
    struct recording_why why = {""};
    diffuse_err end;
    bool complete;

    (void)state;
    write_file(0);
    assert_int_equal(read_file(&end, &complete, &why), 0);
    assert_true(complete && end == DIFFUSE_NOTFOUND);
    write_file(20000); /* many buffers */
    assert_int_equal(read_file(&end, &complete, &why), 20000);
    assert_true(complete && end == DIFFUSE_NOTFOUND);
}

/* One record larger than the buffer, between small ones; and frames beyond what a record holds. */
static void test_long_messages(void **state) {
    size_t len = 3 * 1024 * 1024;
    char *bytes = calloc(1, len);
    struct diffuse_message m = {
        .way = DIFFUSE_PUSH, .n_frames = 3, .frames = {{"s", 1}, {bytes, len}, {bytes, len}}};
    struct diffuse_message got;
    struct recording_about header;
    struct recording_writer *w = create(1);
    struct recording_reader *r;
    struct recording_why why = {""};
    int64_t after;

    (void)state;
    assert_non_null(bytes);
    memset(bytes, 'x', len);
    add(w, 0);
    assert_int_equal(recording_add(w, 0, &m, &why), DIFFUSE_OK); /* before the beginning */
    assert_int_equal(recording_tend(w, about.mono_ns + 5000000, &why), DIFFUSE_OK);
    assert_int_equal(recording_close(w, about.mono_ns, &why), DIFFUSE_OK);
    assert_int_equal(recording_open(path, &header, &r, &why), DIFFUSE_OK);
    assert_int_equal(recording_next(r, &after, &got, &why), DIFFUSE_OK);
    assert_made(&got, 0);
    assert_int_equal(recording_next(r, &after, &got, &why), DIFFUSE_OK);
    assert_int_equal(after, 0);
    assert_int_equal(got.n_frames, 2);
    assert_int_equal(got.cut, 1);
    assert_int_equal(got.frames[1].len, len);
    assert_memory_equal(got.frames[1].data, bytes, len);
    assert_int_equal(recording_next(r, &after, &got, &why), DIFFUSE_NOTFOUND);
    recording_free(r);
    free(bytes);
}

/* Where each record ends, the header first. */
static size_t boundaries(const uint8_t *bytes, size_t n, size_t *ret) {
    uint32_t version;
    size_t count = 0, at = recording_bytes_header_len(bytes, &version);

    while (at < n) {
        ret[count++] = at;
        at += RECORDING_HEAD + recording_bytes_body_len(bytes + at);
    }
    assert_int_equal(at, n);
    ret[count++] = at;
    return count;
}

/* Every tear gives exactly the records that are whole, and says where it stopped. */
static void test_torn_at_every_byte(void **state) {
    size_t n, end[64], ends;
    uint8_t *bytes;

    (void)state;
    write_file(20);
    bytes = ckpt_sample_slurp(path, &n);
    ends = boundaries(bytes, n, end);
    assert_int_equal(ends, 22); /* header, 20 messages, the end */
    for (size_t cut = 0; cut < n; cut++) {
        struct recording_why why = {""};
        size_t whole = 0;
        diffuse_err e;
        bool complete;

        put_file(bytes, cut);
        while (whole < ends && end[whole] <= cut)
            whole++;
        assert_int_equal(read_file(&e, &complete, &why), whole > 0 ? whole - 1 : 0);
        assert_false(complete);
        assert_int_equal(e,
                         whole > 0 && end[whole - 1] == cut ? DIFFUSE_NOTFOUND : DIFFUSE_CORRUPT);
        if (e == DIFFUSE_CORRUPT)
            assert_non_null(strstr(why.text, path));
    }
    free(bytes);
}

/* A flipped bit costs its record and what follows; never does one come that was not written. */
static void test_every_flipped_bit(void **state) {
    size_t n, end[64], ends;
    uint8_t *bytes;

    (void)state;
    write_file(12);
    bytes = ckpt_sample_slurp(path, &n);
    ends = boundaries(bytes, n, end);
    for (size_t bit = 0; bit < 8 * n; bit++) {
        struct recording_why why = {""};
        size_t whole = 0;
        diffuse_err e;
        bool complete;

        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        put_file(bytes, n);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        while (whole < ends && end[whole] <= bit / 8)
            whole++;
        assert_int_equal(read_file(&e, &complete, &why), whole > 0 ? whole - 1 : 0);
        assert_false(complete);
        if (e != DIFFUSE_CORRUPT)
            assert_int_equal(e, DIFFUSE_UNSUPPORTED); /* the version's bits */
    }
    free(bytes);
}

/* Lengths that lie: no memory is taken for them that the file has no bytes for. */
static void test_hostile_lengths(void **state) {
    static const uint32_t lengths[] = {
        0, 1, 11, 13, 4096, RECORDING_BODY_MAX, RECORDING_BODY_MAX + 1, 0x7fffffff, 0xffffffff};
    size_t n, end[8];
    uint8_t *bytes;

    (void)state;
    write_file(2);
    bytes = ckpt_sample_slurp(path, &n);
    (void)boundaries(bytes, n, end);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct recording_why why = {""};
        diffuse_err e;
        bool complete;

        for (unsigned b = 0; b < 4; b++)
            bytes[end[1] + b] = (uint8_t)(lengths[i] >> (8 * b));
        put_file(bytes, n);
        assert_int_equal(read_file(&e, &complete, &why), 1);
        assert_int_equal(e, DIFFUSE_CORRUPT);
        assert_non_null(strstr(why.text, "what comes before it is whole"));
    }
    free(bytes);
}

static void test_other_files(void **state) {
    struct recording_writer *w = (struct recording_writer *)&about;
    struct recording_about got;
    struct recording_reader *r;
    struct recording_why why = {""};
    size_t n;
    uint8_t *bytes;

    (void)state;
    write_file(1);
    assert_int_equal(recording_create(path, &about, 0, &w, &why), DIFFUSE_IO);
    assert_non_null(strstr(why.text, "is there already"));
    bytes = ckpt_sample_slurp(path, &n);
    bytes[8] = 2;
    put_file(bytes, n);
    assert_int_equal(recording_open(path, &got, &r, &why), DIFFUSE_UNSUPPORTED);
    assert_non_null(strstr(why.text, "version 2"));
    free(bytes);
    (void)unlink(path);
    assert_int_equal(recording_open(path, &got, &r, &why), DIFFUSE_IO);
}

/* A file that may not grow stands for a full disk: what was written stays whole. */
static void test_full_disk(void **state) {
    struct rlimit before, small = {6000, 6000};
    struct recording_writer *w = create(0);
    struct recording_why why = {""};
    diffuse_err e = DIFFUSE_OK, end;
    uint64_t n = 0;
    bool complete;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    while (!e && n < 1000) {
        add(w, n++);
        e = recording_tend(w, 0, &why);
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(e, DIFFUSE_IO);
    assert_non_null(strstr(why.text, path));
    assert_int_equal(recording_tend(w, 0, &why), DIFFUSE_IO); /* and does not begin again */
    assert_int_equal(recording_close(w, 0, &why), DIFFUSE_IO);
    assert_int_equal(read_file(&end, &complete, &why), n - 1);
    assert_true(end == DIFFUSE_NOTFOUND && !complete);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),         cmocka_unit_test(test_long_messages),
        cmocka_unit_test(test_torn_at_every_byte), cmocka_unit_test(test_every_flipped_bit),
        cmocka_unit_test(test_hostile_lengths),    cmocka_unit_test(test_other_files),
        cmocka_unit_test(test_full_disk),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
