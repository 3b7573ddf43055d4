/* The integrals of _pieces_numpy.py: the walk down a row, piece by piece; _pieces_panel.h says how. */
#include "_pieces_panel.h"

/* The piece above the last kink, where all classes are on 1 + b e^-z: a polynomial in u = e^-t,
 * so that Gauss nodes in u integrate it exactly, or all of it that is more than rounding. Returns
 * whether anything is left below. */
INLINE int add_top(const Branches *law, Walk *w, double full, const int one, const int second)
{
    const double b = law->b[law->n_kinks];
    double steepness = 0.0, most = 1.0, weights = 0.0;
    ptrdiff_t j, groups, q;
    const double *rule;
    Nodes nodes;
    activate(law, w, full);
    w->scale = power_of_e(-w->offset);
    w->plain = 1.0; /* of equal classes' F_j as the noise rises */
    w->own = -b;
#pragma omp simd reduction(+ : steepness)
    for (j = 0; j < w->active; j++) {
        const double factor = j == w->y ? 0.0 : b * w->power[j];
        w->constant[j] = 1.0;
        w->factor[j] = factor;
        w->gain[j] = -b * w->scale * (one ? -factor : 1.0);
        steepness -= factor;
    }
    /* The integrand is at most exp(-steepness * u). */
    if (steepness > DECAYED)
        most = DECAYED / steepness;
    groups = (w->active + 7) / 8;
    groups = groups < 1 ? 1 : groups > MOST_NODES / 4 ? MOST_NODES / 4 : groups;
    rule = law->rules + (groups - 1) * 2 * MOST_NODES;
    for (q = 0; q < 4 * groups;) {
        const int m = 4 * groups - q >= PANEL / 2 ? PANEL / 2 : PANEL / 4;
        for (int i = 0; i < m; i++) {
            const double u = most * rule[q + i];
            nodes.line[i] = nodes.up[i] = 0.0; /* no class is on such a branch */
            nodes.down[i] = u;
            nodes.weight[i] = most * rule[MOST_NODES + q + i] / u;
            weights += nodes.weight[i];
        }
        if (m == PANEL / 2)
            add_panel(law, w, &nodes, PANEL / 2, one, second);
        else
            add_panel(law, w, &nodes, PANEL / 4, one, second);
        q += m;
    }
    w->above = weights - (most < 1.0 ? log(most) : 0.0);
    return most == 1.0;
}

/* A piece in which every F_j is b e^z or 1 to all digits, in closed form. */
INLINE void add_closed(const Branches *law, Walk *w, double length, const int one, const int second)
{
    const double c = (double)w->crossed[0], b = law->b[law->n_kinks];
    const double sum = -expm1(-c * length) / c; /* of exp(-c s), and of exp(s - c s) */
    const double mass = c == 1.0 ? length : -expm1((1.0 - c) * length) / (c - 1.0);
    const double part = one && w->y >= w->crossed[0] ? mass : sum;
    const double plain = one ? w->scale * w->own * part : w->plain * part;
    ptrdiff_t j, k;
    if (one)
        w->total += plain;
    else {
        w->below += plain;
        if (falls(law) && w->crossed[0] < w->n)
            w->mass -= b * w->scale * mass;
    }
    for (j = 0; j < w->crossed[0]; j++) {
        w->sum[j] += w->gain[j] * part;
        if (second) {
            w->curve[j] += w->gain[j] * part;
            for (k = 0; k < j; k++)
                w->product[j * w->n + k] += plain;
        }
    }
}

/* Whether what is left below is nothing for the class asked for, or for any. `seen`: the least
 * that any class has. The product of the F_j only falls, with c classes on b e^z as exp(-c s). */
INLINE int is_done(const Branches *law, const Walk *w, double seen, const int one)
{
    const ptrdiff_t c = w->crossed[0], crossed = w->crossed[law->n_kinks - 1];
    const double kink = law->kink[law->n_kinks - 1], to_end = height(w, 0) - law->kink[0];
    double length;
    if (!falls(law)) {
        if (one)
            return w->scale <= TINY * w->total;
        if (law->kind[0] == RISING || (crossed < w->n && height(w, crossed) - kink < to_end))
            return 0; /* another class is to come */
        for (ptrdiff_t j = 0; j < crossed; j++)
            if (exp_of_negative(w->level - w->unit[j]) > TINY * w->sum[j])
                return 0;
        return 1;
    }
    if (one && w->y < crossed)
        return w->scale * w->rise <= TINY * w->total;
    /* From here on a class above the last kink has at most scale * length, then F at the kink. */
    if (c > 0)
        length = c > 1 ? 1.0 / (double)(c - 1) : height(w, one ? w->y : w->n - 1) - kink;
    else if (law->kind[0] == CONSTANT)
        length = to_end * power_of_e(to_end);
    else
        return 0;
    length = crossed < w->n ? length : 0.0;
    return w->scale * (length + w->rest) <= TINY * seen;
}

