/* test_msgmem.c - message memory: alignment, the cap, reset, and whose fault a failed unpack is. */
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/msgmem.h"
#include "tests/lib/wire_random.h"

#include "cmocka.h"

static void blocks_are_aligned_apart_and_inside(void **state) {
    static unsigned char buffer[4096 + 16];
    struct wire_random r = wire_random_start("msgmem");

    (void)state;
    for (int round = 0; round < 2000; round++) {
        size_t shift = wire_random_below(&r, 16), size = wire_random_below(&r, 4096);
        unsigned char *end = buffer + shift;
        struct msgmem m;

        msgmem_init(&m, buffer + shift, size);
        for (;;) {
            size_t n = wire_random_below(&r, 100);
            unsigned char *block = msgmem_alloc(&m, n);

            if (!block)
                break;
            assert_int_equal((uintptr_t)block % alignof(max_align_t), 0);
            assert_true(block >= end); /* behind the one before */
            assert_true(block + n <= buffer + shift + size);
            memset(block, round, n);
            end = block + n;
        }
    }
}

static void the_cap_is_hard_and_reset_frees_all(void **state) {
    alignas(16) unsigned char buffer[64];
    struct msgmem m;

    (void)state;
    msgmem_init(&m, buffer, sizeof buffer);
    assert_non_null(msgmem_alloc(&m, 64));
    assert_false(msgmem_full(&m));
    assert_null(msgmem_alloc(&m, 1));
    assert_true(msgmem_full(&m));
    msgmem_reset(&m);
    assert_false(msgmem_full(&m));
    assert_null(msgmem_alloc(&m, 65));
    assert_null(msgmem_alloc(&m, SIZE_MAX));
    assert_ptr_equal(msgmem_alloc(&m, 33), buffer);
    assert_ptr_equal(msgmem_alloc(&m, 16), buffer + 48);
    assert_null(msgmem_alloc(&m, 1));
    assert_int_equal(m.high, 64);
}

static void a_tiny_buffer_is_only_small(void **state) {
    unsigned char buffer[40];
    struct msgmem m;

    (void)state;
    for (size_t size = 0; size < 16; size++) {
        msgmem_init(&m, buffer + 1, size);
        assert_true(m.cap <= size);
        assert_null(msgmem_alloc(&m, 17));
        assert_null(msgmem_alloc(&m, m.cap ? 17 : 0)); /* not even a place for nothing */
    }
}

static void free_gives_nothing_back(void **state) {
    alignas(16) unsigned char buffer[64];
    struct msgmem m;
    ProtobufCAllocator *a;
    void *block;

    (void)state;
    msgmem_init(&m, buffer, sizeof buffer);
    a = msgmem_allocator(&m);
    block = a->alloc(a->allocator_data, 16);
    a->free(a->allocator_data, block);
    a->free(a->allocator_data, NULL);
    assert_int_equal(m.used, 16);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_aligned_apart_and_inside),
        cmocka_unit_test(the_cap_is_hard_and_reset_frees_all),
        cmocka_unit_test(a_tiny_buffer_is_only_small),
        cmocka_unit_test(free_gives_nothing_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
