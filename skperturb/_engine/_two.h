/* Two classes: log p and its derivatives from the table of _half_line.py.
 *
 * A row takes one lookup: the panel comes from the exponent and the first bits of y, and four
 * polynomials are evaluated beside each other, so that the lanes of a register are the functions.
 * What follows is without a branch, over CHUNK rows, so that a compiler vectorises it.
 */
#include "_functions.h"

#define DEGREE 13 /* as in _half_line.py */
#define LANES 4   /* T, g, g' and the integral of exp(T) */
#define CHUNK 256

typedef struct {
    const double *lanes;   /* (n_panels, DEGREE + 1, LANES), coefficients of powers */
    const double *log_q;   /* (n_panels, LANES * LANES): those of T alone, the last ones 0 */
    double inverse_unit;   /* x = |d| * inverse_unit */
    double origin, slope;  /* z = slope * (x - origin), */
    double lowest, highest, shift; /* within limits, and y = z + shift */
    int bits;              /* of the mantissa of y that count: 2^bits panels for each octave */
} HalfLine;

/* log(1 - q) for 0 <= q <= 1/2: -2 atanh(s) by its series, s = q / (2 - q) <= 1/3. */
INLINE double log_complement(double q)
{
    double s = q / (2.0 - q), z = s * s, p = 1.0 / 33;
    p = p * z + 1.0 / 31;
    p = p * z + 1.0 / 29;
    p = p * z + 1.0 / 27;
    p = p * z + 1.0 / 25;
    p = p * z + 1.0 / 23;
    p = p * z + 1.0 / 21;
    p = p * z + 1.0 / 19;
    p = p * z + 1.0 / 17;
    p = p * z + 1.0 / 15;
    p = p * z + 1.0 / 13;
    p = p * z + 1.0 / 11;
    p = p * z + 1.0 / 9;
    p = p * z + 1.0 / 7;
    p = p * z + 1.0 / 5;
    p = p * z + 1.0 / 3;
    return -2.0 * (s + s * z * p);
}

/* Where rows lie: which panel holds each, and where in it, from -1 to 1. */
INLINE void locate(const HalfLine *t, const double *restrict d, int64_t *restrict panel,
                   double *restrict u, ptrdiff_t m)
{
    const int shift = 52 - t->bits;
    const double width = (double)(2 << t->bits), slope = t->slope, origin = t->origin;
    const double inverse_unit = t->inverse_unit, to_y = t->shift;
    const double lowest = t->lowest, highest = t->highest;
    const uint64_t first = (uint64_t)1023 << t->bits;
    ptrdiff_t i;
#pragma omp simd
    for (i = 0; i < m; i++) {
        double z = slope * (fabs(d[i]) * inverse_unit - origin), y, left, per_octave;
        uint64_t bits, lead, exponent;
        z = z > lowest ? z : lowest;
        z = z < highest ? z : highest;
        y = to_y + z;
        memcpy(&bits, &y, sizeof bits);
        lead = bits >> shift;
        exponent = (uint64_t)(2046 - (bits >> 52)) << 52; /* of 2^-e, with 2^e <= y < 2^(e+1) */
        memcpy(&per_octave, &exponent, sizeof per_octave);
        bits = lead << shift;
        memcpy(&left, &bits, sizeof left);
        u[i] = (z - (left - to_y)) * per_octave * width - 1.0;
        panel[i] = (int64_t)(lead - first);
    }
}

/* All four functions in a panel, in units of the table, and T alone. */
#if defined(__GNUC__)
typedef double Lanes __attribute__((vector_size(32)));
typedef double UnalignedLanes __attribute__((vector_size(32), aligned(8), may_alias));
#define LANES_AT(k) (*(const UnalignedLanes *)(c + LANES * (k)))

INLINE void evaluate(const HalfLine *t, int64_t panel, double u, double *restrict out)
{
    const double *c = t->lanes + panel * ((DEGREE + 1) * LANES), square = u * u;
    Lanes odd = LANES_AT(DEGREE), even = LANES_AT(DEGREE - 1);
    int k;
#pragma GCC unroll 8
    for (k = DEGREE - 2; k >= 1; k -= 2) {
        odd = odd * square + LANES_AT(k);
        even = even * square + LANES_AT(k - 1);
    }
    odd = odd * u + even;
    for (k = 0; k < LANES; k++)
        out[k] = odd[k];
}

