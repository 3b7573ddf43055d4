/* Noise with kinks: the integrals of _pieces_numpy.py, one row of scores after the other.
 *
 * Between kinks the CDF is F(z) = a + b phi(z) with phi one of 1, z, e^z, e^-z. A row is walked
 * from the top down, t being the winning value and class j standing at z_j = t + delta_j, where
 * delta_j is its distance below the best class. Wherever a class crosses a kink, a piece ends.
 * Within a piece every F_j is a constant plus a factor times a function of t alone, so that a node
 * of a panel costs one multiplication and addition for each class.
 *
 * Classes are sorted by delta: those on one branch of the law are neighbours, and only crossed[k],
 * how many are below kink k, has to be kept. Classes on a first branch b e^z need no node at all:
 * c of them contribute exp(-c s) at distance s below the top of a panel. Classes so high above the
 * last kink that F_j = 1 to all digits are not active.
 *
 * Logarithms hold the scale: what is summed for class j is in units of exp(unit_j), where
 * unit_j = -delta_j if the last branch is 1 + b e^-z ("falling"), so that no far class underflows.
 */
#include "_functions.h"

enum { CONSTANT, LINEAR, RISING, FALLING };

#define PANEL 16         /* nodes of a panel at most; it has half or a quarter of them if they do */
#define MOST_NODES 20    /* of a rule: with these, exp(-40 u) is integrated to 1e-14 on [0, 1] */
#define DEGREE (2 * PANEL - 1) /* of the polynomials that a panel integrates exactly */
#define WIDEST 2.0       /* panel between kinks of exponentials */
#define WIDEST_POWER 7.38905609893065 /* exp(WIDEST) */
#define STEEPEST 16.0    /* logarithm by which an integrand may change in a panel, about */
#define STEEP 4.0        /* the same for a panel of half the nodes, */
#define FLAT 0.25        /* and of a quarter */
#define FEW 16           /* classes */
#define LANES 8          /* loops over classes go on to a multiple of it: none has a remainder */
#define DECAYED 40.0     /* exp(-40) = 4e-18 of an integral is nothing */
#define TINY 1e-17       /* share of an integral that may be left out */
#define FURTHEST 1e305   /* distance: a sum of many is finite */

typedef struct {
    const double *kink, *jump;   /* (n_kinks,): places, and what the density rises by there */
    const double *a, *b;         /* (n_kinks + 1,): of branch k, which ends at kink k */
    const intptr_t *kind;        /* (n_kinks + 1,) */
    const double *rules;         /* (5, 2, MOST_NODES): Gauss nodes and weights, 4, 8, .., 20 */
    ptrdiff_t n_kinks;
} Branches;

typedef struct {
    double weight[PANEL], line[PANEL], up[PANEL], down[PANEL]; /* at t = top - s: w, -s, e^-s, e^s */
} Nodes;

/* The walk down one row. Where it is: z_j = (delta_j - base) + offset. */
typedef struct {
    ptrdiff_t n, y;              /* classes; the one asked for, in sorted order, or -1 */
    ptrdiff_t *order, *crossed, *jumped;
    ptrdiff_t active, settled;
    double base, offset;
    double *delta;               /* sorted, ascending */
    double *constant, *factor;   /* F_j / top_j = constant + factor * phi in this panel */
    double *top;                 /* F_j at its top */
    double *power;               /* exp(-z_j) there, of the classes above the last kink */
    double *gain, *unit, *sum;
    double *hazard, *product, *curve; /* (n, PANEL), (n, n), (n,), for second derivatives */
    double level, scale, own;    /* log of the integrand's scale, exp of it; what y adds to it */
    double plain, rise, rest;    /* product of the F_j there; exp of y's height; exp(kink) / -b */
    double rate, growing;        /* of the integrand, relative: what may grow as e^s apart */
    double total, mass, below, above, reference;
    void *memory;
} Walk;

INLINE ptrdiff_t padded(ptrdiff_t n) { return (n + LANES - 1) / LANES * LANES; }

INLINE double power_of_e(double x)
{
    return x < -708.0 ? 0.0 : x < 700.0 ? exp_of_negative(x) : exp(x);
}

