/* rollback_test.h - did a promotion hurt? The model before it goes on answering in the shadow, and
 * the two are compared on live feedback (paired.h) as it comes.
 *
 * Looking again and again at a growing sample finds a difference by chance sooner or later, so
 * there are few looks, at 30 rows and then at twice as many each time, and each has an equal share
 * of the 5 % (Bonferroni). After the last one the promotion stands.
 */
#ifndef MODEL_TUNE_ROLLBACK_TEST_H
#define MODEL_TUNE_ROLLBACK_TEST_H

#include "model/tune/paired.h"

#define ROLLBACK_TEST_FIRST 30u /* rows at the first look */
#define ROLLBACK_TEST_LOOKS 6u  /* the last one at 960 rows */
#define ROLLBACK_TEST_LEVEL                                                                        \
    0.05 /* chance that a promotion which did no harm is ever called harmful */

struct rollback_test {
    struct paired score; /* before the promotion: first; since: second */
    unsigned looks;      /* so far */
    bool over;           /* it is clear, either way; all zero: watching has just begun */
};

/* One more row. True, once: the promotion hurt. */
bool rollback_test_add(struct rollback_test *r, bool before_right, bool now_right);

#endif
