"""Scripted oracles: one per MiniWoB++ task, reading the DOM at training time only.

An oracle looks at the page as it is, not at what was done before, so it can label any state that an
agent gets into. `tasks.ORACLES` lists them all; `tasks.label` asks one.
"""
