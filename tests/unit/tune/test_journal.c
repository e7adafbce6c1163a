/* test_journal.c - feedback survives: every tear, every flipped bit, full disks, bounds. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/base/rng.h"
#include "model/tune/journal/journal.h"
#include "model/tune/journal/journal_record.h"
#include "tests/lib/ckpt_sample.h"

#include "cmocka.h"

#define ROOT    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define FOREIGN "ff23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LARGE   (64u * 1024 * 1024)

static char folder[64], path[96];

static int set_up(void **state) {
    (void)state;
    (void)snprintf(folder, sizeof folder, "%s/test_journal.XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"); /* thousands of fsyncs */
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(path, sizeof path, "%s/journal", folder);
    return 0;
}

/* Names in the folder, how many; removed when asked. */
static int files(int remove_them) {
    DIR *d = opendir(folder);
    struct dirent *entry;
    int n = 0;

    assert_non_null(d);
    while ((entry = readdir(d))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        n++;
        if (remove_them)
            assert_int_equal(unlinkat(dirfd(d), entry->d_name, 0), 0);
    }
    (void)closedir(d);
    return n;
}

static int tear_down(void **state) {
    (void)state;
    (void)files(1);
    return rmdir(folder);
}

/* --- rows ---------------------------------------------------------------- */

/* Row i: what it holds follows from i. */
struct made {
    struct feedback_row row;
    char stream[LIMIT_STREAM_BYTES], label[LIMIT_LABEL_BYTES];
    uint32_t ids[64];
};

static void make(struct made *m, uint64_t i) {
    struct rng rng;

    rng_init(&rng, i, 5);
    m->row = (struct feedback_row){.stream = m->stream,
                                   .stream_len = 1 + rng_below(&rng, 12),
                                   .seq = rng_next(&rng),
                                   .label = m->label,
                                   .label_len = 1 + rng_below(&rng, 9),
                                   .ids = m->ids,
                                   .n = 1 + rng_below(&rng, 9),
                                   .predicted = rng_below(&rng, 4096),
                                   .confidence = (float)rng_unit(&rng),
                                   .judged = rng_below(&rng, 2)};
    for (size_t k = 0; k < m->row.stream_len; k++)
        m->stream[k] = (char)rng_next(&rng);
    for (size_t k = 0; k < m->row.label_len; k++)
        m->label[k] = (char)rng_next(&rng);
    for (size_t k = 0; k < m->row.n; k++)
        m->ids[k] = (uint32_t)rng_next(&rng);
}

/* What a replay gave: it must be the rows first, first + 1, ..., of which the first `trained` are.
 */
struct heard {
    uint64_t first, n, trained;
    bool lacks; /* row `lack` */
    uint64_t lack;
};

static void hear(void *user, const struct feedback_row *row, bool trained) {
    struct heard *h = user;
    struct made m;

    uint64_t i = h->first + h->n;

    make(&m, i + (h->lacks && i >= h->lack));
    assert_int_equal(row->stream_len, m.row.stream_len);
    assert_memory_equal(row->stream, m.stream, row->stream_len);
    assert_true(row->seq == m.row.seq);
    assert_int_equal(row->label_len, m.row.label_len);
    assert_memory_equal(row->label, m.label, row->label_len);
    assert_int_equal(row->n, m.row.n);
    assert_memory_equal(row->ids, m.ids, row->n * sizeof *row->ids);
    assert_int_equal(row->predicted, m.row.predicted);
    assert_memory_equal(&row->confidence, &m.row.confidence, sizeof row->confidence);
    assert_int_equal(row->judged, m.row.judged);
    if (trained) /* those come first */
        assert_true(h->trained == h->n);
    h->n++;
    h->trained += trained;
}

static struct journal *open_as(const char *root, uint64_t max, struct heard *h,
                               struct journal_found *found) {
    struct reason why = {""};
    struct journal *j;

    if (journal_open(path, root, max, h ? hear : NULL, h, &j, found, &why))
        fail_msg("%s", why.text);
    if (h)
        assert_int_equal(h->n, found->rows);
    return j;
}

static struct journal *open_again(struct heard *h, struct journal_found *found) {
    return open_as(ROOT, LARGE, h, found);
}

static void append(struct journal *j, uint64_t i) {
    struct reason why = {""};
    struct made m;

    make(&m, i);
    if (journal_append(j, &m.row, &why))
        fail_msg("%s", why.text);
}

