"""The example recordings: who says what, in which room, into which kind of file."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from mixdown.dsp.processor import Block
from mixdown.dsp.resample import Resampler
from mixdown.examples import sounds
from mixdown.examples.sounds import Samples
from mixdown.examples.voices import RATE_HZ, Line
from mixdown.model import AudioFormat, OutputSpec

with warnings.catch_warnings():
    # It complains of a missing ffmpeg, which nothing here needs, and imports a module that is on its way out.
    warnings.simplefilter("ignore")
    from pydub import AudioSegment

Clips = Sequence[AudioSegment]

_JINGLE_HZ = 48_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One example recording."""

    filename: str
    output: OutputSpec
    sample_rate_hz: int
    lines: tuple[Line, ...]
    mix: Callable[[Clips], AudioSegment]  #: puts the spoken lines into their room
    tags: dict[str, str] = field(default_factory=dict)

    def record(self, spoken: Sequence[Block]) -> Block:
        """The samples of the recording, from its spoken lines."""
        mixed = self.mix([segment(_at_rate(clip, self.sample_rate_hz), self.sample_rate_hz) for clip in spoken])
        samples = np.frombuffer(mixed.raw_data, "<i2").reshape(-1, mixed.channels)
        return (samples / 32_768).astype(np.float32)


def segment(sound: Samples | Block, rate_hz: int) -> AudioSegment:
    """Samples of full scale ±1.0, (frames,) or (frames, channels), as something pydub can cut."""
    channels = sound.shape[1] if sound.ndim > 1 else 1
    pcm = (np.clip(sound, -1, 32_767 / 32_768) * 32_768).astype("<i2").tobytes()
    return AudioSegment(data=pcm, sample_width=2, frame_rate=rate_hz, channels=channels)


def _at_rate(clip: Block, rate_hz: int) -> Block:
    resampler = Resampler(RATE_HZ, rate_hz, 1)
    return np.concatenate([resampler.process(clip), resampler.flush()])


def _samples(clip: AudioSegment) -> Samples:
    """A mono segment as samples again."""
    return np.frombuffer(clip.raw_data, "<i2") / 32_768


def _joined(clips: Clips, pause_ms: int = 400) -> AudioSegment:
    """One after the other, with pauses between and around."""
    pause = AudioSegment.silent(pause_ms, clips[0].frame_rate)
    joined = pause
    for clip in clips:
        joined = joined + clip + pause
    return joined


def _over(voice: AudioSegment, *backgrounds: Samples) -> AudioSegment:
    for background in backgrounds:
        voice = voice.overlay(segment(background, voice.frame_rate))
    return voice


def _interview(clips: Clips) -> AudioSegment:
    """The host sits at the microphone, the guest across the table."""
    placed = [clip.pan(-0.3) if index % 2 == 0 else (clip - 13).pan(0.3) for index, clip in enumerate(clips)]
    table = _joined(placed)
    rate_hz, frames = table.frame_rate, int(table.frame_count())
    room = [sounds.at_level(sounds.room_tone(frames, rate_hz, seed), -58) for seed in (1, 2)]
    return _over(table, np.stack(room, axis=1)) - 4


def _memo(clips: Clips) -> AudioSegment:
    """A phone in the hand: little of the lows and highs, and fingers on its case."""
    voice = _joined(clips, 250)
    rate_hz = voice.frame_rate
    narrow = sounds.band(_samples(voice), rate_hz, 300, 3_400)
    rustle = sounds.band(sounds.clicks(len(narrow), rate_hz, 3, per_second=3), rate_hz, 80, 600)
    room = sounds.at_level(sounds.room_tone(len(narrow), rate_hz, 4), -50)
    return segment(0.8 * narrow + 0.15 * rustle + room, rate_hz)


def _kitchen(clips: Clips) -> AudioSegment:
    """A voice under an extractor fan."""
    voice = _joined(clips) - 8
    frames, rate_hz = int(voice.frame_count()), voice.frame_rate
    return _over(voice, sounds.at_level(sounds.fan(frames, rate_hz, 5), -34)).fade_in(30).fade_out(200)


def _cellar(clips: Clips) -> AudioSegment:
    """A ground loop and a bad plug."""
    voice = _joined(clips) - 10
    frames, rate_hz = int(voice.frame_count()), voice.frame_rate
    return _over(voice, sounds.at_level(sounds.hum(frames, rate_hz), -36), 0.35 * sounds.clicks(frames, rate_hz, 6))


def _lecture(clips: Clips) -> AudioSegment:
    """Recorded from the last row, far too low."""
    voice = _joined(clips, 700)
    rate_hz = voice.frame_rate
    hall = sounds.in_a_hall(_samples(voice), rate_hz, 7)
    audience = sounds.at_level(sounds.room_tone(len(hall), rate_hz, 8), -64)
    return segment(sounds.at_level(hall, -46) + audience, rate_hz)


def _jingle(_: Clips) -> AudioSegment:
    """Music alone, which noise reduction would take for noise: Mixdown notices and leaves it be."""
    left, right = sounds.sting(_JINGLE_HZ, bars=8)
    return segment(0.3 * np.stack([left, right], axis=1), _JINGLE_HZ).fade_out(2_500)


