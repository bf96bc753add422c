"""Auphonic's audio algorithms, as steps of a chain."""

from __future__ import annotations

from typing import Any

from mixdown.presets.findings import Fate, Settings

#: By these a file is known to hold algorithms.
ALGORITHMS = frozenset(
    (
        *("leveler", "levelerstrength", "normloudness", "loudnesstarget", "maxpeak", "loudnessmethod", "dualmono"),
        *("denoise", "denoiseamount", "denoisemethod", "hipfilter", "filtering", "filtermethod", "silence_cutter"),
        *("filler_cutter", "compressor", "compressor_speech", "levelerstrength_speech"),
    )
)

#: Auphonic's compressors, as the nearest of ours: how hard is told, how it works is not.
_COMPRESSORS = {
    "soft": {"threshold_lu": 3.0, "ratio": 1.5, "knee_db": 8.0, "attack_s": 0.015, "release_s": 0.25},
    "medium": {"threshold_lu": 1.0, "ratio": 2.0, "knee_db": 8.0, "attack_s": 0.01, "release_s": 0.2},
    "hard": {"threshold_lu": 0.0, "ratio": 3.0, "knee_db": 6.0, "attack_s": 0.005, "release_s": 0.15},
}

#: Of Auphonic's methods, those that take everything but speech for noise.
_NEURAL = ("dynamic", "speech_isolation")

_DEFAULT_LUFS = -16.0
_DEFAULT_PEAK_DBTP = -1.0

_StepFields = dict[str, Any]


def chain(given: Settings) -> list[_StepFields]:
    """The steps that the algorithms come to, in the order they are run; the last one brings to a level."""
    return [
        *_filter(given),
        *_hum(given),
        *_denoise(given),
        *_leveler(given),
        *_cutters(given),
        _level(given),
    ]


def _filter(given: Settings) -> list[_StepFields]:
    switch = "filtering" if "filtering" in given.given else "hipfilter"
    if switch == "filtering":
        given.note("hipfilter", Fate.ignored, "filtering says so")
    if not given.is_on(switch):
        given.note("filtermethod", Fate.ignored, "filtering is off")
        return []
    method = given.word("filtermethod")
    given.note(switch, Fate.nearly, "high_pass at 80 Hz; Auphonic's follows the voice")
    if method in ("", "hipfilter"):
        given.note("filtermethod", Fate.taken, "high_pass")
    else:
        given.note("filtermethod", Fate.lost, "only its high-pass is here, no equaliser")
    return [{"kind": "high_pass", "cutoff_hz": 80.0}]


def _hum(given: Settings) -> list[_StepFields]:
    """Its removal is a part of the noise reduction there, and a step here."""
    amount, mains_hz = given.number("dehumamount"), given.number("dehum")
    asked = "dehum" in given.given or "dehumamount" in given.given
    if not asked or not given.is_on("denoise") or amount == -1:
        for key in ("dehum", "dehumamount"):
            given.note(key, Fate.ignored, "off")
        return []
    mains = f"{mains_hz:.0f}" if mains_hz in (50.0, 60.0) else "auto"
    given.note("dehum", Fate.taken, f"de_hum, mains_hz = “{mains}”")
    if amount in (None, 0.0):
        given.note("dehumamount", Fate.taken, "de_hum finds out how much")
    else:
        given.note("dehumamount", Fate.nearly, "de_hum takes out what it finds")
    return [{"kind": "de_hum", "mains_hz": mains}]


