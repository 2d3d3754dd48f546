"""Values become text and JSON, and go out.

output.py     what a session asks of an output; Context, the facts it needs
text.py       bpftrace's text · json.py  one JSON object a line
value.py      one value as text · histogram.py  buckets as bars
printf.py     a format and its arguments' types → bytes for a whole batch
clock.py      strftime
order.py      in which order a map is shown, `top` and `div`
tables.py     maps as CSV, stacks as folded lines · array.py  JSON lines as one array
sink.py       a file descriptor, written in batches, that survives what files do
"""
