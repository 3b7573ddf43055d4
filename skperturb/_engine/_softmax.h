/* What rows of scores need without a table. */
#include "_functions.h"

/* Gumbel noise: the closed form. */
INLINE int softmax_likelihood_rows(const double *scores, const intptr_t *y, double *log_p,
                                   double *gradient, ptrdiff_t n, ptrdiff_t n_classes)
{
    ptrdiff_t i, j;
    for (i = 0; i < n; i++, scores += n_classes, gradient += n_classes) {
        double best = largest(scores, n_classes), total = 0.0, sum = 0.0, inverse;
#pragma omp simd reduction(+ : total)
        for (j = 0; j < n_classes; j++) {
            double value = exp_of_negative(scores[j] - best);
            gradient[j] = value;
            total += value;
        }
        log_p[i] = scores[y[i]] - best - log(total);
        inverse = 1.0 / total;
        gradient[y[i]] = 0.0;
#pragma omp simd reduction(+ : sum)
        for (j = 0; j < n_classes; j++) {
            gradient[j] *= -inverse;
            sum += gradient[j];
        }
        gradient[y[i]] = -sum;
    }
    return 0;
}
DISPATCH(softmax_likelihood,
         (const double *scores, const intptr_t *y, double *log_p, double *gradient, ptrdiff_t n,
          ptrdiff_t n_classes),
         (scores, y, log_p, gradient, n, n_classes))

/* How far class y stands below the best of its row; without y, the last one. */
INLINE int depth_rows(const double *scores, const intptr_t *y, double *out, ptrdiff_t n,
                      ptrdiff_t n_classes)
{
    ptrdiff_t i, j;
    for (i = 0; i < n; i++, scores += n_classes) {
        double best = largest(scores, n_classes), least = best;
        if (y)
            least = scores[y[i]];
        else
#pragma omp simd reduction(min : least)
            for (j = 0; j < n_classes; j++)
                least = scores[j] < least ? scores[j] : least;
        out[i] = best - least;
    }
    return 0;
}
DISPATCH(depth,
         (const double *scores, const intptr_t *y, double *out, ptrdiff_t n, ptrdiff_t n_classes),
         (scores, y, out, n, n_classes))
