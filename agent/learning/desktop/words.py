"""Words for the tasks, none of which training screens are made of on purpose."""

TOWNS = (
    "Lisbon", "Oslo", "Prague", "Dublin", "Vienna", "Geneva", "Tallinn", "Bergen", "Turin", "Malmo"
)  # fmt: skip
PEOPLE = ("Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Radia", "Niklaus")
THINGS = ("Apples", "Bread", "Cheese", "Dates", "Eggs", "Flour", "Grapes", "Honey")
