/* The integrals of _row_mesh.py, by piecewise polynomials of the law: one row after the other.
 *
 * A row is walked from the top down, t being the winning value and class j standing at
 * z_j = t + delta_j, delta_j its distance below the best. The law is cut into cells that are as wide
 * as its shape allows, see _cells.py; a step down is as wide as the narrowest cell that a class
 * stands in, and ends where a class meets a kink. So every class stays on one polynomial in a step,
 * whose coefficients are broadcast, and the nodes of a Gauss rule are the lanes.
 */
#include "_functions.h"

#define NODES 8
#define DEGREE 15      /* as in _cells.py */
#define FUNCTIONS 3    /* CDF, or 1 - CDF above the median; density; its slope */
#define STEEPEST 4.0   /* logarithm by which an integrand may change in a step, about */
#define RETRY 8.0      /* one that changes by more is done again */
#define REST 32.0      /* exp(-32) = 1e-14 of a tail may be left out */
#define TINY 1e-17     /* share of an integral that may be left out */
#define FAINT 1e-12    /* probability whose own digits count, unless its logarithm is wanted */
#define LOWEST 1e-290  /* integral whose summands may underflow */
#define MOST_STEPS 20000
#define WRONG 1e-10    /* miss of a sum of probabilities */
#define FAR 1e-13      /* what the end of a heavy tail may be wrong by */

typedef struct {
    const double *edge;          /* (n + 1,), ascending */
    const double *log_tail;      /* (n + 1,), of P(noise > edge) */
    const double *middle, *inverse_half; /* (n,): u = (z - middle) * inverse_half */
    const double *bottom, *limit; /* (n,): lowest z of the polynomial; largest step */
    const double *coefficients;  /* (n, DEGREE + 1, FUNCTIONS), of powers of u */
    const intptr_t *upper;       /* (n,): whether the first function is 1 - CDF */
    const double *rule;          /* (2, NODES): places from the top, and weights, on [0, 1] */
    ptrdiff_t n;
    double width;                /* of the law */
    double support;              /* length of its support */
    int ends;                    /* whether that ends at the first edge */
} Cells;

typedef struct {
    ptrdiff_t *cell;
    double *delta, *sum, *curve, *product; /* (K,), (K,), (K,), (K, K) */
    double *cdf, *part, *density, *slope;  /* (K, NODES); part: CDF, or 1 - CDF with its digits */
    double total, gap;
    void *memory;
} Descent;

static int start_descent(Descent *d, ptrdiff_t n)
{
    double *p = (double *)malloc((size_t)(n * (3 + n + 4 * NODES)) * sizeof(double)
                                 + (size_t)n * sizeof(ptrdiff_t));
    d->memory = p;
    if (!p)
        return -1;
    d->delta = p, d->sum = p + n, d->curve = p + 2 * n, d->product = p + 3 * n;
    d->cdf = p + (3 + n) * n, d->density = d->cdf + n * NODES;
    d->slope = d->density + n * NODES;
    d->part = d->slope + n * NODES;
    d->cell = (ptrdiff_t *)(p + n * (3 + n + 4 * NODES));
    return 0;
}

/* The cell (edge, next edge] that holds z; -1 below, n above. */
INLINE ptrdiff_t cell_of(const Cells *law, double z)
{
    ptrdiff_t low = -1, high = law->n;
    while (high - low > 1) {
        const ptrdiff_t middle = low + (high - low) / 2;
        if (law->edge[middle] < z)
            low = middle;
        else
            high = middle;
    }
    return law->edge[law->n] < z ? law->n : low;
}

/* The first edge above which next to nothing is left of P(noise > z). */
INLINE double end_of_tail(const Cells *law, double z)
{
    ptrdiff_t low = cell_of(law, z), high = law->n;
    double goal;
    if (low >= law->n)
        return z;
    goal = law->log_tail[low < 0 ? 0 : low] - REST;
    while (high - low > 1) {
        const ptrdiff_t middle = low + (high - low) / 2;
        if (law->log_tail[middle] > goal)
            low = middle;
        else
            high = middle;
    }
    return law->edge[high];
}

