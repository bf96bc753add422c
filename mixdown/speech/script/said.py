"""What is written short is said in full: abbreviations that mean one thing only, and addresses of the web."""

from __future__ import annotations

import re

_ADDRESS = re.compile(r"\bhttps?://(?:www\.)?(?=\w)", re.IGNORECASE)

#: By language. Left to the engines is what has several meanings (St., No., Nr. behind a number) or is declined.
_ABBREVIATIONS = {
    "en": {
        "e.g.": "for example",
        "i.e.": "that is",
        "etc.": "et cetera",
        "vs.": "versus",
        "approx.": "approximately",
        "Mr.": "Mister",
        "Mrs.": "Missus",
        "Ms.": "Miz",
        "Prof.": "Professor",
    },
    "de": {
        "z.\u00a0B.": "zum Beispiel",
        "z. B.": "zum Beispiel",
        "z.B.": "zum Beispiel",
        "d. h.": "das heißt",
        "d.h.": "das heißt",
        "u. a.": "unter anderem",
        "u.a.": "unter anderem",
        "usw.": "und so weiter",
        "bzw.": "beziehungsweise",
        "ca.": "circa",
        "evtl.": "eventuell",
        "vgl.": "vergleiche",
        "Prof.": "Professor",
        "Dr.": "Doktor",
    },
    "fr": {"etc.": "et cetera", "Mme": "Madame", "Mlle": "Mademoiselle", "p. ex.": "par exemple"},
    "es": {"p. ej.": "por ejemplo", "Sra.": "señora", "Sr.": "señor", "Dra.": "doctora", "etc.": "etcétera"},
    "it": {"ecc.": "eccetera", "ad es.": "ad esempio", "Sig.ra": "signora", "Sig.": "signor"},
}

#: “Dr.” is also the Drive of an address: a doctor has a name behind it and no number before it.
_DOCTOR = re.compile(r"(?<!\w)Dr\.(?=\s+[A-Z]\w)")


def spelled_out(text: str, language: str) -> str:
    """A text with its abbreviations in full."""
    spoken = language.partition("-")[0].lower()
    text = _ADDRESS.sub("", text)
    if spoken == "en":
        text = _DOCTOR.sub("Doctor", text)
    if spoken not in _PATTERNS:
        return text
    words = _ABBREVIATIONS[spoken]
    return _PATTERNS[spoken].sub(lambda found: words[found[0]], text)


_PATTERNS = {
    language: re.compile(
        r"(?<![\w.])(?:" + "|".join(re.escape(each) for each in sorted(words, key=len, reverse=True)) + r")(?!\w)"
    )
    for language, words in _ABBREVIATIONS.items()
}