static int start_walks(Walk *w, const Branches *law, ptrdiff_t n, int second)
{
    const ptrdiff_t width = padded(n), n_reals = 8 * width + (second ? n * (PANEL + n + 1) : 0);
    const size_t size = (size_t)n_reals * sizeof(double)
                      + (size_t)(n + 2 * law->n_kinks) * sizeof(ptrdiff_t);
    double *p = (double *)malloc(size);
    w->memory = p;
    w->n = n;
    if (!p)
        return -1;
    w->delta = p, w->constant = p + width, w->factor = p + 2 * width, w->top = p + 3 * width;
    w->gain = p + 4 * width, w->unit = p + 5 * width, w->sum = p + 6 * width;
    w->power = p + 7 * width;
    p += 8 * width;
    w->curve = p, w->hazard = p + n, w->product = p + (1 + PANEL) * n;
    for (ptrdiff_t j = 0; j < width; j++)
        w->delta[j] = w->unit[j] = w->sum[j] = 0.0;
    w->rest = -power_of_e(law->kink[law->n_kinks - 1]) / law->b[law->n_kinks];
    w->order = (ptrdiff_t *)((double *)w->memory + n_reals);
    w->crossed = w->order + n, w->jumped = w->crossed + law->n_kinks;
    return 0;
}

INLINE int falls(const Branches *law) { return law->kind[law->n_kinks] == FALLING; }

/* Height of class j above the zero of the noise, at the top of the present panel. */
INLINE double height(const Walk *w, ptrdiff_t j) { return (w->delta[j] - w->base) + w->offset; }

/* out[first:last] := exp(sign * height), below exp(-708) and above exp(700) as there. */
INLINE void raise_e(const Walk *w, double *restrict out, ptrdiff_t first, ptrdiff_t last,
                    const double sign)
{
    const double *restrict delta = w->delta;
    const double base = w->base, offset = w->offset;
#pragma omp simd
    for (ptrdiff_t j = first; j < last; j++) {
        const double z = sign * ((delta[j] - base) + offset);
        out[j] = exp_of_negative(z < 700.0 ? z : 700.0);
    }
}

/* End of the classes on branch k, which begin where those on branch k - 1 end. */
INLINE ptrdiff_t branch_end(const Branches *law, const Walk *w, ptrdiff_t k)
{
    return k < law->n_kinks ? w->crossed[k] : w->active;
}

/* Few classes are sorted by counting those before each, which needs no branch. */
INLINE void sort_few(Walk *w, const double *scores, double best)
{
    ptrdiff_t before[FEW], i, j;
    double delta[FEW];
    for (j = 0; j < w->n; j++) {
        ptrdiff_t count = j;
        const double own = best - scores[j];
        delta[j] = own < FURTHEST ? own : FURTHEST;
        for (i = 0; i < j; i++) {
            const ptrdiff_t after = delta[i] > delta[j];
            before[i] += after;
            count -= after;
        }
        before[j] = count;
    }
    for (j = 0; j < w->n; j++)
        w->delta[before[j]] = delta[j], w->order[before[j]] = j;
}

/* Classes in ascending order of their distance below the best (many by Shell's sort). */
INLINE void sort_classes(Walk *w, const double *scores)
{
    const double best = largest(scores, w->n);
    ptrdiff_t gap = 1, i, j;
    if (w->n <= FEW) {
        sort_few(w, scores, best);
        return;
    }
    while (gap < w->n / 3)
        gap = 3 * gap + 1;
    for (j = 0; j < w->n; j++) {
        const double delta = best - scores[j];
        w->delta[j] = delta < FURTHEST ? delta : FURTHEST;
        w->order[j] = j;
    }
    for (; gap > 0; gap /= 3)
        for (i = gap; i < w->n; i++) {
            const double delta = w->delta[i];
            const ptrdiff_t which = w->order[i];
            for (j = i; j >= gap && w->delta[j - gap] > delta; j -= gap)
                w->delta[j] = w->delta[j - gap], w->order[j] = w->order[j - gap];
            w->delta[j] = delta, w->order[j] = which;
        }
}

