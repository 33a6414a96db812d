"""A report: frames in, one HTML file out; imports go one way.

`data` is all that a report is made from. `headline` says it in sentences, `plotly_figures` and
`png_figures` draw it, `figures` keeps what was drawn, `sections` and `provenance` put it in order,
`page` makes it one file.
"""
