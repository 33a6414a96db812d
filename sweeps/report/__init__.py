"""A report: frames in, one HTML file out; imports go one way.

`data` is all that a report is made from. `headline` says it in sentences, `figures` and
`hyperparameter_figures` describe what is drawn, `plotly_json` and `dqn.plotting.png` draw it,
`sections` and `provenance` put it in order, `page` makes it one file.
"""
