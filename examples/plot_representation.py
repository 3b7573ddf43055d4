"""
Complete and minimal: every distribution, and each of them once
===============================================================

A model is complete if every distribution of the classes without a zero comes from some scores, and
minimal if it comes from no others, common shifts aside. For three classes both can be seen: the
scores that sum to zero are a plane, the distributions a triangle, and the model bends the one into
the other. Complete means that the triangle is filled, minimal that nothing is folded or squashed.
Noise whose density is positive all the way to infinity does both. Uniform noise, noise with gaps
and discrete noise do not, unless a softmax takes the place of the argmax. All probabilities are
exact; there is no Monte Carlo here.
"""

# %%
# A plane, bent into a triangle
# -----------------------------
# The same grid of scores for seven noises. Along each of its lines two scores keep their difference
# and only the third changes. No two scores differ by more than 2.5 interquartile ranges (IQR) of
# the noise: that is the unit throughout, as Cauchy noise has no standard deviation.

from itertools import permutations, product

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.patches import RegularPolygon
from scipy.special import softmax
from scipy.stats import rv_histogram

from skperturb import PerturbArgmax, PerturbSoftmax
from skperturb.noise import Discrete, interquartile_range
from skperturb.representation import verify_representation

histogram = np.array([2.5, 0, 2.5]), np.array([-1.2, -1, 1, 1.2])
noises = {
    "Gaussian": "gaussian",
    "Gumbel": "gumbel",
    "Cauchy": "cauchy",
    "exponential": "exponential",
    "uniform": "uniform",  # on [-1, 1]
    "gaps": rv_histogram(histogram, density=True, name="gaps")(),  # on [-1.2, -1] and [1, 1.2]
    "discrete": Discrete([-1, 1]),
}
argmax = {name: PerturbArgmax(noise) for name, noise in noises.items()}
# Orthonormal columns with sum zero: both planes are drawn without distortion.
corners = np.array([[-np.sqrt(3), -1], [np.sqrt(3), -1], [0, 2]]) / np.sqrt(6)
reach, n = 2.5, 51
families = {
    "A less B is constant": ("#0072B2", [(0, 1, 2), (1, 0, 2)]),
    "B less C is constant": ("#D55E00", [(2, 0, 1), (2, 1, 0)]),
    "C less A is constant": ("#009E73", [(1, 2, 0), (0, 2, 1)]),
}


def line(difference):
    """Scores of which the first two keep their difference, all across the hexagon."""
    third = (reach - difference / 2) * np.linspace(-1, 1, 100)
    scores = np.stack([0 * third + difference / 2, 0 * third - difference / 2, third], axis=1)
    return scores - scores.mean(axis=1, keepdims=True)


def by_differences(first, second):
    """Scores A > B > C that sum to zero, from A - B and B - C."""
    return np.stack([2 * first + second, second - first, -first - 2 * second], axis=-1) / 3


def cells(reach, n):
    """The middles of n x n cells where A > B > C; inside the hexagon where i + j < n - 1."""
    middles = reach * (np.arange(n) + 0.5) / n
    return by_differences(*np.meshgrid(middles, middles)), np.add.outer(*2 * [np.arange(n)])


def unit(model):
    """The IQR of the noise, to which a softmax adds temperature * Gumbel noise."""
    gumbel = interquartile_range(argmax["Gumbel"].noise)
    return np.hypot(interquartile_range(model.noise), getattr(model, "temperature", 0) * gumbel)


# All classes have the same noise: the other five orders of the classes are like A > B > C.
lines = np.array([line(difference) for difference in np.arange(0.25, reach, 0.5)])
scores, place = cells(reach, n)
inside = scores[place < n - 1]


def in_all_orders(p):
    return np.concatenate([p[:, order] for order in permutations(range(3))]).round(9)


def draw_lines(axis, curves):
    for color, orders in families.values():
        for order in orders:
            for curve in curves:
                axis.plot(*(curve[:, order] @ corners).T, color=color, linewidth=0.9)


def draw_triangle(axis, model):
    axis.fill(*corners.T, facecolor="none", edgecolor="0.6", linewidth=0.8)
    for name, corner in zip("ABC", corners, strict=True):
        axis.text(*(1.14 * corner), name, ha="center", va="center")
    if model.representation().complete:
        draw_lines(axis, model.proba(unit(model) * lines.reshape(-1, 3)).reshape(lines.shape))
    axis.set(aspect="equal", xlim=(-0.8, 0.8), ylim=(-0.55, 1.02))
    axis.axis("off")


