"""Places: datum conversion, areas and grids, compounds, the gazetteer, the base map."""
