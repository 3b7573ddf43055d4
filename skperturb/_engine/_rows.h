/* The sums of _sums_numpy.py, one row of scores after the other.
 *
 * A row needs a few thousand products of table entries and one exponential per node, all in
 * loops that a compiler vectorises: the table's rows are padded to a multiple of LANES nodes. Each
 * function is compiled twice on x86, for processors with and without AVX2 and FMA, and
 * chosen when it is called, so that a wheel runs anywhere.
 */
#include "_functions.h"

#define ORDER 8 /* as in _table.py */
#define LANES 8
#define AT_BEST (ORDER / 2 - 1) /* row of the grid at distance 0 */
#define NEAR_ONE (-0.7) /* as in _table.py */
#define NEGLIGIBLE 37.0 /* exp(-37) = 1e-16 */

typedef struct {
    const double *log_cdf, *hazard, *log_hazard; /* (n_grid, n_nodes); both multiples of LANES */
    const double *coarse_log_cdf, *coarse_log_hazard; /* (n_grid, n_coarse): every LANES-th node, */
    const double *coarse_log_weight;             /* (n_coarse,) the last one repeated */
    const double *log_weight, *weight;           /* (n_nodes,) */
    const double *powers;                        /* (ORDER, ORDER): of the Lagrange polynomials */
    ptrdiff_t n_grid, n_nodes, n_coarse;
    double inverse_step, reach, grid_reach;
    int ordered;                                 /* as in _table.py */
} Table;

/* First row of the table and ORDER weights for a distance below the best; nothing beyond. */
INLINE ptrdiff_t interpolate(const Table *t, double delta, double *restrict weight)
{
    const double *restrict c = t->powers;
    double position, u;
    ptrdiff_t first, k;
    if (!(delta <= t->grid_reach)) {
        for (k = 0; k < ORDER; k++)
            weight[k] = 0.0;
        return 0;
    }
    position = delta * t->inverse_step;
    first = (ptrdiff_t)position;
    u = position - (double)first - 0.5;
#pragma omp simd
    for (k = 0; k < ORDER; k++) {
        double high = c[7 * ORDER + k] * u + c[6 * ORDER + k], low = c[3 * ORDER + k] * u + c[2 * ORDER + k];
        high = high * u + c[5 * ORDER + k], low = low * u + c[ORDER + k];
        high = high * u + c[4 * ORDER + k], low = low * u + c[k];
        weight[k] = high * ((u * u) * (u * u)) + low;
    }
    return first;
}

/* sum[:count] += weight @ rows[:, :count], for ORDER rows n apart. */
INLINE void add_rows(double *restrict sum, const double *restrict rows,
                     const double *restrict weight, ptrdiff_t n, ptrdiff_t count)
{
    const double w0 = weight[0], w1 = weight[1], w2 = weight[2], w3 = weight[3];
    const double w4 = weight[4], w5 = weight[5], w6 = weight[6], w7 = weight[7];
    ptrdiff_t q;
#pragma omp simd
    for (q = 0; q < count; q++) {
        double even = sum[q] + w0 * rows[q], odd = w1 * rows[q + n];
        even += w2 * rows[q + 2 * n], odd += w3 * rows[q + 3 * n];
        even += w4 * rows[q + 4 * n], odd += w5 * rows[q + 5 * n];
        even += w6 * rows[q + 6 * n], odd += w7 * rows[q + 7 * n];
        sum[q] = even + odd;
    }
}

/* weight @ rows[:, :count] @ values. */
INLINE double product(const double *restrict values, const double *restrict rows,
                      const double *restrict weight, ptrdiff_t n, ptrdiff_t count)
{
    const double w0 = weight[0], w1 = weight[1], w2 = weight[2], w3 = weight[3];
    const double w4 = weight[4], w5 = weight[5], w6 = weight[6], w7 = weight[7];
    double total = 0.0;
    ptrdiff_t q;
#pragma omp simd reduction(+ : total)
    for (q = 0; q < count; q++) {
        double even = w0 * rows[q], odd = w1 * rows[q + n];
        even += w2 * rows[q + 2 * n], odd += w3 * rows[q + 3 * n];
        even += w4 * rows[q + 4 * n], odd += w5 * rows[q + 5 * n];
        even += w6 * rows[q + 6 * n], odd += w7 * rows[q + 7 * n];
        total += values[q] * (even + odd);
    }
    return total;
}

