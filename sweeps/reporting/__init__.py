"""What `sweeps.report` is made of; imports go one way, from rows to the page.

`knobs` and `tables` are frames of seeds.csv, `curves` of episodes.parquet, `importance` follows
from them; `evidence` is all of it. `answer` says it in sentences, `charts` and `stills` draw it,
`gallery` keeps what was drawn, `sections` and `origin` put it in order, `page` makes it one file.
"""
