"""Corpora: each read from its own published layout, all seen alike by the profiler.

`profiler.corpora.registry` lists them and reads them; `profiler.corpora.base` says what a corpus
is; `profiler.corpora.audit` checks one.
"""