/* What one row needs: where its classes lie on the grid, and sums over them. */
typedef struct {
    double *weight;      /* (n_classes, ORDER) */
    ptrdiff_t *first;    /* (n_classes,) */
    double *on_grid;     /* (n_grid,) */
    double *exponent;    /* (n_nodes,) */
    double *coarse;      /* (n_coarse,): fewer than n_nodes */
    double *hazard;      /* (n_classes, n_nodes), for second derivatives */
    double *scratch;     /* (n_nodes,) */
    ptrdiff_t best;      /* class: it stands on a row of the grid, which needs no interpolation */
    ptrdiff_t reached;   /* rows of the grid that a class touches: a multiple of ORDER */
    ptrdiff_t low, high; /* nodes outside of [low, high) are negligible; multiples of LANES */
    int many;            /* classes: summed by grid point, instead of one by one */
    void *memory;
} Row;

static int allocate(Row *row, const Table *t, ptrdiff_t n_classes, int second)
{
    ptrdiff_t n = n_classes * ORDER + t->n_grid + 3 * t->n_nodes;
    if (second)
        n += n_classes * t->n_nodes;
    row->memory = malloc((size_t)n * sizeof(double) + (size_t)n_classes * sizeof(ptrdiff_t));
    if (!row->memory)
        return -1;
    row->weight = (double *)row->memory;
    row->on_grid = row->weight + n_classes * ORDER;
    row->exponent = row->on_grid + t->n_grid;
    row->coarse = row->exponent + t->n_nodes;
    row->scratch = row->coarse + t->n_nodes;
    row->hazard = row->scratch + t->n_nodes;
    row->first = (ptrdiff_t *)((double *)row->memory + n);
    return 0;
}

/* Where the classes of a row lie. */
INLINE void place(const Table *t, Row *row, const double *scores, double best, ptrdiff_t n_classes)
{
    ptrdiff_t j, k, g;
    row->reached = 0;
    for (row->best = 0; scores[row->best] < best;)
        row->best++;
    for (j = 0; j < n_classes; j++) {
        ptrdiff_t first = interpolate(t, best - scores[j], row->weight + j * ORDER);
        row->first[j] = first;
        row->reached = first > row->reached ? first : row->reached;
    }
    /* The best class lies at the grid's beginning. Whole groups of rows, inside the table. */
    row->reached = (row->reached + 2 * ORDER - 1) / ORDER * ORDER;
    row->many = row->reached < ORDER * n_classes;
    row->low = 0;
    row->high = t->n_nodes;
    if (!row->many)
        return;
    for (g = 0; g < row->reached; g++)
        row->on_grid[g] = 0.0;
    for (j = 0; j < n_classes; j++) {
        const double *restrict weight = row->weight + j * ORDER;
        double *restrict sum = row->on_grid + row->first[j];
#pragma omp simd
        for (k = 0; k < ORDER; k++)
            sum[k] += weight[k];
    }
}

/* sum[:count] += a function of class j, from columns of a table n wide. */
INLINE void add_class(const Row *row, ptrdiff_t j, double *restrict sum,
                      const double *restrict values, ptrdiff_t n, ptrdiff_t count)
{
    ptrdiff_t q;
    if (j != row->best) {
        add_rows(sum, values + row->first[j] * n, row->weight + j * ORDER, n, count);
        return;
    }
    values += AT_BEST * n;
#pragma omp simd
    for (q = 0; q < count; q++)
        sum[q] += values[q];
}

/* The mean of a function of class j under the shares of the nodes, from columns of a table. */
INLINE double mean_of_class(const Row *row, ptrdiff_t j, const double *values, ptrdiff_t n)
{
    const ptrdiff_t count = row->high - row->low;
    values += row->low;
    return j == row->best
        ? dot(row->exponent, values + AT_BEST * n, count)
        : product(row->exponent, values + row->first[j] * n, row->weight + j * ORDER, n, count);
}

