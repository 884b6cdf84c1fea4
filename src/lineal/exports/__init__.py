"""A trace in the words of others: W3C PROV, Graphviz, Mermaid. Pure: models in, text out."""