def _denoise(given: Settings) -> list[_StepFields]:
    method, amount = given.word("denoisemethod"), given.number("denoiseamount")
    _other_noise(given)
    if not given.is_on("denoise") or amount == -1:
        given.note("denoise", Fate.ignored, "off")
        for key in ("denoiseamount", "denoisemethod"):
            given.note(key, Fate.ignored, "noise reduction is off")
        return []
    is_neural = method in _NEURAL or not method
    ours = "deepfilternet" if is_neural else "log_mmse"
    given.note("denoise", Fate.taken, "denoise")
    if method == "speech_isolation":
        given.note("denoisemethod", Fate.nearly, "deepfilternet; music is left alone here, not taken out")
    elif method in ("dynamic", "static", "classic", ""):
        given.note("denoisemethod", Fate.taken, ours)
    else:
        given.note("denoisemethod", Fate.nearly, f"{ours}; this method is not known here")
    reduction = _reduction(amount, is_neural=is_neural)
    exact = amount is not None and (f"{amount:.0f}" == reduction or (amount == 100 and reduction == "full"))
    if exact or (amount == 0 and is_neural):
        given.note("denoiseamount", Fate.taken, f"reduction = “{reduction}”")
    elif amount == 0:
        given.note("denoiseamount", Fate.nearly, f"reduction = “{reduction}”; auto is not known here")
    else:
        given.note("denoiseamount", Fate.nearly, f"reduction = “{reduction}”, the nearest there is")
    return [{"kind": "denoise", "reduction": reduction, "method": ours}]


def _reduction(amount: float | None, *, is_neural: bool) -> str:
    """The amount as one of ours, rather less than more; 0 is all of it with Auphonic's newer methods, else auto."""
    if amount is None or amount < 0:
        return "18"
    if amount == 0:
        return "full" if is_neural else "18"
    if amount >= 100:
        return "full"
    return "24" if amount >= 24 else "18" if amount >= 18 else "12"


def _other_noise(given: Settings) -> None:
    for key, here in (
        ("deverbamount", "there is no de-reverb here"),
        ("debreathamount", "breaths are not taken out here; the leveller does not lift them"),
    ):
        off = given.number(key) == -1 or not given.is_on("denoise")
        given.note(key, Fate.ignored if off else Fate.lost, "off" if off else here)


def _leveler(given: Settings) -> list[_StepFields]:
    around = ("msclassifier", "levelerstrength_music", "compressor_music", "musicgain", "maxlra", "maxs", "maxm")
    own = ("levelerstrength", "levelerstrength_speech", "compressor", "compressor_speech")
    if not given.is_on("leveler"):
        for key in (*own, *around):
            given.note(key, Fate.ignored, "the leveler is off")
        given.note("leveler", Fate.ignored, "off")
        return []
    apart = "levelerstrength_speech" in given.given
    strength_key = "levelerstrength_speech" if apart else "levelerstrength"
    compressor_key = "compressor_speech" if "compressor_speech" in given.given else "compressor"
    strength = given.number(strength_key)
    strength = 100.0 if strength is None else max(strength, 0.0)
    amount = round(min(strength / 100.0, 1.0), 3)
    given.note("leveler", Fate.taken, "level")
    most = "; 1 is the most there is" if strength > 100 else ""
    given.note(strength_key, Fate.nearly if most else Fate.taken, f"level, amount = {amount:g}{most}")
    if apart:
        given.note("levelerstrength", Fate.ignored, "that of speech counts")
    if compressor_key == "compressor_speech":
        given.note("compressor", Fate.ignored, "that of speech counts")
    _music(given)
    return [{"kind": "level", "amount": amount}, *_compressor(given, compressor_key, strength)]


def _compressor(given: Settings, key: str, strength: float) -> list[_StepFields]:
    asked = given.word(key)
    if asked == "off":
        given.note(key, Fate.taken, "no compress")
        return []
    # Auphonic's auto: medium up to a leveler strength of 100 %, hard above.
    hardness = asked if asked in _COMPRESSORS else "hard" if strength > 100 else "medium"
    ours = _COMPRESSORS[hardness]
    here = f"compress {ours['ratio']:g}:1"
    given.note(key, Fate.nearly, here if asked == hardness else f"{here}, as for {hardness}")
    return [{"kind": "compress", **ours}]


