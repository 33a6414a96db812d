"""A report: frames in (`data`), one HTML file out (`page`); imports go one way."""