/* sum[:count] += sum over the classes of L(z + delta_j), from columns of a table n wide. */
INLINE void add_log_cdf(const Row *row, double *sum, const double *log_cdf, ptrdiff_t n,
                        ptrdiff_t count, ptrdiff_t n_classes)
{
    ptrdiff_t j, g;
    if (row->many)
        for (g = 0; g < row->reached; g += ORDER)
            add_rows(sum, log_cdf + g * n, row->on_grid + g, n, count);
    else
        for (j = 0; j < n_classes; j++)
            add_class(row, j, sum, log_cdf, n, count);
}

/* Widen [low, high) to the nodes that matter to class y, given log weight + S at coarse nodes.
 *
 * Between two coarse nodes nothing rises that both are far below of: the integrand has one peak, or
 * varies slowly. With heavy tails it has several, and those of one class say nothing of another's.
 */
INLINE void widen_window(const Table *t, Row *row, ptrdiff_t y)
{
    const ptrdiff_t n = t->n_coarse;
    ptrdiff_t low = 0, high = n - 1;
    double peak;
    memcpy(row->scratch, row->coarse, (size_t)n * sizeof(double));
    add_class(row, y, row->scratch, t->coarse_log_hazard, n, n);
    peak = largest(row->scratch, n) - NEGLIGIBLE;
    while (low < high && row->scratch[low] < peak)
        low++;
    while (high > low && row->scratch[high] < peak)
        high--;
    low = (low > 0 ? low - 1 : 0) * LANES;
    high = (high + 1) * LANES;
    row->low = low < row->low ? low : row->low;
    row->high = high > row->high ? high : row->high;
}

/* The nodes that matter to class y, or to any within reach if y < 0. With g_j the integrand of class
 * j, g_j / g_k falls where class j is the lower one, if they are ordered. So the right end of the
 * window is the best class's and the left end that of the lowest. */
INLINE void find_window(const Table *t, Row *row, const double *scores, double best, ptrdiff_t y,
                        ptrdiff_t n_classes)
{
    ptrdiff_t j;
    memcpy(row->coarse, t->coarse_log_weight, (size_t)t->n_coarse * sizeof(double));
    add_log_cdf(row, row->coarse, t->coarse_log_cdf, t->n_coarse, t->n_coarse, n_classes);
    row->low = t->n_nodes;
    row->high = 0;
    if (y >= 0)
        widen_window(t, row, y);
    else if (t->ordered) {
        for (j = 0, y = row->best; j < n_classes; j++)
            y = scores[j] < scores[y] && best - scores[j] <= t->reach ? j : y;
        widen_window(t, row, row->best);
        if (y != row->best)
            widen_window(t, row, y);
    } else
        for (j = 0; j < n_classes; j++)
            if (best - scores[j] <= t->reach)
                widen_window(t, row, j);
    row->high = row->high < t->n_nodes ? row->high : t->n_nodes;
}

/* exponent := log weight + sum_j L(z + delta_j), at the nodes that matter. */
INLINE void log_cdf_of_winner(const Table *t, Row *row, ptrdiff_t n_classes)
{
    const ptrdiff_t count = row->high - row->low;
    memcpy(row->exponent, t->log_weight + row->low, (size_t)count * sizeof(double));
    add_log_cdf(row, row->exponent, t->log_cdf + row->low, t->n_nodes, count, n_classes);
}

/* exponent := exp(exponent - peak) / sum; returns peak + log(sum). */
INLINE double normalise(double *restrict exponent, ptrdiff_t n)
{
    double peak = largest(exponent, n), total = 0.0, inverse;
    ptrdiff_t q;
#pragma omp simd reduction(+ : total)
    for (q = 0; q < n; q++) {
        double value = exp_of_negative(exponent[q] - peak);
        exponent[q] = value;
        total += value;
    }
    inverse = 1.0 / total;
#pragma omp simd
    for (q = 0; q < n; q++)
        exponent[q] *= inverse;
    return peak + log(total);
}

