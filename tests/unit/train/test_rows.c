/* test_rows.c - rows come back as they went in, from memory and from files; memory stays flat; a
 * full or broken disk is an error with its folder and remedy. */
#include <dirent.h>
#include <malloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "model/base/gemm.h"
#include "model/base/rng.h"
#include "model/train/fit.h"
#include "model/train/rows/rows.h"

#define LONGEST  300
#define LABELS   18
#define IN_FILES 1000 /* bytes in memory: soon too few */

/* --- what row i holds ---------------------------------------------------- */

static uint32_t make_row(size_t i, uint32_t vocab, uint32_t ids[LONGEST]) {
    struct rng rng;
    uint32_t length;

    rng_init(&rng, i, 77);
    length = i % 97 == 0 ? LONGEST : 1 + rng_below(&rng, 60);
    for (uint32_t k = 0; k < length; k++)
        ids[k] = rng_below(&rng, vocab);
    ids[0] = vocab - 1; /* the largest there is */
    return length;
}

static void add(struct rows *r, size_t n, uint32_t vocab) {
    uint32_t ids[LONGEST];

    while (n--) {
        uint32_t length = make_row(r->n, vocab, ids), label = (uint32_t)(r->n % LABELS);

        assert_int_equal(rows_append(r, ids, length, label, NULL), DIFFUSE_OK);
    }
}

static void assert_row(const struct rows *r, size_t i, size_t holds, uint32_t vocab) {
    uint32_t ids[LONGEST], expected[LONGEST], length, label,
        made = make_row(holds, vocab, expected);

    assert_int_equal(rows_read(r, i, ids, &length, &label, NULL), DIFFUSE_OK);
    assert_int_equal(length, made);
    assert_int_equal(label, holds % LABELS);
    assert_memory_equal(ids, expected, length * sizeof *ids);
    assert_int_equal(rows_get(r, i, &length, &label, NULL), DIFFUSE_OK);
    assert_int_equal(length, made);
    assert_int_equal(label, holds % LABELS);
}

static void assert_all(const struct rows *r, uint32_t vocab) {
    for (size_t i = 0; i < r->n; i++)
        assert_row(r, r->n - 1 - i, r->n - 1 - i, vocab);
}

/* Walk r by windows and compare each with rows_read. */
static void assert_windows(const struct rows *r, size_t tokens) {
    uint32_t ids[LONGEST], *room = malloc(tokens * sizeof *room), length, label;
    struct rows_window w = {.ids = room, .tokens = tokens};

    assert_non_null(room);
    for (size_t at = 0; at < r->n; at += w.n) {
        assert_int_equal(rows_fill(r, at, r->n, &w, NULL), DIFFUSE_OK);
        assert_in_range(w.n, 1, ROWS_WINDOW);
        assert_true(w.start[w.n] <= tokens);
        for (uint32_t k = 0; k < w.n; k++) {
            assert_int_equal(rows_read(r, at + k, ids, &length, &label, NULL), DIFFUSE_OK);
            assert_int_equal(w.start[k + 1] - w.start[k], length);
            assert_int_equal(w.label[k], label);
            assert_memory_equal(w.ids + w.start[k], ids, length * sizeof *ids);
        }
    }
    free(room);
}

/* --- a folder of our own ------------------------------------------------- */

static int make_folder(void **state) {
    static char folder[] = "/tmp/test_rows.XXXXXX";

    *state = folder;
    return mkdtemp(folder) ? setenv("TMPDIR", folder, 1) : -1;
}

static int remove_folder(void **state) {
    return rmdir(*state); /* fails when a test left a file */
}