/* A new journal of rows 0 .. n-1, marked after `marked` of them. */
static void make_journal(uint64_t n, uint64_t marked) {
    struct journal_found found;
    struct journal *j;

    (void)unlink(path);
    j = open_again(NULL, &found);
    for (uint64_t i = 0; i < n; i++) {
        append(j, i);
        if (i + 1 == marked)
            assert_int_equal(journal_mark(j, NULL), DIFFUSE_OK);
    }
    journal_close(j);
}

static void put_file(const uint8_t *bytes, size_t n) {
    FILE *f;

    (void)unlink(path); /* a new file is not forced to the disk, as one written anew would be */
    f = fopen(path, "wb");
    assert_true(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
}

/* --- tests --------------------------------------------------------------- */

static void test_round_trip(void **state) {
    struct journal_found found;
    struct heard h = {0};
    struct journal *j;

    (void)state;
    j = open_again(&h, &found);
    assert_int_equal(found.rows + found.untrained + found.cut + found.set_aside, 0);
    assert_int_equal(journal_bytes(j), JOURNAL_HEADER_BYTES);
    for (uint64_t i = 0; i < 500; i++) {
        append(j, i);
        if (i == 199 || i == 349) {
            uint64_t bytes = journal_bytes(j);

            assert_int_equal(journal_mark(j, NULL), DIFFUSE_OK);
            assert_true(journal_bytes(j) > bytes);
            bytes = journal_bytes(j);
            assert_int_equal(journal_mark(j, NULL), DIFFUSE_OK); /* nothing new to mark */
            assert_true(journal_bytes(j) == bytes);
        }
    }
    assert_int_equal(journal_sync(j, NULL), DIFFUSE_OK);
    journal_close(j);
    j = open_again(&h, &found);
    assert_int_equal(found.rows, 500);
    assert_int_equal(found.untrained, 150);
    assert_int_equal(h.trained, 350);
    assert_int_equal(found.cut, 0);
    append(j, 500); /* where the last process stopped */
    assert_int_equal(journal_mark(j, NULL), DIFFUSE_OK);
    journal_close(j);
    h = (struct heard){0};
    j = open_again(&h, &found);
    assert_int_equal(found.rows, 501);
    assert_int_equal(found.untrained, 0);
    assert_int_equal(h.trained, 501);
    assert_int_equal(journal_clear(j, NULL), DIFFUSE_OK);
    append(j, 0);
    journal_close(j);
    h = (struct heard){0};
    journal_close(open_again(&h, &found));
    assert_int_equal(found.rows, 1);
    assert_int_equal(found.untrained, 1);
    assert_int_equal(files(0), 1);
}

/* The longest of everything, and what lies beyond it. */
static void test_limits_of_a_row(void **state) {
    char *name = calloc(1, 256);
    uint32_t *ids = calloc(LIMIT_TOKENS, sizeof *ids);
    struct feedback_row row = {.stream = name,
                               .stream_len = LIMIT_STREAM_BYTES,
                               .label = name,
                               .label_len = LIMIT_LABEL_BYTES,
                               .ids = ids,
                               .n = LIMIT_TOKENS,
                               .confidence = 1};
    struct feedback_row bad;
    struct journal_found found;
    struct journal *j = open_again(NULL, &found);
    struct reason why = {""};

    (void)state;
    assert_int_equal(journal_append(j, &row, &why), DIFFUSE_OK);
    assert_int_equal(journal_append(j, &row, &why), DIFFUSE_OK);
#define REFUSED(field, value)                                                                      \
    bad = row;                                                                                     \
    bad.field = value;                                                                             \
    assert_int_equal(journal_append(j, &bad, &why), DIFFUSE_INVAL);                                \
    assert_non_null(strstr(why.text, path));
    REFUSED(stream_len, 0)
    REFUSED(stream_len, LIMIT_STREAM_BYTES + 1)
    REFUSED(label_len, 0)
    REFUSED(label_len, LIMIT_LABEL_BYTES + 1)
    REFUSED(n, 0)
    REFUSED(n, LIMIT_TOKENS + 1)
    REFUSED(confidence, NAN)
    journal_close(j);
    journal_close(open_again(NULL, &found));
    assert_int_equal(found.rows, 2);
    assert_int_equal(journal_open(path, ROOT, JOURNAL_BYTES_MIN - 1, NULL, NULL, &j, &found, &why),
                     DIFFUSE_INVAL);
    free(ids);
    free(name);
}

/* Where each record ends. */
static size_t boundaries(const uint8_t *bytes, size_t n, size_t *ret) {
    size_t count = 0, at = JOURNAL_HEADER_BYTES;

    while (at < n) {
        at += journal_record_bytes(bytes + at);
        ret[count++] = at;
    }
    assert_int_equal(at, n);
    return count;
}

static size_t count_up_to(const size_t *end, size_t n) {
    size_t count = 1;

    while (end[count - 1] < n)
        count++;
    return count;
}

/* Every tear gives exactly the records that are whole, says what was cut, and goes on. */
static void test_every_torn_tail(void **state) {
    size_t n, end[64], records;
    uint8_t *bytes;

    (void)state;
    make_journal(20, 7);
    bytes = ckpt_sample_slurp(path, &n);
    records = boundaries(bytes, n, end);
    assert_int_equal(records, 21);
    for (size_t cut = JOURNAL_HEADER_BYTES; cut <= n; cut++) {
        size_t whole = 0, rows;
        struct journal_found found;
        struct heard h = {0};
        struct journal *j;

        while (whole < records && end[whole] <= cut)
            whole++;
        rows = whole > 7 ? whole - 1 : whole; /* the mark is the eighth */
        put_file(bytes, cut);
        j = open_again(&h, &found);
        assert_int_equal(found.rows, rows);
        assert_int_equal(found.untrained, whole > 7 ? rows - 7 : rows);
        assert_int_equal(found.cut, cut - (whole ? end[whole - 1] : JOURNAL_HEADER_BYTES));
        assert_false(found.set_aside);
        append(j, rows);
        journal_close(j);
        h = (struct heard){0};
        journal_close(open_again(&h, &found));
        assert_int_equal(found.rows, rows + 1);
        assert_int_equal(found.cut, 0);
    }
    free(bytes);
}

/* A header that is not whole is no journal; an empty file is a new one. */
static void test_every_torn_header(void **state) {
    size_t n;
    uint8_t *bytes;

    (void)state;
    make_journal(3, 0);
    bytes = ckpt_sample_slurp(path, &n);
    for (size_t cut = 0; cut < JOURNAL_HEADER_BYTES; cut++) {
        struct journal_found found;
        struct journal *j;

        put_file(bytes, cut);
        j = open_again(NULL, &found);
        assert_int_equal(found.rows, 0);
        assert_int_equal(found.set_aside, cut > 0);
        append(j, 0);
        journal_close(j);
        journal_close(open_again(NULL, &found));
        assert_int_equal(found.rows, 1);
    }
    free(bytes);
}

/* The file with one bit flipped, opened: at most the record with the bit is lost, and it is said.
 */
static void flip_and_open(uint8_t *bytes, size_t n, size_t bit, const size_t *end, size_t marked) {
    size_t hit = 0, rows = count_up_to(end, n) - 1;
    struct journal_found found;
    struct heard h = {0};
    bool header = bit / 8 < JOURNAL_HEADER_BYTES;

    while (end[hit] <= bit / 8)
        hit++;
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    put_file(bytes, n);
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    h.lacks = !header && hit != marked;
    h.lack = hit > marked ? hit - 1 : hit;
    journal_close(open_again(&h, &found));
    assert_false(found.set_aside);
    assert_int_equal(found.rows, rows - h.lacks);
    if (header)
        assert_int_equal(found.lost, 0);
    else
        assert_int_equal(found.lost, end[hit] - (hit ? end[hit - 1] : JOURNAL_HEADER_BYTES));
    if (header || end[hit] < n)
        assert_int_equal(found.damaged, 1);
    assert_int_equal(found.cut, header || end[hit] < n ? 0 : found.lost);
    h.n = h.trained = 0;
    journal_close(open_again(&h, &found)); /* it was mended */
    assert_int_equal(found.damaged + found.lost, 0);
    assert_int_equal(found.rows, rows - h.lacks);
}

/* A flipped bit costs its record, and never gives a row that was not written. */
static void test_every_flipped_bit(void **state) {
    size_t n, end[64];
    uint8_t *bytes;

    (void)state;
    make_journal(12, 5);
    bytes = ckpt_sample_slurp(path, &n);
    (void)boundaries(bytes, n, end);
    for (size_t bit = 0; bit < 8 * n; bit++)
        flip_and_open(bytes, n, bit, end, 5);
    free(bytes);
}

static void test_flipped_bits_of_a_large_journal(void **state) {
    size_t n, *end = calloc(5000, sizeof *end);
    struct rng rng;
    uint8_t *bytes;

    (void)state;
    rng_init(&rng, 1, 2);
    make_journal(4929, 2500);
    bytes = ckpt_sample_slurp(path, &n);
    assert_int_equal(boundaries(bytes, n, end), 4930);
    for (unsigned i = 0; i < 200; i++)
        flip_and_open(bytes, n, rng_below(&rng, (uint32_t)(8 * n)), end, 2500);
    free(bytes);
    free(end);
}

/* Whole blocks that are gone: what lies behind them stays, and the file is kept as it was. */
static void test_damaged_blocks_are_kept_aside(void **state) {
    size_t n, end[700], left;
    uint8_t *bytes, *was;
    char kept[128];

    (void)state;
    make_journal(600, 0);
    bytes = ckpt_sample_slurp(path, &n);
    (void)boundaries(bytes, n, end);
    for (size_t at = 0; at + 512 <= n; at += 1536) {
        struct journal_found found;
        size_t first = 0, last;

        put_file(bytes, n);
        memset(bytes + at, 0, 512);
        was = malloc(n);
        memcpy(was, bytes, n);
        put_file(bytes, n);
        while (end[first] <= at)
            first++;
        for (last = first; end[last] < at + 512; last++)
            ;
        journal_close(open_again(NULL, &found));
        if (at == 0) { /* without its header nobody knows whose it is */
            assert_true(found.set_aside);
        } else {
            assert_int_equal(found.rows, 600 - (last - first + 1));
            assert_int_equal(found.damaged, 1);
            assert_true(found.kept);
            (void)snprintf(kept, sizeof kept, "%s.damaged", path);
            free(bytes);
            bytes = ckpt_sample_slurp(kept, &left);
            assert_int_equal(left, n);
            assert_memory_equal(bytes, was, n);
        }
        free(was);
        free(bytes);
        (void)files(1);
        make_journal(600, 0);
        bytes = ckpt_sample_slurp(path, &n);
    }
    free(bytes);
}

/* What is damaged while the file is open does not keep it from making room. */
static void test_damaged_while_open(void **state) {
    struct journal_found found;
    struct journal *j = open_as(ROOT, JOURNAL_BYTES_MIN, NULL, &found);
    uint64_t n = 0;
    int fd = open(path, O_WRONLY);

    (void)state;
    for (; n < 100; n++)
        append(j, n);
    assert_int_equal(pwrite(fd, "damaged", 7, 300), 7);
    assert_int_equal(close(fd), 0);
    for (; n < 30000; n++)
        append(j, n);
    assert_true(journal_dropped(j) > 0);
    journal_close(j);
    journal_close(open_as(ROOT, JOURNAL_BYTES_MIN, NULL, &found));
    assert_int_equal(found.damaged, 0);
    assert_true(found.rows > 3000);
}

/* A record whose checksum is right, but not its content: as a writer gone mad would make it. */
static void test_records_that_lie(void **state) {
    static const struct {
        size_t at;
        uint8_t value;
    } lies[] = {{0, 3}, {0, 0}, {1, 2}, {2, 0}, {3, 0}, {20, 0}, {20, 200}, {22, 2}, {19, 0x7f}};
    size_t n;
    uint8_t *bytes;

    (void)state;
    make_journal(1, 0);
    bytes = ckpt_sample_slurp(path, &n);
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        size_t len = journal_record_bytes(bytes + JOURNAL_HEADER_BYTES);
        uint8_t *record = calloc(1, len);
        struct feedback_row row;
        enum journal_kind kind;

        memcpy(record, bytes + JOURNAL_HEADER_BYTES, len);
        assert_true(journal_record_parse(record, len, &kind, &row));
        memcpy(record, bytes + JOURNAL_HEADER_BYTES, len);
        record[JOURNAL_FRAME_BYTES + lies[i].at] = lies[i].value;
        if (lies[i].at == 19)
            record[JOURNAL_FRAME_BYTES + 18] = 0xc0; /* not a number */
        journal_record_sign(record, len);
        assert_false(journal_record_parse(record, len, &kind, &row));
        free(record);
    }
    free(bytes);
}