/* F and f at z, by the branch that z lies on; f at a kink is the mean of both sides. */
INLINE double cdf_and_density(const Branches *law, double z, double *density)
{
    double F = 0.0;
    ptrdiff_t k, sides = 0;
    *density = 0.0;
    for (k = 0; k <= law->n_kinks; k++) {
        if ((k > 0 && z < law->kink[k - 1]) || (k < law->n_kinks && z > law->kink[k]))
            continue;
        F = law->a[k], sides++;
        if (law->kind[k] == LINEAR)
            F += law->b[k] * z, *density += law->b[k];
        else if (law->kind[k] == RISING)
            F += law->b[k] * exp(z), *density += law->b[k] * exp(z);
        else if (law->kind[k] == FALLING)
            F += law->b[k] * exp(-z), *density -= law->b[k] * exp(-z);
    }
    *density /= (double)sides;
    return F;
}

/* log of the product of F_i at the walk's place, without two classes; -inf if one is 0. */
INLINE double log_of_others(const Branches *law, const Walk *w, ptrdiff_t y, ptrdiff_t j)
{
    double total = 0.0, density;
    for (ptrdiff_t i = 0; i < w->n; i++) {
        const double z = height(w, i);
        if (i != y && i != j)
            total += law->kind[0] == RISING && z < law->kink[0]
                         ? log(law->b[0]) + z : log(cdf_and_density(law, z, &density));
    }
    return total;
}

/* A class whose density jumps adds the integrand there, without the class, to E[F'' / F]. */
INLINE void add_jumps(const Branches *law, Walk *w)
{
    double density;
    for (ptrdiff_t k = 0; k < law->n_kinks; k++)
        for (; w->jumped[k] < w->crossed[k]; w->jumped[k]++) {
            const ptrdiff_t j = w->jumped[k];
            const double own = height(w, w->y), t = w->offset - w->base;
            double value;
            if (law->jump[k] == 0.0 || j == w->y || height(w, j) != law->kink[k])
                continue;
            value = log_of_others(law, w, w->y, j);
            if (falls(law) && own > law->kink[law->n_kinks - 1])
                value += log(-law->b[law->n_kinks]) - t;
            else {
                cdf_and_density(law, own, &density);
                value += log(density) + (falls(law) ? own - t : -w->reference);
            }
            w->curve[j] += law->jump[k] * exp(value);
        }
}

/* Cross the kinks at the walk's place. */
INLINE void cross_kinks(const Branches *law, Walk *w)
{
    for (ptrdiff_t k = 0; k < law->n_kinks; k++)
        while (w->crossed[k] < w->n
               && law->kink[k] - (w->delta[w->crossed[k]] - w->base) >= w->offset)
            w->crossed[k]++;
}

/* Above this height F = 1 to all digits, in this panel and the next. */
INLINE double full_height(const Branches *law)
{
    const ptrdiff_t k = law->n_kinks;
    return falls(law) ? log(-law->b[k]) + DECAYED + WIDEST : law->kink[k - 1];
}

/* Classes that have come so low that they matter; one that has begins with what is summed so far. */
INLINE void activate(const Branches *law, Walk *w, double full)
{
    const ptrdiff_t crossed = w->crossed[law->n_kinks - 1], first = w->active;
    while (w->active < w->n && (w->active < crossed || height(w, w->active) < full))
        w->active++;
    raise_e(w, w->power, first, first ? w->active : padded(w->active), -1.0);
    if (w->y < 0)
        for (ptrdiff_t j = first; j < w->active; j++)
            w->sum[j] = w->mass;
}

/* Scales of a law that falls at the end, from the product of the F_j that are not on b e^z. What
 * underflows is nothing beside the piece above the last kink. */
