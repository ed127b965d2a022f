"""Corpora: each read from its own published layout, all seen alike by the profiler.

`profiler.corpora.reader` says what a corpus declares and how it is read, `profiler.corpora.base`
what it is once read; `profiler.corpora.registry` lists all; `profiler.corpora.audit` checks one.
"""
