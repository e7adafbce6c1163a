#include "daemon/report/cpu.h"

#include <stdio.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include "daemon/path/loaded_model.h"
#include "model/engine/engine.h"

static void print_instructions(void) {
    printf("offers     ");
#if defined(__x86_64__)
#define SHOW(name)                                                                                 \
    if (__builtin_cpu_supports(name))                                                              \
    printf("%s ", name)
    SHOW("avx2");
    SHOW("fma");
    SHOW("avx512f");
    SHOW("avx512bw");
    SHOW("avx512vl");
    SHOW("avx512dq");
    SHOW("avx512vnni");
    SHOW("avx512bf16");
#undef SHOW
#elif defined(__aarch64__)
    printf("neon %s", getauxval(AT_HWCAP) & HWCAP_ASIMDDP ? "dotprod " : "");
#endif
    putchar('\n');
}

diffuse_err cpu_show(const struct conf *c, struct reason *why) {
    char names[64], kernel[CONF_TEXT_BYTES], precision[CONF_TEXT_BYTES];
    struct engine_kind kind;
    struct plan_shape shape;
    struct ckpt *k = NULL;
    conf_show(c, CONF_KEY_kernel, kernel, sizeof kernel);
    conf_show(c, CONF_KEY_precision, precision, sizeof precision);
    kernel_names(names, sizeof names);
    print_instructions();
    printf("kernels    %s\n", names);
    if (!c->model[0]) {
        diffuse_err e = engine_kind_make(kernel, ENGINE_F32, &kind, why);
        if (!e)
            printf("kernel     %s (%s)\nprecision  %s\n", kind.kernel->name, kernel, precision);
        return e;
    }
    diffuse_err e = ckpt_open(c->model, NULL, &k, why);
    if (!e)
        e = loaded_model_shape(k, c, &shape, why);
    if (!e)
        printf("kernel     %s (%s)\nprecision  %s (%s)\n", shape.kind.kernel->name, kernel,
               engine_precision_name(shape.kind.precision), precision);
    ckpt_close(k);
    return e;
}