/* out := hazard[g:g + n_rows] @ exponent, for a multiple of four rows, which share loads. */
INLINE void hazard_on_grid(const Table *t, const Row *row, ptrdiff_t g, ptrdiff_t n_rows,
                           double *restrict out)
{
    const ptrdiff_t n = t->n_nodes, count = row->high - row->low, end = g + n_rows;
    const double *restrict values = row->exponent;
    ptrdiff_t q;
    for (; g < end; g += 4, out += 4) {
        const double *restrict rows = t->hazard + row->low + g * n;
        double a = 0.0, b = 0.0, c = 0.0, d = 0.0;
#pragma omp simd reduction(+ : a, b, c, d)
        for (q = 0; q < count; q++) {
            a += values[q] * rows[q];
            b += values[q] * rows[q + n];
            c += values[q] * rows[q + 2 * n];
            d += values[q] * rows[q + 3 * n];
        }
        out[0] = a;
        out[1] = b;
        out[2] = c;
        out[3] = d;
    }
}

INLINE void take_logs(double *restrict values, ptrdiff_t n)
{
    ptrdiff_t k;
#pragma omp simd
    for (k = 0; k < n; k++)
        values[k] = log_of(values[k]);
}

/* Interpolation between ORDER values, with the weights of class j. */
INLINE double sample(const Row *row, ptrdiff_t j, const double *value)
{
    const double *weight = row->weight + j * ORDER;
    return ((weight[0] * value[0] + weight[1] * value[1])
            + (weight[2] * value[2] + weight[3] * value[3]))
         + ((weight[4] * value[4] + weight[5] * value[5])
            + (weight[6] * value[6] + weight[7] * value[7]));
}

/* exponent := each node's share of the integral for class y; returns log p_y. */
INLINE double target_shares(const Table *t, Row *row, const double *scores, double best,
                            ptrdiff_t y, ptrdiff_t n_classes)
{
    place(t, row, scores, best, n_classes);
    find_window(t, row, scores, best, y, n_classes);
    log_cdf_of_winner(t, row, n_classes);
    add_class(row, y, row->exponent, t->log_hazard + row->low, t->n_nodes, row->high - row->low);
    return normalise(row->exponent, row->high - row->low);
}

/* A gradient whose entry y is to be such that all of them sum to zero, as a common shift asks. */
INLINE void close_gradient(double *gradient, ptrdiff_t y, ptrdiff_t n)
{
    double sum = 0.0;
    ptrdiff_t j;
    gradient[y] = 0.0;
    for (j = 0; j < n; j++)
        sum += gradient[j];
    gradient[y] = -sum;
}

/* The same of a symmetric matrix's row and column of y, or of its diagonal if y < 0. */
INLINE void close_matrix(double *matrix, ptrdiff_t y, ptrdiff_t n)
{
    ptrdiff_t j, k;
    double total = 0.0;
    for (j = 0; j < n; j++) {
        double sum = 0.0;
        for (k = 0; k < n; k++)
            sum += k == (y < 0 ? j : y) ? 0.0 : matrix[j * n + k];
        if (y < 0)
            matrix[j * n + j] = -sum;
        else if (j != y) {
            matrix[j * n + y] = matrix[y * n + j] = -sum;
            total += sum;
        }
    }
    if (y >= 0)
        matrix[y * n + y] = total;
}

INLINE int log_likelihood_rows(const Table *t, const double *scores, const intptr_t *y,
                               double *log_p, double *gradient, ptrdiff_t n, ptrdiff_t n_classes)
{
    Row row;
    ptrdiff_t i, j;
    if (allocate(&row, t, n_classes, 0))
        return -1;
    for (i = 0; i < n; i++, scores += n_classes, gradient += n_classes) {
        log_p[i] = target_shares(t, &row, scores, largest(scores, n_classes), y[i], n_classes);
        if (row.many)
            hazard_on_grid(t, &row, 0, row.reached, row.on_grid);
        for (j = 0; j < n_classes; j++)
            if (row.many)
                gradient[j] = -sample(&row, j, row.on_grid + row.first[j]);
            else if (j != y[i])
                gradient[j] = -mean_of_class(&row, j, t->hazard, t->n_nodes);
        close_gradient(gradient, y[i], n_classes);
    }
    free(row.memory);
    return 0;
}
DISPATCH(log_likelihood,
         (const Table *t, const double *scores, const intptr_t *y, double *log_p,
          double *gradient, ptrdiff_t n, ptrdiff_t n_classes),
         (t, scores, y, log_p, gradient, n, n_classes))