/* out := the polynomials of two functions at u, whose coefficients are c[FUNCTIONS * k]. */
INLINE void polynomials(const double *restrict c, const double *restrict u, double *restrict first,
                        double *restrict second, const int both)
{
    double square[NODES], a[NODES], b[NODES], e[NODES], f[NODES];
    int q;
#pragma omp simd
    for (q = 0; q < NODES; q++) {
        square[q] = u[q] * u[q];
        a[q] = c[FUNCTIONS * DEGREE], b[q] = c[FUNCTIONS * (DEGREE - 1)];
        e[q] = both ? c[FUNCTIONS * DEGREE + 1] : 0.0;
        f[q] = both ? c[FUNCTIONS * (DEGREE - 1) + 1] : 0.0;
    }
#pragma GCC unroll 8
    for (int k = DEGREE - 2; k >= 1; k -= 2)
#pragma omp simd
        for (q = 0; q < NODES; q++) {
            a[q] = a[q] * square[q] + c[FUNCTIONS * k];
            b[q] = b[q] * square[q] + c[FUNCTIONS * (k - 1)];
            if (both) {
                e[q] = e[q] * square[q] + c[FUNCTIONS * k + 1];
                f[q] = f[q] * square[q] + c[FUNCTIONS * (k - 1) + 1];
            }
        }
#pragma omp simd
    for (q = 0; q < NODES; q++) {
        first[q] = a[q] * u[q] + b[q];
        if (both)
            second[q] = e[q] * u[q] + f[q];
    }
}

/* CDF, density and its slope at the nodes of a step, for a class at z at its top. */
INLINE void evaluate(const Cells *law, ptrdiff_t cell, double z, double step, double *restrict cdf,
                     double *restrict part, double *restrict density, double *restrict slope,
                     const int second)
{
    const double *restrict c = law->coefficients + cell * (DEGREE + 1) * FUNCTIONS;
    const double top = (z - law->middle[cell]) * law->inverse_half[cell];
    const double scale = step * law->inverse_half[cell];
    const double sign = law->upper[cell] ? -1.0 : 1.0, one = law->upper[cell] ? 1.0 : 0.0;
    double u[NODES];
    int q;
#pragma omp simd
    for (q = 0; q < NODES; q++)
        u[q] = top - scale * law->rule[q];
    polynomials(c, u, part, density, 1);
    if (second)
        polynomials(c + 2, u, slope, NULL, 0);
#pragma omp simd
    for (q = 0; q < NODES; q++) {
        const double F = one + sign * part[q];
        cdf[q] = F > 1e-300 ? F : 1e-300;
        density[q] = density[q] > 0.0 ? density[q] : 0.0;
    }
}

/* Whether class j does not change any more above here: F = 1, f = 0. */
INLINE int is_full(const Cells *law, const Descent *d, ptrdiff_t j) { return d->cell[j] >= law->n; }

/* Evaluate all classes; returns the integrand's relative rate of change at the bottom. */
INLINE double evaluate_all(const Cells *law, Descent *d, double base, double offset, double step,
                           ptrdiff_t n, ptrdiff_t y, const int second)
{
    double rate = 0.0;
    for (ptrdiff_t j = 0; j < n; j++) {
        double *cdf = d->cdf + j * NODES, *density = d->density + j * NODES;
        /* Where F ends as a power of the distance, it is a polynomial, however fast it falls. */
        const int at = d->cell[j] == 0 && law->ends ? 0 : NODES - 1;
        if (is_full(law, d, j))
            continue;
        evaluate(law, d->cell[j], (d->delta[j] - base) + offset, step, cdf,
                 d->part + j * NODES, density, d->slope + j * NODES, second);
        if (j != y)
            rate += density[at] / cdf[at];
    }
    return rate;
}

/* Add the integrals over a step. `best`: the class at delta 0, for the potential; or -1. */
INLINE void add_step(const Cells *law, Descent *d, double step, ptrdiff_t n, ptrdiff_t y,
                     ptrdiff_t best, const int second)
{
    double share[NODES], sum = 0.0;
    ptrdiff_t j, k;
    int q;
    for (q = 0; q < NODES; q++)
        share[q] = step * law->rule[NODES + q];
    if (best >= 0 && !is_full(law, d, best)) { /* F_best^K less the product of all F, term by term */
        double difference[NODES] = {0.0}, power[NODES];
        const double *own = d->cdf + best * NODES, *own_part = d->part + best * NODES;
        const int high = law->upper[d->cell[best]] != 0;
        for (q = 0; q < NODES; q++)
            power[q] = 1.0;
        for (j = 0; j < n; j++) {
            const double *cdf = d->cdf + j * NODES, *part = d->part + j * NODES;
            const int full = is_full(law, d, j), both = high && (full || law->upper[d->cell[j]]);
            for (q = 0; q < NODES; q++) {
                const double F = full ? 1.0 : cdf[q], rest = full ? 0.0 : part[q];
                const double less = both ? rest - own_part[q] : own[q] - F;
                difference[q] = F * difference[q] + power[q] * less;
                power[q] *= own[q];
            }
        }
        for (q = 0; q < NODES; q++)
            d->gap -= share[q] * difference[q];
    }
    for (j = 0; j < n; j++) {
        const double *factor = (j == y ? d->density : d->cdf) + j * NODES;
        if (is_full(law, d, j)) {
            if (j == y)
                return;
            continue;
        }
#pragma omp simd
        for (q = 0; q < NODES; q++)
            share[q] *= factor[q];
    }
    for (q = 0; q < NODES; q++)
        sum += share[q];
    d->total += sum;
    for (j = 0; j < n; j++) {
        double *cdf = d->cdf + j * NODES, *density = d->density + j * NODES;
        const double *slope = d->slope + j * NODES;
        double total = 0.0, bend = 0.0;
        if (j == y || is_full(law, d, j))
            continue;
        if (second)
#pragma omp simd reduction(+ : bend)
            for (q = 0; q < NODES; q++)
                bend += share[q] * (slope[q] / cdf[q]); /* so that neither underflows */
#pragma omp simd reduction(+ : total)
        for (q = 0; q < NODES; q++) {
            density[q] /= cdf[q];
            total += share[q] * density[q];
        }
        d->sum[j] += total;
        d->curve[j] += bend;
        if (second)
            for (k = 0; k < j; k++) {
                const double *other = d->density + k * NODES;
                double pair = 0.0;
                if (k == y || is_full(law, d, k))
                    continue;
#pragma omp simd reduction(+ : pair)
                for (q = 0; q < NODES; q++)
                    pair += share[q] * density[q] * other[q];
                d->product[j * n + k] += pair;
            }
    }
}

