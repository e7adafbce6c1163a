/* half.h - numbers as a checkpoint stores them: little-endian F32, F16 and BF16, and I8, to and
 * from float. They are rounded as narrow.h says.
 */
#ifndef MODEL_CKPT_FILE_HALF_H
#define MODEL_CKPT_FILE_HALF_H

#include <stddef.h>
#include <stdint.h>

/* n numbers from or to little-endian bytes; 4 (f32) or 2 bytes a number. */
void half_load_f32(float *y, const uint8_t *bytes, size_t n);
void half_load_f16(float *y, const uint8_t *bytes, size_t n);
void half_load_bf16(float *y, const uint8_t *bytes, size_t n);
void half_load_i8(float *y, const uint8_t *bytes, size_t n);      /* 1 byte a number */
void half_load_bits(uint16_t *y, const uint8_t *bytes, size_t n); /* 16 bits, as they are */
void half_store_f32(uint8_t *bytes, const float *x, size_t n);
void half_store_f16(uint8_t *bytes, const float *x, size_t n);
void half_store_bf16(uint8_t *bytes, const float *x, size_t n);

#endif