INLINE void find_falling_scale(const Branches *law, Walk *w, double product)
{
    const ptrdiff_t below = w->crossed[0], crossed = w->crossed[law->n_kinks - 1];
    ptrdiff_t j;
    raise_e(w, w->gain, 0, padded(crossed), 1.0);
    for (j = 1; j < below; j++)
        product *= law->b[0] * w->gain[j];
    w->scale = product * (below ? law->b[0] : power_of_e(w->base - w->offset));
    w->plain = product * (below ? law->b[0] * w->gain[0] : 1.0);
    if (w->y >= crossed)
        w->own = -law->b[law->n_kinks];
    else if (w->y >= 0)
        w->own *= w->rise = w->gain[w->y];
}

/* Constants of the classes' CDFs at the top of a panel, and the scale of the integrand there. */
INLINE void prepare(const Branches *law, Walk *w)
{
    const ptrdiff_t below = w->crossed[0];
    double product = 1.0, level = 0.0, rates[2] = {below ? (double)below : 1.0, 0.0};
    ptrdiff_t j, k;
    w->own = 1.0;
    for (k = 1; k <= law->n_kinks; k++) {
        const ptrdiff_t first = w->crossed[k - 1], last = branch_end(law, w, k), kind = law->kind[k];
        const double a = law->a[k], b = law->b[k], sign = kind == FALLING ? -1.0 : 1.0;
        if (kind == LINEAR)
#pragma omp simd
            for (j = first; j < last; j++) {
                const double F = a + b * height(w, j);
                w->top[j] = F > 1e-300 ? F : 1e-300;
                w->constant[j] = 1.0;
                w->factor[j] = b / w->top[j];
            }
        else {
            if (kind != CONSTANT && k < law->n_kinks)
                raise_e(w, w->power, first, last, sign);
#pragma omp simd
            for (j = first; j < last; j++) {
                const double change = kind == CONSTANT ? 0.0 : b * w->power[j];
                const double F = a + change, inverse = 1.0 / (F > 1e-300 ? F : 1e-300);
                w->top[j] = F > 1e-300 ? F : 1e-300;
                w->constant[j] = a * inverse;
                w->factor[j] = change * inverse;
            }
        }
        if (w->y >= first && w->y < last) { /* its density is the integrand's, not its CDF */
            w->own = fabs(w->factor[w->y]) * w->top[w->y];
            w->top[w->y] = w->constant[w->y] = 1.0;
            w->factor[w->y] = 0.0;
        }
        for (j = first; j < last; j++) {
            product *= w->top[j];
            rates[kind == FALLING] += fabs(w->factor[j]);
            if (product < 1e-200 && !falls(law))
                level += log_of(product), product = 1.0;
        }
    }
    w->rate = rates[0];
    w->growing = rates[1];
    if (falls(law)) {
        find_falling_scale(law, w, product);
        return;
    }
    if (below && law->kind[0] == RISING) {
        level += (double)below * log(law->b[0]);
        for (j = 0; j < below; j++)
            level += height(w, j);
    }
    w->level = level + log_of(product);
    w->scale = power_of_e(w->level - (w->y < 0 ? 0.0 : w->reference));
    w->plain = w->scale;
}

/* What a class's part of an integral is multiplied by, in its own unit. */
INLINE void find_gains(const Branches *law, Walk *w)
{
    const ptrdiff_t n_kinks = law->n_kinks, crossed = w->crossed[n_kinks - 1];
    ptrdiff_t j;
    if (w->y >= 0) {
        const double scale = w->scale * w->own;
        for (j = 0; j < w->active; j++)
            w->gain[j] = scale * (j < w->crossed[0] ? 1.0 : fabs(w->factor[j]));
        return;
    }
    if (!falls(law)) {
        for (; w->settled < crossed; w->settled++)
            w->unit[w->settled] = w->level;
#pragma omp simd
        for (j = 0; j < crossed; j++)
            w->gain[j] = exp_of_negative(w->level - w->unit[j]);
    } else {
        for (j = 0; j < crossed; j++)
            w->gain[j] *= w->scale; /* of exp(height), see find_falling_scale */
        for (j = crossed; j < w->active; j++)
            w->gain[j] = -law->b[n_kinks] * w->scale * w->constant[j]; /* 1 / F_j */
    }
    for (j = w->crossed[0]; j < crossed; j++)
        w->gain[j] *= fabs(w->factor[j]);
}

