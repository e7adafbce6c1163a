/* half.h - numbers as a checkpoint stores them: little-endian F32, F16 and BF16, to and from float.
 *
 * Narrowing rounds to nearest, ties to even; what is too large becomes infinity, NaN stays NaN.
 */
#ifndef MODEL_CKPT_HALF_H
#define MODEL_CKPT_HALF_H

#include <stddef.h>
#include <stdint.h>

float half_from_f16(uint16_t bits);  /* exact */
float half_from_bf16(uint16_t bits); /* exact */
uint16_t half_to_f16(float x);
uint16_t half_to_bf16(float x);

/* n numbers from or to little-endian bytes; 4 (f32) or 2 bytes a number. */
void half_load_f32(float *y, const uint8_t *bytes, size_t n);
void half_load_f16(float *y, const uint8_t *bytes, size_t n);
void half_load_bf16(float *y, const uint8_t *bytes, size_t n);
void half_store_f32(uint8_t *bytes, const float *x, size_t n);
void half_store_f16(uint8_t *bytes, const float *x, size_t n);
void half_store_bf16(uint8_t *bytes, const float *x, size_t n);

#endif