/* P(noise > z), for z above the median. */
INLINE double tail_at(const Cells *law, double z)
{
    double cdf[NODES], part[NODES], density[NODES];
    const ptrdiff_t cell = cell_of(law, z);
    if (cell >= law->n)
        return 0.0;
    evaluate(law, cell, z, 0.0, cdf, part, density, NULL, 0);
    return part[0];
}

/* Where the walk begins: above, next to nothing is left, or all tails are alike, those of power laws
 * for which all classes together are as far away. Then all of them share P(a noise > z) evenly, and
 * what is left is added in closed form. */
INLINE double add_top(const Cells *law, Descent *d, ptrdiff_t n, ptrdiff_t y, ptrdiff_t best)
{
    double start = -INFINITY, spread = 0.0, factor, sum = 0.0, log_none = 0.0, at_spread;
    ptrdiff_t j;
    for (j = 0; j < n; j++) {
        const double end = end_of_tail(law, d->delta[j]) - d->delta[j];
        if ((y < 0 || j == y) && end > start)
            start = end;
        spread = d->delta[j] > spread ? d->delta[j] : spread;
    }
    spread += law->width;
    at_spread = tail_at(law, spread);
    for (factor = 16.0; factor * spread < start; factor *= 4.0) {
        const double tail = tail_at(law, factor * spread);
        if ((double)n * tail * tail <= FAR * factor * at_spread)
            break;
    }
    if (!(factor * spread < start))
        return start;
    start = factor * spread;
    for (j = 0; j < n; j++) {
        const double tail = tail_at(law, start + d->delta[j]);
        sum += d->cdf[j] = tail * (1.0 + tail / 2.0);
        log_none += log1p(-tail);
    }
    for (j = 0; j < n; j++) {
        const double share = -expm1(log_none) * d->cdf[j] / sum;
        if (j == y)
            d->total = share;
        if (y < 0)
            d->sum[j] = share;
    }
    if (best >= 0) { /* the integral of delta f (1 - tail)^(n - 1) */
        const double tail = tail_at(law, start), equal = -expm1((double)n * log1p(-tail));
        for (j = 0; j < n; j++)
            d->gap += d->delta[j] * tail_at(law, start + d->delta[j] / 2.0)
                    * equal / ((double)n * tail);
    }
    return start;
}