static void test_foreign_root(void **state) {
    struct journal_found found;
    struct heard h = {0};
    struct journal *j;
    char background[128];
    struct stat st;

    (void)state;
    make_journal(5, 0);
    j = open_as(FOREIGN, LARGE, &h, &found);
    assert_true(found.set_aside);
    assert_int_equal(found.rows, 0);
    append(j, 0);
    journal_close(j);
    (void)snprintf(background, sizeof background, "%s.aside", path);
    assert_int_equal(stat(background, &st), 0);
    assert_int_equal(rename(background, path), 0); /* what was set aside is whole */
    journal_close(open_again(&h, &found));
    assert_int_equal(found.rows, 5);
}

/* The file never grows over its bound; what goes is the oldest, and what is not trained last. */
static void test_bound(void **state) {
    struct journal_found found;
    struct journal *j = open_as(ROOT, JOURNAL_BYTES_MIN, NULL, &found);
    uint64_t n = 0, most = 0;
    struct heard h;
    struct stat st;

    (void)state;
    for (; n < 30000; n++) {
        append(j, n);
        if (n % 1000 == 999)
            assert_int_equal(journal_mark(j, NULL), DIFFUSE_OK);
        most = journal_bytes(j) > most ? journal_bytes(j) : most;
    }
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, journal_bytes(j));
    assert_in_range(most, JOURNAL_BYTES_MIN * 9 / 10, JOURNAL_BYTES_MIN);
    assert_int_equal(journal_dropped(j), 0);
    journal_close(j);
    j = open_as(ROOT, JOURNAL_BYTES_MIN, NULL, &found);
    journal_close(j);
    assert_true(found.rows > 3000);
    h = (struct heard){.first = n - found.rows};
    journal_close(open_as(ROOT, JOURNAL_BYTES_MIN, &h, &found));
    assert_int_equal(found.untrained, 0);
    assert_int_equal(h.trained, found.rows);
}

