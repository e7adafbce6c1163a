/* real.h - the number type of weights and activations: float, or double where gradients are proved.
 */
#ifndef MODEL_BASE_REAL_H
#define MODEL_BASE_REAL_H

#ifdef DIFFUSE_DOUBLE
typedef double real;
#else
typedef float real;
#endif

#endif