def answer(model):
    said = model.representation()
    words = [("complete", said.complete), ("minimal", said.minimal)]
    return ", ".join(word if value else f"not {word}" for word, value in words)


p = {name: model.proba(unit(model) * inside) for name, model in argmax.items()}

fig, axes = plt.subplots(2, 4, figsize=(11, 6.2), layout="constrained")
for axis, (name, model) in zip([*axes[0], *axes[1, 1:]], argmax.items(), strict=True):
    draw_triangle(axis, model)
    points, counts = np.unique(in_all_orders(p[name]), axis=0, return_counts=True)
    share = counts / counts.sum()
    often = share > 0.001
    dots = points[often] @ corners
    axis.scatter(*dots.T, 1000 * share[often], color="black", linewidths=0, zorder=3)
    axis.set_title(f"{name}\n{answer(model)}", fontsize=10)
draw_lines(axes[1, 0], lines)
axes[1, 0].set_title("the scores", fontsize=10)
across = r"$(\theta_B - \theta_A) / \sqrt{2}$"
up = r"$(2\theta_C - \theta_A - \theta_B) / \sqrt{6}$"
axes[1, 0].set(aspect="equal", xlabel=f"{across}, in IQR", ylabel=f"{up}, in IQR")
handles = [plt.Line2D([], [], color=color, label=name) for name, (color, _) in families.items()]
fig.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)

# %%
# The first row has no folds: two lines cross where they cross in the plane, and nowhere else. Only
# with Gumbel noise are the lines straight, each towards a corner: log(p_A / p_B) is A less B
# whatever C does. Cauchy noise fills the least of the triangle; the rest comes from scores
# further out.
#
# The black dots are distributions that many scores share, more than one in a thousand; their area
# is the share. With uniform noise they are on the border: if a class trails by 2, the width of the
# noise, it cannot win. With gaps nearly all scores end up on a net, and the lines of the grid with
# them. With discrete noise no lines are left to draw. The probabilities to nine decimals, for a
# dense grid of scores:

print(f"{'':12}{'different p':>12}{'with a zero':>12}   of {6 * len(inside)} scores")
for name in noises:
    different = len(np.unique(in_all_orders(p[name]), axis=0))
    print(f"{name:12}{different:12}{(p[name] == 0).any(axis=1).mean():12.1%}")

# %%
# Discrete noise has 15 distributions, nine of them with a zero. (Scores that tie exactly, which the
# grid avoids, have 28 more. They are finitely many all the same.)
#
# Local volume
# ------------
# How much of the triangle does a small piece of the plane fill? The factor is the product of the
# two eigenvalues of the Jacobian that are not zero. By the matrix-tree theorem it is
# :math:`3 (ab + bc + ca)` with :math:`a, b, c` the densities of ties of two classes above the
# third: exactly zero where ties do not link all three, and a sum without differences, so that
# the smallest volumes keep their digits. Summed over the plane, it gives the share of the triangle
# that is filled.


def local_volume(model, scores):
    """Area in the triangle per area of scores in units of the noise."""
    jacobian = unit(model) * model.jacobian(unit(model) * scores)
    ab, bc, ca = -jacobian[:, 0, 1], -jacobian[:, 1, 2], -jacobian[:, 2, 0]
    return 3 * (ab * bc + bc * ca + ca * ab)


def draw_volume(axis, model, norm, reach=reach, n=n):
    """The hexagon; returns the volumes inside and the share of the triangle that is filled."""
    scores, place = cells(reach, n)
    volume = np.zeros((n, n))
    volume[place < n] = local_volume(model, scores[place < n])
    size = np.sqrt(2 / 3) * reach
    hexagon = RegularPolygon((0, 0), 6, radius=size, facecolor="0.85", edgecolor="0.6")
    axis.add_patch(hexagon).set_hatch("////")
    edges = np.linspace(0, reach, n + 1)
    grid = by_differences(*np.meshgrid(edges, edges))
    for order in permutations(range(3)):
        x, y = np.moveaxis(grid[:, :, order] @ corners, 2, 0)
        mesh = axis.pcolormesh(x, y, np.ma.masked_equal(volume, 0), norm=norm, cmap="viridis")
        mesh.set_clip_path(hexagon)
    axis.set(aspect="equal", xlim=(-1.05 * size, 1.05 * size), ylim=(-1.05 * size, 1.05 * size))
    # The border halves its cells. A cell has the area (reach / n)^2 / sqrt(3), the triangle
    # sqrt(3) / 2.
    filled = 4 * (reach / n) ** 2 * (volume[place < n - 1].sum() + volume[place == n - 1].sum() / 2)
    return mesh, volume[place < n - 1], filled


