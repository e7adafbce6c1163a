#include "model/tune/paired.h"

#include <math.h>

void paired_add(struct paired *p, bool first, bool second) {
    p->rows++;
    p->both += first && second;
    p->won += second && !first;
    p->lost += first && !second;
}

/* P(X >= k) of X ~ Binomial(n, 1/2). */
static double upper_tail(size_t n, size_t k) {
    double term = lgamma((double)n + 1) - lgamma((double)k + 1) - lgamma((double)(n - k) + 1) -
                  (double)n * log(2),
           top = term, sum = 1;

    if (k == 0)
        return 1;
    for (size_t i = k; i < n; i++) {
        term += log((double)(n - i)) - log((double)(i + 1));
        if (term > top) {
            sum = sum * exp(top - term) + 1;
            top = term;
        } else {
            sum += exp(term - top);
        }
    }
    return fmin(1, exp(top) * sum);
}

double paired_worse(const struct paired *p) {
    return upper_tail(p->won + p->lost, p->lost);
}

double paired_better(const struct paired *p) {
    return upper_tail(p->won + p->lost, p->won);
}
