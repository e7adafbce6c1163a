/* sigma.h - the one letter whose lower case depends on its neighbours.
 *
 * A capital sigma (U+03A3) at the end of a word becomes U+03C2, elsewhere U+03C3 (Unicode,
 * SpecialCasing: Final_Sigma; there, no number of marks and apostrophes between a sigma and the
 * next letter is too many, here SIGMA_REACH are).
 */
#ifndef MODEL_TEXT_SIGMA_H
#define MODEL_TEXT_SIGMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIGMA_CAPITAL    0x3a3u
#define SIGMA_REACH      64u /* characters after the sigma that are looked at: that bounds pieces */
#define SIGMA_WAIT_BYTES (4u * SIGMA_REACH)

/* What lies beyond the ends of a text that is a part of a longer one: is the nearest character that
 * is not to be looked over a letter with case? Both false: the text is all there is. */
struct sigma_beyond {
    bool before, after;
};

/* Lower case of the capital sigma in valid text that begins at start and ends before end. */
uint32_t sigma_lower(const uint8_t *text, size_t len, size_t start, size_t end,
                     struct sigma_beyond beyond);

/* The same with the text in pieces. sigma_cased is what follows a piece has for beyond.before,
 * given what the piece itself had. sigma_waits is the start of a capital sigma at the piece's end
 * whose lower case the next piece decides, or len; it and what follows are under SIGMA_WAIT_BYTES.
 * Then sigma_look says how later pieces decide: *seen counts the characters after the sigma that
 * are to be looked over, and with SIGMA_OPEN there are no others yet. */
enum sigma_answer { SIGMA_OPEN, SIGMA_INSIDE, SIGMA_ENDS };
bool sigma_cased(const uint8_t *text, size_t len, bool before);
size_t sigma_waits(const uint8_t *text, size_t len, uint32_t *ret_seen);
enum sigma_answer sigma_look(const uint8_t *text, size_t len, uint32_t *seen);

#endif