fig, axes = plt.subplots(2, 4, figsize=(11, 5.8), layout="constrained")
norm = LogNorm(1e-4, 1)
print(f"{'':12}  volume 0   triangle filled")
for axis, (name, model) in zip(axes.flat, argmax.items(), strict=False):
    mesh, volume, filled = draw_volume(axis, model, norm)
    axis.set_title(name, fontsize=10)
    print(f"{name:12}{(volume == 0).mean():10.1%}{filled:18.1%}")
filled = draw_volume(axes[1, 3], argmax["gaps"], norm, reach / 10, 40)[2]
axes[1, 3].set_title("gaps, middle, 10 times as large", fontsize=10)
print(f"gaps, the island in the middle{filled:10.1%}")
fig.supxlabel(f"{across}, in IQR", fontsize=10)
fig.supylabel(f"{up}, in IQR", fontsize=10)
fig.colorbar(mesh, ax=axes, extend="both", label="local volume; hatched: exactly 0", aspect=40)

# %%
# Where the volume is zero the plane is squashed. With uniform noise that is the outside only, and
# the triangle is full before it begins. With gaps it is all but seven islands, and each of them is
# stretched over one of the seven meshes of the net: the one in the middle fills 34.3 % of the
# triangle by this sum, and its mesh is 11/32 of it. So the model is complete all the same. A
# distribution inside a mesh has its scores on an island, and one on a knot has a whole region of
# them. (For the small islands the cells are coarse: in truth the 93.9 % are 100 %.) With discrete
# noise there are no islands.
#
# A softmax repairs all of them
# -----------------------------
# Perturb-Softmax is complete and minimal with any noise: it adds temperature times Gumbel noise,
# which has no gaps, and takes the argmax. The unit of the scores is now the root of the sum of the
# squares of both IQRs, so that the grid keeps its place as the temperature rises.

temperatures = [0.02, 0.3, 1, 10]
failing = ["uniform", "gaps", "discrete"]
models = {
    (name, temperature): PerturbSoftmax(noises[name], temperature=temperature)
    for name in failing
    for temperature in temperatures
}
fig, axes = plt.subplots(3, 4, figsize=(11, 8.4), layout="constrained")
for axis, ((name, temperature), model) in zip(axes.flat, models.items(), strict=True):
    draw_triangle(axis, model)
    axis.set_title(f"{name}, temperature {temperature}", fontsize=10)
fig.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)

# %%
# At a temperature of 10 the noise is forgotten, and all three are multinomial logistic regression,
# with its straight lines. At 0.02 the eye sees the argmax, although no two points have been laid on
# one another, and even discrete noise fills the triangle. How little it takes is a matter for the
# volumes. Their scale is longer than above, and dark means 1e-12 or less.

fig, axes = plt.subplots(3, 4, figsize=(11, 8.8), sharex=True, sharey=True, layout="constrained")
volumes = {}
for axis, (key, model) in zip(axes.flat, models.items(), strict=True):
    mesh, volumes[key], _ = draw_volume(axis, model, LogNorm(1e-12, 10))
    title = f"{key[0]}, temperature {key[1]}\nsmallest volume {volumes[key].min():.0e}"
    axis.set_title(title, fontsize=10)
fig.supxlabel(f"{across}, in units of the noise", fontsize=10)
fig.supylabel(f"{up}, in units of the noise", fontsize=10)
fig.colorbar(mesh, ax=axes, extend="both", label="local volume", aspect=40)

print(f"{'smallest volume':24}" + "".join(f"{name:>12}" for name in failing))
for temperature in temperatures:
    row = "".join(f"{volumes[name, temperature].min():12.2e}" for name in failing)
    print(f"temperature {temperature:<12}{row}")
