/* regret.h - did a promotion hurt? The model before it goes on answering in the shadow, and the two
 * are compared on live feedback (paired.h) as it comes.
 *
 * Looking again and again at a growing sample finds a difference by chance sooner or later, so
 * there are few looks, at 30 rows and then at twice as many each time, and each has an equal share
 * of the 5 % (Bonferroni). After the last one the promotion stands.
 */
#ifndef MODEL_TUNE_REGRET_H
#define MODEL_TUNE_REGRET_H

#include "model/tune/paired.h"

#define REGRET_FIRST 30u  /* rows at the first look */
#define REGRET_LOOKS 6u   /* the last one at 960 rows */
#define REGRET_LEVEL 0.05 /* chance that a promotion which did no harm is ever called harmful */

struct regret {
    struct paired score; /* before the promotion: first; since: second */
    unsigned looks;      /* so far */
    bool over;           /* it is clear, either way; all zero: watching has just begun */
};

/* One more row. True, once: the promotion hurt. */
bool regret_add(struct regret *r, bool before_right, bool now_right);

#endif
