"""Desktop programs on a virtual display: pictures with labels from AT-SPI.

`apps` lists programs and themes, `stage` shows one and acts on it, `tree` reads what assistive
programs are told, `reading` turns that into elements that can be asked for.
`python -m agent.learning.programs` writes shards.
"""
