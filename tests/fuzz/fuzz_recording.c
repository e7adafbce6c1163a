/* fuzz_recording.c - any bytes as a recording: what is read can be written again as the same bytes,
 * and what it holds can be looked at. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/ctl/recording/recording_bytes.h"
#include "tests/fuzz/fuzz_driver.h"

static void check(int holds) {
    if (!holds)
        abort();
}

static char path[64];
static diffuse_client *client;

static void clean_up(void) {
    (void)unlink(path);
    diffuse_client_free(client);
}

static void set_up(void) {
    struct diffuse_options o = {.size = sizeof o, .endpoint = "/nowhere"};
    int fd;

    if (path[0])
        return;
    (void)snprintf(path, sizeof path, "%s/fuzz_recording.XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    fd = mkostemp(path, O_CLOEXEC);
    check(fd >= 0 && close(fd) == 0 && diffuse_client_new(&o, &client) == 0);
    check(atexit(clean_up) == 0);
}

static void look_at(const struct diffuse_message *m) {
    volatile uint64_t read = 0;
    diffuse_result *result;

    check(m->n_frames <= DIFFUSE_MESSAGE_FRAMES);
    for (size_t i = 0; i < m->n_frames; i++)
        for (size_t k = 0; k < m->frames[i].len; k++)
            read = read + ((const unsigned char *)m->frames[i].data)[k];
    read = read + diffuse_message_seq(m) + (uint64_t)diffuse_message_kind(m) +
           (uint64_t)diffuse_message_asks(m);
    if (diffuse_message_result(client, m, &result) == DIFFUSE_OK) {
        read = read + strlen(diffuse_result_stream(result)) + strlen(diffuse_result_label(result));
        diffuse_result_free(result);
    }
}

static void as_file(const uint8_t *bytes, size_t n) {
    struct recording_about about;
    struct recording_reader *r;
    struct recording_why why = {""};
    struct diffuse_message m;
    int64_t after;
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    diffuse_err e;

    check(fd >= 0 && write(fd, bytes, n) == (ssize_t)n && close(fd) == 0);
    if ((e = recording_open(path, &about, &r, &why))) {
        check((e == DIFFUSE_CORRUPT || e == DIFFUSE_UNSUPPORTED) && why.text[0]);
        return;
    }
    while (!(e = recording_next(r, &after, &m, &why)))
        look_at(&m);
    check(e == DIFFUSE_NOTFOUND || (e == DIFFUSE_CORRUPT && why.text[0]));
    recording_free(r);
}

/* Records by themselves, their checksums put right, so that their fields are looked at. */
static void with_checksums(const uint8_t *bytes, size_t n) {
    unsigned char *record, *again;
    struct recording_parts parts;
    size_t body;

    if (n < RECORDING_HEAD || (body = recording_bytes_body_len(bytes)) == 0)
        return;
    body = body < n - RECORDING_HEAD ? body : n - RECORDING_HEAD;
    if (body < RECORDING_BODY)
        return;
    n = RECORDING_HEAD + body;
    record = malloc(n);
    again = malloc(n);
    check(record && again);
    memcpy(record, bytes, n);
    recording_bytes_sign(record, n);
    if (recording_bytes_parse(record, n, &parts)) {
        look_at(&parts.message);
        check(recording_bytes_measure(&parts) == n);
        recording_bytes_put(&parts, again);
        again[RECORDING_HEAD + 10] = record[RECORDING_HEAD + 10]; /* other flags mean nothing yet */
        recording_bytes_sign(again, n);
        check(memcmp(record, again, n) == 0);
    }
    free(again);
    free(record);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    set_up();
    as_file(bytes, n);
    with_checksums(bytes, n);
    return 0;
}

#ifndef FUZZ_LIBFUZZER
int main(int argc, char **argv) {
    static const struct recording_about about = {.version = "0.1.0", .model = "abc"};
    static const unsigned char ingest[] = {0x0a, 0x05, 0x08, 0x07, 0x1a, 0x01, 'x'};
    static const unsigned char label[] = {0x08, 0x07, 0x22, 0x01, 'a', 0x2d, 0, 0, 0, 0x3f};
    struct recording_parts parts[] = {
        {5,
         DIFFUSE_KIND_SAMPLE,
         {DIFFUSE_PUSH, 0, 2, {{"robot7/log", 10}, {ingest, sizeof ingest}}}},
        {9,
         DIFFUSE_KIND_LABEL,
         {DIFFUSE_LABELS, 0, 2, {{"robot7/log", 10}, {label, sizeof label}}}},
        {11, DIFFUSE_KIND_OTHER, {DIFFUSE_INGEST, 1, 3, {{"", 0}, {"a", 1}, {"bc", 2}}}},
        {12, RECORDING_END, {0, 0, 0, {{NULL, 0}}}}};
    static unsigned char file[1024], alone[2][128];
    struct fuzz_driver_sample samples[3] = {{(const char *)file, 0}};

    samples[0].len = recording_bytes_header(&about, file);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t n = recording_bytes_measure(&parts[i]);

        recording_bytes_put(&parts[i], file + samples[0].len);
        if (i < 2) {
            recording_bytes_put(&parts[i], alone[i]);
            samples[1 + i] = (struct fuzz_driver_sample){(const char *)alone[i], n};
        }
        samples[0].len += n;
    }
    return fuzz_driver_run(argc, argv, samples, 3);
}
#endif
