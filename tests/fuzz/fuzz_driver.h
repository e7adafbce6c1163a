/* fuzz_driver.h - feeds a fuzz target with damaged samples, where libFuzzer is not at hand.
 *
 * PROGRAM [ROUNDS [SEED]]: round I of a seed is always the same. With libFuzzer: make fuzz.
 */
#ifndef TESTS_FUZZ_FUZZ_DRIVER_H
#define TESTS_FUZZ_FUZZ_DRIVER_H

#include <stddef.h>
#include <stdint.h>

/* The target, by the name that libFuzzer calls. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct fuzz_driver_sample {
    const char *bytes;
    size_t len;
};

/* Returns the exit status. */
int fuzz_driver_run(int argc, char **argv, const struct fuzz_driver_sample *samples, size_t n);

#endif
