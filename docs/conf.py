"""Configuration of the documentation."""

import inspect
import os

import skperturb

project = "skperturb"
author = "The skperturb developers"
copyright = "2026, The skperturb developers"
version = release = skperturb.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx-mathjax-offline",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "evidence_tables.md"]  # the second is included by evidence.md
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 2
autosummary_generate = True
numpydoc_show_class_members = False
autodoc_mock_imports = ["torch", "triton"]  # the pages are made without the extra
# scikit-learn's own methods are documented there.
autodoc_default_options = {
    "members": True,
    "inherited-members": True,
    "exclude-members": "score, get_params, set_params, set_output, get_metadata_routing, "
    "set_fit_request, set_score_request, extra_repr",
}
templates_path = ["_templates"]

html_theme = "pydata_sphinx_theme"
html_title = "skperturb"
html_theme_options = {"secondary_sidebar_items": ["page-toc"], "show_prev_next": False}
pages_alone = ("install", "tutorial", "statisticians", "ja", "changes")
html_sidebars = {page: [] for page in pages_alone}
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["site.css"]

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": "plot_",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "parallel": os.cpu_count(),
}


def signature_of_module(app, what, name, value, options, signature, returns):
    """That of a class for PyTorch, whose base is not there when the pages are made."""
    if what != "class" or not name.startswith("skperturb.torch."):
        return None
    parameters = [*inspect.signature(value.__init__).parameters.values()][1:]
    plain = [parameter.replace(annotation=parameter.empty) for parameter in parameters]
    return str(inspect.Signature(plain)), None


def setup(app):
    app.connect("autodoc-process-signature", signature_of_module)
