"""The letters of Kokoro: which sounds it knows, and how IPA is written in them."""

from __future__ import annotations

import re
import unicodedata

#: Letters in the order of their numbers, from the number at which each run of them begins.
_RUNS = {
    1: ";:,.!?",
    9: '—…"()“” \u0303ʣʥʦʨᵝꭧAI',
    31: "O",
    33: "Q",
    35: "ST",
    39: "W",
    41: "Yᵊabcdef",
    50: "hijklmnopqrstuvwxyzɑɐɒæ",
    75: "βɔɕç",
    80: "ɖðʤə",
    85: "ɚɛɜ",
    90: "ɟ",
    92: "ɡ",
    99: "ɥ",
    101: "ɨɪʝ",
    110: "ɯɰŋɳɲɴø",
    118: "ɸθœ",
    123: "ɹ",
    125: "ɾɻ",
    128: "ʁɽʂʃʈʧ",
    135: "ʊʋ",
    138: "ʌɣɤ",
    142: "χʎ",
    147: "ʒʔ",
    156: "ˈˌː",
    162: "ʰ",
    164: "ʲ",
    169: "↓",
    171: "→↗↘",
    177: "ᵻ",
}
NUMBERS = {letter: first + place for first, run in _RUNS.items() for place, letter in enumerate(run)}

_VOWELS = "AIOQWYaiuæɑɒɔəɛɜɪʊʌᵻ"

# What Kokoro writes as one letter; the longer before the shorter.
_IPA = (
    *(("eɪ", "A"), ("aɪ", "I"), ("aʊ", "W"), ("ɔɪ", "Y"), ("oʊ", "O"), ("əʊ", "Q")),
    *(("dʒ", "ʤ"), ("tʃ", "ʧ"), ("ɝ", "ɜɹ"), ("ɚ", "əɹ"), ("əl", "ᵊl"), ("ɫ", "l"), ("l̩", "ᵊl"), ("n̩", "ᵊn")),
    *(("g", "ɡ"), ("r", "ɹ"), ("'", "ˈ"), (":", "ː"), ("ɐ", "ə"), ("e", "ɛ")),
)

# Before a vowel an r is said in London too.
_NO_R = rf"ɹ(?! ?[ˈˌ]?[{_VOWELS}])"
_BRITISH = (
    *((f"ɜ{_NO_R}", "ɜː"), (f"ɑ{_NO_R}", "ɑː"), (f"ɔ{_NO_R}", "ɔː"), (f"ə{_NO_R}", "ə")),
    *((f"ɪ{_NO_R}", "ɪə"), (f"ɛ{_NO_R}", "ɛː"), (f"ʊ{_NO_R}", "ʊə"), (_NO_R, "")),
    *(("O", "Q"), ("T", "t"), ("ᵻ", "ɪ"), ("ɑ(?!ː|ɹ)", "ɒ"), ("ɔ(?!ː|ɹ)", "ɔː")),
    (rf"([ˈˌ][^ {_VOWELS}]*)([iu])(?!ː)", r"\1\2ː"),
)


def from_ipa(ipa: str) -> str:
    """Sounds in IPA, in Kokoro's letters."""
    letters = unicodedata.normalize("NFC", ipa).replace("͡", "").replace("‿", "")
    for sound, letter in _IPA:
        letters = letters.replace(sound, letter)
    return "".join(letter for letter in letters if letter in NUMBERS)


def british(letters: str) -> str:
    """American sounds, about as they are said in England."""
    for sound, other in _BRITISH:
        letters = re.sub(sound, other, letters)
    return letters


def numbered(letters: str) -> list[int]:
    """The numbers of those letters that Kokoro knows."""
    return [NUMBERS[letter] for letter in letters if letter in NUMBERS]
