import base64
import io

import numpy as np
import pytest
from PIL import Image

from stages.summary.spectrograms import HEIGHT_PX, INK, RANGE_DB, SHADES, WIDTH_PX, draw, levels_db, png_uri

RATE = 16000


def tone(hertz: float, *, amplitude: float = 1.0, seconds: float = 1.0) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * hertz * np.arange(round(RATE * seconds)) / RATE)).astype(np.float32)


def darkness(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture).astype(int)


@pytest.mark.parametrize("hertz", [400, 2000, 6000])
def test_a_full_scale_sine_has_its_level_at_its_frequency(hertz: int):
    levels = levels_db(tone(hertz), sample_rate=RATE)
    middle = levels[:, levels.shape[1] // 2]
    assert np.argmax(middle) * RATE / 2 / (len(middle) - 1) == hertz
    assert middle.max() == pytest.approx(0, abs=0.1)


def test_half_the_amplitude_is_six_decibels_less():
    loud, soft = (levels_db(tone(1000, amplitude=size), sample_rate=RATE).max() for size in (0.8, 0.4))
    assert loud - soft == pytest.approx(6.02, abs=0.01)


def test_high_frequencies_are_at_the_top_and_time_runs_to_the_right():
    chirp = np.concatenate([tone(1000), tone(7000)])
    levels = levels_db(chirp, sample_rate=RATE)
    drawn = darkness(draw(levels, loudest_db=levels.max(), share=1.0))
    assert drawn.shape == (HEIGHT_PX, WIDTH_PX)
    rows = [int(np.argmax(drawn[:, column])) for column in (WIDTH_PX // 4, 3 * WIDTH_PX // 4)]
    assert [row / HEIGHT_PX for row in rows] == pytest.approx([7 / 8, 1 / 8], abs=0.02)


def test_a_shorter_clip_leaves_the_rest_of_the_axis_empty():
    drawn = darkness(draw(np.zeros((201, 50)), loudest_db=0, share=0.5))
    assert drawn[:, : WIDTH_PX // 2].min() == SHADES - 1
    assert drawn[:, WIDTH_PX // 2 :].max() == 0


def test_what_is_quieter_than_the_range_is_not_drawn():
    levels = np.full((201, 50), -RANGE_DB - 1)
    assert darkness(draw(levels, loudest_db=0, share=1.0)).max() == 0
    assert darkness(draw(levels + 2, loudest_db=0, share=1.0)).max() == 1


def test_silence_and_a_single_sample_can_be_drawn():
    for waveform in (np.zeros(RATE, np.float32), np.ones(1, np.float32)):
        levels = levels_db(waveform, sample_rate=RATE)
        assert np.isfinite(levels).all()
        assert draw(levels, loudest_db=float(levels.max()), share=0.001).size == (WIDTH_PX, HEIGHT_PX)


def test_png_holds_the_ink_and_the_same_bytes_each_time():
    uris = {png_uri(draw(np.zeros((201, 50)), loudest_db=0, share=0.5)) for _ in range(2)}
    assert len(uris) == 1
    picture = Image.open(io.BytesIO(base64.b64decode(uris.pop().partition(",")[2])))
    colours = np.asarray(picture.convert("RGB"))
    assert tuple(colours[-1, -1]) == INK[0]
    assert tuple(colours[0, 0]) == INK[-1]
