"""How Sphinx builds the site: `make docs`. What is generated stands in docs/generated and is not committed."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from mien.version import __version__

project = "mien"
author = "The mien maintainers"
release = version = __version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "site_pages",
]
exclude_patterns = ["_build", "README.md"]
nitpicky = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4  # as GitHub makes them, so that a link works in both places

smartquotes = False  # they would turn the two dashes of options into one long one
default_role = "code"
highlight_language = "none"  # most blocks are commands
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False
copybutton_exclude = ".linenos, .gp, .go"

html_theme = "furo"
html_title = f"mien {release}"
html_static_path = ["images"]
html_show_copyright = False  # LICENSE says it, and there is no one holder
html_show_sourcelink = False
html_copy_source = False
pygments_style = "friendly"
pygments_dark_style = "monokai"
