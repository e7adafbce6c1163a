#include "model/base/blas_env.h"

#include <cblas.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)

/* The best kernels of OpenBLAS for this processor's instructions, NULL when none beat the fallback.
 */
static const char *best_kernels(void) {
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return NULL;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        return "SkylakeX";
    return "Haswell";
}

/* Did OpenBLAS fall back to kernels from before AVX? */
static bool fell_back(void) {
    static const char *const old[] = {"Prescott", "Core2",   "Penryn", "Dunnington", "Nehalem",
                                      "Atom",     "Opteron", "Katmai", "Generic"};
    const char *name = openblas_get_corename();

    for (size_t i = 0; i < sizeof old / sizeof *old; i++)
        if (strcmp(name, old[i]) == 0)
            return true;
    return false;
}

static const char *wanted_kernels(void) {
    return fell_back() ? best_kernels() : NULL;
}

#else

static const char *wanted_kernels(void) {
    return NULL;
}

#endif

static bool set_missing(const char *name, const char *value) {
    return !getenv(name) && setenv(name, value, 0) == 0;
}

/* The system names a process after the file it was started from: by its own name, where that is
 * still to be had. */
static void start_again(char **argv) {
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);

    if (n > 0) {
        path[n] = '\0';
        (void)execv(path, argv);
    }
    (void)execv("/proc/self/exe", argv);
}

void blas_env_settle(char **argv) {
    const char *kernels = wanted_kernels();
    bool changed = set_missing("OPENBLAS_NUM_THREADS", "1");

    if (kernels && set_missing("OPENBLAS_CORETYPE", kernels))
        changed = true;
    if (changed)
        start_again(argv);
}