print(f"{'Gumbel, Perturb-Argmax':24}{local_volume(argmax['Gumbel'], inside).min():12.2e}")

# %%
# No volume is zero, and the smallest are no rounding errors. With discrete noise they are easily
# checked: p is a plain mean over the eight values of the noise.


def plain(scores, temperature):
    """log p, and the densities of the three ties."""
    q = softmax((scores + np.array(list(product([-1, 1], repeat=3)))) / temperature, axis=1)
    return np.log(q.mean(axis=0)), (q * np.roll(q, -1, axis=1)).mean(axis=0) / temperature


for temperature in temperatures:
    model, volume = models["discrete", temperature], volumes["discrete", temperature]
    _, (ab, bc, ca) = plain(unit(model) * inside[volume.argmin()], temperature)
    checked = unit(model) ** 2 * 3 * (ab * bc + bc * ca + ca * ab)
    print(f"temperature {temperature:<5} relative error {volume.min() / checked - 1:8.0e}")
pair = np.array([[0.6, 0, -0.6], [0.7, 0, -0.7]])
print("discrete, temperature 0.02: log p of (0.7, 0, -0.7) less that of (0.6, 0, -0.6)")
print("plain mean    ", plain(pair[1], 0.02)[0] - plain(pair[0], 0.02)[0])
print("as integrated ", *np.diff(models["discrete", 0.02].log_proba(pair), axis=0))

# %%
# But minimal on paper is not much of a help. From one of these scores to the other A less C grows
# by a fifth of the noise's standard deviation, and log p changes by 2e-13 at most, which is lost in
# the error of the integrals, 1e-11. No data would tell the two apart, and a fit that starts there
# finds no slope. The temperature has to be of the order of the noise before the model is of use.
#
# Two planes and one direction
# ----------------------------
# Adding the same number to all scores changes no probability, so that no model is minimal without a
# constraint. There are two: the scores sum to zero, or those of a reference class, here A, are
# zero. Both are planes, and each line along (1, 1, 1), which has one p, meets each plane once.

model = argmax["Gaussian"]
p = np.array([[5, 3, 2], [1, 2, 7], [2, 7, 1], [6, 1, 3], [1, 5, 4]]) / 10
summed, reference = (model.scores_from_proba(p, way) for way in ["sum_to_zero", "reference"])
difference, shift = model.proba(summed) - model.proba(reference), summed - reference
print(f"largest |p difference| between the planes  {np.abs(difference).max():.0e}")
print(f"scores, apart from a common shift          {np.ptp(shift, axis=1).max():.0e}")
print("minimal without a constraint              ", model.representation(None).minimal)

blue, orange = "#0072B2", "#D55E00"
fig = plt.figure(figsize=(11, 5.4), layout="constrained")
fig.get_layout_engine().set(wspace=0.12)
axis = fig.add_subplot(1, 2, 1, projection="3d", computed_zorder=False)
square = 1.5 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
floor = np.insert(square, 0, 0, axis=1)
tilted = square @ corners.T
up_last = [1, 2, 0]  # A upwards
for plane, color in [(floor, orange), (tilted, blue)]:
    x, y, z = plane[[[0, 1], [3, 2]]][:, :, up_last].transpose(2, 0, 1)
    axis.plot_surface(x, y, z, color=color, alpha=0.2, shade=False)
for start, end in zip(summed, reference, strict=True):
    axis.plot(*np.stack([start, end])[:, up_last].T, color="0.2", linewidth=1.2)
axis.plot(*summed[:, up_last].T, "o", color=blue, label="sum is zero")
axis.plot(*reference[:, up_last].T, "s", color=orange, label="A is zero")
axis.quiver(0, 0, 0, 1, 1, 1, color="black", arrow_length_ratio=0.15)
axis.text(1.1, 1.1, 1.1, "(1, 1, 1)")
axis.set(xlabel=r"$\theta_B$", ylabel=r"$\theta_C$", zlabel=r"$\theta_A$", aspect="equal")
axis.set(xticks=[-1, 0, 1], yticks=[-1, 0, 1], zticks=[-1, 0, 1])
axis.set_box_aspect(None, zoom=0.9)
axis.view_init(elev=20, azim=-25)
axis.set_title("three classes, five distributions", fontsize=10)
axis.legend()

