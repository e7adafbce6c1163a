/* regret.c - see regret.h. */
#include "model/tune/regret.h"

bool regret_add(struct regret *r, bool before_right, bool now_right) {
    if (r->over)
        return false;
    paired_add(&r->score, before_right, now_right);
    if (r->score.rows < (size_t)REGRET_FIRST << r->looks)
        return false;
    r->looks++;
    r->over = r->looks == REGRET_LOOKS;
    if (paired_worse(&r->score) > REGRET_LEVEL / REGRET_LOOKS)
        return false;
    r->over = true;
    return true;
}