def _train(clips: Clips) -> AudioSegment:
    """Somebody turns away from the microphone and back, while the train goes on."""
    turned = [clip + gain_db for clip, gain_db in zip(clips, (-4, -20, -2, -14), strict=True)]
    voice = _joined(turned, 300)
    frames, rate_hz = int(voice.frame_count()), voice.frame_rate
    wheels = sounds.band(sounds.room_tone(frames, rate_hz, 9), rate_hz, 50, 900)
    clatter = sounds.clicks(frames, rate_hz, 10, per_second=2.5)
    return _over(voice, sounds.at_level(wheels, -42), 0.04 * clatter)


_SHOW = {"album": "Mixdown examples", "artist": "Pico", "date": "2026"}

SCENES = (
    Scene(
        filename="interview.wav",
        output=OutputSpec(format=AudioFormat.wav, bit_depth=16),
        sample_rate_hz=44_100,
        mix=_interview,
        tags={**_SHOW, "title": "Interview at the kitchen table", "track": "1", "genre": "Podcast"},
        lines=(
            Line("Welcome back. Today we talk about what happens to a recording after it is made."),
            Line("Thanks for having me. I sit rather far from the microphone, as you can hear.", "en-US"),
            Line("That is exactly why you are here. Mixdown measures how loud each of us is."),
            Line("And then it brings the whole programme to the loudness that podcasts expect?", "en-US"),
            Line("It does. Nobody has to reach for the volume knob, and the peaks stay under the ceiling."),
            Line("Good. Then I can keep my chair where it is.", "en-US"),
        ),
    ),
    Scene(
        filename="voice memo.m4a",
        output=OutputSpec(format=AudioFormat.m4a, bitrate_kbps=32),
        sample_rate_hz=16_000,
        mix=_memo,
        tags={**_SHOW, "title": "Note to self", "track": "2"},
        lines=(
            Line("Note to self. The recordings from Tuesday are still in the inbox.", "en-US", speed=1.1),
            Line("Drop the folder into Mixdown, let it run over lunch, and read the report.", "en-US", speed=1.1),
            Line("It says how loud each file was, how loud it is now, and what was done.", "en-US", speed=1.1),
            Line("And buy milk.", "en-US", speed=1.1),
        ),
    ),
    Scene(
        filename="noisy kitchen.mp3",
        output=OutputSpec(format=AudioFormat.mp3, bitrate_kbps=96),
        sample_rate_hz=44_100,
        mix=_kitchen,
        tags={**_SHOW, "title": "Under the extractor fan", "track": "3"},
        lines=(
            Line("I am recording this in my kitchen, and the extractor fan is on.", pitch=0.9),
            Line("There is a network that has learned what speech sounds like. It keeps that.", pitch=0.9),
            Line("What is left of the fan is turned down by eighteen decibels, and no further.", pitch=0.9),
            Line("It runs on your own machine. Not a single sample leaves it.", pitch=0.9),
        ),
    ),
    Scene(
        filename="hum and clicks.flac",
        output=OutputSpec(format=AudioFormat.flac, bit_depth=16),
        sample_rate_hz=48_000,
        mix=_cellar,
        tags={**_SHOW, "title": "Ground loop", "track": "4"},
        lines=(
            Line("Testing. One, two, three. Somewhere in this cellar there is a ground loop.", "en-US", pitch=0.85),
            Line("It hums at fifty hertz, and at every odd multiple of that.", "en-US", pitch=0.85),
            Line("The clicks are from the plug. Please do not touch the plug.", "en-US", pitch=0.85),
        ),
    ),
    Scene(
        filename="quiet lecture.ogg",
        output=OutputSpec(format=AudioFormat.ogg, bitrate_kbps=96),
        sample_rate_hz=44_100,
        mix=_lecture,
        tags={**_SHOW, "title": "Loudness, second lecture", "track": "5", "genre": "Lecture"},
        lines=(
            Line("Good morning. Last week we saw how the loudness of a programme is measured.", speed=0.95),
            Line("The signal is weighted as the ear would, and cut into blocks of four tenths of a second."),
            Line("Blocks that are too quiet are left out, and the mean of the others is the loudness.", speed=0.95),
            Line("I am told that the last row cannot hear me. The last row will have to wait for the master."),
        ),
    ),
    Scene(
        filename="jingle.flac",
        output=OutputSpec(format=AudioFormat.flac, bit_depth=16),
        sample_rate_hz=_JINGLE_HZ,
        mix=_jingle,
        tags={**_SHOW, "title": "Jingle", "track": "6", "genre": "Jingle"},
        lines=(),
    ),
    Scene(
        filename="Grüße aus dem Zug.opus",
        output=OutputSpec(format=AudioFormat.opus, bitrate_kbps=48),
        sample_rate_hz=48_000,
        mix=_train,
        tags={**_SHOW, "title": "Grüße aus dem Zug", "track": "7", "language": "deu"},
        lines=(
            Line("Hallo zusammen, ich sitze im Zug nach Berlin und nehme das hier unterwegs auf.", "de-DE"),
            Line("Jetzt sehe ich gerade aus dem Fenster, deshalb bin ich so leise.", "de-DE"),
            Line("Und jetzt wieder nicht. Solche Sprünge gleicht Mixdown von selbst aus.", "de-DE"),
            Line("Die Aufnahme bekommt ihre Lautheit, und ihr bekommt euren Podcast.", "de-DE"),
        ),
    ),
)
