#include "daemon/conf/policy.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

diffuse_err policy_check(const struct policy *p, struct reason *why) {
    /* Written so that what is no number fails as well. */
    if (!(p->margin >= 0 && p->margin <= 1))
        return reason_set(why, DIFFUSE_INVAL, "policy: change: expected a number from 0 to 1");
    if (!(p->min_confidence >= 0 && p->min_confidence <= 1))
        return reason_set(why, DIFFUSE_INVAL,
                          "policy: min_confidence: expected a number from 0 to 1");
    if (p->step > p->window)
        return reason_set(why, DIFFUSE_INVAL,
                          "policy: a window of %" PRIu32 " tokens with a step of %" PRIu32
                          "; expected a step of at most the window",
                          p->window, p->step);
    if (p->end && (p->every > 0 || p->change))
        return reason_set(why, DIFFUSE_INVAL,
                          "policy: end leaves nothing to every and change; remove one");
    if (p->step > 0 && p->every > 0)
        return reason_set(why, DIFFUSE_INVAL,
                          "policy: a sliding window is labelled at each step; remove every");
    return DIFFUSE_OK;
}

static bool take_count(const char **text, uint32_t *ret_value) {
    char *end;
    unsigned long v;
    if (**text < '0' || **text > '9')
        return false;
    v = strtoul(*text, &end, 10);
    *text = end;
    *ret_value = (uint32_t)v;
    return v > 0 && v <= UINT32_MAX;
}

static bool take_share(const char **text, float *ret_value) {
    char *end;
    if ((**text < '0' || **text > '9') && **text != '.')
        return false;
    *ret_value = strtof(*text, &end);
    *text = end;
    return true;
}

/* One word, with what follows its '=' or NULL. False: not understood. */
static bool take_word(const char *word, size_t len, const char *value, struct policy *p) {
    const char *rest = value;
    bool ok = false;
#define IS(name) (len == sizeof name - 1 && memcmp(word, name, sizeof name - 1) == 0)
    if (IS("end") || (IS("change") && !value)) {
        *(IS("end") ? &p->end : &p->change) = true;
        return !value;
    }
    if (!value)
        return false;
    if (IS("every")) {
        ok = take_count(&rest, &p->every);
    } else if (IS("change")) {
        p->change = true;
        ok = take_share(&rest, &p->margin);
    } else if (IS("min_confidence")) {
        ok = take_share(&rest, &p->min_confidence);
    } else if (IS("window")) {
        ok = take_count(&rest, &p->window);
        if (ok && *rest == '/') {
            rest++;
            ok = take_count(&rest, &p->step);
        }
    }
#undef IS
    return ok && (*rest == ',' || *rest == '\0');
}

diffuse_err policy_parse(const char *text, struct policy_rule *ret_rule, struct reason *why) {
    const char *colon = strrchr(text, ':');
    struct policy_rule rule = {.prefix_len = 0};
    if (!colon || (size_t)(colon - text) >= sizeof rule.prefix)
        return reason_set(why, DIFFUSE_INVAL,
                          "'%.64s': expected PREFIX:WORD,WORD such as robot7/:every=64,change=0.1",
                          text);
    rule.prefix_len = (size_t)(colon - text);
    memcpy(rule.prefix, text, rule.prefix_len);
    rule.policy.min_confidence = -1; /* 0 says something of a label */
    for (const char *p = colon + 1; *p;) {
        size_t len = strcspn(p, ","), name = strcspn(p, "=,");
        if (name == 5 && len > 6 && len - 6 <= LIMIT_LABEL_BYTES && memcmp(p, "label=", 6) == 0)
            memcpy(rule.label, p + 6, len - 6);
        else if (!take_word(p, name, p[name] == '=' ? p + name + 1 : NULL, &rule.policy))
            return reason_set(why, DIFFUSE_INVAL,
                              "'%.*s' is not understood; expected every=TOKENS, change, "
                              "change=SHARE, end, min_confidence=SHARE, label=NAME, window=TOKENS "
                              "or window=TOKENS/STEP",
                              len < 64 ? (int)len : 64, p);
        p += len;
        p += *p == ',';
    }
    if (rule.label[0] && (rule.policy.every || rule.policy.change || rule.policy.end ||
                          rule.policy.window || rule.policy.min_confidence < 0))
        return reason_set(why, DIFFUSE_INVAL,
                          "policy: label=%.64s goes with min_confidence, and with nothing else",
                          rule.label);
    if (rule.policy.min_confidence < 0)
        rule.policy.min_confidence = 0;
    *ret_rule = rule;
    return policy_check(&rule.policy, why);
}

diffuse_err policy_read(const Diffused__V1__Policy *said, struct policy *ret_policy,
                        struct reason *why) {
    *ret_policy = (struct policy){.every = said->every,
                                  .change = said->change,
                                  .margin = said->margin,
                                  .end = said->end,
                                  .min_confidence = said->min_confidence,
                                  .window = said->window,
                                  .step = said->step};
    return policy_check(ret_policy, why);
}

/* Of the rules for a label ("": those for all) that with the longest prefix; NULL: none. */
static const struct policy_rule *find(const struct policy_rule *rules, size_t n, const char *stream,
                                      size_t len, const char *label) {
    const struct policy_rule *best = NULL;
    for (size_t i = 0; i < n; i++) {
        const struct policy_rule *r = &rules[i];
        if (strcmp(r->label, label) == 0 && r->prefix_len <= len &&
            memcmp(r->prefix, stream, r->prefix_len) == 0 &&
            (!best || r->prefix_len > best->prefix_len))
            best = r;
    }
    return best;
}

struct policy policy_find(const struct policy_rule *rules, size_t n, const char *stream,
                          size_t len) {
    const struct policy_rule *best = find(rules, n, stream, len, "");
    return best ? best->policy : (struct policy){0};
}

bool policy_least(const struct policy_rule *rules, size_t n, const char *stream, size_t len,
                  const char *label, float *ret_least) {
    const struct policy_rule *best = find(rules, n, stream, len, label);
    if (best)
        *ret_least = best->policy.min_confidence;
    return best != NULL;
}