axis = fig.add_subplot(1, 2, 2)
ticks = np.linspace(-2, 2, 81)
a, b = np.meshgrid(ticks, ticks)
p_a = model.proba(np.stack([a.ravel(), b.ravel()], axis=1))[:, 0].reshape(a.shape)
bands = axis.contourf(a, b, p_a, levels=np.linspace(0, 1, 21), cmap="cividis")
fig.colorbar(bands, ax=axis, label="probability of A", ticks=np.linspace(0, 1, 6), shrink=0.8)
p = np.stack([1 - np.array([0.15, 0.35, 0.65, 0.85]), [0.15, 0.35, 0.65, 0.85]], axis=1)
summed, reference = (model.scores_from_proba(p, way) for way in ["sum_to_zero", "reference"])
axis.plot(ticks, -ticks, color="white", linewidth=1)
axis.plot(0 * ticks, ticks, color="white", linewidth=1)
for start, end in zip(summed, reference, strict=True):
    axis.plot(*np.stack([start, end]).T, color="black", linewidth=1.2)
axis.plot(*summed.T, "o", color=blue, markeredgecolor="white")
axis.plot(*reference.T, "s", color=orange, markeredgecolor="white")
axis.set(aspect="equal", xlabel=r"$\theta_A$", ylabel=r"$\theta_B$")
axis.set(xticks=range(-2, 3), yticks=range(-2, 3))
axis.set_title("two classes, all distributions", fontsize=10)

# %%
# The two planes are the same plane under two names: what is complete or minimal in the one is so in
# the other.
#
# What is said, and what is found
# -------------------------------
# ``representation`` decides from the noise's support, gaps and atoms. ``verify_representation``
# knows nothing of them: it inverts 40 random distributions, and looks for scores beside those found
# and beside 40 random ones that give the same p ("collisions"; "interior" are those without a
# zero).

yes = {True: "yes", False: "no"}
found = {}
print(f"{'':19} said:             found:")
print(f"{'':19} complete minimal  complete minimal reached  error   collisions interior")
for name, noise in noises.items():
    for model in [PerturbArgmax(noise), PerturbSoftmax(noise)]:
        kind = type(model).__name__.removeprefix("Perturb")
        said = model.representation()
        result = verify_representation(model, n_classes=3, n_points=40, random_state=0)
        found[name, kind] = result
        row = f"{name:12}{kind:8}{yes[said.complete]:9}{yes[said.minimal]:9}"
        row += f"{yes[result.complete]:9}{yes[result.minimal]:8}{result.n_reached:3}/40  "
        row += f"{result.worst_error:7.0e}{result.n_collisions:10}{result.n_interior:10}"
        print(row)
        if said.where != "everywhere":
            print(f"{'':8}minimal where {said.where}")

# %%
# They agree for all seven noises and both models. The collisions with uniform noise all have a
# zero, those with gaps mostly not. One answer in full, and the examples that were found:

print(argmax["gaps"].representation())
collision = found["gaps", "Argmax"].collision
print("\ngaps: two sets of scores, and their p")
print(np.hstack([collision, argmax["gaps"].proba(collision)]).round(6))
print("discrete: not reached", found["discrete", "Argmax"].unreached.round(4))

# %%
# What to conclude
# ----------------
# With Perturb-Argmax take noise whose density is positive all the way to infinity. Which one is no
# matter of completeness. Uniform noise represents everything, but 35.7 % of these scores give a
# class probability zero, so that one case of that class makes the likelihood zero. With gaps
# 98.4 % of the scores lie where p does not change in some direction. With discrete noise 15
# distributions are all there is between ties, and none of the 40 asked for was reached.
#
# Perturb-Softmax is complete and minimal whatever the noise. At temperature 1 little of all this is
# left: the smallest volumes are 2e-3, 3e-4 and 4e-4, where logistic regression has 3e-3. At 0.02
# they are 6e-24, 4e-130 and 2e-122. The theorem holds there as well, and is worth nothing.
#
# A limit of such checks: that no collision is found proves nothing, since 80 scores are tried, one
# step from each, and what differs by less than 1e-8 counts as the same. What is proved is what
# ``representation`` says, and for a distribution of scipy.stats that depends on gaps and atoms
# being recognised.