/* What the quadrature leaves is 1e-10; the sum of the probabilities is to be exact. */
INLINE void normalise_log(double *restrict log_p, ptrdiff_t n)
{
    double total = 0.0;
    ptrdiff_t j;
#pragma omp simd reduction(+ : total)
    for (j = 0; j < n; j++)
        total += exp_of_negative(log_p[j]);
    total = log(total);
#pragma omp simd
    for (j = 0; j < n; j++)
        log_p[j] -= total;
}

/* sum_q w_q (exp(S_q of equal classes) - exp(S_q)), and log w_q + S_q. Weights are huge at both
 * ends: log w_q would swallow an S_q near 0, and exp(S_q) there has to be less 1, see Table.level. */
INLINE double gap_of_winner(const Table *t, Row *row, const double *level, ptrdiff_t n_classes)
{
    const double *equal = t->log_cdf + AT_BEST * t->n_nodes;
    double total = 0.0;
    ptrdiff_t q;
    memset(row->exponent, 0, (size_t)t->n_nodes * sizeof(double));
    add_log_cdf(row, row->exponent, t->log_cdf, t->n_nodes, t->n_nodes, n_classes);
#pragma omp simd reduction(+ : total)
    for (q = 0; q < t->n_nodes; q++) {
        const double one = (double)n_classes * equal[q] > NEAR_ONE ? 1.0 : 0.0;
        total += t->weight[q] * (level[q] - exp_less(row->exponent[q], one));
        row->exponent[q] += t->log_weight[q];
    }
    return total;
}

/* log p of all classes within reach, normalised; -inf for those beyond. With the level of equal
 * classes at the nodes, the potential less the best score, too. */
INLINE int log_proba_rows(const Table *t, const double *scores, const double *level, double *gap,
                          double *log_p, ptrdiff_t n, ptrdiff_t n_classes)
{
    Row row;
    ptrdiff_t i, j, k;
    if (allocate(&row, t, n_classes, 0))
        return -1;
    for (i = 0; i < n; i++, scores += n_classes, log_p += n_classes) {
        double best = largest(scores, n_classes), peak;
        place(t, &row, scores, best, n_classes);
        if (level)
            gap[i] = gap_of_winner(t, &row, level, n_classes);
        else {
            find_window(t, &row, scores, best, -1, n_classes);
            log_cdf_of_winner(t, &row, n_classes);
        }
        peak = normalise(row.exponent, row.high - row.low);
        /* Few classes: ORDER values for each, one class after the other; the grid has room. */
        if (row.many)
            hazard_on_grid(t, &row, 0, row.reached, row.on_grid);
        else
            for (j = 0; j < n_classes; j++)
                if (j != row.best)
                    hazard_on_grid(t, &row, row.first[j], ORDER, row.on_grid + j * ORDER);
                else
                    for (k = 0; k < ORDER; k++) /* all alike: the sample is the mean itself */
                        row.on_grid[j * ORDER + k] = k ? row.on_grid[j * ORDER]
                            : mean_of_class(&row, j, t->hazard, t->n_nodes);
        take_logs(row.on_grid, row.many ? row.reached : n_classes * ORDER);
        for (j = 0; j < n_classes; j++) {
            const double *value = row.on_grid + (row.many ? row.first[j] : j * ORDER);
            log_p[j] = best - scores[j] <= t->reach ? sample(&row, j, value) + peak : -INFINITY;
        }
        normalise_log(log_p, n_classes);
    }
    free(row.memory);
    return 0;
}
DISPATCH(log_proba,
         (const Table *t, const double *scores, const double *level, double *gap, double *log_p,
          ptrdiff_t n, ptrdiff_t n_classes),
         (t, scores, level, gap, log_p, n, n_classes))