static void test_bound_when_nothing_is_trained(void **state) {
    struct journal_found found;
    struct journal *j = open_as(ROOT, JOURNAL_BYTES_MIN, NULL, &found);
    struct heard h;
    uint64_t dropped;

    (void)state;
    for (uint64_t n = 0; n < 30000; n++)
        append(j, n);
    dropped = journal_dropped(j);
    assert_true(dropped > 0);
    assert_true(journal_bytes(j) <= JOURNAL_BYTES_MIN);
    journal_close(j);
    h = (struct heard){.first = dropped};
    journal_close(open_as(ROOT, JOURNAL_BYTES_MIN, &h, &found));
    assert_int_equal(found.rows, 30000 - dropped);
    assert_int_equal(found.untrained, found.rows);
}

/* A bound that was lowered holds at once. */
static void test_bound_lowered(void **state) {
    struct journal_found found;
    struct heard h;

    (void)state;
    make_journal(30000, 29000);
    journal_close(open_as(ROOT, JOURNAL_BYTES_MIN, NULL, &found));
    h = (struct heard){.first = 30000 - found.rows};
    assert_true(found.rows > 1000 && found.rows < 30000);
    journal_close(open_as(ROOT, JOURNAL_BYTES_MIN, &h, &found));
    assert_int_equal(found.untrained, 1000);
}

