"""Edits: what changes the length, the order or the company of a recording.

Most of them are clips on a timeline (`timeline`); all work block by block, from one intermediate on the scratch
disk to another, and take the chapter marks along (`marks`).
"""

from mixdown.editing.desk import Desk
from mixdown.editing.edit import edit

__all__ = ["Desk", "edit"]
