"""Web pages under several CSS kits: training data whose labels come from the DOM.

`markup` writes plain HTML, `skins` dresses it (or a page of your own) in a kit, `studio` takes the
picture in Chromium and reads what is where. `python -m agent.learning.pages` writes shards.
"""
