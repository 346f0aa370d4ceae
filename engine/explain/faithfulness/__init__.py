"""Does an explanation say what the model really rests on? Curves, erasure, agreement with people, planted truth.

`measure` scores a method on items, `agreement` compares with marked words, `planted` makes captures whose evidence is
known. Heavy (torch); used by the command line and by benchmarks.
"""
