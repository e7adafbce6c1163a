/* utf8.h - strict UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
 *
 * Nothing here reads past the length given. Pure functions: any thread, no state.
 */
#ifndef MODEL_TEXT_UTF8_H
#define MODEL_TEXT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTF8_BAD UINT32_MAX /* no code point starts here */
#define UTF8_MAX 4u         /* bytes of the longest encoding */

/* Bytes of the longest valid prefix; equals len when all of it is valid. */
size_t utf8_span(const void *bytes, size_t len);
bool utf8_valid(const void *bytes, size_t len);

/* The code point at *at, which must be below len, and *at moved past it. UTF8_BAD and *at untouched
 * where the bytes are not valid. */
uint32_t utf8_step(const uint8_t *bytes, size_t len, size_t *at);

/* Bytes of the code point that begins with lead, 1..UTF8_MAX; 0 when none does. */
size_t utf8_length(uint8_t lead);

/* Do more bytes make a code point of these, which are fewer than one? */
bool utf8_begins(const uint8_t *bytes, size_t len);

/* Write a code point (valid, not a surrogate) and return its bytes, 1..UTF8_MAX. */
size_t utf8_put(uint32_t code, uint8_t ret_bytes[UTF8_MAX]);

/* Start of the code point that ends before at (at > 0) in valid text. */
size_t utf8_back(const uint8_t *bytes, size_t at);

#endif
