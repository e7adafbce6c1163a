/* sigma.h - the one letter whose lower case depends on its neighbours.
 *
 * A capital sigma (U+03A3) at the end of a word becomes U+03C2, elsewhere U+03C3 (Unicode,
 * SpecialCasing: Final_Sigma).
 */
#ifndef MODEL_TEXT_SIGMA_H
#define MODEL_TEXT_SIGMA_H

#include <stddef.h>
#include <stdint.h>

#define SIGMA_CAPITAL 0x3a3u

/* Lower case of the capital sigma in valid text that begins at start and ends before end. */
uint32_t sigma_lower(const uint8_t *text, size_t len, size_t start, size_t end);

#endif