INLINE double log_q_at(const HalfLine *t, int64_t panel, double u)
{
    const double *c = t->log_q + panel * (LANES * LANES), square = u * u, fourth = square * square;
    Lanes sum = LANES_AT(3);
    sum = sum * fourth + LANES_AT(2);
    sum = sum * fourth + LANES_AT(1);
    sum = sum * fourth + LANES_AT(0);
    return (sum[0] + u * sum[1]) + square * (sum[2] + u * sum[3]);
}
#else
INLINE void evaluate(const HalfLine *t, int64_t panel, double u, double *restrict out)
{
    double square = u * u, odd[LANES], even[LANES];
    const double *restrict c = t->lanes + panel * ((DEGREE + 1) * LANES);
    int k, l;
    for (l = 0; l < LANES; l++)
        odd[l] = c[LANES * DEGREE + l], even[l] = c[LANES * (DEGREE - 1) + l];
    for (k = DEGREE - 2; k >= 1; k -= 2)
        for (l = 0; l < LANES; l++) {
            odd[l] = odd[l] * square + c[LANES * k + l];
            even[l] = even[l] * square + c[LANES * (k - 1) + l];
        }
    for (l = 0; l < LANES; l++)
        out[l] = odd[l] * u + even[l];
}

INLINE double log_q_at(const HalfLine *t, int64_t panel, double u)
{
    const double *restrict c = t->log_q + panel * (LANES * LANES);
    double sum = c[DEGREE];
    int k;
    for (k = DEGREE - 1; k >= 0; k--)
        sum = sum * u + c[k];
    return sum;
}
#endif

/* The four functions at |d|: (n, LANES). */
INLINE void functions_rows(const HalfLine *t, const double *restrict d, double *restrict out,
                           ptrdiff_t n)
{
    int64_t panel[CHUNK];
    double u[CHUNK];
    ptrdiff_t first, i, m;
    for (first = 0; first < n; first += CHUNK) {
        m = n - first < CHUNK ? n - first : CHUNK;
        locate(t, d + first, panel, u, m);
        for (i = 0; i < m; i++)
            evaluate(t, panel[i], u[i], out + LANES * (first + i));
    }
}

/* Probabilities of both classes: (n, 2). */
INLINE void proba_rows(const HalfLine *t, const double *restrict d, double *restrict p, ptrdiff_t n)
{
    int64_t panel[CHUNK];
    double log_q[CHUNK], u[CHUNK];
    ptrdiff_t first, i, m;
    for (first = 0; first < n; first += CHUNK) {
        m = n - first < CHUNK ? n - first : CHUNK;
        locate(t, d + first, panel, u, m);
        for (i = 0; i < m; i++)
            log_q[i] = log_q_at(t, panel[i], u[i]);
#pragma omp simd
        for (i = 0; i < m; i++) {
            double q = log_q[i] < -708.0 ? 0.0 : exp_of_negative(log_q[i]), r = 1.0 - q;
            int up = d[first + i] > 0;
            p[2 * (first + i)] = up ? q : r;
            p[2 * (first + i) + 1] = up ? r : q;
        }
    }
}

/* The sum of -weight * log p of the observed class, and for each row, times the weight: its slope
 * in d, its second derivative, and the expected information. sign is 1 for the second class, -1
 * for the first. With q = exp(T) the smaller probability and g = -T', h = g q / (1 - q):
 * a class on the losing side has log p = T, slope g, second derivative -g'; one on the winning side
 * log(1 - q), h, q (g' - g^2) / (1 - q) - h^2; the expected information is g h. That is the mean of
 * both sides' curvatures at d = 0, where a fit starts, and where noise with kinks has one jump. */