static unsigned files_in(const char *folder) {
    DIR *d = opendir(folder);
    unsigned n = 0;

    assert_non_null(d);
    for (const struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

/* Descriptors of this process on files that once lay in folder, into fd[4]: their number. */
static unsigned files_of(const char *folder, int fd[4]) {
    char link[64], path[4096];
    unsigned n = 0;

    for (int i = 3; i < 256 && n < 4; i++) {
        ssize_t len;

        (void)snprintf(link, sizeof link, "/proc/self/fd/%d", i);
        len = readlink(link, path, sizeof path - 1);
        path[len < 0 ? 0 : len] = 0;
        if (strncmp(path, folder, strlen(folder)) == 0 && strlen(path) > strlen(folder))
            fd[n++] = i;
    }
    return n;
}

/* --- keeping ------------------------------------------------------------- */

static void test_rows_come_back(void **state) {
    const uint32_t vocab[] = {2, 65536, 65537, 1000000};
    const uint64_t memory[] = {0, IN_FILES, 1000000, ROWS_MEMORY};
    int fd[4];

    for (size_t v = 0; v < 4; v++)
        for (size_t m = 0; m < 4; m++) {
            struct rows r;

            assert_int_equal(rows_init(&r, vocab[v], memory[m]), DIFFUSE_OK);
            add(&r, 12000, vocab[v]); /* over 600 KB of ids: beyond the buffer of a file */
            assert_int_equal(r.n, 12000);
            assert_int_equal(r.longest, LONGEST);
            assert_int_equal(files_of(*state, fd), memory[m] == ROWS_MEMORY        ? 0
                                                   : memory[m] == 1000000 && v < 2 ? 0
                                                                                   : 2);
            assert_int_equal(files_in(*state), 0); /* no name, so nothing to leave behind */
            assert_all(&r, vocab[v]);
            assert_windows(&r, 1024);
            rows_done(&r);
            assert_int_equal(files_of(*state, fd), 0);
        }
}

static void test_wrong_rows_are_refused(void **state) {
    const uint32_t ids[] = {1, 2, 10};
    struct rows r;

    (void)state;
    assert_int_equal(rows_init(&r, 10, ROWS_MEMORY), DIFFUSE_OK);
    assert_int_equal(rows_append(&r, ids, 3, 0, NULL), DIFFUSE_INVAL);
    assert_int_equal(rows_append(&r, ids, 0, 0, NULL), DIFFUSE_INVAL);
    assert_int_equal(rows_append(&r, ids, 2, LIMIT_LABELS, NULL), DIFFUSE_INVAL);
    assert_int_equal(r.n, 0);
    assert_int_equal(rows_append(&r, ids, 2, LIMIT_LABELS - 1, NULL), DIFFUSE_OK);
    assert_int_equal(r.n, 1);
    rows_done(&r);
    rows_done(&r); /* empty now */
}

static size_t heap(void) {
    struct mallinfo2 m = mallinfo2();

    return m.uordblks + m.hblkhd;
}

/* Three times the limit and more: after it is passed, the heap is the buffers' size and stays so.
 */
static void test_memory_stays_flat(void **state) {
    const uint64_t memory = 1024 * 1024;
    size_t before = heap(), early, late;
    struct rows r;
    struct stat file;
    off_t bytes = 0;
    int fd[4];

    assert_int_equal(rows_init(&r, 65536, memory), DIFFUSE_OK);
    while (r.n < 100000) {
        add(&r, 1000, 65536);
        if (r.n == 20000)
            early = heap();
    }
    late = heap();
    assert_int_equal(files_of(*state, fd), 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fstat(fd[i], &file), 0);
        bytes += file.st_size;
    }
    assert_true((uint64_t)bytes > 3 * memory);
    assert_int_equal(early, late);
    assert_true(late - before < memory);
    assert_all(&r, 65536);
    assert_int_equal(heap(), late);
    rows_done(&r);
}

static void test_text_is_cut_and_counted(void **state) {
    struct arena arena;
    struct tokenizer *t;
    uint32_t ids[4], length, label;
    struct rows r;

    (void)state;
    assert_int_equal(arena_init(&arena, tokenizer_bytes(TOKENIZER_BYTE, NULL, 0)), DIFFUSE_OK);
    assert_int_equal(tokenizer_new(&arena, TOKENIZER_BYTE, NULL, 0, &t, NULL), DIFFUSE_OK);
    assert_int_equal(rows_init(&r, tokenizer_vocab_size(t), ROWS_MEMORY), DIFFUSE_OK);
    assert_int_equal(rows_add(&r, t, "abc", 3, 1, 4, NULL), DIFFUSE_OK);
    assert_int_equal(rows_add(&r, t, "", 0, 1, 4, NULL), DIFFUSE_OK);
    assert_int_equal(rows_add(&r, t, "defgh\xff", 6, 2, 4, NULL), DIFFUSE_OK);
    assert_int_equal(r.n, 2);
    assert_int_equal(r.skipped, 1);
    assert_int_equal(r.truncated, 1);
    assert_int_equal(r.longest, 4);
    assert_int_equal(rows_read(&r, 1, ids, &length, &label, NULL), DIFFUSE_OK);
    assert_int_equal(length, 4);
    assert_int_equal(label, 2);
    assert_int_equal(ids[0], 'd');
    assert_int_equal(ids[3], 'g');
    rows_done(&r);
    arena_done(&arena);
}

/* --- views --------------------------------------------------------------- */

static void test_slices(void **state) {
    struct rows r, s, t;

    (void)state;
    assert_int_equal(rows_init(&r, 70000, IN_FILES), DIFFUSE_OK);
    add(&r, 500, 70000);
    rows_slice(&r, 100, 50, &s);
    rows_slice(&s, 10, 5, &t);
    rows_done(&r);
    assert_int_equal(t.n, 5);
    for (size_t i = 0; i < 50; i++)
        assert_row(&s, i, 100 + i, 70000);
    rows_done(&s);
    for (size_t i = 0; i < 5; i++)
        assert_row(&t, i, 110 + i, 70000);
    assert_windows(&t, LONGEST);
    rows_done(&t);
}

/* The only id of a row of one. */
static uint32_t only_id(const struct rows *r, size_t i) {
    uint32_t id, length, label;

    assert_int_equal(rows_read(r, i, &id, &length, &label, NULL), DIFFUSE_OK);
    assert_int_equal(length, 1);
    return id;
}

static void test_split_is_a_partition(void **state) {
    struct rows r, rest, background, other, waste;
    unsigned seen[448] = {0}, moved = 0;

    (void)state;
    assert_int_equal(rows_init(&r, 448, IN_FILES), DIFFUSE_OK);
    for (uint32_t i = 0; i < 448; i++)
        assert_int_equal(rows_append(&r, &i, 1, i % LABELS, NULL), DIFFUSE_OK);
    assert_int_equal(rows_split(&r, 0.1, 3, &rest, &background, NULL), DIFFUSE_OK);
    assert_int_equal(rows_split(&r, 0.1, 4, &waste, &other, NULL), DIFFUSE_OK);
    assert_int_equal(background.n, 45);
    assert_int_equal(rest.n, 403);
    rows_done(&r); /* the views hold what they need */
    for (size_t i = 0; i < rest.n; i++)
        seen[only_id(&rest, i)]++;
    for (size_t i = 0; i < background.n; i++) {
        seen[only_id(&background, i)]++;
        moved += only_id(&background, i) != only_id(&other, i);
    }
    for (size_t i = 0; i < 448; i++)
        assert_int_equal(seen[i], 1);
    assert_true(moved > 30);
    assert_windows(&rest, 1024);
    assert_windows(&background, 1);
    assert_int_equal(rows_split(&rest, 0.5, 1, &other, &background, NULL), DIFFUSE_INVAL);
    rows_done(&rest);
    rows_done(&background);
    rows_done(&other);
    rows_done(&waste);
}

/* 18 labels, 17 of them with two rows: every second draw, on average, takes both of some label. */
static void test_split_spares_rare_labels(void **state) {
    const uint32_t id = 1;

    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct rows r, rest, background;
        uint64_t has = 0;
        uint32_t length, label;
        unsigned kept = 0;

        assert_int_equal(rows_init(&r, 2, ROWS_MEMORY), DIFFUSE_OK);
        for (uint32_t i = 0; i < 100; i++)
            assert_int_equal(rows_append(&r, &id, 1, i < 34 ? i % 17 : 17, NULL), DIFFUSE_OK);
        assert_int_equal(rows_split(&r, 0.2, seed, &rest, &background, NULL), DIFFUSE_OK);
        for (size_t i = 0; i < rest.n; i++) {
            assert_int_equal(rows_get(&rest, i, &length, &label, NULL), DIFFUSE_OK);
            has |= (uint64_t)1 << label;
        }
        for (uint32_t k = 0; k < LABELS; k++)
            kept += (has >> k & 1) != 0;
        assert_int_equal(kept, LABELS);
        assert_int_equal(background.n, 20);
        rows_done(&r);
        rows_done(&rest);
        rows_done(&background);
    }
}

