"""Sentences to be said and heard again: fifty written for this, and as many as are wanted by rule."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

FIFTY = tuple(
    """The morning train was late again, and nobody on the platform seemed surprised.
She opened the window and let the cold air into the kitchen.
Please leave your umbrella by the door before you come upstairs.
The old bridge was closed for repairs until the end of the summer.
We walked along the river until the lights of the town disappeared.
His sister writes letters by hand and posts them every Friday.
A good story needs a beginning, a problem and somebody who cares.
The bakery on the corner sells bread that is still warm at noon.
Nobody told the children that the circus had already left.
The garden looks best in May, when the apple trees are in bloom.
I would like a cup of tea and a quiet place to read.
The museum is free on Sundays, but the queue is very long.
They painted the boat green because it was the cheapest colour.
Turn left at the church and follow the road down to the harbour.
The teacher asked a simple question, and the whole class was silent.
My neighbour keeps bees on the roof of his garage.
The film was too long, although the music was beautiful.
He promised to call as soon as the plane had landed.
Fresh snow covered the fields and every sound was soft.
The doctor told him to drink more water and to sleep longer.
Our new chair is light, strong and easy to put together.
You can wash this jacket by hand or in a machine at low heat.
The battery lasts a whole day and charges in less than an hour.
Every lamp in this series is made of glass and brushed steel.
The small backpack has room for a laptop, a bottle and a book.
Before we begin, please switch off your phone.
In this lesson we look at how plants make sugar from light.
The second chapter explains why the experiment failed.
Write down three things that went well this week.
The answer is hidden in the last line of the poem.
The storm took the roof of the barn and left the house alone.
She learned to swim in a lake that was never warm.
The engineer drew the plan on the back of an envelope.
A short pause can say more than a long sentence.
The market opens at dawn and closes when the fish is sold.
They found the missing key inside a shoe under the bed.
The committee meets again on Tuesday to discuss the budget.
The river is higher than it was at this time last year.
Nothing grows on that hill except grass and yellow flowers.
The pilot spoke calmly while the passengers held their breath.
We saved for years to buy a house with a view of the sea.
The recipe calls for butter, flour, sugar and a little salt.
His voice was so quiet that we had to lean forward.
The library keeps old newspapers in the basement.
The dog waited by the gate until it was dark.
It takes an hour to climb the tower and a minute to fall in love with the view.
The company answers every complaint within two days.
She carried the box carefully because it was full of eggs.
The last bus leaves at midnight from the square behind the station.
Thank you for listening, and see you next week.""".splitlines()
)

_WHO = (
    "the baker,the captain,the doctor,the farmer,the gardener,the lawyer,the painter,the sailor,the nurse,the poet"
)
_DID = "carried,described,discovered,forgot,mended,noticed,offered,painted,returned,remembered,sold"
_WHAT = "a heavy box,a letter from home,a small boat,an old map,the broken clock,the green chair,the last ticket"
_WHEN = (
    "after the long winter,before the sun came up,during the quiet hours,in the middle of the night,on market day"
)


def sentences() -> Iterator[str]:
    """Different ones, without end."""
    who, did, what, when = (words.split(",") for words in (_WHO, _DID, _WHAT, _WHEN))
    for number in count():
        first, rest = who[number % 10], who[(number // 10 + number + 3) % 10]
        turn = number // 7
        yield (
            f"{first.capitalize()} {did[number % 11]} {what[number % 7]} {when[turn % 5]}"
            f" while {rest} {did[(turn + 4) % 11]} {what[(turn + number) % 7]}."
        )


def script(characters: int) -> str:
    """A script of so many characters, in paragraphs of five sentences, each sentence once."""
    seen: dict[str, None] = {}
    length = 0
    for sentence in sentences():
        if sentence not in seen:
            seen[sentence] = None
            length += len(sentence) + 1
        if length >= characters:
            break
    said = list(seen)
    return "\n\n".join(" ".join(said[start : start + 5]) for start in range(0, len(said), 5))


def products(number: int) -> list[str]:
    """So many rows of a shop: article, name, colour, price; no two alike."""
    kinds = ["lamp", "chair", "table", "jacket", "backpack", "bottle", "clock", "kettle", "mirror", "notebook"]
    makes = ["classic", "compact", "folding", "garden", "summer", "travel", "winter", "wooden", "office", "vintage"]
    colours = ["black", "blue", "green", "grey", "red", "white", "yellow"]
    return [f"P{n},{makes[n // 10 % 10]} {kinds[n % 10]},{colours[n % 7]},{19 + n // 3}" for n in range(number)]