/* sum_q exponent_q r_j r_k of all pairs of classes: (n_classes, n_classes). */
INLINE void hazard_products(const Table *t, Row *row, double *out, ptrdiff_t n_classes)
{
    const ptrdiff_t n = t->n_nodes, count = row->high - row->low;
    ptrdiff_t j, k, q;
    memset(row->hazard, 0, (size_t)(n_classes * n) * sizeof(double));
    for (j = 0; j < n_classes; j++)
        add_class(row, j, row->hazard + j * n, t->hazard + row->low, n, count);
    for (j = 0; j < n_classes; j++) {
        const double *restrict own = row->hazard + j * n, *restrict share = row->exponent;
        double *restrict product = row->scratch;
#pragma omp simd
        for (q = 0; q < count; q++)
            product[q] = own[q] * share[q];
        for (k = 0; k <= j; k++)
            out[j * n_classes + k] = out[k * n_classes + j]
                = dot(product, row->hazard + k * n, count);
    }
}

/* log p_y, its gradient -E[r_j] and second derivatives E[r_j r_k] - E[r_j] E[r_k] + (j = k) E[r'_j],
 * all under the shares for class y. */
INLINE int second_order_rows(const Table *t, const double *slope_powers, const double *scores,
                             const intptr_t *y, double *log_p, double *gradient, double *hessian,
                             ptrdiff_t n, ptrdiff_t n_classes)
{
    Table derivative = *t;
    Row row;
    double weight[ORDER];
    ptrdiff_t i, j, k;
    if (allocate(&row, t, n_classes, 1))
        return -1;
    derivative.powers = slope_powers;
    for (i = 0; i < n; i++, scores += n_classes, gradient += n_classes,
        hessian += n_classes * n_classes) {
        const double best = largest(scores, n_classes);
        log_p[i] = target_shares(t, &row, scores, best, y[i], n_classes);
        const ptrdiff_t count = row.high - row.low;
        hazard_products(t, &row, hessian, n_classes);
        for (j = 0; j < n_classes; j++)
            gradient[j] = -dot(row.hazard + j * t->n_nodes, row.exponent, count);
        for (j = 0; j < n_classes; j++) {
            double *out = hessian + j * n_classes;
            for (k = 0; k < n_classes; k++)
                out[k] -= gradient[j] * gradient[k];
            if (j == y[i])
                continue;
            const ptrdiff_t first = interpolate(&derivative, best - scores[j], weight);
            out[j] += t->inverse_step * product(row.exponent,
                t->hazard + row.low + first * t->n_nodes, weight, t->n_nodes, count);
        }
        close_gradient(gradient, y[i], n_classes);
        close_matrix(hessian, y[i], n_classes);
    }
    free(row.memory);
    return 0;
}
DISPATCH(second_order,
         (const Table *t, const double *slope_powers, const double *scores, const intptr_t *y,
          double *log_p, double *gradient, double *hessian, ptrdiff_t n, ptrdiff_t n_classes),
         (t, slope_powers, scores, y, log_p, gradient, hessian, n, n_classes))

/* d p_i / d theta_j = -integral r_i r_j exp(S). */
INLINE int jacobian_rows(const Table *t, const double *scores, double *jacobian, ptrdiff_t n,
                         ptrdiff_t n_classes)
{
    Row row;
    ptrdiff_t i, q;
    if (allocate(&row, t, n_classes, 1))
        return -1;
    for (i = 0; i < n; i++, scores += n_classes, jacobian += n_classes * n_classes) {
        place(t, &row, scores, largest(scores, n_classes), n_classes);
        log_cdf_of_winner(t, &row, n_classes);
        for (q = 0; q < t->n_nodes; q++)
            row.exponent[q] = -exp(row.exponent[q]);
        hazard_products(t, &row, jacobian, n_classes);
        close_matrix(jacobian, -1, n_classes);
    }
    free(row.memory);
    return 0;
}
DISPATCH(jacobian,
         (const Table *t, const double *scores, double *jacobian, ptrdiff_t n,
          ptrdiff_t n_classes),
         (t, scores, jacobian, n, n_classes))