/* The largest row needs more room than a quarter of the file. */
static void test_bound_with_large_rows(void **state) {
    uint32_t *ids = calloc(LIMIT_TOKENS, sizeof *ids);
    const struct feedback_row row = {.stream = "s",
                                     .stream_len = 1,
                                     .label = "l",
                                     .label_len = 1,
                                     .ids = ids,
                                     .n = LIMIT_TOKENS,
                                     .confidence = 1};
    struct journal_found found;
    struct journal *j = open_as(ROOT, JOURNAL_BYTES_MIN, NULL, &found);

    (void)state;
    for (uint64_t i = 0; i < 40; i++) {
        append(j, i);
        assert_int_equal(journal_append(j, &row, NULL), DIFFUSE_OK);
        assert_true(journal_bytes(j) <= JOURNAL_BYTES_MIN);
    }
    journal_close(j);
    journal_close(open_as(ROOT, JOURNAL_BYTES_MIN, NULL, &found));
    assert_true(found.rows >= 4);
    assert_int_equal(found.cut, 0);
    free(ids);
}

static void limit_files(rlim_t bytes) {
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A disk that is full after n bytes: nothing half-written stays, and it goes on when there is room.
 */
static void test_full_disk(void **state) {
    size_t n;
    uint8_t *bytes;

    (void)state;
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    make_journal(4, 0);
    bytes = ckpt_sample_slurp(path, &n);
    for (size_t room = n; room < n + 200; room++) {
        struct journal_found found;
        struct heard h = {0};
        struct journal *j;
        struct reason why = {""};
        struct stat st;
        struct made m;
        uint64_t i = 4, before;

        put_file(bytes, n);
        j = open_again(NULL, &found);
        limit_files(room);
        for (;; i++) {
            diffuse_err e;

            before = journal_bytes(j);
            make(&m, i);
            if ((e = journal_append(j, &m.row, &why))) {
                assert_int_equal(e, DIFFUSE_IO);
                break;
            }
        }
        assert_non_null(strstr(why.text, strerror(EFBIG)));
        assert_non_null(strstr(why.text, path));
        assert_true(journal_bytes(j) == before);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_size, before);
        limit_files(RLIM_INFINITY);
        append(j, i);
        journal_close(j);
        journal_close(open_again(&h, &found));
        assert_int_equal(found.rows, i + 1);
        assert_int_equal(found.cut, 0);
    }
    free(bytes);
}

