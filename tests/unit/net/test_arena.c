/* test_arena.c - blocks are aligned, zeroed, apart, and never beyond the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/base/arena.h"

static void test_blocks(void **state) {
    struct arena a;
    uint8_t *p, *q;
    size_t mark;

    (void)state;
    assert_int_equal(arena_init(&a, arena_block(1) + arena_block(100)), DIFFUSE_OK);
    p = arena_alloc(&a, 1);
    mark = arena_mark(&a);
    q = arena_alloc(&a, 100);
    assert_non_null(p);
    assert_non_null(q);
    assert_true((uintptr_t)p % ARENA_ALIGN == 0 && (uintptr_t)q % ARENA_ALIGN == 0);
    assert_true(q >= p + 1);
    assert_null(arena_alloc(&a, 1)); /* full to the byte that was counted */
    memset(q, 0xff, 100);
    arena_rewind(&a, mark);
    q = arena_alloc(&a, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(q[i], 0);
    assert_int_equal(a.peak, a.cap);
    arena_done(&a);
    arena_done(&a); /* fine when it is empty */
}

static void test_sizes_that_wrap(void **state) {
    struct arena a;

    (void)state;
    assert_int_equal(arena_block(SIZE_MAX), SIZE_MAX);
    assert_int_equal(arena_block(SIZE_MAX - 10), SIZE_MAX);
    assert_int_equal(arena_init(&a, SIZE_MAX - 10), DIFFUSE_NOMEM);
    assert_int_equal(arena_init(&a, 256), DIFFUSE_OK);
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_alloc(&a, SIZE_MAX - ARENA_ALIGN));
    arena_done(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_sizes_that_wrap),
    };

    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