/* Width s <= most of a panel with s (rate + growing e^s) <= STEEPEST, by Newton's method from
 * above. *power is e^most before, and e^s after. */
INLINE double panel_width(const Walk *w, double most, double *power)
{
    double step = most;
    for (int k = 0; k < 3; k++) {
        const double excess = step * (w->rate + w->growing * *power) - STEEPEST;
        if (excess <= 0.0)
            break;
        step -= excess / (w->rate + w->growing * *power * (1.0 + step));
        *power = power_of_e(step);
    }
    return step;
}

/* m nodes of a panel, those of phi = e^z or e^-z if it bends, and weights times exp(-c s). */
INLINE void place_nodes(const Branches *law, Nodes *restrict nodes, double step, double bend,
                        ptrdiff_t c, const int m)
{
    const double *restrict rule = law->rules + (m / 4 - 1) * 2 * MOST_NODES;
    double factor[PANEL];
#pragma omp simd
    for (int q = 0; q < m; q++) {
        const double s = step * rule[q];
        nodes->line[q] = -s;
        nodes->weight[q] = step * rule[MOST_NODES + q];
        factor[q] = nodes->up[q] = exp_of_negative(-bend * s);
        nodes->down[q] = 1.0 / nodes->up[q];
    }
    for (; c > 0; c >>= 1)
#pragma omp simd
        for (int q = 0; q < m; q++) {
            nodes->weight[q] *= c & 1 ? factor[q] : 1.0;
            factor[q] *= factor[q];
        }
}

/* A panel of m nodes, a constant. */
INLINE void add_nodes(const Branches *law, Walk *w, double step, double bend, const int m,
                      const int one, const int second)
{
    Nodes nodes;
    place_nodes(law, &nodes, step, bend, w->crossed[0], m);
    add_panel(law, w, &nodes, m, one, second);
}

/* One panel, or a part of the piece that one resolves, down to the next kink. */
INLINE void add_next(const Branches *law, Walk *w, const int one, const int second)
{
    const ptrdiff_t c = w->crossed[0];
    double left = INFINITY, step, growth;
    ptrdiff_t k, at = 0, degree = 0;
    int polynomial = c == 0 && !falls(law);
    for (k = 0; k < law->n_kinks; k++) {
        const ptrdiff_t next = w->crossed[k];
        /* In this order: the distance of two classes next to each other keeps its digits. */
        const double distance = next < w->n
            ? (w->delta[next] - w->base) + (w->offset - law->kink[k]) : INFINITY;
        if (distance < left)
            left = distance, at = k;
        if (k > 0 && next > w->crossed[k - 1] && law->kind[k] != CONSTANT) {
            degree += next - w->crossed[k - 1];
            polynomial = polynomial && law->kind[k] == LINEAR;
        }
    }
    polynomial = polynomial && degree <= DEGREE;
    growth = left < WIDEST ? power_of_e(left) : WIDEST_POWER;
    step = panel_width(w, left < WIDEST ? left : WIDEST, &growth);
    if (polynomial || w->offset - step == w->offset) {
        step = left;
        growth = polynomial ? 1.0 : power_of_e(left);
    } else if (step < left && left < 2.0 * step) {
        step = left / 2.0;
        growth = power_of_e(step);
    }
    if (step > 0.0) {
        const double bend = polynomial ? 0.0 : 1.0;
        const double steepness = step * (w->rate + w->growing * growth);
        if (polynomial ? degree < PANEL / 2 : 2.0 * step * (w->rate + w->growing) < FLAT)
            add_nodes(law, w, step, bend, PANEL / 4, one, second);
        else if (polynomial ? degree < PANEL : steepness <= STEEP)
            add_nodes(law, w, step, bend, PANEL / 2, one, second);
        else
            add_nodes(law, w, step, bend, PANEL, one, second);
        for (k = w->crossed[law->n_kinks - 1]; k < w->active; k++)
            w->power[k] *= growth;
    }
    if (step == left)
        w->base = w->delta[w->crossed[at]], w->offset = law->kink[at];
    else
        w->offset -= step;
}

