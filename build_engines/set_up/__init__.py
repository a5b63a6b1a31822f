"""``python -m build_engines.set_up``: from an empty ``.venv`` to a station that can be shown or tested.

``make demo`` and ``make test`` call it in an environment that holds nothing but pip and rich. What takes long
goes on side by side: packages and weights come in while llama.cpp is compiled and the graph is measured.
"""
