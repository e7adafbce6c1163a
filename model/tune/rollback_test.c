#include "model/tune/rollback_test.h"

bool rollback_test_add(struct rollback_test *r, bool before_right, bool now_right) {
    if (r->over)
        return false;
    paired_add(&r->score, before_right, now_right);
    if (r->score.rows < (size_t)ROLLBACK_TEST_FIRST << r->looks)
        return false;
    r->looks++;
    r->over = r->looks == ROLLBACK_TEST_LOOKS;
    if (paired_worse(&r->score) > ROLLBACK_TEST_LEVEL / ROLLBACK_TEST_LOOKS)
        return false;
    r->over = true;
    return true;
}