INLINE double log_loss_rows(const HalfLine *t, const double *restrict d,
                            const double *restrict sign, const double *restrict weight,
                            double *restrict slope, double *restrict curvature,
                            double *restrict information, ptrdiff_t n)
{
    int64_t panel[CHUNK];
    double T[CHUNK], G[CHUNK], D[CHUNK], u[CHUNK], lanes[LANES], total = 0.0;
    const double unit = t->inverse_unit;
    ptrdiff_t first, i, m;
    for (first = 0; first < n; first += CHUNK) {
        double part = 0.0;
        m = n - first < CHUNK ? n - first : CHUNK;
        locate(t, d + first, panel, u, m);
        for (i = 0; i < m; i++) {
            evaluate(t, panel[i], u[i], lanes);
            T[i] = lanes[0], G[i] = lanes[1] * unit, D[i] = lanes[2] * unit * unit;
        }
#pragma omp simd reduction(+ : part)
        for (i = 0; i < m; i++) {
            double side = sign[first + i], w = weight[first + i];
            double q = exp_of_negative(T[i]), over = q / (1.0 - q), h = G[i] * over;
            double won = log_complement(q), bend = over * (D[i] - G[i] * G[i]) - h * h;
            int winning = d[first + i] * side > 0, tied = d[first + i] == 0.0;
            part -= w * (winning ? won : T[i]);
            slope[first + i] = -w * side * (winning ? h : G[i]);
            information[first + i] = w * G[i] * h;
            curvature[first + i] = tied ? w * G[i] * h : -w * (winning ? bend : -D[i]);
        }
        total += part;
    }
    return total;
}

/* The same of the Fenchel-Young loss d+ - A(|d|) - d [second class]: its second derivative g q is
 * its own expectation. */
INLINE double fenchel_young_rows(const HalfLine *t, const double *restrict d,
                                 const double *restrict sign, const double *restrict weight,
                                 double *restrict slope, double *restrict curvature, ptrdiff_t n)
{
    int64_t panel[CHUNK];
    double T[CHUNK], G[CHUNK], A[CHUNK], u[CHUNK], lanes[LANES], total = 0.0;
    const double unit = t->inverse_unit;
    ptrdiff_t first, i, m;
    for (first = 0; first < n; first += CHUNK) {
        double part = 0.0;
        m = n - first < CHUNK ? n - first : CHUNK;
        locate(t, d + first, panel, u, m);
        for (i = 0; i < m; i++) {
            evaluate(t, panel[i], u[i], lanes);
            T[i] = lanes[0], G[i] = lanes[1] * unit, A[i] = lanes[3] / unit;
        }
#pragma omp simd reduction(+ : part)
        for (i = 0; i < m; i++) {
            double side = sign[first + i], w = weight[first + i], margin = d[first + i] * side;
            double q = exp_of_negative(T[i]), lost = margin > 0 ? q : 1.0 - q;
            part += w * ((margin > 0 ? 0.0 : -margin) - A[i]);
            slope[first + i] = -w * side * lost;
            curvature[first + i] = w * G[i] * q;
        }
        total += part;
    }
    return total;
}

/* Each twice, as by DISPATCH, of other types: for processors with AVX2 and FMA, and for others. */
#define DISPATCH_OF(type, name, parameters, arguments)                                            \
    WITH_FMA static type name##_fma parameters { return name##_rows arguments; }               \
    static type name##_plain parameters { return name##_rows arguments; }                      \
    static type name parameters { return HAS_FMA ? name##_fma arguments : name##_plain arguments; }

DISPATCH_OF(void, functions, (const HalfLine *t, const double *d, double *out, ptrdiff_t n),
         (t, d, out, n))
DISPATCH_OF(void, proba, (const HalfLine *t, const double *d, double *p, ptrdiff_t n), (t, d, p, n))
DISPATCH_OF(double, log_loss,
         (const HalfLine *t, const double *d, const double *sign, const double *weight,
          double *slope, double *curvature, double *information, ptrdiff_t n),
         (t, d, sign, weight, slope, curvature, information, n))
DISPATCH_OF(double, fenchel_young,
         (const HalfLine *t, const double *d, const double *sign, const double *weight,
          double *slope, double *curvature, ptrdiff_t n),
         (t, d, sign, weight, slope, curvature, n))
