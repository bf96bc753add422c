"""Numbers, dates and times in words, as SSML's `say-as` asks for them."""

from __future__ import annotations

import re

_DIGITS = re.compile("[0-9]+")
_EN = str.split(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
_EN_TENS = str.split("_ _ twenty thirty forty fifty sixty seventy eighty ninety")
_EN_ORDINALS = {
    **{"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth"},
    **{"nine": "ninth", "twelve": "twelfth"},
}
_DE = str.split(
    "null ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn "
    "siebzehn achtzehn neunzehn"
)
_DE_TENS = str.split("_ _ zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig")
_DE_ORDINALS = {1: "erste", 3: "dritte", 7: "siebte", 8: "achte"}
_MONTHS = {
    "en": str.split("January February March April May June July August September October November December"),
    "de": str.split("Januar Februar März April Mai Juni Juli August September Oktober November Dezember"),
    "fr": str.split("janvier février mars avril mai juin juillet août septembre octobre novembre décembre"),
    "es": str.split("enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"),
    "it": str.split(
        "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre"
    ),
}
_POINT = {"en": "point", "de": "Komma"}
_PLUS = {"es": "más", "it": "più"}
_LARGEST = 10**9


def said_as(kind: str, form: str, text: str, language: str) -> str | None:
    """What a text says as a date, a number …; None: as it is written, for the engine to read."""
    spoken = language.partition("-")[0].lower()
    text = text.strip()
    match kind.lower():
        case "characters" | "spell-out" | "verbatim":
            return " ".join(text.replace(" ", "").upper())
        case "digits":
            return " ".join(text.replace(" ", ""))
        case "telephone":
            return telephone(text, spoken)
        case "cardinal" | "number":
            return cardinal(text, spoken)
        case "ordinal":
            found = _DIGITS.search(text)
            return ordinal(int(found[0]), spoken) if found and len(found[0]) < 10 else None
        case "date":
            return date(text, form.lower(), language)
        case "time":
            return time(text, spoken)
    return None


def cardinal(text: str, language: str) -> str | None:
    """A number in words; None: in a language that is not known here, or no number."""
    decimal, thousands = (",", ".") if language == "de" else (".", ",")
    plain = re.sub(r"[\s_']", "", text).replace(thousands, "").replace("\u2212", "-")
    found = re.fullmatch(rf"(-?)([0-9]{{1,9}})(?:{re.escape(decimal)}([0-9]{{1,20}}))?", plain)
    words = _WORDS.get(language)
    if not found or words is None:
        return None
    said = words(int(found[2]))
    if language == "de" and said.endswith("ein"):
        said += "s"
    if found[3]:
        said += f" {_POINT[language]} " + " ".join(_one_digit(digit, language) for digit in found[3])
    return f"minus {said}" if found[1] else said


def ordinal(number: int, language: str) -> str | None:
    """A number of an order in words; None: in a language that is not known here."""
    if language == "en":
        head, between, last = _last_word(_english(number))
        if last in _EN_ORDINALS:
            return head + between + _EN_ORDINALS[last]
        return head + between + (last[:-1] + "ieth" if last.endswith("y") else last + "th")
    if language == "de":
        below = number % 100
        if below in _DE_ORDINALS:
            rest = _german(number - below) if number > below else ""
            return rest + _DE_ORDINALS[below]
        return _german(number) + ("te" if 0 < below < 20 else "ste")
    return None


def telephone(text: str, language: str) -> str:
    """A number of a telephone: digit by digit, with a breath where a space or a dash is written."""
    groups = re.findall("[0-9]+|[+]", text)
    plus = _PLUS.get(language, "plus")
    return ", ".join(plus if group == "+" else " ".join(group) for group in groups).replace(f"{plus}, ", f"{plus} ")


def date(text: str, form: str, language: str) -> str | None:
    """A date in words, from its numbers in the order that `form` names (ymd, dmy, mdy, md, dm, ym, my, y, m, d)."""
    numbers = _DIGITS.findall(text)
    spoken = language.partition("-")[0].lower()
    if not re.fullmatch("[ymd]{1,3}", form) or len(form) != len(numbers):
        american = language.lower() == "en-us"
        form = "ymd" if numbers and len(numbers[0]) == 4 else ("mdy" if american else "dmy")
    found = {part: int(number[:6]) for part, number in zip(form, numbers, strict=False)}
    if len(numbers) > 3 or len(found) != len(numbers) or spoken not in _MONTHS or not 1 <= found.get("m", 1) <= 12:
        return None
    month = _MONTHS[spoken][found["m"] - 1] if "m" in found else ""
    day, year = found.get("d"), found.get("y")
    if spoken == "en":
        return _english_date(day, month, year, american=language.lower() != "en-gb")
    first = "1er" if spoken == "fr" and day == 1 else str(day)
    parts = [f"{first}." if spoken == "de" else first] if day is not None else []
    parts += [month] if month else []
    parts += [str(year)] if year is not None else []
    return (" de " if spoken == "es" else " ").join(parts)


def time(text: str, language: str) -> str | None:
    """A time of the day in words; None: in a language that is not known here, or no time."""
    found = re.fullmatch(r"([0-9]{1,2})[:.h]([0-9]{2})(?:[:.]([0-9]{2}))?\s*(?:([ap])\.?m\.?)?", text.lower())
    if not found or not (int(found[1]) < 25 and int(found[2]) < 60 and int(found[3] or 0) < 60):
        return None
    hour, minute, second = int(found[1]), int(found[2]), int(found[3] or 0)
    if language == "de":
        said = f"{_german(hour)} Uhr" + (f" {cardinal(str(minute), 'de')}" if minute or second else "")
        return said + (f" und {cardinal(str(second), 'de')} Sekunden" if second else "")
    if language != "en":
        return None
    said = _english(hour)
    if minute or second:
        said += f" {'oh ' if minute < 10 else ''}{_english(minute)}"
    elif not found[4]:
        said += " o'clock" if hour <= 12 else " hundred"
    said += f" and {_english(second)} seconds" if second else ""
    return said + (f" {found[4].upper()} M" if found[4] else "")


def _english_date(day: int | None, month: str, year: int | None, *, american: bool) -> str:
    nth = (ordinal(day, "en") or "") if day is not None else ""
    if nth and month:
        said = f"{month} {nth}" if american else f"the {nth} of {month}"
    else:
        said = month or (f"the {nth}" if nth else "")
    spoken_year = _english_year(year) if year is not None else ""
    return (", " if nth else " ").join(part for part in (said, spoken_year) if part)


def _english_year(year: int) -> str:
    century, below = divmod(year, 100)
    if not 1000 < year < 10_000 or year % 1000 < 10:
        return _english(year)
    if below == 0:
        return f"{_english(century)} hundred"
    return f"{_english(century)} {'oh ' if below < 10 else ''}{_english(below)}"


def _english(number: int) -> str:
    if number < 20:
        return _EN[number]
    if number < 100:
        return _EN_TENS[number // 10] + (f"-{_EN[number % 10]}" if number % 10 else "")
    for size, name in ((10**6, "million"), (10**3, "thousand"), (100, "hundred")):
        if number >= size:
            count, rest = divmod(number, size)
            return f"{_english(count)} {name}" + (f" {_english(rest)}" if rest else "")
    return _EN[0]


def _german(number: int) -> str:
    if number < 20:
        return _DE[number]
    if number < 100:
        return (f"{_DE[number % 10]}und" if number % 10 else "") + _DE_TENS[number // 10]
    for size, name in ((10**3, "tausend"), (100, "hundert")):
        if size <= number < 10**6:
            count, rest = divmod(number, size)
            return _german(count) + name + (_german(rest) if rest else "")
    count, rest = divmod(number, 10**6)
    millions = "eine Million" if count == 1 else f"{_german(count)} Millionen"
    return millions + (f" {_german(rest)}" if rest else "")


def _one_digit(digit: str, language: str) -> str:
    return "eins" if language == "de" and digit == "1" else _WORDS[language](int(digit))


def _last_word(words: str) -> tuple[str, str, str]:
    at = max(words.rfind(" "), words.rfind("-"))
    return (words[:at], words[at], words[at + 1 :]) if at >= 0 else ("", "", words)


_WORDS = {"en": _english, "de": _german}