/* --- trouble ------------------------------------------------------------- */

static void limit_files(rlim_t bytes) {
    struct rlimit l;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
    l.rlim_cur = bytes < l.rlim_max ? bytes : l.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

static void test_full_disk_is_an_error(void **state) {
    uint32_t ids[LONGEST];
    struct reason why = {""};
    diffuse_err e = DIFFUSE_OK;
    struct rows r;
    size_t kept;

    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(rows_init(&r, 65536, IN_FILES), DIFFUSE_OK);
    limit_files(1000000);
    while (!e && r.n < 100000) {
        uint32_t length = make_row(r.n, 65536, ids);

        e = rows_append(&r, ids, length, (uint32_t)(r.n % LABELS), &why);
    }
    assert_int_equal(e, DIFFUSE_IO);
    assert_non_null(strstr(why.text, *state));
    assert_non_null(strstr(why.text, "TMPDIR"));
    assert_non_null(strstr(why.text, "File too large"));
    kept = r.n;
    assert_all(&r, 65536);
    limit_files(RLIM_INFINITY); /* room again */
    add(&r, 5000, 65536);
    assert_int_equal(r.n, kept + 5000);
    assert_all(&r, 65536);
    assert_windows(&r, 1024);
    rows_done(&r);
}

static void test_folder_that_is_not_there(void **state) {
    const uint32_t id = 0;
    struct reason why = {""};
    struct rows r;

    assert_int_equal(setenv("TMPDIR", "/nonexistent/folder", 1), 0);
    assert_int_equal(rows_init(&r, 65536, 0), DIFFUSE_OK);
    assert_int_equal(rows_append(&r, &id, 1, 0, &why), DIFFUSE_IO);
    assert_non_null(strstr(why.text, "/nonexistent/folder"));
    assert_non_null(strstr(why.text, "TMPDIR"));
    assert_int_equal(setenv("TMPDIR", *state, 1), 0);
    add(&r, 10, 65536);
    assert_all(&r, 65536);
    rows_done(&r);
}

static void cut_files(const char *folder) {
    int fd[4];
    unsigned n = files_of(folder, fd);

    assert_int_equal(n, 2);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(ftruncate(fd[i], 100), 0);
}

/* Rows that can no longer be read end an evaluation, an epoch and a split, with the reason. */
static void test_broken_disk_reaches_the_caller(void **state) {
    struct net_config c = {.vocab = 65536,
                           .width = 4,
                           .mlp_width = 4,
                           .head_width = 4,
                           .labels = LABELS,
                           .alpha = 0.375f};
    struct fit_options o = {.step = {.lr = 0.01, .table_lr = 0.01}, .epochs = 1, .batch = 8};
    uint32_t ids[LONGEST], length, label;
    struct reason why[4] = {{""}, {""}, {""}, {""}};
    struct rows r, rest, background;
    struct fit_data data = {&r, NULL, NULL};
    struct eval_result result;
    bool done;
    struct fit_epoch epoch;
    struct net_weights *w;
    struct arena arena;
    struct team *team;
    struct fit *fit;

    assert_int_equal(rows_init(&r, c.vocab, IN_FILES), DIFFUSE_OK);
    add(&r, 40000, c.vocab);
    assert_int_equal(arena_init(&arena, weights_bytes(&c)), DIFFUSE_OK);
    assert_int_equal(weights_new(&arena, &c, &w), DIFFUSE_OK);
    assert_int_equal(team_new(2, &team, NULL), DIFFUSE_OK);
    assert_int_equal(fit_new(&c, w, &o, &data, team, &fit, &why[2]), DIFFUSE_OK);
    cut_files(*state);
    assert_int_equal(rows_read(&r, 100, ids, &length, &label, &why[0]), DIFFUSE_IO);
    assert_int_equal(eval_rows(&c, w, team, &r, NULL, &result, &why[1]), DIFFUSE_IO);
    assert_int_equal(fit_run_epoch(fit, NULL, NULL, &epoch, &done, &why[2]), DIFFUSE_IO);
    add(&r, 1, c.vocab);
    assert_int_equal(rows_split(&r, 0.9999, 1, &rest, &background, &why[3]), DIFFUSE_IO);
    for (int i = 0; i < 4; i++)
        assert_non_null(strstr(why[i].text, *state));
    fit_free(fit);
    team_free(team);
    arena_done(&arena);
    rows_done(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_come_back),
        cmocka_unit_test(test_wrong_rows_are_refused),
        cmocka_unit_test(test_memory_stays_flat),
        cmocka_unit_test(test_text_is_cut_and_counted),
        cmocka_unit_test(test_slices),
        cmocka_unit_test(test_split_is_a_partition),
        cmocka_unit_test(test_split_spares_rare_labels),
        cmocka_unit_test(test_full_disk_is_an_error),
        cmocka_unit_test(test_folder_that_is_not_there),
        cmocka_unit_test(test_broken_disk_reaches_the_caller),
    };

    gemm_single_thread();
    return cmocka_run_group_tests_name("rows", tests, make_folder, remove_folder);
}