/* Add the integrals over m nodes, a constant: PANEL, half or a quarter of it. */
INLINE void add_panel(const Branches *law, Walk *w, const Nodes *nodes, const int m,
                      const int one, const int second)
{
    double ones[PANEL];
    const ptrdiff_t below = w->crossed[0];
    const double plain = one ? 0.0 : w->plain;
    double share[PANEL], sum = 0.0;
    ptrdiff_t j, k;
    int q;
    for (q = 0; q < m; q++)
        share[q] = nodes->weight[q], ones[q] = 1.0;
    for (k = 1; k <= law->n_kinks; k++) {
        const ptrdiff_t last = branch_end(law, w, k), kind = law->kind[k];
        const double *phi = kind == LINEAR ? nodes->line : kind == RISING ? nodes->up : nodes->down;
        if (kind == CONSTANT)
            continue;
        for (j = w->crossed[k - 1]; j < last; j++)
#pragma omp simd
            for (q = 0; q < m; q++)
                share[q] *= w->constant[j] + w->factor[j] * phi[q];
    }
    if (one && w->y >= below) { /* the density of class y */
        ptrdiff_t kind = law->kind[law->n_kinks];
        for (k = law->n_kinks - 1; k > 0 && w->y < w->crossed[k]; k--)
            kind = law->kind[k];
        const double *slope = kind == RISING ? nodes->up : kind == FALLING ? nodes->down : ones;
        for (q = 0; q < m; q++)
            share[q] *= slope[q];
    }
    for (q = 0; q < m; q++)
        sum += share[q];
    if (one)
        w->total += w->scale * w->own * sum;
    else {
        double mass = 0.0;
        for (q = 0; q < m; q++)
            mass += share[q] * nodes->down[q];
        w->mass -= law->b[law->n_kinks] * w->scale * mass;
        w->below += plain * sum;
    }
    for (j = 0; j < below; j++)
        w->sum[j] += w->gain[j] * sum;
    for (k = 1; k <= law->n_kinks; k++) {
        const ptrdiff_t last = branch_end(law, w, k), kind = law->kind[k];
        const double *phi = kind == LINEAR ? nodes->line : kind == RISING ? nodes->up : nodes->down;
        const double *slope = kind == LINEAR ? ones : phi;
        const double sign = kind == FALLING ? -1.0 : kind == RISING ? 1.0 : 0.0;
        if (kind == CONSTANT) {
            if (second)
                for (j = w->crossed[k - 1] * PANEL; j < last * PANEL; j++)
                    w->hazard[j] = 0.0;
            continue;
        }
        for (j = w->crossed[k - 1]; j < last; j++) {
            double total = 0.0;
#pragma omp simd reduction(+ : total)
            for (q = 0; q < m; q++)
                total += share[q] * slope[q] / (w->constant[j] + w->factor[j] * phi[q]);
            w->sum[j] += w->gain[j] * total;
            if (!second)
                continue;
            for (q = 0; q < m; q++)
                w->hazard[j * PANEL + q]
                    = fabs(w->factor[j]) * slope[q] / (w->constant[j] + w->factor[j] * phi[q]);
            w->curve[j] += sign * w->gain[j] * total; /* F'' = f, -f or 0 */
        }
    }
    if (!second)
        return;
    for (j = 0; j < w->active; j++) {
        double *row = w->product + j * w->n, part[PANEL], own = 0.0;
        if (j < below) {
            w->curve[j] += w->gain[j] * sum;
            for (k = 0; k < j; k++)
                row[k] += (one ? w->scale * w->own : plain) * sum;
            continue;
        }
        for (q = 0; q < m; q++) {
            part[q] = (one ? w->scale * w->own : plain) * share[q] * w->hazard[j * PANEL + q];
            own += part[q];
        }
        for (k = 0; k < below; k++)
            row[k] += own;
        for (; k < j; k++) {
            double total = 0.0;
#pragma omp simd reduction(+ : total)
            for (q = 0; q < m; q++)
                total += part[q] * w->hazard[k * PANEL + q];
            row[k] += total;
        }
    }
}