def _music(given: Settings) -> None:
    """What Auphonic can be told of music; here it is treated gently, always."""
    as_usual = {
        "msclassifier": given.word("msclassifier") in ("", "on"),
        "levelerstrength_music": given.number("levelerstrength_music") in (None, -1.0),
        "compressor_music": given.word("compressor_music") in ("", "same"),
        **{key: given.number(key) in (None, 0.0) for key in ("musicgain", "maxlra", "maxs", "maxm")},
    }
    for key, usual in as_usual.items():
        lost = (
            "the leveller treats music gently, always"
            if "mus" in key or key == "msclassifier"
            else "not limited here"
        )
        given.note(key, Fate.ignored if usual else Fate.lost, "as usual" if usual else lost)


def _cutters(given: Settings) -> list[_StepFields]:
    for key in ("filler_cutter", "cough_cutter", "music_cutter"):
        if given.is_on(key):
            given.note(key, Fate.lost, "nothing that is said or played is cut here")
    cuts = given.is_on("silence_cutter")
    mode = given.word("cut_mode")
    if mode and mode != "apply_cuts":
        given.note(
            "cut_mode", Fate.lost if cuts else Fate.ignored, "pauses are shortened" if cuts else "nothing is cut"
        )
    else:
        given.note("cut_mode", Fate.ignored, "as usual")
    if not cuts:
        return []
    given.note("silence_cutter", Fate.nearly, "silence: pauses above 1 s become 1 s long")
    return [{"kind": "silence", "trim": True, "keep_s": 0.3, "shorten_to_s": 1.0}]


def _level(given: Settings) -> _StepFields:
    if "normloudness" in given.given and not given.is_on("normloudness"):
        given.note("normloudness", Fate.lost, f"a chain ends with a loudness: {_DEFAULT_LUFS:g} LUFS")
        for key in ("loudnesstarget", "maxpeak", "loudnessmethod", "dualmono"):
            given.note(key, Fate.ignored, "normloudness is off")
        return {"kind": "loudness", "target_lufs": _DEFAULT_LUFS, "ceiling_dbtp": _DEFAULT_PEAK_DBTP}
    asked = given.number("loudnesstarget")
    target = min(max(_DEFAULT_LUFS if asked is None else asked, -40.0), -5.0)
    peak_asked = given.number("maxpeak")
    is_auto = peak_asked in (None, 0.0) or (peak_asked is not None and peak_asked > 0)
    peak = _auto_peak(target) if is_auto else min(max(peak_asked or 0.0, -12.0), 0.0)
    in_rms = given.word("loudnessmethod") == "rms"
    unit = "dBFS RMS" if in_rms else "LUFS"
    given.note("normloudness", Fate.taken, "rms_level" if in_rms else "loudness")
    given.note("loudnesstarget", Fate.taken if asked == target else Fate.nearly, f"{target:g} {unit}")
    exact = not is_auto and peak == peak_asked
    given.note("maxpeak", Fate.taken if exact else Fate.nearly, f"{peak:g} dBTP" + (" for auto" if is_auto else ""))
    _loudness_method(given)
    dual_mono = given.is_on("dualmono")
    if in_rms:
        given.note(
            "dualmono",
            Fate.lost if dual_mono else Fate.ignored,
            "an RMS level knows no mono" if dual_mono else "off",
        )
        return {"kind": "rms_level", "target_rms_dbfs": target, "ceiling_dbtp": peak}
    step = {"kind": "loudness", "target_lufs": target, "ceiling_dbtp": peak}
    if dual_mono:
        step["mono_target_lufs"] = max(target - 3.0, -40.0)
        given.note("dualmono", Fate.taken, f"mono {step['mono_target_lufs']:g} LUFS")
    return step


def _auto_peak(target_lufs: float) -> float:
    """−2 dBTP for the United States (ATSC A/85), else −1 (EBU R 128, Apple)."""
    return -2.0 if target_lufs == -24.0 else _DEFAULT_PEAK_DBTP


def _loudness_method(given: Settings) -> None:
    method = given.word("loudnessmethod")
    if method == "dialog":
        given.note("loudnessmethod", Fate.lost, "the whole programme is measured, not its dialogue")
    elif method == "rms":
        given.note("loudnessmethod", Fate.taken, "rms_level")
    elif method in ("", "program"):
        given.note("loudnessmethod", Fate.ignored, "as usual")