/* All of a row; whether that was possible. */
INLINE int descend_row(const Cells *law, Descent *d, ptrdiff_t n, ptrdiff_t y, ptrdiff_t best,
                       const int second, const int relative)
{
    /* t = offset - base, base being the distance of the class that is nearest to the median: there
       the law changes fastest, and t itself has too few digits for a class that is far below. */
    double base = 0.0, offset, rate = 0.0;
    ptrdiff_t j, number;
    d->total = d->gap = 0.0;
    for (j = 0; j < n; j++)
        d->sum[j] = d->curve[j] = 0.0;
    offset = add_top(law, d, n, y, best);
    for (j = 0; j < n; j++)
        d->cell[j] = cell_of(law, d->delta[j] + offset);
    if (second)
        for (j = 0; j < n * n; j++)
            d->product[j] = 0.0;
    for (number = 0; number < MOST_STEPS; number++) {
        double step = INFINITY, left = INFINITY, product = 1.0, least = INFINITY;
        double nearest = INFINITY;
        ptrdiff_t at = -1, next = -1;
        for (j = 0; j < n; j++) {
            const double z = (d->delta[j] - base) + offset;
            ptrdiff_t cell = d->cell[j];
            double distance;
            while (cell >= 0 && z <= law->edge[cell])
                cell--;
            d->cell[j] = cell;
            if (cell < 0)
                return law->ends || d->total > 0.0;
            if (cell >= law->n) {
                distance = z - law->edge[law->n];
                least = 0.0;
            } else {
                distance = z - law->bottom[cell];
                if (law->limit[cell] < step)
                    step = law->limit[cell];
                least = d->sum[j] < least ? d->sum[j] : least;
            }
            if (distance < left)
                left = distance, at = j;
            if (fabs(z) < fabs(nearest))
                nearest = z, next = j;
        }
        base = d->delta[next], offset = nearest;
        if (rate * step > STEEPEST)
            step = STEEPEST / rate;
        if (left <= step)
            step = left;
        else if (left < 2.0 * step && rate * left < 2.0 * STEEPEST)
            step = left / 2.0;
        if (step > 0.0 && offset - step < offset) {
            double now = evaluate_all(law, d, base, offset, step, n, y, second);
            if (now * step > RETRY) {
                rate = now, step = STEEPEST / now < step / 2.0 ? step / 2.0 : STEEPEST / now;
                now = evaluate_all(law, d, base, offset, step, n, y, second);
            }
            rate = now;
            for (j = 0; j < n; j++)
                if (!is_full(law, d, j))
                    product *= d->cdf[j * NODES + NODES - 1];
            add_step(law, d, step, n, y, best, second);
        } else
            step = left;
        offset -= step;
        if (step == left) { /* not where z rounds to, or the step would be made again */
            const ptrdiff_t cell = d->cell[at];
            d->cell[at] = cell >= law->n ? law->n - 1 : cell_of(law, law->bottom[cell]);
        }
        /* What is left below is at most the product of all F, for any class. */
        if (product <= TINY * (y >= 0 ? d->total : relative || least > FAINT ? least : FAINT)
            && (best < 0 || product * (1.0 + fabs(offset - base) / law->width) <= TINY))
            return 1;
    }
    return 0;
}

/* With classes y: value = log p_y, slope = its gradient but for y's entry, second = E[r_j r_k] -
 * E[r_j] E[r_k], on the diagonal with E[F'' / F], but for jumps of the density. Without: value = the
 * potential less the best score if `potential`, slope = p or, if `relative`, log p, second = minus
 * the integral of f_j f_k times the other F. nan where a row is beyond this. */
INLINE int integrate_cells_rows(const Cells *law, const double *scores, const intptr_t *y,
                                double *value, double *slope, double *second, ptrdiff_t n,
                                ptrdiff_t n_classes, int potential, int relative)
{
    Descent d;
    ptrdiff_t i, j, k;
    if (start_descent(&d, n_classes))
        return -1;
    for (i = 0; i < n; i++, scores += n_classes, slope += n_classes) {
        const double best = largest(scores, n_classes);
        double total = 0.0;
        ptrdiff_t first = -1;
        int good;
        for (j = 0; j < n_classes; j++) {
            d.delta[j] = best - scores[j];
            if (potential && d.delta[j] == 0.0)
                first = j;
        }
        good = second ? descend_row(law, &d, n_classes, y ? y[i] : -1, first, 1, relative)
                      : descend_row(law, &d, n_classes, y ? y[i] : -1, first, 0, relative);
        for (j = 0; j < n_classes; j++)
            total += d.sum[j];
        if (y && d.delta[y[i]] >= law->support)
            good = 1, d.total = 0.0, total = INFINITY; /* impossible */
        else {
            good = good && (y ? d.total > LOWEST : fabs(total - 1.0) < WRONG);
            total = y ? d.total : total;
        }
        for (j = 0; j < n_classes; j++) {
            d.sum[j] /= total;
            good = good && (!relative || y || d.sum[j] > LOWEST || d.delta[j] >= law->support);
            slope[j] = y ? -d.sum[j] : relative ? log(d.sum[j]) : d.sum[j];
        }
        value[i] = !good ? NAN : y ? log(d.total) : -d.gap;
        if (second)
            for (j = 0; j < n_classes; j++)
                for (k = 0; k <= j; k++) {
                    double *out = second + i * n_classes * n_classes;
                    const double moment = j == k ? d.curve[j] : d.product[j * n_classes + k];
                    out[j * n_classes + k] = out[k * n_classes + j]
                        = y ? moment / total - d.sum[j] * d.sum[k] : -moment;
                }
    }
    free(d.memory);
    return 0;
}
DISPATCH(integrate_cells,
         (const Cells *law, const double *scores, const intptr_t *y, double *value, double *slope,
          double *second, ptrdiff_t n, ptrdiff_t n_classes, int potential, int relative),
         (law, scores, y, value, slope, second, n, n_classes, potential, relative))