/* No space to rewrite it: the rows that were there stay. */
static void test_full_disk_when_making_room(void **state) {
    struct journal_found found;
    struct journal *j = open_as(ROOT, JOURNAL_BYTES_MIN, NULL, &found);
    struct reason why = {""};
    struct made m;
    uint64_t n = 0;
    struct heard h = {0};

    (void)state;
    for (make(&m, n); journal_bytes(j) + 300 < JOURNAL_BYTES_MIN; make(&m, ++n))
        append(j, n);
    limit_files(JOURNAL_BYTES_MIN / 2);
    while (!journal_append(j, &m.row, &why)) /* beyond the limit, this is not written either */
        fail_msg("the disk is not full");
    assert_non_null(strstr(why.text, strerror(EFBIG)));
    limit_files(RLIM_INFINITY);
    for (uint64_t more = 0; more < 20; more++, n++)
        append(j, n);
    assert_true(journal_dropped(j) > 0);
    h.first = journal_dropped(j);
    journal_close(j);
    journal_close(open_as(ROOT, JOURNAL_BYTES_MIN, &h, &found));
    assert_int_equal(h.first + found.rows, n);
    assert_int_equal(files(0), 1);
}

static void test_left_over(void **state) {
    struct journal_found found;
    char left[128];
    FILE *f;

    (void)state;
    (void)snprintf(left, sizeof left, "%s/.journal.tmp.12345", folder);
    assert_non_null(f = fopen(left, "w"));
    assert_int_equal(fclose(f), 0);
    journal_close(open_again(NULL, &found));
    assert_int_equal(files(0), 1);
}

static void assert_open_fails(const char *text) {
    struct journal_found found;
    struct journal *j = NULL;
    struct reason why = {""};

    assert_int_equal(journal_open(path, ROOT, LARGE, NULL, NULL, &j, &found, &why), DIFFUSE_IO);
    if (!strstr(why.text, text))
        fail_msg("\"%s\" is not in: %s", text, why.text);
}

static void test_places_that_cannot_be_used(void **state) {
    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_open_fails("not a regular file; remove it");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_open_fails("Is a directory");
    assert_int_equal(rmdir(path), 0);
    (void)snprintf(path, sizeof path, "%s/none/journal", folder);
    assert_open_fails("No such file or directory");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_round_trip),
        TEST(test_limits_of_a_row),
        TEST(test_every_torn_tail),
        TEST(test_every_torn_header),
        TEST(test_every_flipped_bit),
        TEST(test_flipped_bits_of_a_large_journal),
        TEST(test_damaged_blocks_are_kept_aside),
        TEST(test_damaged_while_open),
        TEST(test_records_that_lie),
        TEST(test_foreign_root),
        TEST(test_bound),
        TEST(test_bound_when_nothing_is_trained),
        TEST(test_bound_lowered),
        TEST(test_bound_with_large_rows),
        TEST(test_full_disk),
        TEST(test_full_disk_when_making_room),
        TEST(test_left_over),
        TEST(test_places_that_cannot_be_used),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
