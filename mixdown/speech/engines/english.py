"""English as it is read out: what a dictionary of sounds would pass over or get wrong."""

from __future__ import annotations

import re
import unicodedata

_SIGNS = {
    **{"½": " one half", "¼": " one quarter", "¾": " three quarters", "⅓": " one third", "⅔": " two thirds"},
    **{"×": " times ", "÷": " divided by ", "±": " plus or minus ", "≈": " about ", "=": " equals "},
    **{"<": " less than ", ">": " more than ", "≤": " at most ", "≥": " at least ", "→": " to "},
    **{"°C": " degrees Celsius", "°F": " degrees Fahrenheit", "°": " degrees", "№": "number ", "#": " number "},
    **{"…": "... ", "•": ", ", "_": " ", "|": ", ", "©": "", "®": "", "™": ""},
}
_A_SIGN = re.compile("|".join(map(re.escape, _SIGNS)))
_MIXED = re.compile(r"(?<=\d)\s?(?=[½¼¾⅓⅔])")

_UNITS = {
    **{"km/h": "kilometres per hour", "mph": "miles per hour", "m/s": "metres per second"},
    **{"km": "kilometres", "cm": "centimetres", "mm": "millimetres", "kg": "kilograms", "mg": "milligrams"},
    **{"ml": "millilitres", "kHz": "kilohertz", "Hz": "hertz", "MHz": "megahertz", "GHz": "gigahertz"},
    **{"kB": "kilobytes", "MB": "megabytes", "GB": "gigabytes", "TB": "terabytes", "dB": "decibels"},
    **{"kW": "kilowatts", "kWh": "kilowatt hours", "ms": "milliseconds", "min": "minutes", "ft": "feet"},
}
_A_UNIT = re.compile(rf"(?<=\d)\s?({'|'.join(sorted(_UNITS, key=len, reverse=True))})(?![\w/])")

_TIME = re.compile(r"(?<![\d:.,])([01]?\d|2[0-4]):([0-5]\d)(?![\d:])(\s?[ap]\.?m\b)?", re.IGNORECASE)
_RATIO = re.compile(r"(?<![\d:.,])(\d+):(\d+)(?![\d:])")
_SIGN_AFTER = re.compile(r"(?<![\w.,])(\d(?:[\d.,]*\d)?)\s?([€£$])(?!\s?\d)")
_YEN = re.compile(r"¥\s?(\d(?:[\d.,]*\d)?)")
_RANGE = re.compile(r"(?<=\d)\s?[–—]\s?(?=[\d€£$])")
_LONG_NUMBER = re.compile(r"\d[\d,]{15,}")
_ADDRESS = re.compile(
    r"\b(?:https?://)?(?:[\w+-]+(?:\.[\w+-]+)*@)?(?:[a-z0-9-]+\.)+(?:com|org|net|io|dev|eu|info|fm|tv|uk|de|fr|edu|gov)"
    r"\b(?:/[\w./?=&%#-]*\w)?",
    re.IGNORECASE,
)
_IN_ADDRESSES = {
    **{".": " dot ", "@": " at ", "/": " slash ", "-": " dash "},
    **{"?": " ", "=": " ", "&": " and ", "#": " "},
}


def read_out(text: str) -> str:
    """Times, prices, ranges, units, addresses and signs in words; letters of other scripts left out."""
    text = _latin(text)
    text = _ADDRESS.sub(lambda found: _address(found[0]), text)
    text = _RATIO.sub(r"\1 to \2", _TIME.sub(_time, text))
    text = _YEN.sub(r"\1 yen", _SIGN_AFTER.sub(r"\2\1", text))
    text = _A_UNIT.sub(lambda found: f" {_UNITS[found[1]]}", _RANGE.sub(" to ", text))
    text = _LONG_NUMBER.sub(lambda found: one_by_one(found[0]), text)
    text = _A_SIGN.sub(lambda found: _SIGNS[found[0]], _MIXED.sub(" and", text))
    return re.sub(r"\s+", " ", text).strip()


def one_by_one(text: str) -> str:
    """Digits by themselves."""
    return re.sub(r"\d", r" \g<0> ", re.sub(r"(?<=\d),(?=\d)", "", text))


def _latin(text: str) -> str:
    """Without letters of other scripts: spelled in English sounds they would be noise."""
    kept = []
    for letter in unicodedata.normalize("NFC", text):
        simple = unicodedata.normalize("NFKD", letter)[0]
        foreign = simple.isalnum() and not (simple.isascii() or "LATIN" in unicodedata.name(letter, ""))
        kept.append(" " if foreign else letter)
    return "".join(kept)


def _address(address: str) -> str:
    bare = re.sub("^https?://", "", address, flags=re.IGNORECASE).replace("www.", "W W W.")
    return "".join(_IN_ADDRESSES.get(sign, sign) for sign in bare)


def _time(found: re.Match[str]) -> str:
    hour, minute, half = int(found[1]), int(found[2]), (found[3] or "").strip().upper()[:1]
    after = f" {half} M" if half else ""
    if minute == 0:
        return f"{hour}{after or (' hundred' if hour > 12 else ' o’clock')}"
    return f"{hour} {'oh ' if minute < 10 else ''}{minute}{after}"