/* All of a row's integral. */
INLINE void walk_down(const Branches *law, Walk *w, const int one, const int second)
{
    const double full = full_height(law);
    const ptrdiff_t last = law->n_kinks - 1;
    ptrdiff_t j;
    w->total = w->mass = w->below = w->above = w->reference = 0.0;
    w->active = w->settled = 0;
    for (j = 0; j < law->n_kinks; j++)
        w->crossed[j] = w->jumped[j] = 0;
    for (j = 0; j < w->n; j++) {
        w->sum[j] = 0.0;
        w->unit[j] = -w->delta[j];
    }
    if (second)
        for (j = 0; j < w->n * (w->n + 1 + PANEL); j++)
            w->curve[j] = 0.0;
    w->offset = law->kink[last];
    w->base = 0.0;
    if (falls(law)) {
        if (!add_top(law, w, full, one, second))
            return;
    } else if (one) { /* nothing above the end of its density */
        w->base = w->delta[w->y];
        w->reference = log_of_others(law, w, w->y, w->y);
        w->unit[w->y] = w->reference;
        if (w->reference == -INFINITY)
            return;
    }
    const double seen = w->mass;
    for (;;) {
        cross_kinks(law, w);
        if (one && second)
            add_jumps(law, w);
        if (law->kind[0] == CONSTANT && w->crossed[0])
            return; /* the best class is never lower */
        activate(law, w, full);
        prepare(law, w);
        find_gains(law, w);
        if (is_done(law, w, one ? w->total : seen, one))
            return;
        if (w->active > w->crossed[0])
            add_next(law, w, one, second);
        else if (w->active == w->n) {
            add_closed(law, w, INFINITY, one, second);
            return;
        } else {
            const double next = falls(law) ? full - WIDEST : law->kink[last];
            add_closed(law, w, height(w, w->active) - next, one, second);
            w->base = w->delta[w->active], w->offset = next;
        }
    }
}

/* With classes y: value = log p_y, slope = its gradient, and second its second derivatives but for
 * the row and column of y. Without: value = E max(noise_j - delta_j) - a constant, slope = p or
 * log p, and second the derivatives of p but for the diagonals. Second can be NULL. */
INLINE int piece_rows(const Branches *law, const double *scores, const intptr_t *y, double *value,
                      double *slope, double *second, ptrdiff_t n, ptrdiff_t n_classes, int logs,
                      const int one, const int twice)
{
    Walk w;
    ptrdiff_t i, j, k;
    if (start_walks(&w, law, n_classes, twice))
        return -1;
    for (i = 0; i < n; i++, scores += n_classes, slope += n_classes) {
        double total = 0.0, sum = 0.0, inverse;
        sort_classes(&w, scores);
        w.y = -1;
        if (one)
            for (j = 0; j < n_classes; j++)
                w.y = w.order[j] == y[i] ? j : w.y;
        walk_down(law, &w, one, twice);
        if (one) {
            inverse = w.total > 0.0 ? 1.0 / w.total : 0.0;
            value[i] = log(w.total) + w.unit[w.y];
            for (j = 0; j < n_classes; j++) {
                w.sum[j] *= j == w.y ? 0.0 : inverse;
                slope[w.order[j]] = -w.sum[j];
                sum += w.sum[j];
            }
            slope[y[i]] = sum;
            if (twice)
                for (j = 0; j < n_classes; j++) {
                    double *row = second + (i * n_classes + w.order[j]) * n_classes;
                    for (k = 0; k < n_classes; k++) {
                        const double moment = j == k ? w.curve[j] : j > k
                            ? w.product[j * n_classes + k] : w.product[k * n_classes + j];
                        row[w.order[k]] = moment * inverse - w.sum[j] * w.sum[k];
                    }
                }
            continue;
        }
        for (j = w.active; j < n_classes; j++)
            w.sum[j] = w.mass;
#pragma omp simd
        for (j = 0; j < padded(n_classes); j++)
            w.gain[j] = exp_of_negative(w.unit[j]) * w.sum[j];
        for (j = 0; j < n_classes; j++) {
            if (w.unit[j] <= -700.0)
                w.gain[j] = exp(w.unit[j] + log(w.sum[j]));
            total += w.gain[j];
        }
        inverse = 1.0 / total;
        for (j = 0; j < n_classes; j++)
            slope[w.order[j]] = logs ? w.unit[j] + log(w.sum[j] * inverse) : w.gain[j] * inverse;
        value[i] = law->kink[law->n_kinks - 1] + w.above - w.below;
        if (twice)
            for (j = 0; j < n_classes; j++) {
                double *row = second + (i * n_classes + w.order[j]) * n_classes;
                for (k = 0; k < n_classes; k++)
                    row[w.order[k]] = -(j > k ? w.product[j * n_classes + k]
                                              : w.product[k * n_classes + j]);
            }
    }
    free(w.memory);
    return 0;
}

INLINE int integrate_pieces_rows(const Branches *law, const double *scores, const intptr_t *y,
                                 double *value, double *slope, double *second, ptrdiff_t n,
                                 ptrdiff_t n_classes, int logs)
{
    if (y)
        return second ? piece_rows(law, scores, y, value, slope, second, n, n_classes, logs, 1, 1)
                      : piece_rows(law, scores, y, value, slope, second, n, n_classes, logs, 1, 0);
    return second ? piece_rows(law, scores, y, value, slope, second, n, n_classes, logs, 0, 1)
                  : piece_rows(law, scores, y, value, slope, second, n, n_classes, logs, 0, 0);
}
DISPATCH(integrate_pieces,
         (const Branches *law, const double *scores, const intptr_t *y, double *value,
          double *slope, double *second, ptrdiff_t n, ptrdiff_t n_classes, int logs),
         (law, scores, y, value, slope, second, n, n_classes, logs))
