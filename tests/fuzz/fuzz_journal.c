/* fuzz_journal.c - any bytes as a journal of feedback: rows that were written come back, what is
 * damaged is cut off, and the journal goes on. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/tune/journal/journal.h"
#include "model/tune/journal/journal_record.h"
#include "tests/fuzz/fuzz_driver.h"

#define ROOT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void check(int holds) {
    if (!holds)
        abort();
}

static char folder[32], path[48], background[64];

static void remove_folder(void) {
    (void)unlink(path);
    (void)unlink(background);
    (void)rmdir(folder);
}

static void make_folder(void) {
    if (folder[0])
        return;
    (void)snprintf(folder, sizeof folder, "%s/fuzz_journal.XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    check(mkdtemp(folder) != NULL && atexit(remove_folder) == 0);
    (void)snprintf(path, sizeof path, "%s/journal", folder);
    (void)snprintf(background, sizeof background, "%s.aside", path);
}

/* Counts rows, and reads all that a row points to. */
struct heard {
    size_t rows, untrained, read;
};

static void hear(void *user, const struct feedback_row *row, bool trained) {
    struct heard *h = user;

    check(row->stream_len >= 1 && row->label_len >= 1 && row->n >= 1);
    check(!trained || h->untrained == 0);
    for (size_t i = 0; i < row->stream_len; i++)
        h->read += (unsigned char)row->stream[i];
    for (size_t i = 0; i < row->label_len; i++)
        h->read += (unsigned char)row->label[i];
    for (uint32_t i = 0; i < row->n; i++)
        h->read += row->ids[i];
    h->rows++;
    h->untrained += !trained;
}

static struct journal *open_journal(struct journal_found *found) {
    struct heard h = {0, 0, 0};
    struct reason why = {""};
    struct journal *j;

    check(!journal_open(path, ROOT, JOURNAL_BYTES_MIN, hear, &h, &j, found, &why));
    check(h.rows == found->rows && h.untrained == found->untrained);
    return j;
}

/* As it is: bytes of a whole file. */
static void as_file(const uint8_t *bytes, size_t n) {
    const uint32_t id = 7;
    const struct feedback_row row = {"s", 1, 1, "l", 1, FEEDBACK_NO_LABEL, &id, 1, 0, 0, false};
    struct journal_found found, again;
    struct journal *j;
    int fd;

    (void)unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    check(fd >= 0 && write(fd, bytes, n) == (ssize_t)n && close(fd) == 0);
    j = open_journal(&found);
    if (found.set_aside)
        check(found.rows == 0 && found.cut == 0 && access(background, F_OK) == 0);
    else
        check(found.cut <= found.lost &&
              journal_bytes(j) + found.lost == (n ? n : JOURNAL_HEADER_BYTES));
    check(!journal_append(j, &row, NULL));
    journal_close(j);
    j = open_journal(&again);
    check(again.rows == found.rows + 1 && again.untrained == found.untrained + 1);
    check(again.cut == 0 && !again.set_aside);
    journal_close(j);
}

/* With the checksums of its records put right, so that their fields are looked at. */
static void with_checksums(const uint8_t *bytes, size_t n) {
    uint8_t *record = malloc(JOURNAL_RECORD_MAX);
    size_t at = JOURNAL_HEADER_BYTES, len;

    check(record != NULL);
    for (; at + JOURNAL_FRAME_BYTES <= n; at += len) {
        struct feedback_row row;
        enum journal_kind kind;

        len = journal_record_bytes(bytes + at);
        if (len == 0 || len > n - at)
            break;
        memcpy(record, bytes + at, len);
        journal_record_sign(record, len);
        if (journal_record_parse(record, len, &kind, &row) && kind == JOURNAL_ROW) {
            uint8_t *again = malloc(JOURNAL_RECORD_MAX);

            check(again != NULL && journal_record_row(&row, again) == len);
            free(again);
        }
    }
    free(record);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    make_folder();
    as_file(bytes, n);
    with_checksums(bytes, n);
    return 0;
}

#ifndef FUZZ_LIBFUZZER
int main(int argc, char **argv) {
    static const uint32_t ids[] = {0, 7, 70000, 4294967295u};
    static const struct feedback_row rows[] = {
        {"robot7/log", 10, 1, "calm", 4, FEEDBACK_NO_LABEL, ids, 4, 3, 0.5f, true},
        {"x", 1, UINT64_MAX, "\xc3\xa9", 2, FEEDBACK_NO_LABEL, ids, 1, 0, 0, false}};
    static uint8_t file[2048 + JOURNAL_RECORD_MAX];
    struct fuzz_driver_sample sample = {(const char *)file, JOURNAL_HEADER_BYTES};

    journal_record_header(ROOT, file);
    for (unsigned i = 0; i < 8; i++)
        sample.len += i % 3 == 2 ? journal_record_mark(file + sample.len)
                                 : journal_record_row(&rows[i % 2], file + sample.len);
    return fuzz_driver_run(argc, argv, &sample, 1);
}
#endif
