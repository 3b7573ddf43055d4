/* What the compiled loops share: how a function is compiled twice, exp and log. */
#ifndef SKPERTURB_FUNCTIONS_H
#define SKPERTURB_FUNCTIONS_H
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef _MSC_VER
#define restrict __restrict
#endif

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif
#if defined(__GNUC__) && defined(__x86_64__)
#define WITH_FMA __attribute__((target("avx2,fma")))
#define HAS_FMA (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
#else
#define WITH_FMA
#define HAS_FMA 0
#endif
#define DISPATCH(name, parameters, arguments)                                                  \
    WITH_FMA static int name##_fma parameters { return name##_rows arguments; }                \
    static int name##_plain parameters { return name##_rows arguments; }                       \
    static int name parameters { return HAS_FMA ? name##_fma arguments : name##_plain arguments; }

/* Functions without a branch, so that loops over them are vectorised. */

/* exp(x) less one, where `one` is 1 and x <= 0, so that small values keep their digits, or less 0,
 * for -708 <= x < 700; below -708 as there. To one unit in the last place or two. */
INLINE double exp_less(double x, double one)
{
    const double to_integer = 6755399441055744.0; /* 1.5 * 2^52: the integer in the low bits */
    double shifted, n, r, scale, p = 2.08767569878681e-09;
    uint64_t bits;
    x = x > -708.0 ? x : -708.0;
    shifted = x * 1.4426950408889634 + to_integer;
    n = shifted - to_integer;
    r = (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10;
    p = p * r + 2.505210838544172e-08; /* (exp(r) - 1) / r */
    p = p * r + 2.755731922398589e-07;
    p = p * r + 2.7557319223985893e-06;
    p = p * r + 2.48015873015873e-05;
    p = p * r + 0.0001984126984126984;
    p = p * r + 0.001388888888888889;
    p = p * r + 0.008333333333333333;
    p = p * r + 0.041666666666666664;
    p = p * r + 0.16666666666666666;
    p = p * r + 0.5;
    p = p * r + 1.0;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 1023) << 52;
    memcpy(&scale, &bits, sizeof scale);
    return scale * (r * p) + (scale - one);
}

INLINE double exp_of_negative(double x) { return exp_less(x, 0.0); }

/* log(x) for normal x > 0, to one unit in the last place or two; the smallest one for less. */
INLINE double log_of(double x)
{
    const double to_double = 4503599627370496.0; /* 2^52: its low bits hold an integer */
    const uint64_t root = 0x3fe6a09e667f3bcdULL; /* the bits of sqrt(1/2) */
    double mantissa, exponent, f, s, p;
    uint64_t bits, high;
    x = x > 2.2250738585072014e-308 ? x : 2.2250738585072014e-308;
    memcpy(&bits, &x, sizeof bits);
    bits -= root; /* mantissa in [sqrt(1/2), sqrt(2)) */
    high = ((bits + (1024ULL << 52)) >> 52) | 0x4330000000000000ULL;
    memcpy(&exponent, &high, sizeof exponent);
    exponent -= to_double + 1024.0;
    bits = (bits & 0x000fffffffffffffULL) + root;
    memcpy(&mantissa, &bits, sizeof mantissa);
    f = (mantissa - 1.0) / (mantissa + 1.0);
    s = f * f;
    p = 1.0 / 21;
    p = p * s + 1.0 / 19;
    p = p * s + 1.0 / 17;
    p = p * s + 1.0 / 15;
    p = p * s + 1.0 / 13;
    p = p * s + 1.0 / 11;
    p = p * s + 1.0 / 9;
    p = p * s + 1.0 / 7;
    p = p * s + 1.0 / 5;
    p = p * s + 1.0 / 3;
    return exponent * 6.93147180369123816490e-01
         + (2.0 * f + (2.0 * f * s * p + exponent * 1.90821492927058770002e-10));
}

INLINE double dot(const double *restrict a, const double *restrict b, ptrdiff_t n)
{
    double total = 0.0;
    ptrdiff_t q;
#pragma omp simd reduction(+ : total)
    for (q = 0; q < n; q++)
        total += a[q] * b[q];
    return total;
}

INLINE double largest(const double *restrict values, ptrdiff_t n)
{
    double best = values[0];
    ptrdiff_t j;
#pragma omp simd reduction(max : best)
    for (j = 0; j < n; j++)
        best = values[j] > best ? values[j] : best;
    return best;
}
#endif
