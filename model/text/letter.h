/* letter.h - what BERT's basic tokenization takes a code point for. Pure functions of Unicode's
 * categories; normalize.c keeps a table of the answers for ASCII. */
#ifndef MODEL_TEXT_LETTER_H
#define MODEL_TEXT_LETTER_H

#include <stdbool.h>
#include <stdint.h>

bool letter_is_dropped(uint32_t code);   /* U+0000, U+FFFD, Cc and Cf but for \t \n \r */
bool letter_is_space(uint32_t code);     /* \t \n \r and Zs, Zl, Zp */
bool letter_is_punct(uint32_t code);     /* ASCII neither letter, digit nor control, and P* */
bool letter_is_ideograph(uint32_t code); /* CJK, unified or compatibility */

#endif
